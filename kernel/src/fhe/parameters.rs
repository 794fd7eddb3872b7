//! The parameter sets and what tfhe is configured with.

use tfhe::core_crypto::prelude::{
    CiphertextModulus, DecompositionBaseLog, DecompositionLevelCount, DynamicDistribution,
    GlweDimension, LweCiphertextCount, LweDimension, PolynomialSize,
};
use tfhe::shortint::parameters::{
    v1_7::meta::cpu::V1_7_META_PARAM_CPU_2_2_KS_PBS_PKE_TO_SMALL_ZKV2_TUNIFORM_2M128,
    CompactCiphertextListExpansionKind, CompactPublicKeyEncryptionParameters,
    CoreCiphertextModulus, ModulusSwitchType, NoiseSquashingClassicParameters,
    NoiseSquashingCompressionParameters, NoiseSquashingParameters, ShortintKeySwitchingParameters,
    SupportedCompactPkeZkScheme,
};
use tfhe::shortint::{
    AtomicPatternParameters, CarryModulus, ClassicPBSParameters, EncryptionKeyChoice,
    MaxNoiseLevel, MessageModulus, PBSParameters,
};
use tfhe::{Config, ConfigBuilder};

use crate::error::{invalid, KernelError, Result};

/// Exponent of the factor between a squashed block's content and its LWE body: 128 bits minus
/// 4 content bits minus 1 padding bit.
pub const DELTA_LOG: u32 = 123;

/// Bound of the noise of a squashed block, as a power of two (Noah's Ark, noise flooding).
pub const NOISE_BOUND_LOG: u32 = 70;

/// Statistical security of the flooding mask in bits.
pub const STATISTICAL: u32 = 40;

/// A set of parameters; the name is stable and travels with keys and shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterSet {
    /// 128-bit security, failure probability below 2^-128, with noise squashing.
    Production,
    /// The same without noise squashing: much smaller keys, no formats 2 and 3.
    Production64,
    /// Toy numbers, NO security: for tests only.
    Test,
}

/// Shape of the noise-squashing part of a set.
#[derive(Clone, Copy, Debug)]
pub struct Squashing {
    /// Parameters of the squashing bootstrap; output dimension = glwe dimension x size.
    pub squashing: NoiseSquashingParameters,
    /// Parameters of the packing key switch behind format 2.
    pub compression: NoiseSquashingCompressionParameters,
}

impl Squashing {
    /// LWE dimension of format 3, in words of 128 bits.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.squashing.glwe_dimension().0 * self.squashing.polynomial_size().0
    }

    /// LWE dimension of format 2, in words of 128 bits.
    #[must_use]
    pub fn compressed_dimension(&self) -> usize {
        self.compression.packing_ks_glwe_dimension.0 * self.compression.packing_ks_polynomial_size.0
    }
}

impl ParameterSet {
    /// All sets, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Production, Self::Production64, Self::Test];

    /// Stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Production64 => "production-64",
            Self::Test => "test",
        }
    }

    /// Stable number, as stored in key shares.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Production => 0,
            Self::Production64 => 1,
            Self::Test => 2,
        }
    }

    /// Set of a name.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| KernelError::InvalidInput("unknown parameter set".into()))
    }

    /// Set of a number.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown number.
    pub fn from_number(number: u8) -> Result<Self> {
        match Self::ALL.get(usize::from(number)) {
            Some(set) => Ok(*set),
            None => invalid("unknown number of a parameter set"),
        }
    }

    /// Whether the set offers 128-bit security.
    #[must_use]
    pub fn secure(self) -> bool {
        self != Self::Test
    }

    /// Parameters of ordinary ciphertexts.
    #[must_use]
    pub fn compute(self) -> AtomicPatternParameters {
        match self {
            Self::Production | Self::Production64 => {
                V1_7_META_PARAM_CPU_2_2_KS_PBS_PKE_TO_SMALL_ZKV2_TUNIFORM_2M128.compute_parameters
            }
            Self::Test => AtomicPatternParameters::Standard(PBSParameters::PBS(TEST_COMPUTE)),
        }
    }

    /// Parameters of the compact public key and of the key switch from it to ordinary ciphertexts.
    #[must_use]
    pub fn compact(
        self,
    ) -> (
        CompactPublicKeyEncryptionParameters,
        ShortintKeySwitchingParameters,
    ) {
        let meta = V1_7_META_PARAM_CPU_2_2_KS_PBS_PKE_TO_SMALL_ZKV2_TUNIFORM_2M128;
        match (self, meta.dedicated_compact_public_key_parameters) {
            (Self::Production | Self::Production64, Some(compact)) => {
                (compact.pke_params, compact.ksk_params)
            }
            _ => (TEST_COMPACT, TEST_COMPACT_SWITCH),
        }
    }

    /// Parameters of noise squashing, if the set has it.
    #[must_use]
    pub fn squashing(self) -> Option<Squashing> {
        let meta = V1_7_META_PARAM_CPU_2_2_KS_PBS_PKE_TO_SMALL_ZKV2_TUNIFORM_2M128;
        match self {
            Self::Production => {
                let squashing = meta.noise_squashing_parameters?;
                Some(Squashing {
                    squashing: squashing.parameters,
                    compression: squashing.compression_parameters?,
                })
            }
            Self::Production64 => None,
            Self::Test => Some(Squashing {
                squashing: NoiseSquashingParameters::Classic(TEST_SQUASHING),
                compression: TEST_SQUASHING_COMPRESSION,
            }),
        }
    }

    /// Parameters of noise squashing.
    ///
    /// # Errors
    /// `InvalidInput` if the set has none.
    pub fn require_squashing(self) -> Result<Squashing> {
        match self.squashing() {
            Some(squashing) => Ok(squashing),
            None => invalid("the parameter set has no noise squashing"),
        }
    }

    /// LWE dimension of ordinary ciphertexts, in words of 64 bits.
    #[must_use]
    pub fn big_dimension(self) -> usize {
        let compute = self.compute();
        compute.glwe_dimension().0 * compute.polynomial_size().0
    }

    /// Configuration for key generation.
    ///
    /// Left out on purpose, because nothing in tkms uses them and each makes the server key larger:
    /// compression of ordinary lists, re-randomisation, the dedicated key of the random function.
    #[must_use]
    pub fn config(self) -> Config {
        let mut builder = ConfigBuilder::with_custom_parameters(self.compute())
            .use_dedicated_compact_public_key_parameters(self.compact())
            .use_dedicated_oprf_key(false);
        if let Some(squashing) = self.squashing() {
            builder = builder
                .enable_noise_squashing(squashing.squashing)
                .enable_noise_squashing_compression(squashing.compression);
        }
        builder.build()
    }

    /// The numbers of the set, for display and for size computations.
    #[must_use]
    pub fn info(self) -> Vec<(&'static str, usize)> {
        let compute = self.compute();
        let squashing = self.squashing();
        vec![
            ("lwe_dimension", compute.lwe_dimension().0),
            ("glwe_dimension", compute.glwe_dimension().0),
            ("polynomial_size", compute.polynomial_size().0),
            ("big_dimension", self.big_dimension()),
            (
                "public_key_dimension",
                self.compact().0.encryption_lwe_dimension.0,
            ),
            ("squashed_dimension", squashing.map_or(0, |s| s.dimension())),
            (
                "compressed_squashed_dimension",
                squashing.map_or(0, |s| s.compressed_dimension()),
            ),
            ("message_bits", 2),
            ("carry_bits", 2),
            ("delta_log", DELTA_LOG as usize),
            ("secure", usize::from(self.secure())),
        ]
    }
}

