//! Locating wrong shares: Hensel lifting over the bits, Gao's decoder over GF(16) for each bit.
//!
//! A sharing reduced mod 2 is a Reed-Solomon codeword over GF(16). Bit by bit, the symbol of the
//! current bit is decoded, lifted to the ring with 0/1 coefficients and subtracted; the first
//! bit at which shares disagree with the decoded polynomial names liars. They become erasures,
//! and the caller checks the remaining shares over the ring again.

use super::element::{Element, Word, MAX_PARTIES};
use super::field;
use crate::error::{KernelError, Result};

/// Coefficients from low to high; the degree never exceeds the number of parties.
#[derive(Clone, Copy)]
struct Polynomial([u8; MAX_PARTIES + 1]);

impl Polynomial {
    const ZERO: Self = Self([0; MAX_PARTIES + 1]);

    fn one() -> Self {
        let mut one = Self::ZERO;
        one.0[0] = 1;
        one
    }

    /// Number of coefficients up to the highest that is not zero: degree + 1, 0 for zero.
    fn length(&self) -> usize {
        self.0
            .iter()
            .rposition(|&symbol| symbol != 0)
            .map_or(0, |index| index + 1)
    }

    fn evaluate(&self, at: u8) -> u8 {
        self.0
            .iter()
            .rev()
            .fold(0, |sum, &symbol| field::multiply(sum, at) ^ symbol)
    }

    /// Add `symbol` Z^`shift` times `other`; the caller keeps the degree within the array.
    fn add_multiple(&mut self, other: &Self, symbol: u8, shift: usize) {
        for (index, &coefficient) in other.0[..other.length()].iter().enumerate() {
            self.0[index + shift] ^= field::multiply(coefficient, symbol);
        }
    }

    /// Product with (Z - root); minus is plus.
    fn times_root(&self, root: u8) -> Self {
        let mut product = Self::ZERO;
        product.add_multiple(self, 1, 1);
        product.add_multiple(self, root, 0);
        product
    }

    /// Quotient and remainder; the divisor is not zero.
    fn divide(&self, divisor: &Self) -> (Self, Self) {
        let (mut quotient, mut remainder) = (Self::ZERO, *self);
        let size = divisor.length();
        let lead = field::inverse(divisor.0[size - 1]);
        while remainder.length() >= size {
            let length = remainder.length();
            let symbol = field::multiply(remainder.0[length - 1], lead);
            quotient.0[length - size] = symbol;
            remainder.add_multiple(divisor, symbol, length - size);
        }
        (quotient, remainder)
    }

    /// Sum with the product of two polynomials whose degrees add up within the array.
    fn plus_product(&self, left: &Self, right: &Self) -> Self {
        let mut sum = *self;
        for (shift, &symbol) in left.0[..left.length()].iter().enumerate() {
            sum.add_multiple(right, symbol, shift);
        }
        sum
    }
}

/// Reed-Solomon code over GF(16) at the points of some parties.
struct FieldCode {
    points: Vec<u8>,
    dimension: usize,
    /// Product of (Z - point).
    vanishing: Polynomial,
    /// Lagrange basis: 1 at the own point, 0 at the others.
    basis: Vec<Polynomial>,
}

impl FieldCode {
    fn new(points: Vec<u8>, dimension: usize) -> Self {
        let product = |skipped: Option<u8>| {
            points
                .iter()
                .filter(|&&point| Some(point) != skipped)
                .fold(Polynomial::one(), |product, &point| {
                    product.times_root(point)
                })
        };
        let basis = points
            .iter()
            .map(|&point| {
                let numerator = product(Some(point));
                let scale = field::inverse(numerator.evaluate(point));
                let mut basis = Polynomial::ZERO;
                basis.add_multiple(&numerator, scale, 0);
                basis
            })
            .collect();
        let vanishing = product(None);
        Self {
            points,
            dimension,
            vanishing,
            basis,
        }
    }

    /// Gao's decoder: the polynomial of degree below the dimension that disagrees with at most
    /// `max_errors` symbols.
    fn decode(&self, symbols: &[u8], max_errors: usize) -> Option<Polynomial> {
        let mut previous = self.vanishing;
        let mut current = Polynomial::ZERO;
        for (basis, &symbol) in self.basis.iter().zip(symbols) {
            current.add_multiple(basis, symbol, 0);
        }
        // Bezout factors of the interpolation polynomial.
        let (mut previous_factor, mut factor) = (Polynomial::ZERO, Polynomial::one());
        // Stop once the degree is below (m + dimension) / 2; length is degree + 1.
        while 2 * current.length() >= self.points.len() + self.dimension + 2 {
            let (quotient, remainder) = previous.divide(&current);
            let next_factor = previous_factor.plus_product(&quotient, &factor);
            (previous, current) = (current, remainder);
            (previous_factor, factor) = (factor, next_factor);
        }
        let (message, remainder) = current.divide(&factor);
        if remainder.length() != 0 || message.length() > self.dimension {
            return None;
        }
        let disagreements = self.disagreements(&message, symbols).count();
        (disagreements <= max_errors).then_some(message)
    }

    /// Places at which the symbols differ from the polynomial.
    fn disagreements<'a>(
        &'a self,
        message: &'a Polynomial,
        symbols: &'a [u8],
    ) -> impl Iterator<Item = usize> + 'a {
        let pairs = self.points.iter().zip(symbols).enumerate();
        pairs.filter_map(|(place, (&point, &symbol))| {
            (message.evaluate(point) != symbol).then_some(place)
        })
    }
}

/// Parties whose share of one value is certainly wrong, given at most `max_errors` wrong shares.
///
/// The caller has found that `word` is no codeword. At least one party is named; more may remain,
/// visible only at higher bits.
///
/// # Errors
/// `TooManyErrors` if no codeword is within `max_errors`.
pub fn locate_errors<W: Word>(
    parties: &[usize],
    dimension: usize,
    word: &[Element<W>],
    max_errors: usize,
) -> Result<Vec<usize>> {
    let too_many = || KernelError::TooManyErrors("the shares do not lie on one sharing".into());
    if max_errors == 0 {
        return Err(too_many());
    }
    // Points mod 2 are the party numbers, at most 15.
    let points = parties.iter().map(|party| party.to_le_bytes()[0]).collect();
    let code = FieldCode::new(points, dimension);
    let mut rest = word.to_vec();
    let mut symbols = vec![0u8; word.len()];
    for bit in 0..W::BITS {
        for (symbol, share) in symbols.iter_mut().zip(&rest) {
            *symbol = share.bit_symbol(bit);
        }
        let message = code.decode(&symbols, max_errors).ok_or_else(too_many)?;
        let liars: Vec<usize> = code
            .disagreements(&message, &symbols)
            .map(|place| parties[place])
            .collect();
        if !liars.is_empty() {
            return Ok(liars);
        }
        for (share, &party) in rest.iter_mut().zip(parties) {
            *share = *share - evaluate_lifted(&message, dimension, party, bit);
        }
    }
    Err(KernelError::Internal(
        "a word that is no codeword agrees at every bit".into(),
    ))
}

/// 2^`bit` times the polynomial lifted to 0/1 coefficients, at the point of `party` over the ring.
fn evaluate_lifted<W: Word>(
    message: &Polynomial,
    dimension: usize,
    party: usize,
    bit: u32,
) -> Element<W> {
    message.0[..dimension]
        .iter()
        .rev()
        .fold(Element::zero(), |sum: Element<W>, &symbol| {
            sum.times_point(party) + Element::from_bit_symbol(symbol, bit)
        })
}
