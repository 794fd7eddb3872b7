//! Noise of key generation: `TUniform` numbers from random bits.
//!
//! `TUniform(b)` is uniform on the integers of \[-2^b, 2^b\] but for the two ends, which have half the
//! weight (eprint 2025/699).

use zeroize::Zeroizing;

use super::element::{Element, Word};
use super::masked::Secrets;
use crate::error::{invalid, Result};

/// Bits that one number of `TUniform(bound)` takes.
#[must_use]
pub fn bits_of_tuniform(bound: u32) -> usize {
    bound as usize + 2
}

/// Shares of numbers of `TUniform(bound)` from shares of bits, `bound` + 2 a number, in order.
///
/// e = b_1 + 2 b_2 + ... + 2^b b_(b+1) + b_(b+2) - 2^b for bits b_1..b_(b+2).
///
/// # Errors
/// `InvalidInput` if the bits do not fit, or 2^(bound + 1) leaves the word.
pub fn tuniform_from_bits<W: Word>(bits: &[Element<W>], bound: u32) -> Result<Secrets<W>> {
    if bound >= W::BITS - 1 {
        return invalid("the bound of the noise does not fit the word");
    }
    let size = bits_of_tuniform(bound);
    if !bits.len().is_multiple_of(size) {
        return invalid("the number of bits does not fit the bound of the noise");
    }
    let offset = Element::scalar(W::ONE.shifted(bound));
    let numbers = bits.chunks_exact(size).map(|group| {
        let (weighted, last) = group.split_at(size - 1);
        // Horner: the last of the weighted bits counts 2^bound.
        let sum = weighted
            .iter()
            .rev()
            .fold(Element::zero(), |sum: Element<W>, bit| sum + sum + *bit);
        sum + last[0] - offset
    });
    Ok(Zeroizing::new(numbers.collect()))
}
