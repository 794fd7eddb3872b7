//! Elements of GR(2^k, 4): four words, coefficients from low to high, all arithmetic mod 2^k.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use zeroize::Zeroize;

use super::field;
use crate::error::{invalid, Result};

/// Degree of the ring over Z/2^k.
pub const DEGREE: usize = 4;

/// Most parties the ring has evaluation points for: 2^4 - 1.
pub const MAX_PARTIES: usize = 15;

/// Word of the base ring Z/2^k; arithmetic wraps.
pub trait Word: Copy + Default + Eq + Debug + Send + Sync + Zeroize + 'static {
    /// Bits of the word, k.
    const BITS: u32;
    /// Bytes of the word, k / 8.
    const BYTES: usize;
    /// The number 0.
    const ZERO: Self;
    /// The number 1.
    const ONE: Self;
    /// Sum mod 2^k.
    #[must_use]
    fn wrapping_add(self, other: Self) -> Self;
    /// Difference mod 2^k.
    #[must_use]
    fn wrapping_sub(self, other: Self) -> Self;
    /// Product mod 2^k.
    #[must_use]
    fn wrapping_mul(self, other: Self) -> Self;
    /// Negative mod 2^k.
    #[must_use]
    fn wrapping_neg(self) -> Self;
    /// Bit `index` (below `BITS`) as 0 or 1.
    fn bit(self, index: u32) -> u8;
    /// The word shifted left by `distance` (below `BITS`).
    #[must_use]
    fn shifted(self, distance: u32) -> Self;
    /// Low k bits of `value`.
    fn from_u128(value: u128) -> Self;
    /// Word of exactly `BYTES` little-endian bytes; shorter input is padded with zeros.
    fn from_le_slice(bytes: &[u8]) -> Self;
    /// Write the word as `BYTES` little-endian bytes at the start of `target`.
    fn write_le(self, target: &mut [u8]);
}

macro_rules! impl_word {
    ($word:ty) => {
        impl Word for $word {
            const BITS: u32 = <$word>::BITS;
            const BYTES: usize = std::mem::size_of::<$word>();
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline]
            fn wrapping_add(self, other: Self) -> Self {
                <$word>::wrapping_add(self, other)
            }
            #[inline]
            fn wrapping_sub(self, other: Self) -> Self {
                <$word>::wrapping_sub(self, other)
            }
            #[inline]
            fn wrapping_mul(self, other: Self) -> Self {
                <$word>::wrapping_mul(self, other)
            }
            #[inline]
            fn wrapping_neg(self) -> Self {
                <$word>::wrapping_neg(self)
            }
            #[inline]
            fn bit(self, index: u32) -> u8 {
                u8::from((self >> index) & 1 == 1)
            }
            #[inline]
            fn shifted(self, distance: u32) -> Self {
                self << distance
            }
            #[inline]
            #[allow(clippy::cast_possible_truncation, reason = "truncation is the purpose")]
            #[allow(trivial_numeric_casts, reason = "the macro also serves u128")]
            fn from_u128(value: u128) -> Self {
                value as $word
            }
            #[inline]
            fn from_le_slice(bytes: &[u8]) -> Self {
                // The usual case first: a copy of fixed length is a single load.
                if let Some(exact) = bytes.first_chunk() {
                    return <$word>::from_le_bytes(*exact);
                }
                let mut word = [0u8; std::mem::size_of::<$word>()];
                word[..bytes.len()].copy_from_slice(bytes);
                <$word>::from_le_bytes(word)
            }
            #[inline]
            fn write_le(self, target: &mut [u8]) {
                target[..Self::BYTES].copy_from_slice(&self.to_le_bytes());
            }
        }
    };
}

impl_word!(u64);
impl_word!(u128);

/// Element a0 + a1 X + a2 X^2 + a3 X^3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Element<W>(pub [W; DEGREE]);

impl<W: Word> Zeroize for Element<W> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<W: Word> Add for Element<W> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
}

impl<W: Word> AddAssign for Element<W> {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<W: Word> Sub for Element<W> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
    }
}

impl<W: Word> Neg for Element<W> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_neg()))
    }
}

