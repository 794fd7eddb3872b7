//! A party's turn: every exponent times a power of a fresh secret factor, and the proof that we know it.

use ark_ec::CurveGroup;
use ark_ff::{Field, PrimeField};
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use tfhe_zk_pok::curve_446::Fr;
use zeroize::{Zeroize, Zeroizing};

use super::group::{multiply, multiply_each, G1};
use super::point::write;
use super::shape::Points;
use super::state::{Contribution, Knowledge, State};

const SECRET_DOMAIN: &[u8] = b"tkms/crs/secret/v1";
const CHALLENGE_DOMAIN: &[u8] = b"tkms/crs/knowledge/v1";

/// Bytes that are reduced to a factor: 128 bits more than its own, so it is uniform.
const WIDE: usize = 54;

/// Contribution to a round from a secret seed, which must be forgotten afterwards.
///
/// The factor and the commitment's exponent are 54 bytes each, little-endian and reduced, of
/// SHAKE256("tkms/crs/secret/v1" | round as 2 bytes LE | digest of the state | seed). A seed used
/// again after other contributions gives other numbers.
#[must_use]
pub fn contribute(state: &State, round: u16, seed: &[u8; 32]) -> Contribution {
    let mut hash = Shake256::default();
    hash.update(SECRET_DOMAIN);
    hash.update(&round.to_le_bytes());
    hash.update(&state.digest());
    hash.update(seed);
    let mut stream = hash.finalize_xof();
    let (mut factor, mut exponent) = (draw(&mut stream), draw(&mut stream));
    let points = multiplied(&state.points, factor);
    let base = state.points.g[0];
    let commitment = multiply(&base, &exponent).into_affine();
    let challenge = challenge(state, round, &[base, points.g[0], commitment]);
    let response = exponent + challenge * factor;
    factor.zeroize();
    exponent.zeroize();
    Contribution {
        round,
        knowledge: Knowledge {
            challenge,
            response,
        },
        points,
    }
}

fn draw(stream: &mut impl XofReader) -> Fr {
    let mut bytes = Zeroizing::new([0; WIDE]);
    stream.read(bytes.as_mut());
    Fr::from_le_bytes_mod_order(bytes.as_slice())
}

/// The points with every exponent a^i times factor^i.
fn multiplied(points: &Points, factor: Fr) -> Points {
    let dimension = points.h.len();
    let mut powers = Zeroizing::new(Vec::with_capacity(2 * dimension));
    let mut power = Fr::ONE;
    for _ in 0..2 * dimension {
        power *= factor;
        powers.push(power);
    }
    power.zeroize();
    let h = multiply_each(&points.h, &powers[..dimension]);
    // The powers of G1 leave out the punctured exponent m + 1.
    powers.remove(dimension);
    Points {
        g: multiply_each(&points.g, &powers),
        h,
    }
}

/// Challenge of the proof: the base, the base times the factor, the commitment.
pub(super) fn challenge(
    state: &State,
    round: u16,
    points: &[ark_ec::short_weierstrass::Affine<G1>; 3],
) -> Fr {
    let mut bytes = Vec::new();
    write(points, &mut bytes);
    let mut hash = Shake256::default();
    hash.update(CHALLENGE_DOMAIN);
    hash.update(&round.to_le_bytes());
    hash.update(&state.digest());
    hash.update(&bytes);
    let mut wide = [0; WIDE];
    hash.finalize_xof().read(&mut wide);
    Fr::from_le_bytes_mod_order(&wide)
}
