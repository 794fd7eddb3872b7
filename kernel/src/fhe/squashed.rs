//! Reading squashed ciphertexts (formats 2 and 3) down to the words of their LWE blocks.
//!
//! tfhe's types are built for trusted bytes: extraction asserts and indexes. Every length, modulus
//! and count is therefore compared with the parameter set before anything is computed.

use sha2::{Digest, Sha256};
use tfhe::core_crypto::prelude::compressed_modulus_switched_glwe_ciphertext::CompressedModulusSwitchedGlweCiphertext;
use tfhe::core_crypto::prelude::LweCiphertextCount;
use tfhe::integer::ciphertext::DataKind;
use tfhe::shortint::ciphertext::SquashedNoiseCiphertext;
use tfhe::shortint::{CarryModulus, MessageModulus};
use tfhe::{
    CompressedSquashedNoiseCiphertextList, SquashedNoiseFheBool, SquashedNoiseFheUint, Tag,
};
use zeroize::Zeroize;

use super::codec::{load, malformed, Fields, MAX_SQUASHED};
use super::parameters::{ParameterSet, Squashing};
use super::toeplitz;
use super::value::{FheType, Format};
use crate::error::{invalid, KernelError, Result};
use crate::ring::element::Element;

/// Message blocks of 2 bits in one squashed block: the packing factor of user decryption answers.
pub const MESSAGE_BLOCKS: usize = 2;

/// Bits of a stored word of format 2: the whole 128-bit word, nothing is rounded away.
const WORD_BITS: usize = 128;

/// Words hashed at a time.
const HASHED_WORDS: usize = 256;

/// Which of the two 128-bit secret keys a ciphertext is under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SquashedKey {
    /// Key of the squashing bootstrap: format 3.
    Squashed,
    /// Key of the packing key switch: format 2.
    Compressed,
}

enum Words {
    /// One vector a block: mask, then body.
    Blocks(Vec<Vec<u128>>),
    /// One GLWE: mask polynomials of `size` words, then a body a block.
    Packed { words: Vec<u128>, size: usize },
}

/// A validated squashed ciphertext.
pub struct Squashed {
    key: SquashedKey,
    dimension: usize,
    blocks: usize,
    words: Words,
}

/// Read and validate a squashed ciphertext of the given parameters.
///
/// # Errors
/// `InvalidInput` for bytes that are no such ciphertext, for another type, format or dimension, and
/// for a parameter set without noise squashing.
pub fn read(
    bytes: &[u8],
    fhe_type: FheType,
    format: Format,
    parameters: ParameterSet,
) -> Result<Squashed> {
    let shape = parameters.require_squashing()?;
    match format {
        Format::BigCompressed => read_compressed(bytes, fhe_type, &shape),
        Format::BigExpanded => read_expanded(bytes, fhe_type, &shape),
        Format::SmallCompressed | Format::SmallExpanded => {
            invalid("only formats 2 and 3 are squashed")
        }
    }
}

/// Read a squashed ciphertext without knowing its parameter set: the first that fits.
///
/// # Errors
/// `InvalidInput` if no set fits.
pub fn read_any(bytes: &[u8], fhe_type: FheType, format: Format) -> Result<Squashed> {
    let sets = ParameterSet::ALL.into_iter();
    let mut fitting = sets.filter_map(|set| read(bytes, fhe_type, format, set).ok());
    fitting
        .next()
        .ok_or_else(|| malformed("squashed ciphertext"))
}

fn read_expanded(bytes: &[u8], fhe_type: FheType, shape: &Squashing) -> Result<Squashed> {
    let dimension = shape.dimension();
    let count = fhe_type.squashed_blocks();
    let blocks = if fhe_type == FheType::Bool {
        let item = load!(SquashedNoiseFheBool, bytes, MAX_SQUASHED);
        let inner = item.underlying_squashed_noise_ciphertext();
        vec![block_words(inner.packed_blocks(), shape)?]
    } else {
        let item = load!(SquashedNoiseFheUint, bytes, MAX_SQUASHED);
        let inner = item.underlying_squashed_noise_ciphertext();
        if inner.original_block_count() != fhe_type.blocks() {
            return invalid("the ciphertext has another type");
        }
        let blocks = inner.packed_blocks().iter();
        blocks
            .map(|block| block_words(block, shape))
            .collect::<Result<Vec<_>>>()?
    };
    if blocks.len() != count {
        return invalid("the ciphertext has another number of blocks");
    }
    Ok(Squashed {
        key: SquashedKey::Squashed,
        dimension,
        blocks: count,
        words: Words::Blocks(blocks),
    })
}

