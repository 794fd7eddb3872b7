//! Public bodies put into the containers of tfhe: exactly what a client key's owner would publish.

use tfhe::core_crypto::prelude::{
    DecompositionBaseLog, DecompositionLevelCount, GlweDimension, LweCiphertext,
    LweCompactPublicKey, LweSize, PolynomialSize, SeededLweBootstrapKey, SeededLweKeyswitchKey,
    SeededLwePackingKeyswitchKey,
};
use tfhe::integer;
use tfhe::prelude::ParameterSetConformant;
use tfhe::shortint;
use tfhe::shortint::atomic_pattern::compressed::{
    CompressedAtomicPatternServerKey, CompressedStandardAtomicPatternServerKey,
};
use tfhe::shortint::ciphertext::{Degree, MaxDegree, NoiseLevel};
use tfhe::shortint::key_switching_key::CompressedKeySwitchingKeyMaterial;
use tfhe::shortint::list_compression::CompressedNoiseSquashingCompressionKey;
use tfhe::shortint::noise_squashing::atomic_pattern::compressed::standard::CompressedStandardAtomicPatternNoiseSquashingKey;
use tfhe::shortint::noise_squashing::atomic_pattern::compressed::CompressedAtomicPatternNoiseSquashingKey;
use tfhe::shortint::noise_squashing::{
    CompressedNoiseSquashingKey, CompressedShortint128BootstrappingKey,
};
use tfhe::shortint::parameters::{CoreCiphertextModulus, ModulusSwitchType};
use tfhe::shortint::server_key::{
    CompressedModulusSwitchConfiguration, ShortintCompressedBootstrappingKey,
};
use tfhe::shortint::AtomicPatternKind;
use tfhe::{CompactPublicKey, CompressedServerKey, FheUint8, Tag};

use super::mask::{self, compression_seed, SEED_BYTES};
use super::shape::Shape;
use crate::error::{KernelError, Result};
use crate::fhe::codec::{store, MAX_CIPHERTEXT, MAX_PUBLIC_KEY, MAX_SERVER_KEY};
use crate::fhe::parameters::ParameterSet;

fn unfit(what: &str) -> KernelError {
    KernelError::Internal(format!("the {what} was not put together"))
}

fn tag_of(set: ParameterSet) -> Tag {
    let mut tag = Tag::default();
    tag.set_data(set.name().as_bytes());
    tag
}

/// A key switch of 64-bit words.
pub fn key_switch(
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    bodies: Vec<u64>,
) -> SeededLweKeyswitchKey<Vec<u64>> {
    SeededLweKeyswitchKey::from_container(
        bodies,
        DecompositionBaseLog(shape.base_log),
        DecompositionLevelCount(shape.rows),
        LweSize(shape.mask + 1),
        compression_seed(shape.part, seed),
        CoreCiphertextModulus::new_native(),
    )
}

/// A bootstrapping key.
pub fn bootstrap<W: tfhe::core_crypto::prelude::UnsignedInteger>(
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    bodies: Vec<W>,
) -> SeededLweBootstrapKey<Vec<W>> {
    let glwe = GlweDimension(shape.polynomials()).to_glwe_size();
    SeededLweBootstrapKey::from_container(
        bodies,
        glwe,
        PolynomialSize(shape.width),
        DecompositionBaseLog(shape.base_log),
        DecompositionLevelCount(shape.rows / glwe.0),
        compression_seed(shape.part, seed),
        CoreCiphertextModulus::new_native(),
    )
}

/// A key switch that packs.
pub fn packing(
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    bodies: Vec<u128>,
) -> SeededLwePackingKeyswitchKey<Vec<u128>> {
    SeededLwePackingKeyswitchKey::from_container(
        bodies,
        DecompositionBaseLog(shape.base_log),
        DecompositionLevelCount(shape.rows),
        GlweDimension(shape.polynomials()).to_glwe_size(),
        PolynomialSize(shape.width),
        compression_seed(shape.part, seed),
        CoreCiphertextModulus::new_native(),
    )
}

