//! Both groups of the curve: subgroup tests and fast multiplication by its endomorphisms.
//!
//! With u < 0 the parameter of the curve, r = u^4 - u^2 + 1 is the group order. On G1 the map
//! (x, y) -> (beta x, y) is a root of X^2 + X + 1, so a point is multiplied by -u^2 exactly if
//! r annihilates it. On G2 the untwisted Frobenius satisfies X^2 - (u + 1) X + p = 0; a point it multiplies by u is
//! annihilated by p - u, which is r times the cofactor of G1, and that has no factor in common with
//! the cofactor of G2 (a test computes it). Both maps also cut a factor into four of 75 bits.

use std::sync::OnceLock;

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup};
use ark_ff::{BigInt, Field, PrimeField, Zero};
use rayon::prelude::*;
use tfhe_zk_pok::curve_446::{g1, g2, Fq, Fq2, Fr};
use zeroize::Zeroize;

use crate::error::{KernelError, Result};

/// Absolute value of the curve's parameter u.
pub const PARAMETER: u128 = 0x600_8204_0000_0002_0001;

/// Bits of [`PARAMETER`].
const PARAMETER_BITS: u32 = 75;

/// Bytes of a coordinate in the base field.
const COORDINATE: usize = 56;

/// What differs between the two groups.
pub trait Group: SWCurveConfig<ScalarField = Fr> {
    /// Bytes of a point.
    const BYTES: usize;
    /// Name for texts.
    const NAME: &'static str;

    /// The point times |u|^0, |u|^1, |u|^2, |u|^3, for a point of the group.
    fn powers(point: &Affine<Self>) -> [Projective<Self>; 4];

    /// Whether a point of the curve is in the group.
    fn contains(point: &Affine<Self>) -> bool;

    /// Coordinates from bytes; None if one is not reduced.
    fn coordinate(bytes: &[u8]) -> Option<Self::BaseField>;

    /// Write a coordinate.
    fn write(coordinate: &Self::BaseField, target: &mut Vec<u8>);
}

/// Configuration of the first group.
pub type G1 = g1::Config;
/// Configuration of the second group.
pub type G2 = g2::Config;

fn field_from_bytes(bytes: &[u8]) -> Option<Fq> {
    let mut limbs = [0u64; COORDINATE / 8];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(std::array::from_fn(|i| chunk[i]));
    }
    Fq::from_bigint(BigInt(limbs))
}

fn write_field(coordinate: &Fq, target: &mut Vec<u8>) {
    for limb in coordinate.into_bigint().0 {
        target.extend_from_slice(&limb.to_le_bytes());
    }
}

/// |u| times a point.
fn times_parameter<C: SWCurveConfig>(point: Projective<C>) -> Projective<C> {
    let mut sum = point;
    for bit in (0..PARAMETER_BITS - 1).rev() {
        sum.double_in_place();
        if (PARAMETER >> bit) & 1 == 1 {
            sum += point;
        }
    }
    sum
}

/// -u^2 times a point of G1: the endomorphism.
fn minus_square(point: Projective<G1>) -> Projective<G1> {
    let mut image = point;
    image.x *= g1::BETA;
    image
}

impl Group for G1 {
    const BYTES: usize = 2 * COORDINATE;
    const NAME: &'static str = "G1";

    fn powers(point: &Affine<Self>) -> [Projective<Self>; 4] {
        let first = point.into_group();
        let second = times_parameter(first);
        [first, second, -minus_square(first), -minus_square(second)]
    }

    fn contains(point: &Affine<Self>) -> bool {
        let square = times_parameter(times_parameter(point.into_group()));
        minus_square(point.into_group()) == -square
    }

    fn coordinate(bytes: &[u8]) -> Option<Fq> {
        field_from_bytes(bytes)
    }

    fn write(coordinate: &Fq, target: &mut Vec<u8>) {
        write_field(coordinate, target);
    }
}

