//! Pseudorandom sharings of one PRSS session.
//!
//! Counters count VALUES: value c of a session is the same whether it is asked for alone or in a
//! batch, and no two values share randomness.

use std::fmt;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::element::{Element, Word};
use super::material::Material;
use super::prf::{Access, Kind, Stream, BLOCK_BYTES, KINDS};
use super::round;
use crate::error::{invalid, KernelError, Result};

/// Values of one call; bounds the allocation to a quarter of a gibibyte.
pub const MAX_COUNT: usize = 1 << 22;
/// Counters of a session: every derived block counter stays below 2^64.
pub const MAX_COUNTER: u64 = 1 << 62;
/// Values of one set expanded at a time; the buffer stays in the first-level cache.
const BATCH: usize = 32;
/// Words of one set expanded at a time.
const SCALARS: usize = 128;

/// Where streams are expanded; wiped once, for wiping costs as much as expanding.
#[derive(Default)]
pub(super) struct Scratch(Zeroizing<Vec<u8>>);

impl Scratch {
    fn take(&mut self, size: usize) -> &mut [u8] {
        if self.0.len() < size {
            self.0 = Zeroizing::new(vec![0; size]);
        }
        &mut self.0[..size]
    }
}

/// Pseudorandom sharings of one session; derives the keys of a purpose when first needed.
pub struct PrssSession {
    material: Arc<Material>,
    info: Vec<u8>,
    /// By purpose and word size; see [`PrssSession::streams`].
    streams: [OnceLock<Vec<Stream>>; 2 * KINDS],
}

impl fmt::Debug for PrssSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { parties, threshold } = self.material.access;
        write!(
            formatter,
            "PrssSession(parties={parties}, threshold={threshold}, party={})",
            self.material.party
        )
    }
}

/// Refuse counters and counts that would wrap or exhaust memory.
pub(super) fn check_range(start: u64, count: usize) -> Result<()> {
    let within = |count: u64| {
        start
            .checked_add(count)
            .is_some_and(|end| end <= MAX_COUNTER)
    };
    if count > MAX_COUNT || !within(count as u64) {
        return invalid("the range of PRSS counters is too large");
    }
    Ok(())
}

