//! The public masks of the keys: tfhe's own, so that a key is stored as seed and bodies.

use sha3::{Digest, Sha3_256};
use tfhe::core_crypto::commons::math::random::{
    CompressionSeed, RandomGenerable, RandomGenerator, Uniform,
};
use tfhe::core_crypto::prelude::DefaultRandomGenerator;
use tfhe::Seed;

use super::shape::{Part, Shape};
use crate::error::{KernelError, Result};
use crate::ring::element::Word;

/// First bytes of the derivation of a part's seed.
const DOMAIN: &[u8] = b"tkms/generation/mask/v1";

/// Length of the public seed that the parties open, in bytes.
pub const SEED_BYTES: usize = 16;

/// Seed of a part's masks: first 16 bytes, little-endian, of SHA3-256(domain | part | opened seed).
#[must_use]
pub fn seed_of(part: Part, seed: [u8; SEED_BYTES]) -> Seed {
    let number = match part {
        Part::PublicKey => 0u8,
        Part::Check => 1,
        Part::KeySwitch => 2,
        Part::Casting => 3,
        Part::Bootstrap => 4,
        Part::Squashing => 5,
        Part::Packing => 6,
    };
    let digest = Sha3_256::new()
        .chain_update(DOMAIN)
        .chain_update([number])
        .chain_update(seed)
        .finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    Seed(u128::from_le_bytes(first))
}

/// The same in the form that tfhe stores.
#[must_use]
pub fn compression_seed(part: Part, seed: [u8; SEED_BYTES]) -> CompressionSeed {
    seed_of(part, seed).into()
}

/// Mask words of `count` rows from row `first`, one row after the other.
///
/// # Errors
/// `Internal` if the generator is exhausted.
pub fn rows<W: Word + RandomGenerable<Uniform>>(
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    first: usize,
    count: usize,
) -> Result<Vec<W>> {
    let mut generator = RandomGenerator::<DefaultRandomGenerator>::new(seed_of(shape.part, seed));
    let exhausted = || KernelError::Internal("the masks are exhausted".into());
    // The first child takes what lies before, the second what is wanted.
    if first > 0 {
        let skipped = generator.try_fork(1, first * shape.mask * W::BYTES);
        drop(skipped.map_err(|_| exhausted())?.next());
    }
    let mut words = vec![W::ZERO; count * shape.mask];
    generator.fill_slice_with_random_uniform(&mut words);
    Ok(words)
}