/// Factors of the untwisted Frobenius: inverses of (1 + i)^((p - 1) / 3) and (1 + i)^((p - 1) / 2).
fn frobenius_factors() -> &'static (Fq2, Fq2) {
    static FACTORS: OnceLock<(Fq2, Fq2)> = OnceLock::new();
    FACTORS.get_or_init(|| {
        let twist = Fq2::new(Fq::ONE, Fq::ONE);
        // p = 1 mod 6, so both are whole; 6 divides p - 1 and the quotient is p / 6 rounded down.
        let mut sixth = [0u64; 7];
        let mut rest = 0u128;
        for (limb, part) in sixth.iter_mut().zip(Fq::MODULUS.0).rev() {
            let part = (rest << 64) | u128::from(part);
            // Below 2^64, because the rest is below 6.
            *limb = u64::try_from(part / 6).unwrap_or(u64::MAX);
            rest = part % 6;
        }
        let root = twist.pow(sixth);
        let inverse = |value: Fq2| value.inverse().unwrap_or(Fq2::ONE);
        (inverse(root.square()), inverse(root.square() * root))
    })
}

/// u times a point of G2: the untwisted Frobenius.
fn frobenius(point: &Affine<G2>) -> Affine<G2> {
    let (factor_x, factor_y) = frobenius_factors();
    let (mut x, mut y) = (point.x, point.y);
    x.conjugate_in_place();
    y.conjugate_in_place();
    Affine {
        x: x * factor_x,
        y: y * factor_y,
        infinity: point.infinity,
    }
}

impl Group for G2 {
    const BYTES: usize = 4 * COORDINATE;
    const NAME: &'static str = "G2";

    fn powers(point: &Affine<Self>) -> [Projective<Self>; 4] {
        // u is negative, so odd powers change the sign.
        let second = frobenius(point);
        let third = frobenius(&second);
        let fourth = frobenius(&third);
        [
            point.into_group(),
            -second.into_group(),
            third.into_group(),
            -fourth.into_group(),
        ]
    }

    fn contains(point: &Affine<Self>) -> bool {
        frobenius(point).into_group() == -times_parameter(point.into_group())
    }

    fn coordinate(bytes: &[u8]) -> Option<Fq2> {
        let (low, high) = bytes.split_at(COORDINATE);
        Some(Fq2::new(field_from_bytes(low)?, field_from_bytes(high)?))
    }

    fn write(coordinate: &Fq2, target: &mut Vec<u8>) {
        write_field(&coordinate.c0, target);
        write_field(&coordinate.c1, target);
    }
}

/// Digits of a factor to the base |u|.
fn digits(scalar: &Fr) -> [u128; 4] {
    let mut limbs = scalar.into_bigint().0;
    let mut digits = [0u128; 4];
    for digit in &mut digits {
        // Long division bit by bit: the rest stays below 2^75, so it never overflows.
        let mut rest = 0u128;
        for index in (0..limbs.len() * 64).rev() {
            let (limb, bit) = (index / 64, index % 64);
            rest = (rest << 1) | u128::from((limbs[limb] >> bit) & 1);
            limbs[limb] &= !(1 << bit);
            if rest >= PARAMETER {
                rest -= PARAMETER;
                limbs[limb] |= 1 << bit;
            }
        }
        *digit = rest;
    }
    limbs.zeroize();
    digits
}

/// A point of the group times a factor. Not constant in time: factors are used once and forgotten.
pub fn multiply<C: Group>(point: &Affine<C>, scalar: &Fr) -> Projective<C> {
    let powers = C::powers(point);
    let mut table = [Projective::<C>::zero(); 16];
    for (index, power) in powers.iter().enumerate() {
        let size = 1 << index;
        for lower in 0..size {
            table[size + lower] = table[lower] + power;
        }
    }
    let mut digits = digits(scalar);
    let mut sum = Projective::<C>::zero();
    for bit in (0..PARAMETER_BITS).rev() {
        sum.double_in_place();
        let choice = digits
            .iter()
            .rev()
            .fold(0, |choice, digit| choice << 1 | ((digit >> bit) & 1));
        // Below 16: four bits.
        sum += table[usize::try_from(choice & 15).unwrap_or(0)];
    }
    digits.zeroize();
    sum
}

