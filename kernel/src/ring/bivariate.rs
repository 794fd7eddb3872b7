//! Polynomials in two variables for verifiable secret sharing, and extraction of randomness.
//!
//! Source: Gennaro, Ishai, Kushilevitz, Rabin (STOC 2001) over Galois rings, as eprint 2025/699 uses it.
//! F(X, Y) has degree t in each variable, F(0, 0) is the secret. Party i gets its row F(X, point i) and
//! its column F(point i, Y); row i at point j equals column j at point i. The share of party i is its row
//! at 0, which lies on F(0, Y), of degree t.

use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use zeroize::{Zeroize, Zeroizing};

use super::element::{elements_to_bytes, point, Element, Word, MAX_PARTIES};
use super::masked::Secrets;
use super::shamir::check_parties;
use crate::error::{invalid, Result};

/// First bytes of the dealer's randomness input.
const DEAL_DOMAIN: &[u8] = b"tkms/bivariate/v1";
/// Values of one call; bounds the allocation.
const MAX_VALUES: usize = 1 << 16;

/// What one party gets of a batch: t + 1 coefficients a secret, from low to high.
pub struct Slices<W: Word> {
    /// Coefficients of F(X, point i).
    pub rows: Secrets<W>,
    /// Coefficients of F(point i, Y).
    pub columns: Secrets<W>,
}

/// Share ring elements as a dealer; one pair of slices a party.
///
/// The coefficients of X^a Y^b other than the secret are read, a from 0 to t and b from 0 to t within,
/// as little-endian elements from SHAKE256("tkms/bivariate/v1" | k as 2 bytes LE | n | t | seed | secrets).
///
/// # Errors
/// `InvalidInput` unless 0 <= t < n <= 15 and there are not too many secrets.
pub fn deal<W: Word>(
    secrets: &[Element<W>],
    parties: usize,
    threshold: usize,
    seed: &[u8; 32],
) -> Result<Vec<Slices<W>>> {
    if parties > MAX_PARTIES || threshold >= parties || secrets.len() > MAX_VALUES {
        return invalid("dealing needs t < n <= 15 and at most 65,536 secrets");
    }
    let width = threshold + 1;
    let mut hash = Shake256::default();
    hash.update(DEAL_DOMAIN);
    hash.update(&W::BITS.to_le_bytes()[..2]);
    // Both are at most 15.
    hash.update(&[parties.to_le_bytes()[0], threshold.to_le_bytes()[0]]);
    hash.update(seed);
    hash.update(&Zeroizing::new(elements_to_bytes(secrets)));
    let mut randomness = hash.finalize_xof();
    let empty = || Zeroizing::new(Vec::with_capacity(secrets.len() * width));
    let mut slices: Vec<_> = (0..parties)
        .map(|_| Slices {
            rows: empty(),
            columns: empty(),
        })
        .collect();
    let mut buffer = Zeroizing::new(vec![0u8; (width * width - 1) * Element::<W>::BYTES]);
    let mut grid: Secrets<W> = Zeroizing::new(vec![Element::zero(); width * width]);
    for &secret in secrets {
        randomness.read(&mut buffer);
        grid[0] = secret;
        for (coefficient, bytes) in grid[1..]
            .iter_mut()
            .zip(buffer.chunks_exact(Element::<W>::BYTES))
        {
            *coefficient = Element::from_le_slice(bytes);
        }
        for (index, slice) in slices.iter_mut().enumerate() {
            let party = index + 1;
            for a in 0..width {
                let across = (0..width).map(|b| grid[a * width + b]);
                slice.rows.push(at_party(across.rev(), party));
                let down = (0..width).map(|b| grid[b * width + a]);
                slice.columns.push(at_party(down.rev(), party));
            }
        }
    }
    Ok(slices)
}

/// Horner at a party's point; coefficients from high to low.
fn at_party<W: Word>(high_first: impl Iterator<Item = Element<W>>, party: usize) -> Element<W> {
    high_first.fold(Element::zero(), |sum: Element<W>, coefficient| {
        sum.times_point(party) + coefficient
    })
}

