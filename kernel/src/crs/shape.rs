//! How many points a parameter set needs, and the reference string made of them.

use ark_ec::short_weierstrass::Affine;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use tfhe::core_crypto::prelude::LweCiphertextCount;
use tfhe::zk::{CompactPkeCrs, CompactPkeZkScheme, ZkCompactPkeV2PublicParams};
use tfhe_zk_pok::proofs::pke_v2::{compute_crs_params, Bound};

use super::group::{G1, G2};
use super::point::ToTfhe;
use crate::error::{invalid, KernelError, Result};
use crate::fhe::compact::{Crs, MAX_LIST_BITS, PACKED_BITS};
use crate::fhe::parameters::ParameterSet;

/// Most points m of a toy shape.
const MAX_TOY: usize = 64;

/// Number in the encoding that stands for no parameter set.
const TOY: u8 = 255;

/// Zero bits above the message: one, the padding bit.
const ZERO_PADDING: u64 = 1;

const HASH_DOMAIN: &[u8] = b"tkms/crs/domains/v1";

/// The points of a string.
#[derive(Clone, PartialEq, Eq)]
pub struct Points {
    /// g^(a^i) for i in 1..=2m without m + 1.
    pub g: Vec<Affine<G1>>,
    /// h^(a^i) for i in 1..=m.
    pub h: Vec<Affine<G2>>,
}

/// What all strings of one ceremony have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// None for a toy, which no reference string is made of.
    parameters: Option<ParameterSet>,
    max_bits: usize,
    dimension: usize,
}

/// Numbers of the proof system: LWE dimension d, messages k, noise bound, moduli q and t.
struct Numbers {
    d: usize,
    k: usize,
    noise_bound: u64,
    q: u64,
    t: u64,
}

impl Shape {
    /// Shape for lists of up to `max_bits` message bits.
    ///
    /// # Errors
    /// `InvalidInput` unless 1 <= `max_bits` <= [`MAX_LIST_BITS`].
    pub fn new(parameters: ParameterSet, max_bits: usize) -> Result<Self> {
        if max_bits == 0 || max_bits > MAX_LIST_BITS {
            return invalid("the reference string is empty or beyond the limit of a list");
        }
        let Numbers {
            d,
            k,
            noise_bound,
            t,
            ..
        } = numbers(parameters, max_bits)?;
        // The bound of the Euclidean norm from that of each coefficient.
        let squared = u128::from(noise_bound).pow(2) * (d + k) as u128;
        let (dimension, ..) = compute_crs_params(d, k, squared, t, ZERO_PADDING, Bound::CS);
        Ok(Self {
            parameters: Some(parameters),
            max_bits,
            dimension,
        })
    }

    /// A shape of any few points, to try the ceremony; there is no reference string of it.
    ///
    /// # Errors
    /// `InvalidInput` unless 2 <= `dimension` <= 64.
    pub fn toy(dimension: usize) -> Result<Self> {
        if !(2..=MAX_TOY).contains(&dimension) {
            return invalid("a toy ceremony has 2 to 64 points");
        }
        Ok(Self {
            parameters: None,
            max_bits: 0,
            dimension,
        })
    }

    /// The number m: points of G2, and half the exponents of G1.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Bytes that say the shape in an encoding: number of the set, most bits, m.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[0] = self.parameters.map_or(TOY, ParameterSet::number);
        // Both are far below 2^32.
        bytes[1..5].copy_from_slice(&self.max_bits.to_le_bytes()[..4]);
        bytes[5..].copy_from_slice(&self.dimension.to_le_bytes()[..4]);
        bytes
    }

    /// The reference string of the points. `name` makes its hashes its own.
    ///
    /// # Errors
    /// `InvalidInput` for a toy; `Internal` if tfhe refuses its own numbers.
    pub fn reference_string(&self, points: &Points, name: &[u8]) -> Result<Crs> {
        let Some(parameters) = self.parameters else {
            return invalid("there is no reference string of a toy ceremony");
        };
        let numbers = numbers(parameters, self.max_bits)?;
        let mut g_list: Vec<_> = points
            .g
            .iter()
            .map(ToTfhe::to_tfhe)
            .collect::<Result<_>>()?;
        g_list.insert(self.dimension, G1::to_tfhe(&Affine::identity())?);
        let h_list = points
            .h
            .iter()
            .map(ToTfhe::to_tfhe)
            .collect::<Result<_>>()?;
        let mut stream = domains(name);
        let mut sid = [0; 16];
        stream.read(&mut sid);
        let mut domain = || {
            let mut bytes = [0; 8];
            stream.read(&mut bytes);
            bytes
        };
        let public = ZkCompactPkeV2PublicParams::from_vec(
            g_list,
            h_list,
            numbers.d,
            numbers.k,
            numbers.noise_bound,
            numbers.q,
            numbers.t,
            ZERO_PADDING,
            Bound::CS,
            u128::from_le_bytes(sid),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
            domain(),
        );
        Ok(Crs::of(parameters, CompactPkeCrs::from(public)))
    }
}

/// SHAKE256("tkms/crs/domains/v1" | name): 16 bytes of session id, then domains of 8 bytes.
fn domains(name: &[u8]) -> sha3::Shake256Reader {
    let mut hash = Shake256::default();
    hash.update(HASH_DOMAIN);
    hash.update(name);
    hash.finalize_xof()
}

fn numbers(parameters: ParameterSet, max_bits: usize) -> Result<Numbers> {
    let key = parameters.compact().0;
    let prepared = CompactPkeCrs::prepare_crs_parameters(
        key.encryption_lwe_dimension,
        LweCiphertextCount(max_bits.div_ceil(PACKED_BITS)),
        key.encryption_noise_distribution,
        key.ciphertext_modulus,
        // One more bit for the padding.
        2 * key.message_modulus.0 * key.carry_modulus.0,
        CompactPkeZkScheme::V2,
    );
    match prepared {
        Ok((d, k, noise_bound, q, t)) => Ok(Numbers {
            d: d.0,
            k: k.0,
            noise_bound,
            q,
            t,
        }),
        Err(_) => Err(KernelError::Internal(
            "tfhe refuses the numbers of a parameter set".into(),
        )),
    }
}