/// Each point times its factor, on all cores.
pub fn multiply_each<C: Group>(points: &[Affine<C>], scalars: &[Fr]) -> Vec<Affine<C>> {
    let products: Vec<_> = points
        .par_iter()
        .zip(scalars)
        .map(|(point, scalar)| multiply(point, scalar))
        .collect();
    Projective::normalize_batch(&products)
}

/// Refuse points that are not in the group.
///
/// # Errors
/// `VerificationFailed`.
pub fn check_group<C: Group>(points: &[Affine<C>]) -> Result<()> {
    if points.par_iter().all(C::contains) {
        return Ok(());
    }
    Err(KernelError::VerificationFailed(format!(
        "a point is not in the subgroup {}",
        C::NAME
    )))
}

#[cfg(test)]
mod tests {
    use ark_ec::PrimeGroup;
    use ark_ff::{MontFp, UniformRand};
    use rand::rngs::StdRng;
    use rand::SeedableRng;

    use super::*;

    fn random_point<C: Group>(rng: &mut StdRng) -> Affine<C> {
        loop {
            let x = C::BaseField::rand(rng);
            if let Some(point) = Affine::<C>::get_point_from_x_unchecked(x, true) {
                return point;
            }
        }
    }

    fn killed_by_order<C: Group>(point: &Affine<C>) -> bool {
        point.mul_bigint(Fr::MODULUS).is_zero()
    }

    fn subgroup_tests_agree<C: Group>() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..3 {
            let point = random_point::<C>(&mut rng);
            assert!(!C::contains(&point) && !killed_by_order(&point));
            let inside = point.mul_by_cofactor();
            assert!(C::contains(&inside) && killed_by_order(&inside));
            // Of the order of the cofactor only, and together with a good point.
            let torsion = point.mul_bigint(Fr::MODULUS).into_affine();
            assert!(!torsion.is_zero() && !C::contains(&torsion));
            assert!(!C::contains(&(inside + torsion).into_affine()));
        }
    }

    #[test]
    fn subgroup_tests_are_those_of_the_order() {
        subgroup_tests_agree::<G1>();
        subgroup_tests_agree::<G2>();
    }

    #[test]
    fn small_torsion_is_outside() {
        // 1 - u annihilates what is outside, and 2 and 3 divide it: the points most easily missed.
        let mut rng = StdRng::seed_from_u64(2);
        for order in [2, 3] {
            assert_eq!((PARAMETER + 1) % order, 0);
            let factor = BigInt::<5>::from(Fr::from((PARAMETER + 1) / order));
            let mut found = false;
            for _ in 0..20 {
                let outside = random_point::<G1>(&mut rng).mul_bigint(Fr::MODULUS);
                let small = outside.into_affine().mul_bigint(factor).into_affine();
                if !small.is_zero() {
                    found = true;
                    assert!(small.mul_bigint([u64::try_from(order).unwrap()]).is_zero());
                    assert!(!G1::contains(&small));
                }
            }
            assert!(found);
        }
    }

    #[test]
    fn multiplication_is_that_of_the_library() {
        let mut rng = StdRng::seed_from_u64(3);
        let (g, h) = (G1::GENERATOR, G2::GENERATOR);
        let edges = [
            Fr::ZERO,
            Fr::ONE,
            -Fr::ONE,
            MontFp!("28334198897217871282177"),
            Fr::rand(&mut rng),
            Fr::rand(&mut rng),
        ];
        for scalar in edges {
            assert_eq!(
                multiply(&g, &scalar),
                Projective::<G1>::generator() * scalar
            );
            assert_eq!(
                multiply(&h, &scalar),
                Projective::<G2>::generator() * scalar
            );
        }
    }
}
