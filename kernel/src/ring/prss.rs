//! Pseudorandom secret sharing without interaction, for C(n,t) small.
//!
//! Every set A of n - t parties shares a 16-byte key. f_A is the polynomial of degree t with
//! f_A(0) = 1 and f_A = 0 at the points outside A; the share of party i in the pseudorandom
//! value sum_A psi_A is sum over A containing i of psi_A f_A(point i).
//! Counters count VALUES: value c of a session is the same whether it is asked for alone or in a
//! batch, and no two values share randomness.

use std::fmt;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::element::{point, Element, Word, MAX_PARTIES};
use super::prf::{self, Access, Kind, Stream, KEY_BYTES};
use super::round;
use crate::error::{invalid, KernelError, Result};

/// First bytes of the exported form; the last one is the version.
const MAGIC: [u8; 5] = *b"TKPR\x01";
/// Bytes before the keys: magic, n, t, party, number of keys (2 bytes LE).
const HEADER_BYTES: usize = MAGIC.len() + 5;
/// Values of one call; bounds the allocation to a quarter of a gibibyte.
pub const MAX_COUNT: usize = 1 << 22;
/// Counters of a session: every derived block counter stays below 2^64.
pub const MAX_COUNTER: u64 = 1 << 62;
/// Values of one set expanded at a time; the buffer stays in the first-level cache.
const BATCH: usize = 32;

/// Keys of one party for all sets that contain it, with the public f_A(point of the party).
struct Material {
    access: Access,
    party: u8,
    sets: Vec<u16>,
    weights: Vec<Element<u128>>,
    keys: Zeroizing<Vec<[u8; KEY_BYTES]>>,
}

/// One party's PRSS keys.
#[derive(Clone)]
pub struct PrssKeys {
    material: Arc<Material>,
}

impl fmt::Debug for PrssKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { parties, threshold } = self.material.access;
        write!(
            formatter,
            "PrssKeys(parties={parties}, threshold={threshold}, party={})",
            self.material.party
        )
    }
}

/// All sets of n - t of n parties in lexicographic order; bit i stands for party i + 1.
fn all_sets(access: Access) -> Vec<u16> {
    let (n, size) = (
        usize::from(access.parties),
        usize::from(access.parties - access.threshold),
    );
    let mut chosen: Vec<usize> = (0..size).collect();
    let mut sets = Vec::new();
    loop {
        sets.push(chosen.iter().fold(0, |set, index| set | (1 << index)));
        // Advance the last index that has room, and restart those behind it.
        let Some(place) = (0..size).rev().find(|&i| chosen[i] < n - size + i) else {
            return sets;
        };
        chosen[place] += 1;
        for i in place + 1..size {
            chosen[i] = chosen[i - 1] + 1;
        }
    }
}

fn checked_access(n: usize, t: usize) -> Result<Access> {
    if n > MAX_PARTIES || t == 0 || t >= n.div_ceil(3) {
        return invalid("PRSS needs 1 <= t, 3t < n <= 15");
    }
    match (u8::try_from(n), u8::try_from(t)) {
        (Ok(parties), Ok(threshold)) => Ok(Access { parties, threshold }),
        _ => invalid("PRSS needs 1 <= t, 3t < n <= 15"),
    }
}

fn contains(set: u16, party: u8) -> bool {
    (set >> (party - 1)) & 1 == 1
}

/// f_A(point of party): product over j outside A of (1 - point(party) / point(j)).
fn set_weight(access: Access, set: u16, party: u8) -> Result<Element<u128>> {
    let own = point::<u128>(usize::from(party));
    let mut weight = Element::one();
    for other in (1..=access.parties).filter(|&other| !contains(set, other)) {
        let inverse = point::<u128>(usize::from(other)).inverse()?;
        weight = weight * (Element::one() - own * inverse);
    }
    Ok(weight)
}