fn block_words(block: &SquashedNoiseCiphertext, shape: &Squashing) -> Result<Vec<u128>> {
    let parameters = &shape.squashing;
    let lwe = block.lwe_ciphertext();
    let fits = lwe.as_ref().len() == shape.dimension() + 1
        && lwe.ciphertext_modulus() == parameters.ciphertext_modulus()
        && block.message_modulus() == parameters.message_modulus()
        && block.carry_modulus() == parameters.carry_modulus();
    if !fits {
        return invalid("the ciphertext has other parameters");
    }
    Ok(lwe.as_ref().to_vec())
}

/// Field by field, in tfhe's own encoding: list { list { glwes, meta }, kinds }, tag.
fn read_compressed(bytes: &[u8], fhe_type: FheType, shape: &Squashing) -> Result<Squashed> {
    let mut fields = Fields::open::<CompressedSquashedNoiseCiphertextList>(bytes, MAX_SQUASHED)?;
    for _ in 0..3 {
        fields.version_zero()?; // of the three nested lists
    }
    fields.expect(&1u64.to_le_bytes(), "list of one packed ciphertext")?;
    let glwe: CompressedModulusSwitchedGlweCiphertext<u128> = fields.field()?;
    fields.expect(&[1], "description of the list")?;
    fields.version_zero()?;
    let message: MessageModulus = fields.field()?;
    let carry: CarryModulus = fields.field()?;
    let per_glwe: LweCiphertextCount = fields.field()?;
    fields.expect(&1u64.to_le_bytes(), "list of one value")?;
    let kind: DataKind = fields.field()?;
    let _tag: Tag = fields.field()?;
    fields.finish()?;

    let parameters = &shape.compression;
    if message != parameters.message_modulus
        || carry != parameters.carry_modulus
        || per_glwe != parameters.lwe_per_glwe
    {
        return invalid("the ciphertext has other parameters");
    }
    if !kind_fits(kind, fhe_type) {
        return invalid("the ciphertext has another type");
    }
    let count = fhe_type.squashed_blocks();
    let dimension = shape.compressed_dimension();
    let words = packed_words(&glwe, dimension + count, count, shape)?;
    Ok(Squashed {
        key: SquashedKey::Compressed,
        dimension,
        blocks: count,
        words: Words::Packed {
            words,
            size: parameters.packing_ks_polynomial_size.0,
        },
    })
}

fn packed_words(
    glwe: &CompressedModulusSwitchedGlweCiphertext<u128>,
    length: usize,
    count: usize,
    shape: &Squashing,
) -> Result<Vec<u128>> {
    let parameters = &shape.compression;
    let packed = glwe.packed_integers();
    let fits = glwe.glwe_dimension() == parameters.packing_ks_glwe_dimension
        && glwe.polynomial_size() == parameters.packing_ks_polynomial_size
        && glwe.bodies_count().0 == count
        && count <= parameters.lwe_per_glwe.0
        && glwe.uncompressed_ciphertext_modulus() == parameters.ciphertext_modulus
        && packed.log_modulus().0 == WORD_BITS
        && packed.initial_len() == length
        && packed.packed_coeffs().len() == length;
    if !fits {
        return invalid("the packed ciphertext has other dimensions");
    }
    Ok(packed.packed_coeffs().to_vec())
}

fn kind_fits(kind: DataKind, fhe_type: FheType) -> bool {
    match kind {
        DataKind::Boolean => fhe_type == FheType::Bool,
        DataKind::Unsigned(blocks) => {
            fhe_type != FheType::Bool && blocks.get() == fhe_type.blocks()
        }
        DataKind::Signed(_) | DataKind::String { .. } => false,
    }
}

impl Squashed {
    /// The secret key the ciphertext is under.
    #[must_use]
    pub fn key(&self) -> SquashedKey {
        self.key
    }