/// Shape and words of a part of 128-bit words.
pub type WidePart = (Shape, Vec<u128>);

/// Parts of the server key, with their shapes.
pub struct ServerParts {
    /// Key switch of the bootstrap.
    pub key_switch: (Shape, Vec<u64>),
    /// Key switch of compact lists.
    pub casting: (Shape, Vec<u64>),
    /// Bootstrap.
    pub bootstrap: (Shape, Vec<u64>),
    /// Squashing bootstrap and packing key switch, for sets that have them.
    pub squashing: Option<(WidePart, WidePart)>,
}

/// The compressed server key, serialised; its tag names the parameter set.
///
/// # Errors
/// `Internal` if tfhe does not take the key as one of the set.
pub fn server_key(
    set: ParameterSet,
    seed: [u8; SEED_BYTES],
    parts: ServerParts,
) -> Result<Vec<u8>> {
    let compute = set.compute();
    let (shape, bodies) = parts.bootstrap;
    let bootstrapping_key = ShortintCompressedBootstrappingKey::Classic {
        bsk: bootstrap(&shape, seed, bodies),
        modulus_switch_noise_reduction_key: centered(set)?,
    };
    let (shape, bodies) = parts.key_switch;
    let standard = CompressedStandardAtomicPatternServerKey::from_raw_parts(
        key_switch(&shape, seed, bodies),
        bootstrapping_key,
        compute.encryption_key_choice().into(),
    );
    let (message, carry) = (compute.message_modulus(), compute.carry_modulus());
    let key = shortint::CompressedServerKey::from_raw_parts(
        CompressedAtomicPatternServerKey::Standard(standard),
        message,
        carry,
        // Room for the carry of a neighbour, as in every radix key: 15 - 3 for 2 + 2 bits.
        MaxDegree::new(message.0 * carry.0 - carry.0),
        compute.max_noise_level(),
    );
    let (squashing, compression) = match parts.squashing {
        Some((squash, pack)) => {
            let (squashing, compression) = squashing_keys(set, seed, squash, pack)?;
            (Some(squashing), Some(compression))
        }
        None => (None, None),
    };
    let key = CompressedServerKey::from_raw_parts(
        integer::CompressedServerKey::from_raw_parts(key),
        Some(casting_key(set, seed, parts.casting)?),
        None,
        None,
        squashing,
        compression,
        None,
        None,
        tag_of(set),
    );
    if !key.is_conformant(&set.config().into()) {
        return Err(unfit("server key"));
    }
    Ok(store!(&key, MAX_SERVER_KEY))
}

/// How the bootstraps of all sets switch moduli: without any key of its own.
fn centered<W: tfhe::core_crypto::prelude::UnsignedInteger>(
    set: ParameterSet,
) -> Result<CompressedModulusSwitchConfiguration<W>> {
    use tfhe::shortint::AtomicPatternParameters::Standard;
    let reduction = match set.compute() {
        Standard(shortint::PBSParameters::PBS(classic)) => {
            classic.modulus_switch_noise_reduction_params
        }
        _ => return Err(unfit("bootstrap")),
    };
    match reduction {
        ModulusSwitchType::CenteredMeanNoiseReduction => {
            Ok(CompressedModulusSwitchConfiguration::CenteredMeanNoiseReduction)
        }
        _ => Err(unfit("modulus switch")),
    }
}

fn casting_key(
    set: ParameterSet,
    seed: [u8; SEED_BYTES],
    (shape, bodies): (Shape, Vec<u64>),
) -> Result<integer::key_switching_key::CompressedKeySwitchingKeyMaterial> {
    let compute = set.compute();
    let (compact, casting) = set.compact();
    let content = |message: u64, carry: u64| {
        i8::try_from((message * carry).ilog2()).map_err(|_| unfit("casting key"))
    };
    let output = content(compute.message_modulus().0, compute.carry_modulus().0)?;
    let input = content(compact.message_modulus.0, compact.carry_modulus.0)?;
    let material = CompressedKeySwitchingKeyMaterial::from_raw_parts(
        key_switch(&shape, seed, bodies),
        output - input,
        casting.destination_key,
        compute.atomic_pattern().into(),
    );
    Ok(integer::key_switching_key::CompressedKeySwitchingKeyMaterial::from_raw_parts(material))
}

