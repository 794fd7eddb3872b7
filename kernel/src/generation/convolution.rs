//! Negacyclic products of public polynomials with shared ones, exact mod 2^k.
//!
//! A shared polynomial has coefficients in GR(2^k, 4), that is four polynomials over Z/2^k. Products
//! are computed modulo enough 31-bit primes to hold the integers and put together again; the shared
//! side is transformed once.

use tfhe_ntt::{native128, native64, prime32};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{KernelError, Result};
use crate::ring::element::{Element, Word, DEGREE};

/// Transforms of words; each residue has as many numbers as the polynomial.
pub trait Transform: Word {
    /// Tables of one polynomial size.
    type Plan: Send + Sync;
    /// Number of primes.
    const PRIMES: usize;
    /// Tables for a size.
    fn tables(size: usize) -> Option<Self::Plan>;
    /// Tables of one prime.
    fn prime(plan: &Self::Plan, index: usize) -> &prime32::Plan;
    /// Residues of `values`, transformed.
    fn forward(plan: &Self::Plan, values: &[Self], residues: &mut [u32]);
    /// Values of transformed residues, which are used up.
    fn backward(plan: &Self::Plan, values: &mut [Self], residues: &mut [u32]);
}

/// Equal mutable parts of a slice.
fn parts<const COUNT: usize>(residues: &mut [u32], size: usize) -> [&mut [u32]; COUNT] {
    let mut chunks = residues.chunks_exact_mut(size);
    std::array::from_fn(|_| chunks.next().unwrap_or_default())
}

impl Transform for u64 {
    type Plan = native64::Plan32;
    const PRIMES: usize = 5;

    fn tables(size: usize) -> Option<Self::Plan> {
        native64::Plan32::try_new(size)
    }

    fn prime(plan: &Self::Plan, index: usize) -> &prime32::Plan {
        match index {
            0 => plan.ntt_0(),
            1 => plan.ntt_1(),
            2 => plan.ntt_2(),
            3 => plan.ntt_3(),
            _ => plan.ntt_4(),
        }
    }

    fn forward(plan: &Self::Plan, values: &[Self], residues: &mut [u32]) {
        let [a, b, c, d, e] = parts::<5>(residues, values.len());
        plan.fwd(values, a, b, c, d, e);
    }

    fn backward(plan: &Self::Plan, values: &mut [Self], residues: &mut [u32]) {
        let [a, b, c, d, e] = parts::<5>(residues, values.len());
        plan.inv(values, a, b, c, d, e);
    }
}

impl Transform for u128 {
    type Plan = native128::Plan32;
    const PRIMES: usize = 10;

    fn tables(size: usize) -> Option<Self::Plan> {
        native128::Plan32::try_new(size)
    }

    fn prime(plan: &Self::Plan, index: usize) -> &prime32::Plan {
        match index {
            0 => plan.ntt_0(),
            1 => plan.ntt_1(),
            2 => plan.ntt_2(),
            3 => plan.ntt_3(),
            4 => plan.ntt_4(),
            5 => plan.ntt_5(),
            6 => plan.ntt_6(),
            7 => plan.ntt_7(),
            8 => plan.ntt_8(),
            _ => plan.ntt_9(),
        }
    }

    fn forward(plan: &Self::Plan, values: &[Self], residues: &mut [u32]) {
        let [a, b, c, d, e, f, g, h, i, j] = parts::<10>(residues, values.len());
        plan.fwd(values, a, b, c, d, e, f, g, h, i, j);
    }

    fn backward(plan: &Self::Plan, values: &mut [Self], residues: &mut [u32]) {
        let [a, b, c, d, e, f, g, h, i, j] = parts::<10>(residues, values.len());
        plan.inv(values, a, b, c, d, e, f, g, h, i, j);
    }
}

/// A shared key of one or more polynomials, ready to be multiplied. Zeroed on drop.
pub struct SharedPolynomials<W: Transform> {
    size: usize,
    plan: W::Plan,
    /// Per polynomial and coefficient of the ring, the transformed residues.
    transformed: Vec<[Vec<u32>; DEGREE]>,
}

impl<W: Transform> Drop for SharedPolynomials<W> {
    fn drop(&mut self) {
        for polynomial in &mut self.transformed {
            polynomial.zeroize();
        }
    }
}