/// Values of a batch of polynomials of `length` coefficients at each party's point (0 = the point 0).
///
/// # Errors
/// `InvalidInput` if the coefficients are no whole number of polynomials or a party is above 15.
pub fn evaluate<W: Word>(
    coefficients: &[Element<W>],
    length: usize,
    parties: &[usize],
) -> Result<Vec<Secrets<W>>> {
    if length == 0 || !coefficients.len().is_multiple_of(length) {
        return invalid("the coefficients are no whole number of polynomials");
    }
    if parties.iter().any(|&party| party > MAX_PARTIES) {
        return invalid("a party is not in 0..=15");
    }
    Ok(parties
        .iter()
        .map(|&party| {
            let values = coefficients.chunks_exact(length);
            Zeroizing::new(
                values
                    .map(|polynomial| at_party(polynomial.iter().rev().copied(), party))
                    .collect(),
            )
        })
        .collect())
}

/// `outputs` combinations of the dealers' vectors: number a is the sum of point(dealer)^a times vector.
///
/// With as many outputs as honest dealers the outputs are uniform and unknown, whatever the others
/// dealt: the rows of the honest dealers form an invertible Vandermonde matrix.
///
/// # Errors
/// `InvalidInput` if a dealer occurs twice, vectors differ in length, or there are more outputs than dealers.
pub fn extract<W: Word>(
    vectors: &[(usize, Vec<Element<W>>)],
    outputs: usize,
) -> Result<Vec<Secrets<W>>> {
    let dealers: Vec<usize> = vectors.iter().map(|(dealer, _)| *dealer).collect();
    check_parties(&dealers)?;
    let length = vectors[0].1.len();
    if vectors.iter().any(|(_, vector)| vector.len() != length) || outputs > vectors.len() {
        return invalid("extraction needs vectors of one length, and a dealer for each output");
    }
    let mut results: Vec<Secrets<W>> = (0..outputs)
        .map(|_| Zeroizing::new(vec![Element::zero(); length]))
        .collect();
    for (dealer, vector) in vectors {
        let own = point::<W>(*dealer);
        let mut power = Element::one();
        for result in &mut results {
            for (sum, value) in result.iter_mut().zip(vector) {
                *sum += power * *value;
            }
            power = power * own;
        }
        power.zeroize();
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::decode::decode;

    #[test]
    fn rows_and_columns_cross() {
        let secrets = [Element([1u64, 2, 3, 4]), Element([5, 0, 0, 1 << 63])];
        let slices = deal(&secrets, 7, 2, &[3; 32]).unwrap();
        let all: Vec<usize> = (1..=7).collect();
        for (i, own) in slices.iter().enumerate() {
            let rows = evaluate(&own.rows, 3, &all).unwrap();
            for (j, other) in slices.iter().enumerate() {
                let columns = evaluate(&other.columns, 3, &[i + 1]).unwrap();
                assert_eq!(*rows[j], *columns[0]);
            }
        }
        let shares: Vec<_> = slices
            .iter()
            .enumerate()
            .map(|(i, own)| (i + 1, evaluate(&own.rows, 3, &[0]).unwrap()[0].to_vec()))
            .collect();
        assert_eq!(decode(7, 2, &shares, 2).unwrap().values, secrets);
    }

    #[test]
    fn malformed_input_is_refused() {
        assert!(deal::<u64>(&[], 16, 1, &[0; 32]).is_err());
        assert!(deal::<u64>(&[], 3, 3, &[0; 32]).is_err());
        let one = [Element::<u64>::one()];
        assert!(evaluate(&one, 0, &[1]).is_err());
        assert!(evaluate(&one, 2, &[1]).is_err());
        assert!(evaluate(&one, 1, &[16]).is_err());
        assert!(extract::<u64>(&[], 0).is_err());
        assert!(extract(&[(1, one.to_vec())], 2).is_err());
        assert!(extract(&[(1, one.to_vec()), (2, Vec::new())], 1).is_err());
    }
}
