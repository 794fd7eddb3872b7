//! Shapes of the parts of the public material.
//!
//! Formulas: "Threshold (Fully) Homomorphic Encryption" (eprint 2025/699), key generation. A part is
//! one container, cut into units (one bit of the input key each), a unit into rows (one encryption each).

use tfhe::core_crypto::prelude::DynamicDistribution;

use crate::error::{KernelError, Result};
use crate::fhe::parameters::ParameterSet;

/// Blocks of the check ciphertext: it holds a number of 8 bits.
pub const CHECK_BLOCKS: usize = 4;

/// A container of the public material.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Compact public key: one ring encryption of zero under the reversed key.
    PublicKey,
    /// Encryption of a public constant: what a refresh decrypts to test new shares.
    Check,
    /// Key switch from ordinary ciphertexts to the bootstrap's input.
    KeySwitch,
    /// Key switch from compact lists to the bootstrap's input.
    Casting,
    /// Bootstrap of ordinary ciphertexts.
    Bootstrap,
    /// Bootstrap that squashes noise.
    Squashing,
    /// Key switch that packs squashed ciphertexts.
    Packing,
}

impl Part {
    /// Stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PublicKey => "public-key",
            Self::Check => "check",
            Self::KeySwitch => "key-switch",
            Self::Casting => "casting",
            Self::Bootstrap => "bootstrap",
            Self::Squashing => "squashing",
            Self::Packing => "packing",
        }
    }
}

/// Shape of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Which container.
    pub part: Part,
    /// Bits of a word, 64 or 128.
    pub bits: u32,
    /// Units: bits of the input key, or blocks.
    pub units: usize,
    /// Encryptions of a unit.
    pub rows: usize,
    /// Body words of a row: 1, or the size of the polynomial.
    pub width: usize,
    /// Mask words of a row.
    pub mask: usize,
    /// Base of the gadget as power of two; 0 where there is none.
    pub base_log: usize,
    /// Noise of each body word is TUniform of this number.
    pub noise: u32,
    /// Products of secret bits that a unit needs.
    pub products: usize,
}

impl Shape {
    /// Body words of a unit.
    #[must_use]
    pub fn unit_words(&self) -> usize {
        self.rows * self.width
    }

    /// Body words of the part.
    #[must_use]
    pub fn words(&self) -> usize {
        self.units * self.unit_words()
    }

    /// Random bits of one body word's noise.
    #[must_use]
    pub fn noise_bits(&self) -> usize {
        self.noise as usize + 2
    }

    /// Polynomials of the output key.
    #[must_use]
    pub fn polynomials(&self) -> usize {
        self.mask / self.width
    }
}

/// Dimensions of the secret keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dimensions {
    /// Input of the bootstraps.
    pub small: usize,
    /// Ordinary ciphertexts.
    pub big: usize,
    /// Compact lists.
    pub compact: usize,
    /// Squashed ciphertexts; 0 without squashing.
    pub squashed: usize,
    /// Packed squashed ciphertexts; 0 without squashing.
    pub compressed: usize,
}

impl Dimensions {
    /// Dimensions of a set.
    #[must_use]
    pub fn of(set: ParameterSet) -> Self {
        let wide = set.squashing();
        Self {
            small: set.compute().lwe_dimension().0,
            big: set.big_dimension(),
            compact: set.compact().0.encryption_lwe_dimension.0,
            squashed: wide.map_or(0, |shape| shape.dimension()),
            compressed: wide.map_or(0, |shape| shape.compressed_dimension()),
        }
    }

    /// Word size and number of the secret bits of each secret batch. The small key is shared on the
    /// widest ring that needs it and reduced for the other.
    #[must_use]
    pub fn secrets(&self) -> Vec<(u32, usize)> {
        let narrow = self.big + self.compact;
        if self.squashed == 0 {
            return vec![(64, self.small + narrow)];
        }
        let wide = self.small + self.squashed + self.compressed;
        vec![(64, narrow), (128, wide)]
    }

