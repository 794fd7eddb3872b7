//! Shamir sharing over GR(2^k, 4) by a dealer, and Lagrange coefficients.

use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use zeroize::{Zeroize, Zeroizing};

use super::element::{point, words_to_bytes, Element, Word, MAX_PARTIES};
use crate::error::{invalid, Result};

/// First bytes of the dealer's randomness input.
const SHARE_DOMAIN: &[u8] = b"tkms/shamir/v1";

/// Refuse a list that is empty, repeats a party or leaves 1..=15.
///
/// # Errors
/// `InvalidInput`.
pub fn check_parties(parties: &[usize]) -> Result<()> {
    let mut seen = 0u32;
    for &party in parties {
        if party == 0 || party > MAX_PARTIES {
            return invalid(format!("party {party} is not in 1..={MAX_PARTIES}"));
        }
        if seen & (1 << party) != 0 {
            return invalid(format!("party {party} occurs twice"));
        }
        seen |= 1 << party;
    }
    if seen == 0 {
        return invalid("the list of parties is empty");
    }
    Ok(())
}

/// Share each scalar with its own random polynomial of the given degree; one vector a party.
///
/// The coefficients of Z^1..Z^degree of one secret after the other are read as little-endian
/// elements from SHAKE256("tkms/shamir/v1" | k as 2 bytes LE | parties | degree | seed |
/// secrets as little-endian words). The secrets are part of the input, so that a seed used twice
/// for different secrets does not give away their difference.
///
/// # Errors
/// `InvalidInput` unless 1 <= degree < parties <= 15, or one party has the secret itself.
pub fn share<W: Word>(
    secrets: &[W],
    parties: usize,
    degree: usize,
    seed: &[u8; 32],
) -> Result<Vec<Vec<Element<W>>>> {
    // A constant polynomial hides nothing: it is allowed only where nobody else gets a share.
    if parties > MAX_PARTIES || degree >= parties || (degree == 0 && parties != 1) {
        return invalid("sharing needs 1 <= degree < parties <= 15, or one party and degree 0");
    }
    let mut randomness = dealer_randomness(secrets, parties, degree, seed);
    let mut coefficients = vec![Element::<W>::zero(); degree];
    let mut buffer = Zeroizing::new(vec![0u8; degree * Element::<W>::BYTES]);
    let mut shares: Vec<_> = (0..parties)
        .map(|_| Vec::with_capacity(secrets.len()))
        .collect();
    for &secret in secrets {
        randomness.read(&mut buffer);
        for (coefficient, bytes) in coefficients
            .iter_mut()
            .zip(buffer.chunks_exact(Element::<W>::BYTES))
        {
            *coefficient = Element::from_le_slice(bytes);
        }
        for (index, column) in shares.iter_mut().enumerate() {
            column.push(evaluate(secret, &coefficients, index + 1));
        }
    }
    coefficients.zeroize();
    Ok(shares)
}

/// Dealer's coefficient stream; see [`share`].
fn dealer_randomness<W: Word>(
    secrets: &[W],
    parties: usize,
    degree: usize,
    seed: &[u8; 32],
) -> impl XofReader {
    let mut hash = Shake256::default();
    hash.update(SHARE_DOMAIN);
    hash.update(&W::BITS.to_le_bytes()[..2]);
    // Both are at most 15.
    hash.update(&[parties.to_le_bytes()[0], degree.to_le_bytes()[0]]);
    hash.update(seed);
    hash.update(&Zeroizing::new(words_to_bytes(secrets)));
    hash.finalize_xof()
}

/// Value at the party's point of constant + sum of coefficients\[j\] Z^(j+1), by Horner.
fn evaluate<W: Word>(constant: W, coefficients: &[Element<W>], party: usize) -> Element<W> {
    let high = coefficients
        .iter()
        .rev()
        .fold(Element::zero(), |sum: Element<W>, coefficient| {
            sum.times_point(party) + *coefficient
        });
    high.times_point(party) + Element::scalar(constant)
}

/// Lagrange coefficients of the parties for the value at the point of `target` (0 = the secret).
///
/// # Errors
/// `InvalidInput` for an empty list, a repeated party or one outside 1..=15.
pub fn lagrange_at<W: Word>(parties: &[usize], target: usize) -> Result<Vec<Element<W>>> {
    check_parties(parties)?;
    let target = point::<W>(target);
    parties
        .iter()
        .map(|&party| {
            let own = point::<W>(party);
            let mut numerator = Element::one();
            let mut denominator = Element::one();
            for &other in parties.iter().filter(|&&other| other != party) {
                numerator = numerator * (target - point(other));
                denominator = denominator * (own - point(other));
            }
            Ok(numerator * denominator.inverse()?)
        })
        .collect()
}

/// Lagrange coefficients of the parties for the secret.
///
/// # Errors
/// `InvalidInput` for an empty list, a repeated party or one outside 1..=15.
pub fn lagrange_at_zero<W: Word>(parties: &[usize]) -> Result<Vec<Element<W>>> {
    lagrange_at(parties, 0)
}
