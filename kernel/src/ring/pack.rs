//! Packing of four scalar sharings into one sharing: sum of X^j times sharing j.
//!
//! Valid because the secrets are scalars: coefficient j of the opened element is then secret j,
//! although the shares themselves are full ring elements. Opening costs a quarter of the bytes.

use super::element::{Element, Word, DEGREE};
use crate::error::{invalid, KernelError, Result};

/// Elements needed for `count` scalars.
#[must_use]
pub fn packed_length(count: usize) -> usize {
    count.div_ceil(DEGREE)
}

/// Pack each group of four elements into one; the last group is padded with zeros.
#[must_use]
pub fn pack4<W: Word>(elements: &[Element<W>]) -> Vec<Element<W>> {
    elements
        .chunks(DEGREE)
        .map(|group| {
            // Horner in X: the last element of the group carries the highest power.
            group
                .iter()
                .rev()
                .fold(Element::zero(), |sum, element| sum.times_x() + *element)
        })
        .collect()
}

/// The first `count` coefficients of opened packed elements.
///
/// # Errors
/// `InvalidInput` if `count` does not fit the number of elements; `VerificationFailed` if a
/// coefficient beyond `count` is not zero, for an honest packing pads with zeros.
pub fn unpack4<W: Word>(elements: &[Element<W>], count: usize) -> Result<Vec<W>> {
    if packed_length(count) != elements.len() {
        return invalid("the count does not fit the number of packed elements");
    }
    let mut words: Vec<W> = elements.iter().flat_map(|element| element.0).collect();
    if words[count..].iter().any(|word| *word != W::ZERO) {
        return Err(KernelError::VerificationFailed(
            "the padding of the last packed element is not zero".into(),
        ));
    }
    words.truncate(count);
    Ok(words)
}
