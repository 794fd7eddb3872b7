//! Threshold decryption of ordinary ciphertexts (format 1) by rounding on Z/2^64.
//!
//! An ordinary block is an LWE ciphertext mod 2^64 with Delta = 2^59: two message bits, two carry bits,
//! a padding bit. Per block a party takes its share of b - <a, s>; `ring::rounding` does the rest. Nothing is squashed
//! or bootstrapped.

use sha3::{Digest, Sha3_256};
use tfhe::integer::IntegerCiphertext;
use tfhe::shortint::Ciphertext;
use tfhe::FheBool;

use super::codec::{load, MAX_CIPHERTEXT};
use super::key_share::KeyShare;
use super::parameters::ParameterSet;
use super::value::{dispatch, Clear, FheType};
use crate::error::{invalid, KernelError, Result};
use crate::ring::element::Element;
use crate::ring::masked::Secrets;
use crate::ring::rounding::{Material, Rounding};
use zeroize::Zeroizing;

/// Message bits of a block.
const MESSAGE_BITS: usize = 2;

/// Ordinary blocks in one opened block of a user decryption share.
pub const MESSAGE_BLOCKS: usize = 1;

/// A validated ordinary ciphertext: mask, then body, of each block.
pub struct Ordinary {
    blocks: Vec<Ciphertext>,
}

/// Read and validate an ordinary ciphertext of the given parameters.
///
/// # Errors
/// `InvalidInput` for bytes that are no such ciphertext, for another type, and for blocks with unclean
/// carries.
pub fn read(bytes: &[u8], fhe_type: FheType, parameters: ParameterSet) -> Result<Ordinary> {
    let compute = parameters.compute();
    let (blocks, highest) = dispatch!(fhe_type,
        bool => {
            let item = load!(FheBool, bytes, MAX_CIPHERTEXT, &compute.into());
            (vec![item.into_raw_parts()], 1)
        },
        Kind => {
            let item = load!(Kind, bytes, MAX_CIPHERTEXT, &compute.into());
            let (radix, _, _, _) = item.into_raw_parts();
            (radix.blocks().to_vec(), (1 << MESSAGE_BITS) - 1)
        }
    );
    if blocks.len() != fhe_type.blocks() {
        return invalid("the ciphertext has another number of blocks");
    }
    let dimension = parameters.big_dimension();
    for block in &blocks {
        if block.ct.as_ref().len() != dimension + 1
            || !block.ct.ciphertext_modulus().is_native_modulus()
        {
            return invalid("the ciphertext has other parameters");
        }
        if block.degree.get() > highest {
            return invalid("a block of the ciphertext has an unclean carry");
        }
    }
    Ok(Ordinary { blocks })
}

/// Read an ordinary ciphertext without knowing its parameter set: the first that fits.
///
/// # Errors
/// `InvalidInput` if no set fits.
pub fn read_any(bytes: &[u8], fhe_type: FheType) -> Result<Ordinary> {
    let mut sets = ParameterSet::ALL.into_iter();
    match sets.find_map(|set| read(bytes, fhe_type, set).ok()) {
        Some(found) => Ok(found),
        None => invalid("not a well formed ordinary ciphertext"),
    }
}

impl Ordinary {
    /// Number of blocks, 2 message bits each.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// SHA3-256 over the counts and every word of masks and bodies; the tag and tfhe's book-keeping
    /// are left out.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha3_256::new_with_prefix(b"tkms/ordinary-words/v1");
        hash.update((self.blocks.len() as u64).to_le_bytes());
        for block in &self.blocks {
            let words = block.ct.as_ref();
            hash.update((words.len() as u64).to_le_bytes());
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            hash.update(&bytes);
        }
        hash.finalize().into()
    }
}

impl KeyShare {
    /// Begin the rounding of some ciphertexts, each with its type, as one vector of blocks.
    ///
    /// The material must serve this call only. A run that is repeated with the same ciphertexts sends
    /// the same bytes; with other ciphertexts it would give the key away.
    ///
    /// # Errors
    /// `InvalidInput` for a malformed ciphertext or material that does not fit.
    pub fn rounding(
        &self,
        ciphertexts: &[(&[u8], FheType)],
        material: Material,
    ) -> Result<Rounding> {
        let mut phases: Secrets<u64> = Zeroizing::new(Vec::new());
        for (bytes, fhe_type) in ciphertexts {
            let ordinary = read(bytes, *fhe_type, self.parameters())?;
            for block in &ordinary.blocks {
                let Some((body, mask)) = block.ct.as_ref().split_last() else {
                    return Err(KernelError::Internal("a block without a body".into()));
                };
                phases.push(Element::scalar(*body) - inner_product(mask, &self.big));
            }
        }
        Rounding::new(&phases, material)
    }
}

/// Sum of word times share; the caller has compared the lengths.
fn inner_product(mask: &[u64], key: &[Element<u64>]) -> Element<u64> {
    let pairs = mask.iter().zip(key);
    pairs.fold(Element::zero(), |sum, (word, share)| {
        sum + share.scale(*word)
    })
}

/// Plaintext of the messages of blocks, lowest first: value = sum of m_j 4^j.
///
/// # Errors
/// `InvalidInput` for a wrong number of blocks; `OutOfRange` for a block with carry or padding bit or a
/// value that does not fit the type: a malformed ciphertext or a wrong key.
pub fn plaintext(blocks: &[u8], fhe_type: FheType) -> Result<Clear> {
    if blocks.len() != fhe_type.blocks() {
        return invalid("wrong number of blocks for the type");
    }
    let mut value: Clear = [0; 32];
    for (index, block) in blocks.iter().enumerate() {
        if *block >> MESSAGE_BITS != 0 {
            return Err(KernelError::OutOfRange(
                "a block has a carry or a set padding bit".into(),
            ));
        }
        value[index / 4] |= block << (MESSAGE_BITS * (index % 4));
    }
    if fhe_type.check(&value).is_err() {
        return Err(KernelError::OutOfRange(
            "the plaintext does not fit its type".into(),
        ));
    }
    Ok(value)
}