    /// Number of secret batches.
    #[must_use]
    pub fn secret_batches(&self) -> usize {
        self.secrets().len()
    }
}

fn noise_of<T: tfhe::core_crypto::prelude::UnsignedInteger>(
    noise: DynamicDistribution<T>,
) -> Result<u32> {
    match noise {
        DynamicDistribution::TUniform(uniform) => Ok(uniform.bound_log2()),
        DynamicDistribution::Gaussian(_) => Err(KernelError::Internal(
            "the noise of the set is not TUniform".into(),
        )),
    }
}

/// Shapes of all parts in order.
///
/// # Errors
/// `Internal` if the set is of a kind that this generation does not know.
pub fn shapes(set: ParameterSet, lengths: Dimensions) -> Result<Vec<Shape>> {
    let compute = set.compute();
    let (compact, casting) = set.compact();
    let small_noise = noise_of(compute.lwe_noise_distribution())?;
    let big_noise = noise_of(compute.glwe_noise_distribution())?;
    let (glwe, size) = (compute.glwe_dimension().0, compute.polynomial_size().0);
    let switch = |part, units, levels: usize, base_log| Shape {
        part,
        bits: 64,
        units,
        rows: levels,
        width: 1,
        mask: lengths.small,
        base_log,
        noise: small_noise,
        products: 0,
    };
    let public_key = Shape {
        part: Part::PublicKey,
        bits: 64,
        units: 1,
        rows: 1,
        width: lengths.compact,
        mask: lengths.compact,
        base_log: 0,
        noise: noise_of(compact.encryption_noise_distribution)?,
        products: 0,
    };
    let check = Shape {
        part: Part::Check,
        units: CHECK_BLOCKS,
        width: 1,
        mask: lengths.big,
        noise: big_noise,
        ..public_key
    };
    let bootstrap = Shape {
        part: Part::Bootstrap,
        bits: 64,
        units: lengths.small,
        rows: compute.pbs_level().0 * (glwe + 1),
        width: size,
        mask: lengths.big,
        base_log: compute.pbs_base_log().0,
        noise: big_noise,
        products: lengths.big,
    };
    let (levels, base_log) = (compute.ks_level().0, compute.ks_base_log().0);
    let (casting_levels, casting_base) = (casting.ks_level.0, casting.ks_base_log.0);
    let mut shapes = vec![
        public_key,
        check,
        switch(Part::KeySwitch, lengths.big, levels, base_log),
        switch(Part::Casting, lengths.compact, casting_levels, casting_base),
        bootstrap,
    ];
    shapes.extend(wide_shapes(set, lengths)?);
    Ok(shapes)
}

/// Shapes of the parts with words of 128 bits.
fn wide_shapes(set: ParameterSet, lengths: Dimensions) -> Result<Vec<Shape>> {
    use tfhe::shortint::parameters::NoiseSquashingParameters::Classic;
    let Some(wide) = set.squashing() else {
        return Ok(Vec::new());
    };
    let Classic(squashing) = wide.squashing else {
        return Err(KernelError::Internal("the set is not classic".into()));
    };
    let packing = wide.compression;
    let squash = Shape {
        part: Part::Squashing,
        bits: 128,
        units: lengths.small,
        rows: squashing.decomp_level_count.0 * (squashing.glwe_dimension.0 + 1),
        width: squashing.polynomial_size.0,
        mask: lengths.squashed,
        base_log: squashing.decomp_base_log.0,
        noise: noise_of(squashing.glwe_noise_distribution)?,
        products: lengths.squashed,
    };
    let pack = Shape {
        part: Part::Packing,
        units: lengths.squashed,
        rows: packing.packing_ks_level.0,
        width: packing.packing_ks_polynomial_size.0,
        mask: lengths.compressed,
        base_log: packing.packing_ks_base_log.0,
        noise: noise_of(packing.packing_ks_key_noise_distribution)?,
        products: 0,
        ..squash
    };
    Ok(vec![squash, pack])
}
