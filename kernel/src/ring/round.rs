//! From opened, masked phases to message blocks, with the range check that proves sanity.
//!
//! An opened phase is c = Delta m + e + E mod 2^128 with Delta = 2^123: four message bits under
//! one padding bit. The ciphertext's noise e is below B = 2^`log_bound`; the mask E is a sum over
//! C(n,t) sets of two uniform numbers below B 2^`statistical` each.

use super::element::{Element, MAX_PARTIES};
use super::pack;
use crate::error::{KernelError, Result};

/// Bit position of the message in the phase: Delta = 2^123.
pub const DELTA_LOG: u32 = 123;
/// Noise bound of a squashed ciphertext, log2 B.
pub const LOG_BOUND: u32 = 70;
/// Statistical security parameter of the mask.
pub const STATISTICAL: u32 = 40;

/// Binomial coefficient, exact for all n up to 15.
#[must_use]
pub fn binomial(n: usize, k: usize) -> u128 {
    if k > n {
        return 0;
    }
    (0..k).fold(1, |product, i| product * (n - i) as u128 / (i + 1) as u128)
}

/// What [`threshold_allowed`] demands, in words.
pub const THRESHOLD_RULE: &str =
    "n <= 15 parties need 1 <= t and 3t < n; one party alone has t = 0";

/// Whether t of n parties may be corrupt: 3t < n with t >= 1, or the centralized flavour n = 1, t = 0.
#[must_use]
pub fn threshold_allowed(n: usize, t: usize) -> bool {
    // 3t < n is written so that no huge t can overflow.
    n <= MAX_PARTIES && t < n.div_ceil(3) && (t > 0 || n == 1)
}

/// Whether (n, t) leaves the mask room below the message, and the ring has the points.
///
/// The startup assertion log2(2 C(n,t)) + 1 + statistical + `log_bound` < 122, evaluated in
/// integers; it keeps one bit of reserve below Delta / 2.
#[must_use]
pub fn mask_capacity_ok(n: usize, t: usize, log_bound: u32, statistical: u32) -> bool {
    if !threshold_allowed(n, t) {
        return false;
    }
    match log_bound.checked_add(statistical) {
        // 2^(2 + log) < 2^122 already fails here, so the product below cannot overflow.
        Some(log) if log < DELTA_LOG - 3 => binomial(n, t) < 1 << (DELTA_LOG - 1 - 2 - log),
        _ => false,
    }
}

/// Largest distance of an honest opened phase from its message: B + 2 C(n,t) B 2^statistical.
fn noise_limit(n: usize, t: usize, log_bound: u32, statistical: u32) -> u128 {
    (1u128 << log_bound) + 2 * binomial(n, t) * (1u128 << (log_bound + statistical))
}

/// Nibble of each block from the opened packed phases.
///
/// # Errors
/// `InvalidInput` if the number of elements does not fit `blocks`, or the parameters fail
/// [`mask_capacity_ok`]; `OutOfRange` if a phase is farther from its message than noise and mask
/// can reach, which proves a malformed ciphertext or a wrong key; also when the padding bit is set.
pub fn round_squashed(
    opened: &[Element<u128>],
    blocks: usize,
    parties: usize,
    threshold: usize,
    log_bound: u32,
    statistical: u32,
) -> Result<Vec<u8>> {
    if !mask_capacity_ok(parties, threshold, log_bound, statistical) {
        return Err(KernelError::InvalidInput(
            "the mask does not fit below the message for these parameters".into(),
        ));
    }
    let limit = noise_limit(parties, threshold, log_bound, statistical);
    pack::unpack4(opened, blocks)?
        .into_iter()
        .enumerate()
        .map(|(block, phase)| round_phase(phase, limit, block))
        .collect()
}

/// Nibble of one phase.
fn round_phase(phase: u128, limit: u128, block: usize) -> Result<u8> {
    let message = phase.wrapping_add(1 << (DELTA_LOG - 1)) >> DELTA_LOG;
    // Reducing to four bits first makes a set padding bit look like a distance of 2^127.
    let nibble = message & 15;
    let distance = phase.wrapping_sub(nibble << DELTA_LOG);
    let magnitude = distance.min(distance.wrapping_neg());
    if magnitude > limit {
        return Err(KernelError::OutOfRange(format!(
            "block {block} lies outside the noise bound"
        )));
    }
    u8::try_from(nibble).map_err(|_| KernelError::Internal("a nibble exceeds a byte".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_exact() {
        let limit = noise_limit(4, 1, LOG_BOUND, STATISTICAL);
        assert_eq!(limit, (1 << 70) + (1 << 113));
        let phase = 5u128 << DELTA_LOG;
        assert_eq!(round_phase(phase + limit, limit, 0), Ok(5));
        assert_eq!(round_phase(phase - limit, limit, 0), Ok(5));
        assert!(round_phase(phase + limit + 1, limit, 0).is_err());
        assert!(round_phase(phase - limit - 1, limit, 0).is_err());
        assert_eq!(round_phase(limit.wrapping_neg(), limit, 0), Ok(0));
    }

    #[test]
    fn capacity_table() {
        let fits = |n, t| mask_capacity_ok(n, t, LOG_BOUND, STATISTICAL);
        assert!(fits(4, 1) && fits(7, 2) && fits(10, 3) && fits(13, 3) && fits(13, 4));
        assert!(!fits(15, 4) && !fits(16, 5) && !fits(4, 0) && !fits(6, 2));
    }
}
