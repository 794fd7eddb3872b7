//! Rounding on Z/2^64: the top five bits of shared phases, and nothing else of them.
//!
//! A phase p = b - <a, s> + Delta / 2 of an ordinary ciphertext holds its message above 59 bits of noise.
//! Random bits r_0..r_63 that nobody knows hide it: c = p + r is opened. Then
//! `p >> 59 = (c >> 59) - (r >> 59) - [c mod 2^59 < r mod 2^59]` mod 32, and the comparison is a borrow that
//! runs through 59 positions: position i generates one when c_i = 0 and r_i = 1, and propagates one when
//! c_i = r_i. A tree of products combines neighbours. Opening 2^59 times the result shows it mod 32
//! only; opening the result itself would show whether p + r wrapped, hence noise. The idea is that of
//! "Improved primitives for secure multiparty integer computation" (Catrina, de Hoogh, SCN 2010); here
//! hiding is perfect, for r is uniform on the whole word.
//!
//! The first level of the tree multiplies random bits only, so its products are prepared with them.
//! What is left: the opening of c, five levels of products, the last opening.

use zeroize::Zeroizing;

use super::borrow::{combined, factors_of, leaf, pair, products_of, Node};
use super::element::Element;
use super::masked::Secrets;
use super::pack::{pack4, packed_length, unpack4};
use super::products::masked_products;
use super::prss::PrssSession;
use super::triples::Triples;
use crate::error::{invalid, KernelError, Result};

/// Bits below the message: Delta = 2^59.
pub const NOISE_BITS: usize = 59;
/// Random bits that a block takes.
pub const BITS: usize = 64;
/// Prepared products of neighbouring bits that a block takes.
pub const PAIRS: usize = NOISE_BITS / 2;
/// Triples that a block takes: 29 + 13 + 7 + 3 + 1.
pub const TRIPLES: usize = 53;
/// Openings of one rounding: c, five levels, the result.
pub const OPENINGS: usize = 7;

/// Half of Delta.
const HALF: u64 = 1 << (NOISE_BITS - 1);
/// Nodes of a block above the prepared products.
const FIRST_WIDTH: usize = NOISE_BITS.div_ceil(2);

/// What a party must have ready for some blocks, each kind for one block after the other.
pub struct Material {
    /// Random bits, lowest first.
    pub bits: Secrets<u64>,
    /// Bit 2j times bit 2j + 1, for j = 0..[`PAIRS`].
    pub pairs: Secrets<u64>,
    /// Triples, used level by level.
    pub triples: Triples<u64>,
}

enum Stage {
    /// c is being opened.
    Masked,
    /// One level of products: `width` nodes a block.
    Level(Zeroizing<Vec<Node>>, usize),
    /// Shares of 2^59 times the messages are ready.
    Last(Secrets<u64>),
    /// A failed advance consumed the stage.
    Broken,
}

/// One party's side of the rounding of some blocks.
pub struct Rounding {
    blocks: usize,
    material: Material,
    /// Shares of p + r.
    masked: Secrets<u64>,
    /// The top bits of c of each block, once opened.
    tops: Vec<u64>,
    used_triples: usize,
    stage: Stage,
}

impl Rounding {
    /// Begin with our shares of b - <a, s> of each block.
    ///
    /// # Errors
    /// `InvalidInput` if the material is not exactly what the blocks take.
    pub fn new(phases: &[Element<u64>], material: Material) -> Result<Self> {
        let blocks = phases.len();
        let triples = &material.triples;
        let fits = material.bits.len() == blocks * BITS
            && material.pairs.len() == blocks * PAIRS
            && [&triples.left, &triples.right, &triples.product]
                .iter()
                .all(|part| part.len() == blocks * TRIPLES);
        if !fits || blocks == 0 {
            return invalid("the material is not what the blocks take");
        }
        let masked = phases
            .iter()
            .zip(material.bits.chunks_exact(BITS))
            .map(|(phase, bits)| *phase + Element::scalar(HALF) + weighted(bits))
            .collect();
        Ok(Self {
            blocks,
            material,
            masked: Zeroizing::new(masked),
            tops: Vec::new(),
            used_triples: 0,
            stage: Stage::Masked,
        })
    }

    /// Whether the next opening is the last.
    #[must_use]
    pub fn last(&self) -> bool {
        matches!(self.stage, Stage::Last(_))
    }

