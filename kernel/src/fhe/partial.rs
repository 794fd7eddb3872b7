//! Threshold decryption of squashed ciphertexts by noise flooding.
//!
//! Source: "Noah's Ark" (eprint 2023/815), threshold decryption of "Threshold (Fully) Homomorphic
//! Encryption" (eprint 2025/699). Per block, party i computes its share of b - <a, s>, adds its share
//! of a mask that hides the noise, and packs four blocks into one ring element. Opened blocks are
//! rounded by `ring::round`.

use super::key_share::KeyShare;
use super::parameters::{NOISE_BOUND_LOG, STATISTICAL};
use super::squashed::{self, Squashed, SquashedKey};
use super::value::{Clear, FheType, Format};
use crate::error::{invalid, KernelError, Result};
use crate::ring::element::{elements_to_bytes, Element};
use crate::ring::pack::pack4;
use crate::ring::prss::PrssKeys;

/// Bits of content in an opened block.
const BLOCK_BITS: usize = 4;

impl KeyShare {
    /// This party's masked partial decryption as bytes of packed elements, 64 bytes each.
    ///
    /// The mask is bound to the words of the ciphertext as well as to `info`: were it not, two
    /// answers for different ciphertexts under one request id would leak the difference of their
    /// noise. The result is safe to open publicly or to send to the user.
    ///
    /// No thread pool: a block costs some ten microseconds, and callers decrypt in parallel.
    ///
    /// # Errors
    /// `InvalidInput` for a malformed ciphertext or PRSS keys of another party or access structure.
    pub fn partial_decrypt(
        &self,
        ciphertext: &[u8],
        fhe_type: FheType,
        format: Format,
        prss: &PrssKeys,
        info: &[u8],
    ) -> Result<Vec<u8>> {
        let same = prss.parties() == self.parties()
            && prss.threshold() == self.threshold()
            && prss.party() == self.party();
        if !same {
            return invalid("the PRSS keys belong to another party or access structure");
        }
        let squashed = squashed::read(ciphertext, fhe_type, format, self.parameters())?;
        let phases = self.phases(&squashed)?;
        let session = prss.session(&[info, &squashed.digest()].concat());
        let masks = session.mask(0, phases.len(), NOISE_BOUND_LOG, STATISTICAL)?;
        let masked: Vec<_> = phases.into_iter().zip(masks).map(|(p, m)| p + m).collect();
        Ok(elements_to_bytes(&pack4(&masked)))
    }

    /// Shares of b - <a, s> per block, not masked: they must not leave this module.
    fn phases(&self, squashed: &Squashed) -> Result<Vec<Element<u128>>> {
        let key = match squashed.key() {
            SquashedKey::Squashed => &self.squashed,
            SquashedKey::Compressed => &self.compressed,
        };
        squashed.phases(key)
    }
}

/// Plaintext of rounded blocks: value = sum of m_j 16^j, checked against the width of the type.
///
/// # Errors
/// `InvalidInput` for a wrong number of blocks; `OutOfRange` for a block above 15 or a value that
/// does not fit the type, which an honestly made ciphertext never gives.
pub fn plaintext_from_blocks(blocks: &[u8], fhe_type: FheType) -> Result<Clear> {
    if blocks.len() != fhe_type.squashed_blocks() {
        return invalid("wrong number of blocks for the type");
    }
    let mut value: Clear = [0; 32];
    for (index, block) in blocks.iter().enumerate() {
        if *block >> BLOCK_BITS != 0 {
            return Err(KernelError::OutOfRange("a block is above 15".into()));
        }
        value[index / 2] |= block << (BLOCK_BITS * (index % 2));
    }
    if fhe_type.check(&value).is_err() {
        return Err(KernelError::OutOfRange(
            "the plaintext does not fit its type".into(),
        ));
    }
    Ok(value)
}