    /// LWE dimension in words of 128 bits.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of squashed blocks, 4 message bits each.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// SHA-256 over kind, counts and every word of mask and bodies: a megabyte for a large value, and what
    /// processors hash fastest.
    ///
    /// The tag and tfhe's book-keeping are left out: they change neither the shares nor the result,
    /// and equal words must give equal masks.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let kind = match self.key {
            SquashedKey::Compressed => 2u8,
            SquashedKey::Squashed => 3u8,
        };
        let mut hash = Sha256::new_with_prefix(b"tkms/squashed-words/v2");
        hash.update([kind]);
        hash.update((self.dimension as u64).to_le_bytes());
        hash.update((self.blocks as u64).to_le_bytes());
        let mut buffer = [0u8; HASHED_WORDS * size_of::<u128>()];
        let mut absorb = |words: &[u128]| {
            for part in words.chunks(HASHED_WORDS) {
                let bytes = &mut buffer[..size_of_val(part)];
                for (target, word) in bytes.chunks_exact_mut(size_of::<u128>()).zip(part) {
                    target.copy_from_slice(&word.to_le_bytes());
                }
                hash.update(bytes);
            }
        };
        match &self.words {
            Words::Blocks(blocks) => blocks.iter().for_each(|block| absorb(block)),
            Words::Packed { words, .. } => absorb(words),
        }
        hash.finalize().into()
    }

    /// Inner product of a block's mask with shares of the key, and its body, for every block in order.
    ///
    /// # Errors
    /// `Internal` if the key has another dimension.
    pub fn phases(&self, key: &[Element<u128>]) -> Result<Vec<Element<u128>>> {
        if key.len() != self.dimension {
            return Err(KernelError::Internal("key share of another length".into()));
        }
        Ok(match &self.words {
            Words::Blocks(blocks) => blocks
                .iter()
                .map(|block| {
                    let (mask, body) = block.split_at(self.dimension);
                    let body = body.first().copied().unwrap_or_default();
                    Element::scalar(body) - inner_product(mask.iter(), key)
                })
                .collect(),
            Words::Packed { words, size } => {
                let (polynomials, bodies) = words.split_at(self.dimension);
                let products = coefficients(polynomials, key, *size, self.blocks);
                let pairs = bodies.iter().zip(products);
                pairs
                    .map(|(body, product)| Element::scalar(*body) - product)
                    .collect()
            }
        })
    }
}

/// Sum of word times share.
fn inner_product<'a>(mask: impl Iterator<Item = &'a u128>, key: &[Element<u128>]) -> Element<u128> {
    mask.zip(key).fold(Element::zero(), |sum, (word, share)| {
        sum + share.scale(*word)
    })
}

/// The lowest `count` coefficients of the sum of products of polynomials mod X^size + 1.
fn coefficients(
    polynomials: &[u128],
    key: &[Element<u128>],
    size: usize,
    count: usize,
) -> Vec<Element<u128>> {
    let pairs = || polynomials.chunks_exact(size).zip(key.chunks_exact(size));
    // Squares are worth it from half a square on; rows that nobody asked for are dropped.
    let rows = count.next_multiple_of(toeplitz::SIDE);
    if 2 * count < toeplitz::SIDE || rows > size || !size.is_multiple_of(toeplitz::SIDE) {
        let indexes = 0..count;
        return indexes
            .map(|index| {
                pairs().fold(Element::zero(), |sum, (mask, key)| {
                    sum + coefficient(mask, key, index)
                })
            })
            .collect();
    }
    let mut sums = vec![Element::zero(); rows];
    for (mask, key) in pairs() {
        toeplitz::add_product(mask, key, &mut sums);
    }
    sums[count..].iter_mut().zeroize();
    sums.truncate(count);
    sums
}

/// Coefficient `index` of a product mod X^size + 1: the mask polynomial is read backwards from the
/// coefficient, with the sign of the wrap (sample extraction of the TFHE paper).
fn coefficient(mask: &[u128], key: &[Element<u128>], index: usize) -> Element<u128> {
    let (below, above) = key.split_at(index + 1);
    inner_product(mask[..=index].iter().rev(), below)
        - inner_product(mask[index + 1..].iter().rev(), above)
}
