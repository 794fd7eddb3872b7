//! Shares of the bodies of encryptions under shared keys: linear once the products are there.
//!
//! - LWE row: b = sum of a_j s_j + e + m.
//! - Ring row: B(X) = sum of A_u(X) S_u(X) + E(X) + M(X) mod X^N + 1.
//! - Key switch (also packing): for each input bit s, levels L..1, m = s Q / beta^level at X^0.
//! - Bootstrap, for each input bit s: levels L..1, rows u < k with M = -s S_u(X) Q / beta^level, then
//!   the row with M = s Q / beta^level at X^0.
//! - Compact public key: one ring row of zero under the key in reverse order.
//!
//! Levels descend and bodies come last because tfhe's containers do so.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::convolution::{SharedPolynomials, Transform};
use super::plan::Chunk;
use super::shape::{Part, Shape};
use crate::error::{KernelError, Result};
use crate::ring::element::{Element, Word};

/// Number that the check ciphertext holds.
pub const CHECK_VALUE: u8 = 0xa5;

/// Exponent of the factor between a block's content and its body: 64 bits minus 4 content bits minus
/// 1 padding bit.
const BLOCK_SHIFT: u32 = 59;

/// The key that encrypts a part.
pub enum OutputKey<'a, W: Transform> {
    /// Rows of one word.
    Words(&'a [Element<W>]),
    /// Rows of one polynomial.
    Polynomials(&'a SharedPolynomials<W>),
}

/// Shares that a chunk is made of.
pub struct Inputs<'a, W: Transform> {
    /// Encrypting key.
    pub key: OutputKey<'a, W>,
    /// Bits of the input key, all of them; empty where nothing is encrypted.
    pub input: &'a [Element<W>],
    /// Noise of each body word of the chunk. Zeroed here.
    pub noise: Zeroizing<Vec<Element<W>>>,
    /// Products of the chunk: for each unit, its input bit times each coefficient of the output key.
    pub products: &'a [Element<W>],
}

/// The gadget of a row, 2^(bits - `base_log` level), levels descending.
fn gadget<W: Word>(shape: &Shape, row: usize) -> W {
    let per_level = match shape.part {
        Part::Bootstrap | Part::Squashing => shape.polynomials() + 1,
        _ => 1,
    };
    let levels = shape.rows / per_level;
    let level = levels - row / per_level;
    let exponent = W::BITS as usize - shape.base_log * level;
    // Below the number of bits, for base and level are at least 1.
    W::ONE.shifted(u32::try_from(exponent).unwrap_or_default())
}

/// Add the message of one row to its bodies.
fn add_message<W: Transform>(
    chunk: &Chunk,
    inputs: &Inputs<'_, W>,
    (unit, row): (usize, usize),
    bodies: &mut [Element<W>],
) {
    let shape = &chunk.shape;
    match shape.part {
        Part::PublicKey => {}
        Part::Check => {
            let block = u128::from(CHECK_VALUE >> (2 * unit)) & 3;
            bodies[0] += Element::scalar(W::from_u128(block << BLOCK_SHIFT));
        }
        Part::KeySwitch | Part::Casting | Part::Packing => {
            bodies[0] += inputs.input[unit].scale(gadget(shape, row));
        }
        Part::Bootstrap | Part::Squashing => {
            let (factor, column) = (gadget::<W>(shape, row), row % (shape.polynomials() + 1));
            if column == shape.polynomials() {
                bodies[0] += inputs.input[unit].scale(factor);
                return;
            }
            let first = (unit - chunk.units.start) * shape.products + column * shape.width;
            let products = &inputs.products[first..first + shape.width];
            let negative = factor.wrapping_neg();
            for (body, product) in bodies.iter_mut().zip(products) {
                *body += product.scale(negative);
            }
        }
    }
}

fn inner_product<W: Word>(mask: &[W], key: &[Element<W>]) -> Element<W> {
    let pairs = mask.iter().zip(key);
    pairs.fold(Element::zero(), |sum, (word, share)| {
        sum + share.scale(*word)
    })
}

/// Shares of the bodies of a chunk; `masks` are those of its rows. What comes back hides nothing more
/// than the public bodies, for its only use is to be opened.
///
/// # Errors
/// `Internal` if the lengths do not fit: the caller has checked what comes from outside.
pub fn bodies<W: Transform>(
    chunk: &Chunk,
    masks: &[W],
    inputs: &mut Inputs<'_, W>,
) -> Result<Vec<Element<W>>> {
    let shape = chunk.shape;
    let fits = inputs.noise.len() == chunk.words()
        && masks.len() == chunk.units.len() * shape.rows * shape.mask
        && inputs.products.len() == chunk.products()
        && (shape.part == Part::Check
            || inputs.input.len() >= chunk.units.end
            || shape.part == Part::PublicKey);
    if !fits {
        return Err(KernelError::Internal("a chunk of wrong lengths".into()));
    }
    let mut bodies = std::mem::take(&mut *inputs.noise);
    let inputs = &*inputs;
    let rows = bodies.par_chunks_mut(shape.width).enumerate();
    rows.zip(masks.par_chunks(shape.mask))
        .for_each(|((index, bodies), mask)| {
            match inputs.key {
                OutputKey::Words(key) => bodies[0] += inner_product(mask, key),
                OutputKey::Polynomials(key) => {
                    let mut product = key.multiply(mask);
                    for (body, term) in bodies.iter_mut().zip(&product) {
                        *body += *term;
                    }
                    product.zeroize();
                }
            }
            let place = (chunk.units.start + index / shape.rows, index % shape.rows);
            add_message(chunk, inputs, place, bodies);
        });
    Ok(bodies)
}

/// Pairs of a chunk's products: each input bit with each coefficient of the output key.
pub fn factors<W: Word>(
    chunk: &Chunk,
    input: &[Element<W>],
    output: &[Element<W>],
) -> Vec<(Element<W>, Element<W>)> {
    let bits = &input[chunk.units.clone()];
    let pairs = bits
        .iter()
        .flat_map(|bit| output.iter().map(|s| (*bit, *s)));
    pairs.collect()
}