type SquashingKeys = (
    integer::noise_squashing::CompressedNoiseSquashingKey,
    integer::ciphertext::CompressedNoiseSquashingCompressionKey,
);

fn squashing_keys(
    set: ParameterSet,
    seed: [u8; SEED_BYTES],
    (squash, squash_bodies): WidePart,
    (pack, pack_bodies): WidePart,
) -> Result<SquashingKeys> {
    let wide = set.require_squashing()?;
    let key = CompressedShortint128BootstrappingKey::Classic {
        bsk: bootstrap(&squash, seed, squash_bodies),
        modulus_switch_noise_reduction_key: centered(set)?,
    };
    let standard = CompressedStandardAtomicPatternNoiseSquashingKey::from_raw_parts(key);
    let key = CompressedNoiseSquashingKey::from_raw_parts(
        CompressedAtomicPatternNoiseSquashingKey::Standard(standard),
        wide.squashing.message_modulus(),
        wide.squashing.carry_modulus(),
        wide.squashing.ciphertext_modulus(),
    );
    let compression = CompressedNoiseSquashingCompressionKey::from_raw_parts(
        packing(&pack, seed, pack_bodies),
        wide.compression.lwe_per_glwe,
    );
    Ok((
        integer::noise_squashing::CompressedNoiseSquashingKey::from_raw_parts(key),
        integer::ciphertext::CompressedNoiseSquashingCompressionKey::from_raw_parts(compression),
    ))
}

/// The compact public key, serialised; its tag names the parameter set.
///
/// # Errors
/// `Internal` if tfhe does not take the key as one of the set.
pub fn public_key(
    set: ParameterSet,
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    bodies: &[u64],
) -> Result<Vec<u8>> {
    let mut words = mask::rows::<u64>(shape, seed, 0, 1)?;
    words.extend_from_slice(bodies);
    let key = LweCompactPublicKey::from_container(words, CoreCiphertextModulus::new_native());
    let key = shortint::CompactPublicKey::from_raw_parts(key, set.compact().0);
    let key = integer::public_key::CompactPublicKey::from_raw_parts(key);
    let key = CompactPublicKey::from_raw_parts(key, tag_of(set));
    if !key.is_conformant(&set.compact().0) {
        return Err(unfit("public key"));
    }
    Ok(store!(&key, MAX_PUBLIC_KEY))
}

/// The check ciphertext: `rows::CHECK_VALUE` as a number of 8 bits, format 1.
///
/// # Errors
/// `Internal` if tfhe does not take it as one of the set.
pub fn check_ciphertext(
    set: ParameterSet,
    shape: &Shape,
    seed: [u8; SEED_BYTES],
    bodies: &[u64],
) -> Result<Vec<u8>> {
    let compute = set.compute();
    let masks = mask::rows::<u64>(shape, seed, 0, shape.units)?;
    let blocks = masks.chunks_exact(shape.mask).zip(bodies);
    let blocks = blocks.map(|(mask, body)| {
        let words = [mask, &[*body]].concat();
        shortint::Ciphertext::new(
            LweCiphertext::from_container(words, CoreCiphertextModulus::new_native()),
            Degree::new(compute.message_modulus().0 - 1),
            NoiseLevel::NOMINAL,
            compute.message_modulus(),
            compute.carry_modulus(),
            AtomicPatternKind::Standard(compute.encryption_key_choice().into()),
        )
    });
    let radix = integer::RadixCiphertext::from(blocks.collect::<Vec<_>>());
    let ciphertext =
        FheUint8::from_raw_parts(radix, Default::default(), tag_of(set), Default::default());
    if !ciphertext.is_conformant(&compute.into()) {
        return Err(unfit("check ciphertext"));
    }
    Ok(store!(&ciphertext, MAX_CIPHERTEXT))
}