    /// Values of the current opening.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.stage {
            Stage::Masked | Stage::Last(_) => self.blocks,
            Stage::Level(_, width) => 2 * self.blocks * products_of(*width),
            Stage::Broken => 0,
        }
    }

    /// Elements that a party sends in the current opening.
    #[must_use]
    pub fn packed_width(&self) -> usize {
        packed_length(self.width())
    }

    /// What we send in the current opening.
    #[must_use]
    pub fn message(&self) -> Vec<Element<u64>> {
        match &self.stage {
            Stage::Masked => pack4(&self.masked),
            Stage::Last(shares) => pack4(shares),
            Stage::Broken => Vec::new(),
            Stage::Level(nodes, width) => {
                let triples = &self.material.triples;
                let used = self.used_triples..;
                let (left, right) = (&triples.left[used.clone()], &triples.right[used]);
                let factors = factors_of(nodes, *width);
                let masks = left.iter().zip(right);
                let opened: Zeroizing<Vec<_>> = Zeroizing::new(
                    factors
                        .iter()
                        .zip(masks)
                        .flat_map(|((x, y), (a, b))| [*x - *a, *y - *b])
                        .collect(),
                );
                pack4(&opened)
            }
        }
    }

    /// Go on with what was opened.
    ///
    /// # Errors
    /// `InvalidInput` if the number of elements is another, or the next opening is the last;
    /// `VerificationFailed` if the padding of the last element is not zero.
    pub fn advance(&mut self, opened: &[Element<u64>]) -> Result<()> {
        let words = unpack4(opened, self.width())?;
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Masked => {
                self.tops = words.iter().map(|word| word >> NOISE_BITS).collect();
                self.stage = Stage::Level(self.leaves(&words), FIRST_WIDTH);
            }
            Stage::Level(nodes, width) => {
                let products = self.multiplied(&words)?;
                self.used_triples += self.blocks * products_of(width);
                let (nodes, width) = combined(&nodes, width, &products);
                self.stage = if width == 1 {
                    Stage::Last(self.scaled_messages(&nodes)?)
                } else {
                    Stage::Level(nodes, width)
                };
            }
            stage => {
                self.stage = stage;
                return invalid("there is nothing to advance to");
            }
        }
        Ok(())
    }

    /// Our shares of 2^59 times the messages; what the last opening would open.
    ///
    /// # Errors
    /// `InvalidInput` before the last opening.
    pub fn scaled(&self) -> Result<&[Element<u64>]> {
        match &self.stage {
            Stage::Last(shares) => Ok(shares),
            _ => invalid("the rounding is not at its last opening"),
        }
    }

    /// Messages with carry and padding bit, one a block, from the last opening.
    ///
    /// # Errors
    /// `InvalidInput` before the last opening or for another number of elements;
    /// `VerificationFailed` if a value is no multiple of 2^59.
    pub fn result(&self, opened: &[Element<u64>]) -> Result<Vec<u8>> {
        self.scaled()?;
        let words = unpack4(opened, self.blocks)?;
        words.into_iter().map(message_of).collect()
    }

    /// The nodes above the prepared products, from the opened c.
    fn leaves(&self, opened: &[u64]) -> Zeroizing<Vec<Node>> {
        let mut nodes = Zeroizing::new(Vec::with_capacity(self.blocks * FIRST_WIDTH));
        let bits = self.material.bits.chunks_exact(BITS);
        let pairs = self.material.pairs.chunks_exact(PAIRS);
        for (&word, (bits, pairs)) in opened.iter().zip(bits.zip(pairs)) {
            for (index, &product) in pairs.iter().enumerate() {
                let low = 2 * index;
                nodes.push(pair(word >> low, bits[low], bits[low + 1], product));
            }
            nodes.push(leaf(word >> (NOISE_BITS - 1), bits[NOISE_BITS - 1]));
        }
        nodes
    }

    /// Beaver's products of the current level from the opened x - a and y - b.
    fn multiplied(&self, opened: &[u64]) -> Result<Secrets<u64>> {
        let triples = &self.material.triples;
        let end = self.used_triples + opened.len() / 2;
        let range = self.used_triples..end;
        let part = |column: &Secrets<u64>| -> Result<Secrets<u64>> {
            let part = column.get(range.clone()).map(<[_]>::to_vec);
            part.map(Zeroizing::new)
                .ok_or_else(|| KernelError::Internal("the triples ran out".into()))
        };
        let (left, right) = (part(&triples.left)?, part(&triples.right)?);
        let mut products = part(&triples.product)?;
        for (index, product) in products.iter_mut().enumerate() {
            let (e, f) = (opened[2 * index], opened[2 * index + 1]);
            // xy = c + e b + f a + e f for e = x - a, f = y - b.
            *product +=
                right[index].scale(e) + left[index].scale(f) + Element::scalar(e.wrapping_mul(f));
        }
        Ok(products)
    }

    /// 2^59 times (c >> 59) - (r >> 59) - borrow.
    fn scaled_messages(&self, roots: &[Node]) -> Result<Secrets<u64>> {
        if self.tops.len() != self.blocks || roots.len() != self.blocks {
            return Err(KernelError::Internal("a block got lost".into()));
        }
        let bits = self.material.bits.chunks_exact(BITS);
        let shares = self.tops.iter().zip(bits).zip(roots);
        Ok(Zeroizing::new(
            shares
                .map(|((&top, bits), root)| {
                    let value = Element::scalar(top) - weighted(&bits[NOISE_BITS..]);
                    (value - root.generate).scale(1 << NOISE_BITS)
                })
                .collect(),
        ))
    }
}

