//! Shares of the secret keys during a generation.

use tfhe::core_crypto::commons::math::random::{RandomGenerable, Uniform};
use zeroize::Zeroizing;

use super::convolution::{SharedPolynomials, Transform};
use super::plan::Plan;
use super::rows::OutputKey;
use super::shape::Part;
use crate::error::{KernelError, Result};
use crate::ring::element::{Element, Word};
use crate::ring::masked::Secrets;

/// Shares of the secret keys, in the order of the LWE masks.
pub(super) struct Keys {
    pub(super) small: Secrets<u64>,
    pub(super) big: Secrets<u64>,
    pub(super) compact: SharedPolynomials<u64>,
    /// The compact key as bits of an input key.
    pub(super) compact_bits: Secrets<u64>,
    pub(super) bootstrap: SharedPolynomials<u64>,
    pub(super) wide: Option<WideKeys>,
}

/// Shares on 128 bits.
pub(super) struct WideKeys {
    pub(super) small: Secrets<u128>,
    pub(super) squashed: Secrets<u128>,
    pub(super) compressed: Secrets<u128>,
    pub(super) squash: SharedPolynomials<u128>,
    pub(super) pack: SharedPolynomials<u128>,
}

fn part_secrets<W: Word>(shares: &[Element<W>], start: usize, count: usize) -> Secrets<W> {
    Zeroizing::new(shares[start..start + count].to_vec())
}

fn narrowed(shares: &[Element<u128>]) -> Secrets<u64> {
    #[allow(clippy::cast_possible_truncation, reason = "reduction mod 2^64")]
    let narrow = |word: u128| word as u64;
    Zeroizing::new(shares.iter().map(|e| Element(e.0.map(narrow))).collect())
}

/// Polynomial size of a part; 0 if the set has no such part.
fn width(plan: &Plan, part: Part) -> usize {
    let mut shapes = plan.shapes();
    let found = shapes.find(|shape| shape.part == part);
    found.map_or(0, |shape| shape.width)
}

impl Keys {
    /// Cut the secret batches: on 64 bits (small,) big, compact; on 128 bits, for sets with
    /// squashing, small, squashed, compressed.
    pub(super) fn new(
        plan: &Plan,
        narrow: &Secrets<u64>,
        wide: Option<&Secrets<u128>>,
    ) -> Result<Self> {
        let lengths = plan.dimensions;
        let (small, start) = match wide {
            None => (part_secrets(narrow, 0, lengths.small), lengths.small),
            Some(wide) => (narrowed(&wide[..lengths.small]), 0),
        };
        let big = part_secrets(narrow, start, lengths.big);
        let compact_bits = part_secrets(narrow, start + lengths.big, lengths.compact);
        let mut reversed = part_secrets(&compact_bits, 0, lengths.compact);
        reversed.reverse();
        Ok(Self {
            small,
            compact: SharedPolynomials::new(&reversed, lengths.compact)?,
            bootstrap: SharedPolynomials::new(&big, width(plan, Part::Bootstrap))?,
            big,
            compact_bits,
            wide: wide.map(|wide| WideKeys::new(plan, wide)).transpose()?,
        })
    }
}

impl WideKeys {
    fn new(plan: &Plan, shares: &[Element<u128>]) -> Result<Self> {
        let lengths = plan.dimensions;
        let squashed = part_secrets(shares, lengths.small, lengths.squashed);
        let start = lengths.small + lengths.squashed;
        let compressed = part_secrets(shares, start, lengths.compressed);
        Ok(Self {
            small: part_secrets(shares, 0, lengths.small),
            squash: SharedPolynomials::new(&squashed, width(plan, Part::Squashing))?,
            pack: SharedPolynomials::new(&compressed, width(plan, Part::Packing))?,
            squashed,
            compressed,
        })
    }
}

/// Encrypting key, bits of the input key, bits of the output key.
pub(super) type KeysOf<'a, W> = (OutputKey<'a, W>, &'a [Element<W>], &'a [Element<W>]);

/// Words that parts of a key are made of.
pub(super) trait Keyed: Transform + RandomGenerable<Uniform> {
    /// The keys of a part.
    fn keys_of(keys: &Keys, part: Part) -> Result<KeysOf<'_, Self>>;
}

fn other_width<T>() -> Result<T> {
    Err(KernelError::Internal("a part of another width".into()))
}

impl Keyed for u64 {
    fn keys_of(keys: &Keys, part: Part) -> Result<KeysOf<'_, Self>> {
        let small = OutputKey::Words(&keys.small);
        Ok(match part {
            Part::PublicKey => (OutputKey::Polynomials(&keys.compact), &[], &[]),
            Part::Check => (OutputKey::Words(&keys.big), &[], &[]),
            Part::KeySwitch => (small, &keys.big, &[]),
            Part::Casting => (small, &keys.compact_bits, &[]),
            Part::Bootstrap => {
                let key = OutputKey::Polynomials(&keys.bootstrap);
                (key, &keys.small, &keys.big)
            }
            Part::Squashing | Part::Packing => return other_width(),
        })
    }
}

impl Keyed for u128 {
    fn keys_of(keys: &Keys, part: Part) -> Result<KeysOf<'_, Self>> {
        let Some(wide) = &keys.wide else {
            return other_width();
        };
        Ok(match part {
            Part::Squashing => {
                let key = OutputKey::Polynomials(&wide.squash);
                (key, &wide.small, &wide.squashed)
            }
            Part::Packing => (OutputKey::Polynomials(&wide.pack), &wide.squashed, &[]),
            _ => return other_width(),
        })
    }
}