impl<W: Word> Mul for Element<W> {
    type Output = Self;
    /// Schoolbook product, then X^4 = -1 - X (the sign matters over Z/2^k).
    #[inline]
    fn mul(self, other: Self) -> Self {
        let mut product = [W::ZERO; 2 * DEGREE - 1];
        for (i, left) in self.0.iter().enumerate() {
            for (j, right) in other.0.iter().enumerate() {
                product[i + j] = product[i + j].wrapping_add(left.wrapping_mul(*right));
            }
        }
        let [c0, c1, c2, c3, c4, c5, c6] = product;
        Self([
            c0.wrapping_sub(c4),
            c1.wrapping_sub(c4).wrapping_sub(c5),
            c2.wrapping_sub(c5).wrapping_sub(c6),
            c3.wrapping_sub(c6),
        ])
    }
}

impl<W: Word> Element<W> {
    /// Bytes of one element on the wire.
    pub const BYTES: usize = DEGREE * W::BYTES;

    /// The element 0.
    #[must_use]
    pub fn zero() -> Self {
        Self([W::ZERO; DEGREE])
    }

    /// The element 1.
    #[must_use]
    pub fn one() -> Self {
        Self::scalar(W::ONE)
    }

    /// The word as an element: constant coefficient only.
    #[must_use]
    pub fn scalar(word: W) -> Self {
        Self([word, W::ZERO, W::ZERO, W::ZERO])
    }

    /// Coefficient-wise product with a word; four products instead of sixteen.
    #[inline]
    #[must_use]
    pub fn scale(self, word: W) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_mul(word)))
    }

    /// Product with itself: ten products instead of sixteen.
    #[inline]
    #[must_use]
    pub fn square(self) -> Self {
        let [a0, a1, a2, a3] = self.0;
        let twice = |left: W, right: W| {
            let product = left.wrapping_mul(right);
            product.wrapping_add(product)
        };
        let (c1, c3) = (twice(a0, a1), twice(a0, a3).wrapping_add(twice(a1, a2)));
        let c2 = twice(a0, a2).wrapping_add(a1.wrapping_mul(a1));
        let c4 = twice(a1, a3).wrapping_add(a2.wrapping_mul(a2));
        let (c5, c6) = (twice(a2, a3), a3.wrapping_mul(a3));
        Self([
            a0.wrapping_mul(a0).wrapping_sub(c4),
            c1.wrapping_sub(c4).wrapping_sub(c5),
            c2.wrapping_sub(c5).wrapping_sub(c6),
            c3.wrapping_sub(c6),
        ])
    }

    /// Product with X.
    #[inline]
    #[must_use]
    pub fn times_x(self) -> Self {
        let [a0, a1, a2, a3] = self.0;
        Self([a3.wrapping_neg(), a0.wrapping_sub(a3), a1, a2])
    }

    /// Product with the point of `party`, by at most three shifts and additions.
    #[inline]
    #[must_use]
    pub fn times_point(self, party: usize) -> Self {
        let mut sum = Self::zero();
        let mut shifted = self;
        for bit in 0..DEGREE {
            if (party >> bit) & 1 == 1 {
                sum += shifted;
            }
            shifted = shifted.times_x();
        }
        sum
    }

    /// Symbol of GF(16) made of bit `index` of each coefficient.
    #[inline]
    #[must_use]
    pub fn bit_symbol(self, index: u32) -> u8 {
        let [a0, a1, a2, a3] = self.0;
        a0.bit(index) | (a1.bit(index) << 1) | (a2.bit(index) << 2) | (a3.bit(index) << 3)
    }

    /// Element whose coefficients are the bits of `symbol`, times 2^`index`.
    #[must_use]
    pub fn from_bit_symbol(symbol: u8, index: u32) -> Self {
        let word = W::ONE.shifted(index);
        Self(std::array::from_fn(|i| {
            if (symbol >> i) & 1 == 1 {
                word
            } else {
                W::ZERO
            }
        }))
    }

    /// Inverse of a unit: the inverse mod 2 in GF(16), then Newton steps that double the precision.
    ///
    /// # Errors
    /// `InvalidInput` if the element is no unit (all coefficients even).
    pub fn inverse(self) -> Result<Self> {
        let residue = self.bit_symbol(0);
        if residue == 0 {
            return invalid("the element is not invertible");
        }
        let two = Self::scalar(W::ONE.wrapping_add(W::ONE));
        let mut inverse = Self::from_bit_symbol(field::inverse(residue), 0);
        for _ in 0..W::BITS.ilog2() {
            inverse = inverse * (two - self * inverse);
        }
        Ok(inverse)
    }

    /// Write the element as `Self::BYTES` little-endian bytes at the start of `target`.
    pub fn write_le(&self, target: &mut [u8]) {
        for (word, chunk) in self.0.iter().zip(target.chunks_exact_mut(W::BYTES)) {
            word.write_le(chunk);
        }
    }

    /// Element of `Self::BYTES` little-endian bytes; shorter input is padded with zeros.
    #[inline]
    #[must_use]
    pub fn from_le_slice(bytes: &[u8]) -> Self {
        let mut words = [W::ZERO; DEGREE];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(W::BYTES)) {
            *word = W::from_le_slice(chunk);
        }
        Self(words)
    }

    /// The element as `Self::BYTES` little-endian bytes.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; Self::BYTES];
        self.write_le(&mut bytes);
        bytes
    }
}

