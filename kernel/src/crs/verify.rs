//! What everybody checks before a contribution counts.
//!
//! With g_0 = g, h_0 = h and random coefficients the powers are right if
//! ```text
//! e(g_(i+1), h) = e(g_i, h_1)     for i = 0..2m-1 where both are there
//! e(g, h_(i+1)) = e(g_1, h_i)     for i = 0..m-1
//! e(g_(m+2), h) = e(g_m, h_2)     across the punctured exponent
//! ```
//! The first line with i = 0 says that both groups have the same exponent. All of it is one product of
//! five pairings of sums; coefficients are hashed from the contribution, so a contributor cannot
//! choose points that fit them.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::CurveGroup;
use ark_ff::Zero;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use tfhe_zk_pok::curve_446::Fr;

use super::contribute::challenge;
use super::group::{check_group, multiply, G1, G2};
use super::point::pairings_cancel;
use super::shape::Points;
use super::state::{Contribution, State};
use super::sum::weighted;
use crate::error::{KernelError, Result};

const COEFFICIENT_DOMAIN: &[u8] = b"tkms/crs/coefficients/v1";

impl State {
    /// The ceremony after a contribution to `round`, the fixed place of its sender.
    ///
    /// # Errors
    /// `InvalidInput` or `VerificationFailed`, with a text for each check; this state stays as it is.
    pub fn accept(&self, round: u16, bytes: &[u8]) -> Result<Self> {
        if self.accepted.last().is_some_and(|&last| round <= last) {
            return failed("the round is over");
        }
        let contribution = self.read(round, bytes)?;
        self.check_knowledge(&contribution)?;
        check_group(&contribution.points.g)?;
        check_group(&contribution.points.h)?;
        if !powers_fit(&contribution.points, &self.coefficients(bytes))? {
            return failed("the points are not the powers of one number");
        }
        let mut next = self.clone();
        next.accepted.push(round);
        next.points = contribution.points;
        Ok(next)
    }

    /// The contributor multiplied the exponent by a number that it knows, and not by one.
    fn check_knowledge(&self, contribution: &Contribution) -> Result<()> {
        let (base, result) = (self.points.g[0], contribution.points.g[0]);
        if base == result {
            return failed("the points are those of before");
        }
        // Fast multiplication is for points of the group only.
        check_group(&[result])?;
        let proof = contribution.knowledge;
        let commitment = multiply(&base, &proof.response) - multiply(&result, &proof.challenge);
        let points = [base, result, commitment.into_affine()];
        if challenge(self, contribution.round, &points) != proof.challenge {
            return failed("the contributor does not prove that it knows its factor");
        }
        Ok(())
    }

    /// Coefficients of 128 bits: 2m - 1 for the first line, m for the second, one for the third.
    fn coefficients(&self, bytes: &[u8]) -> Vec<u128> {
        let mut hash = Shake256::default();
        hash.update(COEFFICIENT_DOMAIN);
        hash.update(&self.digest());
        hash.update(bytes);
        let mut stream = hash.finalize_xof();
        let count = self.points.g.len() + self.points.h.len() + 1;
        let mut draw = || {
            let mut coefficient = [0; 16];
            stream.read(&mut coefficient);
            u128::from_le_bytes(coefficient)
        };
        (0..count).map(|_| draw()).collect()
    }
}

fn failed<T>(detail: &str) -> Result<T> {
    Err(KernelError::VerificationFailed(format!(
        "contribution: {detail}"
    )))
}

/// Sums of coefficient times successor, and of coefficient times point, over neighbours.
fn neighbours<C: SWCurveConfig>(
    runs: &[&[Affine<C>]],
    coefficients: &[u128],
) -> (Projective<C>, Projective<C>) {
    let (mut later, mut earlier) = (Projective::zero(), Projective::zero());
    let mut rest = coefficients;
    for run in runs {
        let (own, others) = rest.split_at(run.len() - 1);
        later += weighted(&run[1..], own);
        earlier += weighted(&run[..run.len() - 1], own);
        rest = others;
    }
    (later, earlier)
}

