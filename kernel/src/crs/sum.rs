//! Sums of many points with coefficients of 128 bits: buckets, one window of bits after the other.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::AdditiveGroup;
use ark_ff::Zero;
use rayon::prelude::*;

/// Sum of coefficient times point; the shorter list decides.
pub fn weighted<C: SWCurveConfig>(points: &[Affine<C>], coefficients: &[u128]) -> Projective<C> {
    // Buckets cost two additions each, points one: a few bits below the logarithm is best.
    let width = points.len().max(2).ilog2().saturating_sub(2).clamp(1, 13);
    let starts: Vec<u32> = (0..128).step_by(width as usize).collect();
    let windows: Vec<_> = starts
        .par_iter()
        .map(|&start| window(points, coefficients, start, width))
        .collect();
    let mut sum = Projective::zero();
    for part in windows.iter().rev() {
        for _ in 0..width {
            sum.double_in_place();
        }
        sum += part;
    }
    sum
}

/// Sum for the bits from `start` on.
fn window<C: SWCurveConfig>(
    points: &[Affine<C>],
    coefficients: &[u128],
    start: u32,
    width: u32,
) -> Projective<C> {
    let mut buckets = vec![Projective::<C>::zero(); (1 << width) - 1];
    for (point, coefficient) in points.iter().zip(coefficients) {
        let digit = (coefficient >> start) & ((1 << width) - 1);
        // Below 2^13.
        if let Some(bucket) = usize::try_from(digit)
            .ok()
            .and_then(|digit| digit.checked_sub(1))
        {
            buckets[bucket] += point;
        }
    }
    // Bucket d is counted d times: the sum of all sums from the top.
    let (mut running, mut sum) = (Projective::zero(), Projective::zero());
    for bucket in buckets.iter().rev() {
        running += bucket;
        sum += running;
    }
    sum
}

#[cfg(test)]
mod tests {
    use ark_ec::{AffineRepr, CurveGroup};
    use tfhe_zk_pok::curve_446::Fr;

    use super::*;
    use crate::crs::group::G1;

    #[test]
    fn sum_is_that_of_single_products() {
        let generator = Affine::<G1>::generator();
        let points: Vec<_> = (1..40u64)
            .map(|index| (generator * Fr::from(index)).into_affine())
            .collect();
        let coefficients: Vec<_> = (1..40u128)
            .map(|index| (u128::MAX / index) ^ (index << 77))
            .collect();
        let expected = points
            .iter()
            .zip(&coefficients)
            .fold(Projective::zero(), |sum, (point, coefficient)| {
                sum + *point * Fr::from(*coefficient)
            });
        assert_eq!(weighted(&points, &coefficients), expected);
        assert_eq!(weighted(&points[..1], &[0]), Projective::zero());
    }
}