/// Evaluation point of `party`: coefficient j is bit j of the number.
#[must_use]
pub fn point<W: Word>(party: usize) -> Element<W> {
    Element(std::array::from_fn(|j| {
        if (party >> j) & 1 == 1 {
            W::ONE
        } else {
            W::ZERO
        }
    }))
}

/// Words of a byte vector.
///
/// # Errors
/// `InvalidInput` if the length is no multiple of the word's length.
pub fn words_from_bytes<W: Word>(bytes: &[u8]) -> Result<Vec<W>> {
    if !bytes.len().is_multiple_of(W::BYTES) {
        return invalid(format!("length is not a multiple of {} bytes", W::BYTES));
    }
    Ok(bytes.chunks_exact(W::BYTES).map(W::from_le_slice).collect())
}

/// Byte vector of words.
#[must_use]
pub fn words_to_bytes<W: Word>(words: &[W]) -> Vec<u8> {
    let mut bytes = vec![0; words.len() * W::BYTES];
    for (word, chunk) in words.iter().zip(bytes.chunks_exact_mut(W::BYTES)) {
        word.write_le(chunk);
    }
    bytes
}

/// Elements of a byte vector.
///
/// # Errors
/// `InvalidInput` if the length is no multiple of an element's length.
pub fn elements_from_bytes<W: Word>(bytes: &[u8]) -> Result<Vec<Element<W>>> {
    let size = Element::<W>::BYTES;
    if !bytes.len().is_multiple_of(size) {
        return invalid(format!("length is not a multiple of {size} bytes"));
    }
    Ok(bytes
        .chunks_exact(size)
        .map(Element::from_le_slice)
        .collect())
}

/// Byte vector of elements.
#[must_use]
pub fn elements_to_bytes<W: Word>(elements: &[Element<W>]) -> Vec<u8> {
    let size = Element::<W>::BYTES;
    let mut bytes = vec![0; elements.len() * size];
    for (element, chunk) in elements.iter().zip(bytes.chunks_exact_mut(size)) {
        element.write_le(chunk);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(coefficients: [i128; 4]) -> Element<u128> {
        Element(coefficients.map(i128::cast_unsigned))
    }

    #[test]
    fn products_reduce_with_the_right_signs() {
        let x = signed([0, 1, 0, 0]);
        assert_eq!(x * signed([0, 0, 0, 1]), signed([-1, -1, 0, 0]));
        let nine = point::<u128>(9);
        assert_eq!(nine * nine, signed([1, 0, -1, 1]));
        assert_eq!(x.inverse(), Ok(signed([-1, 0, 0, -1])));
        assert_eq!(point::<u128>(3).inverse(), Ok(signed([0, -1, 1, -1])));
    }

    #[test]
    fn times_point_is_the_product_with_the_point() {
        let element = Element([3u64, 1 << 63, 17, u64::MAX]);
        for party in 0..=MAX_PARTIES {
            assert_eq!(element.times_point(party), element * point(party));
        }
    }

    #[test]
    fn the_square_is_the_product_with_itself() {
        let element = Element([3u64, 1 << 63, 17, u64::MAX]);
        assert_eq!(element.square(), element * element);
        let wide = signed([-5, 1 << 100, 7, i128::MIN + 3]);
        assert_eq!(wide.square(), wide * wide);
    }

    #[test]
    fn even_elements_have_no_inverse() {
        assert!(Element([2u64, 4, 0, 8]).inverse().is_err());
    }
}
