//! Points and factors as bytes, as tfhe has them, and its pairing.
//!
//! Encoding: x then y, a coordinate of G1 being 56 bytes little-endian, one of G2 two of them. The
//! point at infinity has none: it is never part of a string.

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField, Zero};
use rayon::prelude::*;
use tfhe_zk_pok::curve_446::Fr;
use tfhe_zk_pok::curve_api::bls12_446::{self, Gt};
use tfhe_zk_pok::serialization::{SerializableAffine, SerializableFp};

use super::group::{Group, G1, G2};
use crate::error::{invalid, KernelError, Result};

/// Bytes of a factor.
pub const SCALAR: usize = 40;

/// Points of the curve from bytes.
///
/// # Errors
/// `InvalidInput` for a partial point, a coordinate that is not reduced or the point at infinity;
/// `VerificationFailed` for a point that is not on the curve.
pub fn read<C: Group>(bytes: &[u8]) -> Result<Vec<Affine<C>>> {
    if !bytes.len().is_multiple_of(C::BYTES) {
        return invalid("a point is cut off");
    }
    bytes.par_chunks_exact(C::BYTES).map(read_one).collect()
}

fn read_one<C: Group>(bytes: &[u8]) -> Result<Affine<C>> {
    let (x, y) = bytes.split_at(C::BYTES / 2);
    let (Some(x), Some(y)) = (C::coordinate(x), C::coordinate(y)) else {
        return invalid("a coordinate is not reduced");
    };
    // On neither curve; a factor of zero would give it.
    if x.is_zero() && y.is_zero() {
        return invalid("a point is at infinity");
    }
    let point = Affine::<C>::new_unchecked(x, y);
    if !point.is_on_curve() {
        return Err(KernelError::VerificationFailed(format!(
            "a point is not on the curve of {}",
            C::NAME
        )));
    }
    Ok(point)
}

/// Append points to bytes; infinity becomes zeros, which [`read`] refuses.
pub fn write<C: Group>(points: &[Affine<C>], target: &mut Vec<u8>) {
    let zero = C::BaseField::zero();
    for point in points {
        let (x, y) = point.xy().unwrap_or((zero, zero));
        C::write(&x, target);
        C::write(&y, target);
    }
}

/// Factor from bytes.
///
/// # Errors
/// `InvalidInput` if it is not reduced.
pub fn read_scalar(bytes: &[u8; SCALAR]) -> Result<Fr> {
    let limbs = std::array::from_fn(|index| {
        u64::from_le_bytes(std::array::from_fn(|byte| bytes[8 * index + byte]))
    });
    match Fr::from_bigint(BigInt(limbs)) {
        Some(scalar) => Ok(scalar),
        None => invalid("a factor is not reduced"),
    }
}

/// Bytes of a factor.
#[must_use]
pub fn scalar_bytes(scalar: &Fr) -> [u8; SCALAR] {
    let mut bytes = [0; SCALAR];
    for (limb, chunk) in scalar.into_bigint().0.iter().zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    bytes
}

fn unreadable<E>(_: E) -> KernelError {
    KernelError::Internal("tfhe refuses a point".into())
}

/// Points as tfhe has them.
pub trait ToTfhe: Group {
    /// tfhe's own type.
    type Point;
    /// The same in the form that it pairs.
    type Pairable;

    /// The same point.
    ///
    /// # Errors
    /// `Internal` if tfhe refuses it.
    fn to_tfhe(point: &Affine<Self>) -> Result<Self::Point>;

    /// The same point, to be paired.
    ///
    /// # Errors
    /// `Internal` if tfhe refuses it.
    fn to_pairable(point: &Affine<Self>) -> Result<Self::Pairable>;
}

impl ToTfhe for G1 {
    type Point = bls12_446::G1Affine;
    type Pairable = bls12_446::G1;

    fn to_tfhe(point: &Affine<Self>) -> Result<Self::Point> {
        let encoded: SerializableAffine<SerializableFp> = SerializableAffine::uncompressed(*point);
        encoded.try_into().map_err(unreadable)
    }

    fn to_pairable(point: &Affine<Self>) -> Result<Self::Pairable> {
        let encoded: SerializableAffine<SerializableFp> = SerializableAffine::uncompressed(*point);
        encoded.try_into().map_err(unreadable)
    }
}

impl ToTfhe for G2 {
    type Point = bls12_446::G2Affine;
    type Pairable = bls12_446::G2;

    fn to_tfhe(point: &Affine<Self>) -> Result<Self::Point> {
        SerializableAffine::uncompressed(*point)
            .try_into()
            .map_err(unreadable)
    }

    fn to_pairable(point: &Affine<Self>) -> Result<Self::Pairable> {
        SerializableAffine::uncompressed(*point)
            .try_into()
            .map_err(unreadable)
    }
}

/// Whether the product of the pairings of points of both groups, in pairs, is one.
///
/// tfhe's own pairing: that of the library does not fit this curve's configuration.
///
/// # Errors
/// `Internal` if tfhe refuses a point.
pub fn pairings_cancel(left: &[Affine<G1>], right: &[Affine<G2>]) -> Result<bool> {
    let pair = Gt::pairing(bls12_446::G1::GENERATOR, bls12_446::G2::GENERATOR);
    let one = pair + -pair;
    let products: Vec<_> = left
        .par_iter()
        .zip(right)
        .filter(|(first, second)| !first.is_zero() && !second.is_zero())
        .map(|(first, second)| {
            Ok(Gt::pairing(
                G1::to_pairable(first)?,
                G2::to_pairable(second)?,
            ))
        })
        .collect::<Result<_>>()?;
    Ok(products.into_iter().fold(one, |sum, product| sum + product) == one)
}

#[cfg(test)]
mod tests {
    use ark_ec::short_weierstrass::SWCurveConfig;
    use tfhe_zk_pok::curve_446::Fq;

    use super::*;

    #[test]
    fn encoding_has_one_form() {
        let mut bytes = Vec::new();
        write(&[G1::GENERATOR], &mut bytes);
        assert_eq!(read::<G1>(&bytes).unwrap(), [G1::GENERATOR]);
        assert!(read::<G1>(&bytes[1..]).is_err());
        assert!(read::<G1>(&[0; 112]).is_err());
        // x + p is the same coordinate, not reduced.
        let mut carry = 0u128;
        for (chunk, limb) in bytes[..56].chunks_exact_mut(8).zip(Fq::MODULUS.0) {
            let own = u64::from_le_bytes(chunk.try_into().unwrap());
            carry += u128::from(own) + u128::from(limb);
            chunk.copy_from_slice(&carry.to_le_bytes()[..8]);
            carry >>= 64;
        }
        assert_eq!(read::<G1>(&bytes), invalid("a coordinate is not reduced"));
        let mut bytes = Vec::new();
        write(&[G2::GENERATOR], &mut bytes);
        assert_eq!(read::<G2>(&bytes).unwrap(), [G2::GENERATOR]);
        bytes[3] ^= 1;
        assert!(matches!(
            read::<G2>(&bytes),
            Err(KernelError::VerificationFailed(_))
        ));
    }
}