/// Toy numbers: one mask word and the least noise that the sampler knows. They keep the moduli, the
/// block layout and every code path of the production set.
const TEST_COMPUTE: ClassicPBSParameters = ClassicPBSParameters {
    lwe_dimension: LweDimension(1),
    glwe_dimension: GlweDimension(1),
    polynomial_size: PolynomialSize(256),
    lwe_noise_distribution: DynamicDistribution::new_t_uniform(0),
    glwe_noise_distribution: DynamicDistribution::new_t_uniform(0),
    pbs_base_log: DecompositionBaseLog(23),
    pbs_level: DecompositionLevelCount(1),
    ks_base_log: DecompositionBaseLog(4),
    ks_level: DecompositionLevelCount(4),
    message_modulus: MessageModulus(4),
    carry_modulus: CarryModulus(4),
    max_noise_level: MaxNoiseLevel::new(5),
    log2_p_fail: -128.0,
    ciphertext_modulus: CiphertextModulus::new_native(),
    encryption_key_choice: EncryptionKeyChoice::Big,
    modulus_switch_noise_reduction_params: ModulusSwitchType::CenteredMeanNoiseReduction,
};

const TEST_COMPACT: CompactPublicKeyEncryptionParameters = CompactPublicKeyEncryptionParameters {
    encryption_lwe_dimension: LweDimension(512),
    encryption_noise_distribution: DynamicDistribution::new_t_uniform(0),
    message_modulus: MessageModulus(4),
    carry_modulus: CarryModulus(4),
    ciphertext_modulus: CiphertextModulus::new_native(),
    expansion_kind: CompactCiphertextListExpansionKind::RequiresCasting,
    zk_scheme: SupportedCompactPkeZkScheme::V2,
};

const TEST_COMPACT_SWITCH: ShortintKeySwitchingParameters = ShortintKeySwitchingParameters {
    ks_base_log: DecompositionBaseLog(4),
    ks_level: DecompositionLevelCount(4),
    destination_key: EncryptionKeyChoice::Small,
};

const TEST_SQUASHING: NoiseSquashingClassicParameters = NoiseSquashingClassicParameters {
    glwe_dimension: GlweDimension(1),
    polynomial_size: PolynomialSize(256),
    glwe_noise_distribution: DynamicDistribution::new_t_uniform(0),
    decomp_base_log: DecompositionBaseLog(33),
    decomp_level_count: DecompositionLevelCount(2),
    modulus_switch_noise_reduction_params: ModulusSwitchType::CenteredMeanNoiseReduction,
    message_modulus: MessageModulus(4),
    carry_modulus: CarryModulus(4),
    ciphertext_modulus: CoreCiphertextModulus::<u128>::new_native(),
};

/// Dimension 2 x 256, so that formats 2 and 3 differ in length here as they do in production. The
/// decomposition is the one of tfhe 1.7 (2 levels of 41 bits): a single level of 61 bits would add
/// rounding noise above the bound 2^70.
const TEST_SQUASHING_COMPRESSION: NoiseSquashingCompressionParameters =
    NoiseSquashingCompressionParameters {
        packing_ks_level: DecompositionLevelCount(2),
        packing_ks_base_log: DecompositionBaseLog(41),
        packing_ks_polynomial_size: PolynomialSize(256),
        packing_ks_glwe_dimension: GlweDimension(2),
        lwe_per_glwe: LweCiphertextCount(128),
        packing_ks_key_noise_distribution: DynamicDistribution::new_t_uniform(3),
        message_modulus: MessageModulus(4),
        carry_modulus: CarryModulus(4),
        ciphertext_modulus: CoreCiphertextModulus::<u128>::new_native(),
    };
