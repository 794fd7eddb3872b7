//! A party's Shamir shares of the secret keys.
//!
//! Encoding, version 1, all integers little-endian:
//! ```text
//! "tkms-key-share" | u16 version | u8 parameter set | u8 parties | u8 threshold | u8 party
//! | squashed dimension x 64 bytes | compressed dimension x 64 bytes | big dimension x 32 bytes
//! ```
//! The length follows from the parameter set; there is nothing else to announce or to check.

use rand::rngs::OsRng;
use rand::RngCore;
use zeroize::{Zeroize, Zeroizing};

use super::keys::ClientKey;
use super::parameters::{ParameterSet, NOISE_BOUND_LOG, STATISTICAL};
use crate::error::{invalid, KernelError, Result};
use crate::ring::element::{elements_from_bytes, elements_to_bytes, Element};
use crate::ring::round::mask_capacity_ok;
use crate::ring::shamir;

const MAGIC: &[u8; 14] = b"tkms-key-share";
const VERSION: u16 = 1;
const HEADER: usize = MAGIC.len() + 2 + 4;

/// Shares of one party. Zeroed on drop; no `Debug`, no `Clone`.
pub struct KeyShare {
    pub(super) parameters: ParameterSet,
    pub(super) parties: usize,
    pub(super) threshold: usize,
    pub(super) party: usize,
    /// Shares of the words of the keys, in the order of the LWE mask.
    pub(super) squashed: Vec<Element<u128>>,
    pub(super) compressed: Vec<Element<u128>>,
    pub(super) big: Vec<Element<u64>>,
}

impl Drop for KeyShare {
    fn drop(&mut self) {
        self.squashed.zeroize();
        self.compressed.zeroize();
        self.big.zeroize();
    }
}

/// Split the keys of `client` into one share a party.
///
/// # Errors
/// `InvalidInput` if the parties do not fit: 3t < n <= 15, and the flooding masks must leave room.
pub fn deal(client: &ClientKey, parties: usize, threshold: usize) -> Result<Vec<KeyShare>> {
    check_access(parties, threshold)?;
    let secrets = client.secret_words()?;
    let squashed = split::<u128>(&secrets.squashed, parties, threshold)?;
    let compressed = split::<u128>(&secrets.compressed, parties, threshold)?;
    let big = split::<u64>(&secrets.big, parties, threshold)?;
    let parts = squashed.into_iter().zip(compressed).zip(big);
    Ok(parts
        .zip(1..)
        .map(|(((squashed, compressed), big), party)| KeyShare {
            parameters: client.parameters(),
            parties,
            threshold,
            party,
            squashed,
            compressed,
            big,
        })
        .collect())
}

fn split<W: crate::ring::element::Word>(
    secrets: &[W],
    parties: usize,
    threshold: usize,
) -> Result<Vec<Vec<Element<W>>>> {
    if secrets.is_empty() {
        return Ok(vec![Vec::new(); parties]);
    }
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(seed.as_mut());
    shamir::share(secrets, parties, threshold, &seed)
}

pub(super) fn check_access(parties: usize, threshold: usize) -> Result<()> {
    if !mask_capacity_ok(parties, threshold, NOISE_BOUND_LOG, STATISTICAL) {
        return invalid("the number of parties and the threshold do not fit");
    }
    Ok(())
}

impl KeyShare {
    /// Share of keys that nobody dealt: shares of the words of the three keys, in the order of the
    /// LWE masks. `access` is n, t and the party.
    ///
    /// # Errors
    /// `InvalidInput` if the parties do not fit or a key has another length than in the set.
    pub fn from_parts(
        parameters: ParameterSet,
        access: (usize, usize, usize),
        squashed: Vec<Element<u128>>,
        compressed: Vec<Element<u128>>,
        big: Vec<Element<u64>>,
    ) -> Result<Self> {
        let (parties, threshold, party) = access;
        // Made first, so that the shares are wiped in any case.
        let share = Self {
            parameters,
            parties,
            threshold,
            party,
            squashed,
            compressed,
            big,
        };
        check_access(parties, threshold)?;
        let lengths = (share.squashed.len(), share.compressed.len());
        let fits = lengths == dimensions(parameters)
            && share.big.len() == parameters.big_dimension()
            && (1..=parties).contains(&party);
        if !fits {
            return invalid("key share: parts of wrong lengths");
        }
        Ok(share)
    }

    /// The parameter set of the key.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.parameters
    }

    /// Number of parties n.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Threshold t: as many parties may be faulty.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// This party, 1..=n.
    #[must_use]
    pub fn party(&self) -> usize {
        self.party
    }

    /// Length of the encoding for a parameter set, in bytes.
    #[must_use]
    pub fn encoded_length(parameters: ParameterSet) -> usize {
        let (squashed, compressed) = dimensions(parameters);
        HEADER
            + (squashed + compressed) * Element::<u128>::BYTES
            + parameters.big_dimension() * Element::<u64>::BYTES
    }

    /// The encoding described at the top of this file.
    ///
    /// # Errors
    /// `Internal` if a number does not fit its byte, which the constructor excludes.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        let narrow = |number: usize| {
            u8::try_from(number).map_err(|_| KernelError::Internal("number above 255".into()))
        };
        // Reserved in full, so that no reallocation leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::encoded_length(self.parameters)));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.push(self.parameters.number());
        bytes.push(narrow(self.parties)?);
        bytes.push(narrow(self.threshold)?);
        bytes.push(narrow(self.party)?);
        bytes.extend_from_slice(&Zeroizing::new(elements_to_bytes(&self.squashed)));
        bytes.extend_from_slice(&Zeroizing::new(elements_to_bytes(&self.compressed)));
        bytes.extend_from_slice(&Zeroizing::new(elements_to_bytes(&self.big)));
        Ok(bytes)
    }

    /// Read the encoding described at the top of this file.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let Some((header, body)) = bytes.split_at_checked(HEADER) else {
            return invalid("key share: truncated header");
        };
        let Some(rest) = header.strip_prefix(MAGIC) else {
            return invalid("key share: wrong magic");
        };
        if rest[..2] != VERSION.to_le_bytes() {
            return invalid("key share: unknown version");
        }
        let parameters = ParameterSet::from_number(rest[2])?;
        let [parties, threshold, party] = [rest[3], rest[4], rest[5]].map(usize::from);
        check_access(parties, threshold)?;
        if party == 0 || party > parties {
            return invalid("key share: party out of range");
        }
        if bytes.len() != Self::encoded_length(parameters) {
            return invalid("key share: wrong length");
        }
        let (squashed, compressed) = dimensions(parameters);
        let (first, body) = body.split_at(squashed * Element::<u128>::BYTES);
        let (second, third) = body.split_at(compressed * Element::<u128>::BYTES);
        Ok(Self {
            parameters,
            parties,
            threshold,
            party,
            squashed: elements_from_bytes(first)?,
            compressed: elements_from_bytes(second)?,
            big: elements_from_bytes(third)?,
        })
    }
}

pub(super) fn dimensions(parameters: ParameterSet) -> (usize, usize) {
    parameters.squashing().map_or((0, 0), |shape| {
        (shape.dimension(), shape.compressed_dimension())
    })
}