/// Whether the points are powers of one number; see the top of this file.
fn powers_fit(points: &Points, coefficients: &[u128]) -> Result<bool> {
    let dimension = points.h.len();
    let (low, high) = points.g.split_at(dimension);
    let low = [&[G1::GENERATOR], low].concat();
    let h = [&[G2::GENERATOR], points.h.as_slice()].concat();
    // m neighbours up to the puncture, m - 2 behind it.
    let (first, rest) = coefficients.split_at(2 * dimension - 2);
    let (second, third) = rest.split_at(dimension);
    let (later_g, earlier_g) = neighbours(&[&low, high], first);
    let (later_h, earlier_h) = neighbours(&[&h], second);
    let across = Fr::from(third[0]);
    let left: [Projective<G1>; 5] = [
        later_g + high[0] * across,
        -earlier_g,
        G1::GENERATOR.into(),
        -Projective::from(points.g[0]),
        -(points.g[dimension - 1] * across),
    ];
    let right: [Projective<G2>; 5] = [
        G2::GENERATOR.into(),
        points.h[0].into(),
        later_h,
        earlier_h,
        points.h[1].into(),
    ];
    pairings_cancel(
        &Projective::normalize_batch(&left),
        &Projective::normalize_batch(&right),
    )
}

#[cfg(test)]
mod tests {
    use ark_ff::{Field, UniformRand};
    use rand::rngs::StdRng;
    use rand::SeedableRng;

    use super::*;
    use crate::crs::contribute::contribute;
    use crate::crs::group::multiply_each;
    use crate::crs::shape::Shape;

    fn begun() -> State {
        let state = State::new(Shape::toy(4).unwrap(), b"test");
        let first = contribute(&state, 1, &[1; 32]);
        let bytes = state.write(&first);
        state.accept(1, &bytes).unwrap()
    }

    #[test]
    fn the_pairing_is_bilinear() {
        let mut rng = StdRng::seed_from_u64(1);
        let (a, b) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let (g, h) = (G1::GENERATOR, G2::GENERATOR);
        let left = [(g * a).into_affine(), (-(g * (a * b))).into_affine()];
        assert!(pairings_cancel(&left, &[(h * b).into_affine(), h]).unwrap());
        assert!(!pairings_cancel(&left, &[h, h]).unwrap());
        assert!(!pairings_cancel(&[g], &[h]).unwrap());
    }

    #[test]
    fn exponents_multiply() {
        let state = begun();
        let second = contribute(&state, 3, &[2; 32]);
        let next = state.accept(3, &state.write(&second)).unwrap();
        assert_eq!(next.accepted, [1, 3]);
        assert!(next.points == second.points);
        assert!(next.digest() != state.digest());
    }

    #[test]
    fn every_single_point_matters() {
        let state = begun();
        let good = contribute(&state, 2, &[2; 32]);
        let total = good.points.g.len() + good.points.h.len();
        for place in 1..total {
            let mut bad = good.clone();
            match place.checked_sub(bad.points.g.len()) {
                None => bad.points.g[place] = (bad.points.g[place] + G1::GENERATOR).into(),
                Some(place) => bad.points.h[place] = (bad.points.h[place] + G2::GENERATOR).into(),
            }
            let refused = state.accept(2, &state.write(&bad)).err();
            assert_eq!(
                refused,
                Some(KernelError::VerificationFailed(
                    "contribution: the points are not the powers of one number".into()
                ))
            );
        }
    }

    #[test]
    fn powers_of_two_numbers_are_refused() {
        // All of G1 to one number, all of G2 to another; and a break at the puncture.
        let state = begun();
        let good = contribute(&state, 2, &[2; 32]);
        let mut rng = StdRng::seed_from_u64(5);
        let other = Fr::rand(&mut rng);
        let powers: Vec<_> = (1..=4u64).map(|index| other.pow([index])).collect();
        let mut bad = good.clone();
        bad.points.h = multiply_each(&good.points.h, &powers);
        assert!(state.accept(2, &state.write(&bad)).is_err());
        let mut bad = good.clone();
        bad.points
            .g
            .splice(4.., multiply_each(&good.points.g[4..], &[other; 3]));
        assert!(state.accept(2, &state.write(&bad)).is_err());
    }
}
