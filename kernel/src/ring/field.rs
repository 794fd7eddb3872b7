//! The residue field GF(16) = GF(2)\[X\]/(X^4 + X + 1); symbols are nibbles, addition is xor.

/// Powers of X, twice in a row so that sums of two logarithms need no reduction.
const POWERS: [u8; 30] = powers();
/// Logarithm to the base X; the entry of 0 is unused.
const LOGARITHMS: [u8; 16] = logarithms();

const fn powers() -> [u8; 30] {
    let mut table = [1u8; 30];
    let mut index = 1;
    while index < 30 {
        let doubled = table[index - 1] << 1;
        table[index] = if doubled & 16 == 0 {
            doubled
        } else {
            doubled ^ 0b1_0011
        };
        index += 1;
    }
    table
}

const fn logarithms() -> [u8; 16] {
    let mut table = [0u8; 16];
    let mut exponent = 0u8;
    while exponent < 15 {
        table[POWERS[exponent as usize] as usize] = exponent;
        exponent += 1;
    }
    table
}

/// Product of two symbols.
#[inline]
#[must_use]
pub fn multiply(left: u8, right: u8) -> u8 {
    if left == 0 || right == 0 {
        return 0;
    }
    let exponent = LOGARITHMS[usize::from(left)] + LOGARITHMS[usize::from(right)];
    POWERS[usize::from(exponent)]
}

/// Inverse of a symbol; 0 stays 0.
#[inline]
#[must_use]
pub fn inverse(symbol: u8) -> u8 {
    if symbol == 0 {
        return 0;
    }
    POWERS[usize::from(15 - LOGARITHMS[usize::from(symbol)])]
}