impl<W: Transform> SharedPolynomials<W> {
    /// Prepare shares: polynomials of `size` coefficients, one after the other.
    ///
    /// # Errors
    /// `Internal` if there are no tables for the size.
    pub fn new(shares: &[Element<W>], size: usize) -> Result<Self> {
        let plan = W::tables(size)
            .ok_or_else(|| KernelError::Internal("no tables for the polynomial size".into()))?;
        let transformed = shares.chunks_exact(size).map(|polynomial| {
            std::array::from_fn(|coefficient| {
                let values: Vec<W> = polynomial.iter().map(|e| e.0[coefficient]).collect();
                let values = Zeroizing::new(values);
                let mut residues = vec![0; W::PRIMES * size];
                W::forward(&plan, &values, &mut residues);
                residues
            })
        });
        let transformed = transformed.collect();
        Ok(Self {
            size,
            plan,
            transformed,
        })
    }

    /// Sum over the polynomials of mask times share, mod X^size + 1.
    #[must_use]
    pub fn multiply(&self, masks: &[W]) -> Vec<Element<W>> {
        let length = W::PRIMES * self.size;
        let mut mask = vec![0u32; length];
        let mut sums: [Zeroizing<Vec<u32>>; DEGREE] =
            std::array::from_fn(|_| Zeroizing::new(vec![0; length]));
        for (values, shares) in masks.chunks_exact(self.size).zip(&self.transformed) {
            W::forward(&self.plan, values, &mut mask);
            for (sum, share) in sums.iter_mut().zip(shares) {
                self.accumulate(sum, &mask, share);
            }
        }
        let mut product = vec![Element::zero(); self.size];
        let mut values = Zeroizing::new(vec![W::ZERO; self.size]);
        for (coefficient, sum) in sums.iter_mut().enumerate() {
            for (index, part) in sum.chunks_exact_mut(self.size).enumerate() {
                W::prime(&self.plan, index).normalize(part);
            }
            W::backward(&self.plan, &mut values, sum);
            for (element, value) in product.iter_mut().zip(values.iter()) {
                element.0[coefficient] = *value;
            }
        }
        product
    }

    /// Add a product of transforms.
    fn accumulate(&self, sum: &mut [u32], mask: &[u32], share: &[u32]) {
        let sums = sum.chunks_exact_mut(self.size);
        let factors = mask
            .chunks_exact(self.size)
            .zip(share.chunks_exact(self.size));
        for (index, (sum, (mask, share))) in sums.zip(factors).enumerate() {
            W::prime(&self.plan, index).mul_accumulate(sum, mask, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that differ in all bits, from a fixed linear recurrence.
    fn words<W: Word>(count: usize, seed: u128) -> Vec<W> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
                .wrapping_add(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
            W::from_u128(state ^ (state >> 64))
        };
        (0..count).map(|_| next()).collect()
    }

    fn slow<W: Word>(masks: &[W], shares: &[Element<W>], size: usize) -> Vec<Element<W>> {
        let mut product = vec![Element::zero(); size];
        for (mask, share) in masks.chunks(size).zip(shares.chunks(size)) {
            for (i, a) in mask.iter().enumerate() {
                for (j, s) in share.iter().enumerate() {
                    let term = s.scale(*a);
                    let place = &mut product[(i + j) % size];
                    *place = if i + j < size {
                        *place + term
                    } else {
                        *place - term
                    };
                }
            }
        }
        product
    }

    fn agrees<W: Transform>(size: usize, polynomials: usize) {
        let count = size * polynomials;
        let mut masks = words::<W>(count, 1);
        // The largest word everywhere in one polynomial: the sums reach their bound.
        masks[..size].fill(W::ZERO.wrapping_sub(W::ONE));
        let coefficients = words::<W>(4 * count, 2);
        let mut shares: Vec<_> = coefficients
            .chunks(4)
            .map(|c| Element([c[0], c[1], c[2], c[3]]))
            .collect();
        shares[..size].fill(Element([W::ZERO.wrapping_sub(W::ONE); 4]));
        let fast = SharedPolynomials::new(&shares, size).expect("tables");
        assert_eq!(fast.multiply(&masks), slow(&masks, &shares, size));
    }

    #[test]
    fn products_are_exact() {
        for polynomials in 1..=6 {
            agrees::<u64>(64, polynomials);
            agrees::<u128>(64, polynomials);
        }
        agrees::<u64>(2048, 1);
        agrees::<u128>(2048, 2);
    }
}