impl PrssKeys {
    /// Keys of `party` in the lexicographic order of the sets that contain it.
    ///
    /// # Errors
    /// `InvalidInput` for bad (n, t), a party outside 1..=n, a wrong number of keys or equal keys.
    pub fn new(n: usize, t: usize, party: usize, keys: Vec<[u8; KEY_BYTES]>) -> Result<Self> {
        let keys = Zeroizing::new(keys);
        let access = checked_access(n, t)?;
        let party = match u8::try_from(party) {
            Ok(party) if (1..=access.parties).contains(&party) => party,
            _ => return invalid("the party is not in 1..=n"),
        };
        let mut sets = all_sets(access);
        sets.retain(|&set| contains(set, party));
        if keys.len() != sets.len() {
            return invalid("the number of PRSS keys is not C(n-1, t)");
        }
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("two sets have the same PRSS key");
        }
        let weights = sets
            .iter()
            .map(|&set| set_weight(access, set, party))
            .collect::<Result<_>>()?;
        Ok(Self {
            material: Arc::new(Material {
                access,
                party,
                sets,
                weights,
                keys,
            }),
        })
    }

    /// Keys of all parties, dealt from one seed; the key of each set is drawn independently.
    ///
    /// # Errors
    /// `InvalidInput` for bad (n, t).
    pub fn generate_all(n: usize, t: usize, seed: &[u8; 32]) -> Result<Vec<Self>> {
        let access = checked_access(n, t)?;
        let sets = all_sets(access);
        (1..=access.parties)
            .map(|party| {
                // Reserved in full, so that no reallocation leaves a copy of keys behind.
                let mut keys = Vec::with_capacity(sets.len());
                for &set in sets.iter().filter(|&&set| contains(set, party)) {
                    keys.push(*prf::dealt_key(access, set, seed));
                }
                Self::new(n, t, usize::from(party), keys)
            })
            .collect()
    }

    /// Number of parties n.
    #[must_use]
    pub fn parties(&self) -> usize {
        usize::from(self.material.access.parties)
    }

    /// Threshold t.
    #[must_use]
    pub fn threshold(&self) -> usize {
        usize::from(self.material.access.threshold)
    }

    /// Number of the party that holds these keys.
    #[must_use]
    pub fn party(&self) -> usize {
        usize::from(self.material.party)
    }

    /// Export for the vault: "TKPR", version 1, n, t, party, number of keys (2 bytes LE), keys.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let material = &self.material;
        // Reserved in full, so that no reallocation leaves a copy of keys behind.
        let size = HEADER_BYTES + material.keys.len() * KEY_BYTES;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[
            material.access.parties,
            material.access.threshold,
            material.party,
        ]);
        bytes.extend_from_slice(&material.keys.len().to_le_bytes()[..2]);
        for key in material.keys.iter() {
            bytes.extend_from_slice(key);
        }
        bytes
    }

    /// Read what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// `InvalidInput` for anything that [`Self::to_bytes`] cannot have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let Some((header, body)) = bytes.split_at_checked(HEADER_BYTES) else {
            return invalid("PRSS keys: truncated header");
        };
        let (magic, fields) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return invalid("PRSS keys: unknown format or version");
        }
        let count = usize::from(u16::from_le_bytes([fields[3], fields[4]]));
        if body.len() != count * KEY_BYTES {
            return invalid("PRSS keys: the length does not fit the number of keys");
        }
        let keys = body
            .chunks_exact(KEY_BYTES)
            .map(|chunk| std::array::from_fn(|i| chunk[i]))
            .collect();
        let [n, t, party] = [fields[0], fields[1], fields[2]].map(usize::from);
        Self::new(n, t, party, keys)
    }

    /// Session bound to `info`. The caller builds `info` from key id, epoch, request id and
    /// ciphertext digest; the same `info` gives the same randomness.
    #[must_use]
    pub fn session(&self, info: &[u8]) -> PrssSession {
        PrssSession {
            material: Arc::clone(&self.material),
            info: info.to_vec(),
            streams: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

/// Pseudorandom sharings of one session; derives the keys of a purpose when first needed.
pub struct PrssSession {
    material: Arc<Material>,
    info: Vec<u8>,
    /// By purpose and word size; see [`PrssSession::streams`].
    streams: [OnceLock<Vec<Stream>>; 5],
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
fn check_range(start: u64, count: usize) -> Result<()> {
    let within = |count: u64| start.checked_add(count).is_some_and(|end| end <= MAX_COUNTER);
    if count > MAX_COUNT || !within(count as u64) {
        return invalid("the range of PRSS counters is too large");
    }
    Ok(())
}

impl PrssSession {
    fn threshold(&self) -> usize {
        usize::from(self.material.access.threshold)
    }

    /// Streams of all own sets for a purpose.
    fn streams(&self, kind: Kind, bits: u32) -> &[Stream] {
        let slot = match (kind, bits) {
            (Kind::Prss, 64) => 0,
            (Kind::Prss, _) => 1,
            (Kind::Przs, 64) => 2,
            (Kind::Przs, _) => 3,
            (Kind::Mask, _) => 4,
        };
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
        // 16 bytes a block.
        let stride = counters * usize::try_from(blocks).map_err(overflow)? * 16;
        let mut buffer = Zeroizing::new(vec![0u8; BATCH.min(count) * stride]);
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
        Ok(sums)
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

    /// Shares of degree at most 2t of zero, numbered `start`..`start` + `count`.
    ///
    /// Share of party i: sum_A (sum_{j=1..t} chi_{A,j} point(i)^j) f_A(point(i)).
    ///
    /// # Errors
    /// `InvalidInput` if the range of counters is too large.
    pub fn zero<W: Word>(&self, start: u64, count: usize) -> Result<Vec<Element<W>>> {
        let size = Element::<W>::BYTES;
        let party = usize::from(self.material.party);
        let stride = size * self.threshold();
        let blocks = blocks_of(stride)?;
        self.accumulate(
            Kind::Przs,
            (start, count),
            (1, blocks),
            |weight, bytes, part| {
                for (sum, chunk) in part.iter_mut().zip(bytes.chunks_exact(stride)) {
                    // Horner: chi_t carries the highest power, and there is no constant term.
                    let value = chunk
                        .chunks_exact(size)
                        .rev()
                        .fold(Element::zero(), |value: Element<W>, chi| {
                            (value + Element::from_le_slice(chi)).times_point(party)
                        });
                    *sum += weight * value;
                }
            },
        )
    }

    /// Shares of degree t of the noise masks numbered `start`..`start` + `count`.
    ///
    /// Mask v is sum_A (phi_A(2v) + phi_A(2v + 1)), phi uniform in \[-2^L, 2^L), L = `log_bound` +
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
        self.accumulate(
            Kind::Mask,
            (start, count),
            (2, 1),
            |weight, bytes, part| {
                for (sum, chunk) in part.iter_mut().zip(bytes.chunks_exact(32)) {
                    let uniform = |half: &[u8]| u128::from_le_slice(half) & low_bits;
                    let doubled = uniform(&chunk[..16]) + uniform(&chunk[16..]);
                    // Two times -2^log at once.
                    *sum += weight.scale(doubled.wrapping_sub(1 << (log + 1)));
                }
            },
        )
    }
}

fn overflow(_: std::num::TryFromIntError) -> KernelError {
    KernelError::Internal("a block count overflows".into())
}

/// AES blocks of `bytes` bytes, a multiple of 16.
fn blocks_of(bytes: usize) -> Result<u32> {
    u32::try_from(bytes / 16).map_err(overflow)
}
