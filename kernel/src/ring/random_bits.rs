//! Random shared bits without products: open x^2 + x.
//!
//! x is a pseudorandom word of Z/2^k. The opened u = x^2 + x has exactly two roots, r and -1 - r, and
//! x is either of them with the same probability; b = (x - r) / (-1 - 2r) is 0 for x = r and 1 for
//! the other. Which root is r is a public rule: the even one.

use zeroize::Zeroizing;

use super::element::{Element, Word};
use super::masked::{check_opened, for_each_value, packed_and_masked, Secrets, Source};
use super::prf::Kind;
use super::prss::PrssSession;
use crate::error::{KernelError, Result};

const SOURCE: Source = Source {
    words: Kind::Bit,
    zeros: Kind::BitZero,
    words_each: 1,
};

/// Our shares of degree 2t of the packed x^2 + x for the words x numbered `start`..`start` + `count`:
/// what a party sends.
///
/// # Errors
/// `InvalidInput` if the range is too large or not aligned to groups of four.
pub fn masked_bits<W: Word>(
    session: &PrssSession,
    start: u64,
    count: usize,
) -> Result<Vec<Element<W>>> {
    packed_and_masked(session, SOURCE, (start, count), |_, x| x[0].square() + x[0])
}

/// Our shares of the bits numbered from `start`, from the opened words x^2 + x.
///
/// # Errors
/// As [`finish_bits`]; `InvalidInput` if the range is too large.
pub fn bits<W: Word>(session: &PrssSession, start: u64, opened: &[W]) -> Result<Secrets<W>> {
    let mut bits = Zeroizing::new(Vec::with_capacity(opened.len()));
    for_each_value(session, SOURCE, (start, opened.len()), |place, x| {
        bits.push(bit_of(x[0], opened[place])?);
        Ok(())
    })?;
    Ok(bits)
}

/// Our shares of the words x alone: what [`finish_bits`] needs when the openings are already known.
///
/// # Errors
/// `InvalidInput` if the range is too large.
pub fn words<W: Word>(session: &PrssSession, start: u64, count: usize) -> Result<Secrets<W>> {
    Ok(Zeroizing::new(session.scalars_of(
        Kind::Bit,
        start,
        count,
    )?))
}

/// Our shares of the bits, from the opened words x^2 + x.
///
/// # Errors
/// `InvalidInput` if the numbers differ; `VerificationFailed` if a word has no root, which no
/// rightly opened word can be.
pub fn finish_bits<W: Word>(words: &[Element<W>], opened: &[W]) -> Result<Secrets<W>> {
    check_opened(opened, words)?;
    let shares = words.iter().zip(opened);
    Ok(Zeroizing::new(
        shares
            .map(|(x, &square)| bit_of(*x, square))
            .collect::<Result<_>>()?,
    ))
}

/// b = (r - x) / (1 + 2r) for the even root r.
#[inline]
fn bit_of<W: Word>(x: Element<W>, square: W) -> Result<Element<W>> {
    let (root, inverse) = even_root(square)?;
    Ok((Element::scalar(root) - x).scale(inverse))
}

/// The even root r of X^2 + X = `square`, and the inverse of 1 + 2r.
///
/// Newton's iteration for both at once; each step doubles the number of right bits.
fn even_root<W: Word>(square: W) -> Result<(W, W)> {
    if square.bit(0) == 1 {
        return Err(KernelError::VerificationFailed(
            "an opened word is not the sum of a word and its square".into(),
        ));
    }
    let two = W::ONE.wrapping_add(W::ONE);
    let slope = |root: W| W::ONE.wrapping_add(root.wrapping_mul(two));
    // u - u^2 solves the equation up to a multiple of u^3, so to four bits; 1 - 2r inverts 1 + 2r
    // up to 4 r^2, so to four bits as well.
    let mut root = square.wrapping_sub(square.wrapping_mul(square));
    let mut inverse = W::ONE.wrapping_sub(root.wrapping_mul(two));
    let mut right = 4;
    while right < W::BITS {
        let defect = root
            .wrapping_mul(root)
            .wrapping_add(root)
            .wrapping_sub(square);
        root = root.wrapping_sub(defect.wrapping_mul(inverse));
        inverse = inverse.wrapping_mul(two.wrapping_sub(slope(root).wrapping_mul(inverse)));
        right *= 2;
    }
    Ok((root, inverse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::prf::{dealt_key, Access};

    fn check<W: Word>(x: W) {
        let square = x.wrapping_mul(x).wrapping_add(x);
        let (root, inverse) = even_root(square).unwrap();
        assert_eq!(root.bit(0), 0);
        assert_eq!(root.wrapping_mul(root).wrapping_add(root), square);
        let slope = W::ONE.wrapping_add(root).wrapping_add(root);
        assert_eq!(slope.wrapping_mul(inverse), W::ONE);
        assert!(root == x || root == W::ZERO.wrapping_sub(W::ONE).wrapping_sub(x));
    }

    #[test]
    fn roots_solve_the_equation() {
        let access = Access {
            parties: 4,
            threshold: 1,
        };
        for seed in 0u8..=255 {
            let bytes = dealt_key(access, 7, &[seed; 32]);
            check(u128::from_le_bytes(*bytes));
            check(u64::from_le_slice(&bytes[..8]));
        }
        for edge in [0, 1, 2, 3, u64::MAX, 1 << 63, (1 << 63) - 1] {
            check(edge);
            check(u128::from(edge) << 64 | 1);
        }
        assert!(even_root(7u64).is_err());
    }
}
