//! Pseudorandom secret sharing without interaction, for C(n,t) small.
//!
//! Every set A of n - t parties shares a 16-byte key. `f_A` is the polynomial of degree t with
//! value 1 at 0 and 0 at the points outside A. The pseudorandom value is the sum over all A of
//! `psi_A`; the share of party i is the sum over the A containing i of `psi_A f_A(point i)`.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::element::{point, Element};
use super::material::Material;
use super::prf::{self, Access, KEY_BYTES};
use super::round::{threshold_allowed, THRESHOLD_RULE};
pub use super::session::PrssSession;
use crate::error::{invalid, Result};

/// First bytes of the exported form; the last one is the version.
const MAGIC: [u8; 5] = *b"TKPR\x01";
/// Bytes before the keys: magic, n, t, party, number of keys (2 bytes LE).
const HEADER_BYTES: usize = MAGIC.len() + 5;

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
pub(super) fn all_sets(access: Access) -> Vec<u16> {
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

pub(super) fn checked_access(n: usize, t: usize) -> Result<Access> {
    if !threshold_allowed(n, t) {
        return invalid(THRESHOLD_RULE);
    }
    match (u8::try_from(n), u8::try_from(t)) {
        (Ok(parties), Ok(threshold)) => Ok(Access { parties, threshold }),
        _ => invalid(THRESHOLD_RULE),
    }
}

pub(super) fn contains(set: u16, party: u8) -> bool {
    (set >> (party - 1)) & 1 == 1
}

/// `f_A(point of party)`: product over j outside A of (1 - point(party) / point(j)).
pub(super) fn set_weight(access: Access, set: u16, party: u8) -> Result<Element<u128>> {
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
        PrssSession::new(Arc::clone(&self.material), info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::decode::decode;

    #[test]
    fn sets_are_lexicographic() {
        let access = Access {
            parties: 4,
            threshold: 1,
        };
        assert_eq!(all_sets(access), [0b0111, 0b1011, 0b1101, 0b1110]);
    }

    #[test]
    fn zero_sharings_open_to_zero() {
        let keys = PrssKeys::generate_all(7, 2, &[1; 32]).unwrap();
        let shares: Vec<_> = keys
            .iter()
            .map(|keys| {
                let zeros = keys.session(b"test").zero::<u64>(40, 3).unwrap();
                (keys.party(), zeros)
            })
            .collect();
        let decoded = decode(7, 4, &shares, 0).unwrap();
        assert_eq!(decoded.values, [Element::zero(); 3]);
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = PrssKeys::generate_all(4, 1, &[1; 32]).unwrap();
        assert_eq!(
            format!("{:?}", keys[1]),
            "PrssKeys(parties=4, threshold=1, party=2)"
        );
    }
}