impl PrssSession {
    pub(super) fn new(material: Arc<Material>, info: &[u8]) -> Self {
        Self {
            material,
            info: info.to_vec(),
            streams: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    fn threshold(&self) -> usize {
        usize::from(self.material.access.threshold)
    }

    /// Streams of all own sets for a purpose.
    fn streams(&self, kind: Kind, bits: u32) -> &[Stream] {
        let slot = 2 * kind as usize + usize::from(bits == 128);
        self.streams[slot].get_or_init(|| {
            let material = &self.material;
            material
                .sets
                .iter()
                .zip(material.keys.iter())
                .map(|(&set, key)| {
                    Stream::derive(kind, bits, material.access, set, key, &self.info)
                })
                .collect()
        })
    }

    /// For each own set, hand the stream's bytes of each batch of values to `absorb`
    /// (set's weight, bytes of the batch, part of the result).
    fn accumulate<W: Word>(
        &self,
        kind: Kind,
        (start, count): (u64, usize),
        (counters, blocks): (usize, u32),
        absorb: impl Fn(Element<W>, &[u8], &mut [Element<W>]),
    ) -> Result<Vec<Element<W>>> {
        check_range(start, count)?;
        let mut sums = vec![Element::zero(); count];
        let target = (sums.as_mut_slice(), &mut Scratch::default());
        self.accumulate_into(kind, start, target, (counters, blocks), absorb)?;
        Ok(sums)
    }

    /// As [`Self::accumulate`], added to `sums`.
    fn accumulate_into<W: Word>(
        &self,
        kind: Kind,
        start: u64,
        (sums, scratch): (&mut [Element<W>], &mut Scratch),
        (counters, blocks): (usize, u32),
        absorb: impl Fn(Element<W>, &[u8], &mut [Element<W>]),
    ) -> Result<()> {
        check_range(start, sums.len())?;
        let stride = counters * usize::try_from(blocks).map_err(overflow)? * BLOCK_BYTES;
        let buffer = scratch.take(BATCH * stride);
        let streams = self.streams(kind, W::BITS);
        for (stream, weight) in streams.iter().zip(&self.material.weights) {
            let weight = Element(weight.0.map(W::from_u128));
            for (batch, part) in sums.chunks_mut(BATCH).enumerate() {
                let first = (start + (batch * BATCH) as u64) * counters as u64;
                let bytes = &mut buffer[..part.len() * stride];
                stream.fill(first, blocks, bytes);
                absorb(weight, bytes, part);
            }
        }
        Ok(())
    }

    /// Shares of degree t of the uniform ring values numbered `start`..`start` + `count`.
    ///
    /// # Errors
    /// `InvalidInput` if the range of counters is too large.
    pub fn next<W: Word>(&self, start: u64, count: usize) -> Result<Vec<Element<W>>> {
        let size = Element::<W>::BYTES;
        let blocks = blocks_of(size)?;
        self.accumulate(
            Kind::Prss,
            (start, count),
            (1, blocks),
            |weight, bytes, part| {
                for (sum, chunk) in part.iter_mut().zip(bytes.chunks_exact(size)) {
                    *sum += weight * Element::from_le_slice(chunk);
                }
            },
        )
    }

    /// Shares of degree t of uniform words of Z/2^k, numbered `start`..`start` + `count`.
    ///
    /// A block of AES holds two words of 64 bits or one of 128: word v is part of block v div 2 or v.
    ///
    /// # Errors
    /// `InvalidInput` if the range of counters is too large.
    pub fn scalars<W: Word>(&self, start: u64, count: usize) -> Result<Vec<Element<W>>> {
        self.scalars_of(Kind::Scalar, start, count)
    }

    /// As [`Self::scalars`], for one purpose.
    pub(super) fn scalars_of<W: Word>(
        &self,
        kind: Kind,
        start: u64,
        count: usize,
    ) -> Result<Vec<Element<W>>> {
        check_range(start, count)?;
        let mut sums = vec![Element::zero(); count];
        self.add_scalars(kind, start, &mut sums, &mut Scratch::default())?;
        Ok(sums)
    }

    /// Add the shares of [`Self::scalars_of`] numbered from `start` to `sums`.
    pub(super) fn add_scalars<W: Word>(
        &self,
        kind: Kind,
        start: u64,
        sums: &mut [Element<W>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        check_range(start, sums.len())?;
        let in_block = (BLOCK_BYTES / W::BYTES) as u64;
        // One block more than the words fill, for a start within a block.
        let buffer = scratch.take(SCALARS * BLOCK_BYTES + BLOCK_BYTES);
        let streams = self.streams(kind, W::BITS);
        for (stream, weight) in streams.iter().zip(&self.material.weights) {
            let weight = Element(weight.0.map(W::from_u128));
            for (batch, part) in sums.chunks_mut(SCALARS).enumerate() {
                let first = start + (batch * SCALARS) as u64;
                // Below two.
                let skipped = if first.is_multiple_of(in_block) {
                    0
                } else {
                    W::BYTES
                };
                let needed = (skipped + part.len() * W::BYTES).next_multiple_of(BLOCK_BYTES);
                let bytes = &mut buffer[..needed];
                stream.fill(first / in_block, 1, bytes);
                for (sum, word) in part.iter_mut().zip(bytes[skipped..].chunks_exact(W::BYTES)) {
                    *sum += weight.scale(W::from_le_slice(word));
                }
            }
        }
        Ok(())
    }

    /// Shares of degree at most 2t of zero, numbered `start`..`start` + `count`.
    ///
    /// Share of party i: sum over A of `f_A(point i)` times the sum over j = 1..t of
    /// `chi_{A,j} (point i)^j`.
    ///
    /// # Errors
    /// `InvalidInput` if the range of counters is too large.
    pub fn zero<W: Word>(&self, start: u64, count: usize) -> Result<Vec<Element<W>>> {
        self.zero_of(Kind::Przs, start, count)
    }

    /// As [`Self::zero`], for one purpose.
    fn zero_of<W: Word>(&self, kind: Kind, start: u64, count: usize) -> Result<Vec<Element<W>>> {
        check_range(start, count)?;
        let mut sums = vec![Element::zero(); count];
        self.add_zeros(kind, start, &mut sums, &mut Scratch::default())?;
        Ok(sums)
    }

    /// Add the shares of [`Self::zero`], for one purpose, numbered from `start` to `sums`.
    pub(super) fn add_zeros<W: Word>(
        &self,
        kind: Kind,
        start: u64,
        sums: &mut [Element<W>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let size = Element::<W>::BYTES;
        let party = usize::from(self.material.party);
        let stride = size * self.threshold();
        let blocks = blocks_of(stride)?;
        self.accumulate_into(
            kind,
            start,
            (sums, scratch),
            (1, blocks),
            |weight, bytes, part| {
                for (sum, chunk) in part.iter_mut().zip(bytes.chunks_exact(stride)) {
                    // Horner: chi_t carries the highest power, and there is no constant term.
                    let value = chunk.chunks_exact(size).rev().fold(
                        Element::zero(),
                        |value: Element<W>, chi| {
                            (value + Element::from_le_slice(chi)).times_point(party)
                        },
                    );
                    *sum += weight * value;
                }
            },
        )
    }

    /// Shares of degree t of the noise masks numbered `start`..`start` + `count`.
    ///
    /// Mask v is the sum over A of `phi_A(2v) + phi_A(2v + 1)`, phi uniform in \[-2^L, 2^L), L = `log_bound` +
    /// `statistical`: the low L + 1 bits of an AES block, minus 2^L. The sum of two uniform numbers
    /// squares the work of an attack (eprint 2023/815).
    ///
    /// # Errors
    /// `InvalidInput` if the range of counters is too large or the mask would reach the message.
    pub fn mask(
        &self,
        start: u64,
        count: usize,
        log_bound: u32,
        statistical: u32,
    ) -> Result<Vec<Element<u128>>> {
        let parties = usize::from(self.material.access.parties);
        if !round::mask_capacity_ok(parties, self.threshold(), log_bound, statistical) {
            return invalid("the mask does not fit below the message for these parameters");
        }
        let log = log_bound + statistical;
        let low_bits = (1u128 << (log + 1)) - 1;
        self.accumulate(Kind::Mask, (start, count), (2, 1), |weight, bytes, part| {
            for (sum, chunk) in part.iter_mut().zip(bytes.chunks_exact(2 * BLOCK_BYTES)) {
                let uniform = |half: &[u8]| u128::from_le_slice(half) & low_bits;
                let doubled = uniform(&chunk[..BLOCK_BYTES]) + uniform(&chunk[BLOCK_BYTES..]);
                // Two times -2^log at once.
                *sum += weight.scale(doubled.wrapping_sub(1 << (log + 1)));
            }
        })
    }
}

impl PrssSession {
    /// Words that each own set contributes to the scalars numbered `start`..`start` + `count`.
    pub(super) fn contributed<W: Word>(
        &self,
        kind: Kind,
        start: u64,
        count: usize,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        check_range(start, count)?;
        let in_block = (BLOCK_BYTES / W::BYTES) as u64;
        let skipped = if start.is_multiple_of(in_block) {
            0
        } else {
            W::BYTES
        };
        let length = count * W::BYTES;
        let streams = self.streams(kind, W::BITS).iter();
        let columns = streams.map(|stream| {
            let mut bytes = Zeroizing::new(vec![0; skipped + length]);
            stream.fill(start / in_block, 1, &mut bytes);
            Zeroizing::new(bytes[skipped..].to_vec())
        });
        Ok(columns.collect())
    }

    /// Coefficients that each own set contributes to the zero sharing of a number.
    pub(super) fn coefficients<W: Word>(
        &self,
        kind: Kind,
        number: u64,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        check_range(number, 1)?;
        let length = Element::<W>::BYTES * self.threshold();
        let blocks = blocks_of(length)?;
        let streams = self.streams(kind, W::BITS).iter();
        let columns = streams.map(|stream| {
            let mut bytes = Zeroizing::new(vec![0; length]);
            stream.fill(number, blocks, &mut bytes);
            bytes
        });
        Ok(columns.collect())
    }
}

fn overflow(_: std::num::TryFromIntError) -> KernelError {
    KernelError::Internal("a block count overflows".into())
}

/// AES blocks of `bytes` bytes, a whole number of blocks.
fn blocks_of(bytes: usize) -> Result<u32> {
    u32::try_from(bytes / BLOCK_BYTES).map_err(overflow)
}