/// What a party sends for the prepared products of some blocks' bits, numbered from `start`.
///
/// # Errors
/// `InvalidInput` if the bits are not those of whole blocks, or as [`masked_products`].
pub fn masked_neighbours(
    session: &PrssSession,
    start: u64,
    bits: &[Element<u64>],
) -> Result<Vec<Element<u64>>> {
    if !bits.len().is_multiple_of(BITS) {
        return invalid("the bits are not those of whole blocks");
    }
    let count = bits.len() / BITS * PAIRS;
    masked_products(session, start, count, |place| {
        let low = place / PAIRS * BITS + 2 * (place % PAIRS);
        (bits[low], bits[low + 1])
    })
}

/// Our shares of 2^123 times the messages over GR(2^128, 4), four blocks an element, from shares of
/// 2^59 times the messages: a word below 2^64 times 2^64.
#[must_use]
pub fn lifted(scaled: &[Element<u64>]) -> Vec<Element<u128>> {
    let wide: Zeroizing<Vec<_>> = Zeroizing::new(
        scaled
            .iter()
            .map(|share| Element(share.0.map(|word| u128::from(word) << 64)))
            .collect(),
    );
    pack4(&wide)
}

/// The message of an opened multiple of 2^59.
fn message_of(word: u64) -> Result<u8> {
    let message = word >> NOISE_BITS;
    if message << NOISE_BITS != word {
        return Err(KernelError::VerificationFailed(
            "an opened value is no multiple of 2^59".into(),
        ));
    }
    u8::try_from(message).map_err(|_| KernelError::Internal("five bits exceed a byte".into()))
}

/// Sum of 2^i bit i.
fn weighted(bits: &[Element<u64>]) -> Element<u64> {
    let high_first = bits.iter().rev();
    high_first.fold(Element::zero(), |sum: Element<u64>, bit| sum + sum + *bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything in the clear: shares of degree 0 are the values themselves.
    fn rounded(phase: u64, mask: u64, seed: u64) -> u8 {
        let bits: Vec<_> = (0..64).map(|i| Element::scalar((mask >> i) & 1)).collect();
        let pairs = (0..PAIRS).map(|j| bits[2 * j] * bits[2 * j + 1]).collect();
        let word = |index: u64| seed.wrapping_add(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let column = |offset: u64| -> Secrets<u64> {
            let words = (0..TRIPLES as u64).map(|i| Element::scalar(word(3 * i + offset)));
            Zeroizing::new(words.collect())
        };
        let (left, right) = (column(0), column(1));
        let product = left.iter().zip(right.iter()).map(|(a, b)| *a * *b);
        let product = Zeroizing::new(product.collect());
        let material = Material {
            bits: Zeroizing::new(bits),
            pairs: Zeroizing::new(pairs),
            triples: Triples {
                left,
                right,
                product,
            },
        };
        let mut rounding = Rounding::new(&[Element::scalar(phase)], material).unwrap();
        let mut openings = 1;
        while !rounding.last() {
            let opened = rounding.message();
            rounding.advance(&opened).unwrap();
            openings += 1;
        }
        assert_eq!(openings, OPENINGS);
        assert_eq!(rounding.used_triples, TRIPLES);
        rounding.result(&rounding.message()).unwrap()[0]
    }

    #[test]
    fn the_top_bits_come_out_for_every_mask() {
        let half = 1u64 << 58;
        for message in 0..32u64 {
            for noise in [
                0,
                1,
                half - 1,
                half.wrapping_neg(),
                12345,
                1u64.wrapping_neg(),
            ] {
                let phase = (message << 59).wrapping_add(noise);
                for mask in [
                    0,
                    u64::MAX,
                    phase,
                    phase.wrapping_neg(),
                    0xdead_beef_0123_4567,
                ] {
                    let result = rounded(phase, mask, message ^ noise ^ mask);
                    assert_eq!(u64::from(result), message);
                }
            }
        }
    }

    #[test]
    fn material_must_fit() {
        let empty = || Zeroizing::new(Vec::new());
        let material = Material {
            bits: empty(),
            pairs: empty(),
            triples: Triples {
                left: empty(),
                right: empty(),
                product: empty(),
            },
        };
        assert!(Rounding::new(&[Element::zero()], material).is_err());
    }
}
