//! Pseudorandom functions of PRSS: SHAKE256 derives a key per purpose, AES-128-CTR expands it.
//!
//! Session key of a set A: the first 16 bytes of SHAKE256("tkms/prss/v1" | kind (4 bytes) |
//! k as 2 bytes LE | n | t | the n - t members of A, one byte each | key of A (16 bytes) |
//! length of info as 8 bytes LE | info). Every field before `info` has a fixed length for
//! given n and t, so the encoding is injective. Compared with masking AES keys by constants this
//! needs no related-key assumption, and the caller binds the mask to a ciphertext through `info`.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt, KeyInit};
use aes::{Aes128Enc, Block};
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use zeroize::Zeroizing;

/// First bytes of the key derivation.
const SESSION_DOMAIN: &[u8] = b"tkms/prss/v1";
/// First bytes of the dealer's key derivation.
const DEAL_DOMAIN: &[u8] = b"tkms/prss/deal/v1";
/// Bytes of a set key.
pub const KEY_BYTES: usize = 16;
/// Blocks encrypted in one call: what AES hardware keeps in flight.
const LANES: usize = 8;
/// Bytes of an AES block.
pub const BLOCK_BYTES: usize = 16;

/// What a pseudorandom stream is used for; each purpose has its own key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Uniform ring elements.
    Prss,
    /// Coefficients of zero sharings.
    Przs,
    /// Bounded integers that mask noise.
    Mask,
    /// Uniform words of Z/2^k.
    Scalar,
    /// Words whose squares random bits come from.
    Bit,
    /// Zero sharings that mask the openings of random bits.
    BitZero,
    /// Words of triples.
    Triple,
    /// Zero sharings that mask the openings of triples.
    TripleZero,
    /// Words that mask products.
    Product,
    /// Zero sharings that mask the openings of products.
    ProductZero,
}

/// Number of purposes.
pub const KINDS: usize = 10;

impl Kind {
    fn label(self) -> &'static [u8; 4] {
        match self {
            Self::Prss => b"PRSS",
            Self::Przs => b"PRZS",
            Self::Mask => b"MASK",
            Self::Scalar => b"SCAL",
            Self::Bit => b"BITX",
            Self::BitZero => b"BITZ",
            Self::Triple => b"TRIX",
            Self::TripleZero => b"TRIZ",
            Self::Product => b"PROX",
            Self::ProductZero => b"PROZ",
        }
    }
}

/// Members of a set as one byte each, ascending; bit i of `set` stands for party i + 1.
fn members(set: u16) -> impl Iterator<Item = u8> {
    (0u8..16)
        .filter(move |bit| (set >> bit) & 1 == 1)
        .map(|bit| bit + 1)
}

/// Parameters of the party list that enter every derivation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Number of parties n.
    pub parties: u8,
    /// Threshold t.
    pub threshold: u8,
}

fn absorb_set(hash: &mut Shake256, access: Access, set: u16) {
    hash.update(&[access.parties, access.threshold]);
    for member in members(set) {
        hash.update(&[member]);
    }
}

fn squeeze_key(hash: Shake256) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    hash.finalize_xof().read(key.as_mut_slice());
    key
}

/// Key of one set as dealt from a seed: SHAKE256("tkms/prss/deal/v1" | n | t | members | seed).
#[must_use]
pub fn dealt_key(access: Access, set: u16, seed: &[u8; 32]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut hash = Shake256::default();
    hash.update(DEAL_DOMAIN);
    absorb_set(&mut hash, access, set);
    hash.update(seed);
    squeeze_key(hash)
}

/// Stream cipher of one set, purpose and word size within a session.
pub struct Stream {
    cipher: Aes128Enc,
}

impl Stream {
    /// Derive the session key of a set and expand it.
    #[must_use]
    pub fn derive(
        kind: Kind,
        bits: u32,
        access: Access,
        set: u16,
        key: &[u8; KEY_BYTES],
        info: &[u8],
    ) -> Self {
        let mut hash = Shake256::default();
        hash.update(SESSION_DOMAIN);
        hash.update(kind.label());
        hash.update(&bits.to_le_bytes()[..2]);
        absorb_set(&mut hash, access, set);
        hash.update(key);
        hash.update(&(info.len() as u64).to_le_bytes());
        hash.update(info);
        let session_key = squeeze_key(hash);
        Self {
            cipher: Aes128Enc::new(GenericArray::from_slice(session_key.as_slice())),
        }
    }

    /// Fill `target` with the blocks of `per_counter` block indexes for each counter from `start`.
    ///
    /// The input block of counter c and index i is c as 8 bytes LE | i as 4 bytes LE | 4 zeros.
    /// The caller has checked that the counters do not overflow.
    pub fn fill(&self, start: u64, per_counter: u32, target: &mut [u8]) {
        let mut counter = start;
        let mut index = 0u32;
        let mut blocks = [Block::default(); LANES];
        for chunk in target.chunks_mut(LANES * BLOCK_BYTES) {
            let used = chunk.len().div_ceil(BLOCK_BYTES);
            for block in &mut blocks[..used] {
                let input = u128::from(counter) | u128::from(index) << 64;
                *block = Block::from(input.to_le_bytes());
                index += 1;
                if index == per_counter {
                    index = 0;
                    counter = counter.wrapping_add(1);
                }
            }
            self.cipher.encrypt_blocks(&mut blocks[..used]);
            let mut whole = chunk.chunks_exact_mut(BLOCK_BYTES);
            for (bytes, block) in whole.by_ref().zip(&blocks) {
                bytes.copy_from_slice(block);
            }
            let rest = whole.into_remainder();
            if !rest.is_empty() {
                rest.copy_from_slice(&blocks[used - 1][..rest.len()]);
            }
        }
    }
}
