//! Error-correcting opening of batched Shamir sharings.
//!
//! Values that pass the parity check cost v (m - v + 1) ring products for m shares of dimension
//! v = degree + 1. A value that fails names liars by [`super::locate`]; they become erasures for
//! the rest of the batch, so a lying party costs one slow decoding per batch, not per value.
//! The result does not depend on the order of values or shares: with 2e below the distance of the
//! code a value has at most one codeword within e, and the liars of all values together must
//! stay within e.

use super::element::{Element, Word, MAX_PARTIES};
use super::locate::locate_errors;
use super::shamir::{check_parties, lagrange_at, lagrange_at_zero};
use crate::error::{invalid, KernelError, Result};

/// An opened batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<W> {
    /// The opened values.
    pub values: Vec<Element<W>>,
    /// Parties (1-based, ascending) whose share of at least one value is wrong.
    pub bad: Vec<usize>,
}

/// Shares of one batch: party and its vector.
pub type Shares<W> = [(usize, Vec<Element<W>>)];

/// View of one batch, sorted by party.
type Columns<'a, W> = Vec<(usize, &'a [Element<W>])>;

/// Parity check and reconstruction from a fixed list of parties.
pub(super) struct Code<W> {
    dimension: usize,
    /// Row r predicts the share of party `dimension + r` of the list from the first `dimension`.
    pub(super) parity: Vec<Vec<Element<W>>>,
    secret: Vec<Element<W>>,
}

impl<W: Word> Code<W> {
    pub(super) fn new(parties: &[usize], dimension: usize) -> Result<Self> {
        let (base, rest) = parties.split_at(dimension);
        Ok(Self {
            dimension,
            parity: rest
                .iter()
                .map(|&party| lagrange_at(base, party))
                .collect::<Result<_>>()?,
            secret: lagrange_at_zero(base)?,
        })
    }

    /// The secret if the word is a codeword.
    fn open(&self, word: &[Element<W>]) -> Option<Element<W>> {
        let (base, rest) = word.split_at(self.dimension);
        let consistent = self
            .parity
            .iter()
            .zip(rest)
            .all(|(row, share)| inner_product(row, base) == *share);
        consistent.then(|| inner_product(&self.secret, base))
    }
}

pub(super) fn inner_product<W: Word>(row: &[Element<W>], word: &[Element<W>]) -> Element<W> {
    row.iter()
        .zip(word)
        .fold(Element::zero(), |sum, (left, right)| sum + *left * *right)
}

/// Shares that are still believed, and the errors still allowed among them.
struct Decoder<'a, W> {
    columns: Columns<'a, W>,
    code: Code<W>,
    budget: usize,
    bad: Vec<usize>,
    /// Shares of the current value; kept to allocate once a batch.
    word: Vec<Element<W>>,
}

impl<'a, W: Word> Decoder<'a, W> {
    fn new(columns: Columns<'a, W>, degree: usize, budget: usize) -> Result<Self> {
        let code = Code::new(&parties_of(&columns), degree + 1)?;
        Ok(Self {
            columns,
            code,
            budget,
            bad: Vec::new(),
            word: Vec::with_capacity(MAX_PARTIES),
        })
    }

    /// Open value `index`, erasing liars until the rest is consistent.
    fn open(&mut self, index: usize) -> Result<Element<W>> {
        loop {
            self.word.clear();
            self.word
                .extend(self.columns.iter().map(|(_, column)| column[index]));
            if let Some(value) = self.code.open(&self.word) {
                return Ok(value);
            }
            self.erase_liars()?;
        }
    }

    fn erase_liars(&mut self) -> Result<()> {
        let parties = parties_of(&self.columns);
        let liars = locate_errors(&parties, self.code.dimension, &self.word, self.budget)?;
        self.budget -= liars.len();
        self.columns.retain(|(party, _)| !liars.contains(party));
        self.code = Code::new(&parties_of(&self.columns), self.code.dimension)?;
        self.bad.extend(liars);
        Ok(())
    }
}

fn parties_of<T>(columns: &[(usize, T)]) -> Vec<usize> {
    columns.iter().map(|(party, _)| *party).collect()
}

/// Sorted view of the shares, all checks done.
fn checked_columns<W: Word>(
    parties: usize,
    degree: usize,
    shares: &Shares<W>,
) -> Result<Columns<'_, W>> {
    if parties > MAX_PARTIES || degree >= parties {
        return invalid("decoding needs degree < parties <= 15");
    }
    let mut columns: Vec<_> = shares
        .iter()
        .map(|(party, column)| (*party, column.as_slice()))
        .collect();
    columns.sort_unstable_by_key(|(party, _)| *party);
    check_parties(&parties_of(&columns))?;
    if columns.iter().any(|(party, _)| *party > parties) {
        return invalid("a share of a party that is not in the list");
    }
    if columns
        .iter()
        .any(|column| column.1.len() != columns[0].1.len())
    {
        return invalid("the share vectors differ in length");
    }
    Ok(columns)
}

/// Open a batch, correcting up to `max_errors` wrong parties; 0 means detect only.
///
/// Detect-only is the rule for degree 2t with n = 3t + 1: t liars reach within t / 2 of another
/// codeword there, so correcting could silently give a wrong value.
///
/// # Errors
/// `InvalidInput` for malformed shares or fewer than degree + 1 + 2 `max_errors` of them;
/// `TooManyErrors` if the shares are not within `max_errors` parties of a sharing.
pub fn decode<W: Word>(
    parties: usize,
    degree: usize,
    shares: &Shares<W>,
    max_errors: usize,
) -> Result<Decoded<W>> {
    let columns = checked_columns(parties, degree, shares)?;
    // Saturating: a huge bound must be refused, not wrap.
    if columns.len() < max_errors.saturating_mul(2).saturating_add(degree + 1) {
        return invalid("too few shares to correct that many errors");
    }
    decode_columns(columns, degree, max_errors)
}

fn decode_columns<W: Word>(
    columns: Columns<'_, W>,
    degree: usize,
    max_errors: usize,
) -> Result<Decoded<W>> {
    let count = columns[0].1.len();
    let mut decoder = Decoder::new(columns, degree, max_errors)?;
    let mut values = Vec::with_capacity(count);
    for index in 0..count {
        values.push(decoder.open(index)?);
    }
    let mut bad = decoder.bad;
    bad.sort_unstable();
    Ok(Decoded { values, bad })
}

/// Online error correction: open as soon as enough shares agree, else ask to wait for more.
///
/// `known_bad` are proven liars (never merely late parties); their shares are ignored. The result
/// lies on at least degree + t + 1 - |`known_bad`| received shares, hence on degree + 1 honest
/// ones. `bad` names the newly found liars; the caller adds them to its `known_bad`.
/// `None` means: call again with one more share.
///
/// # Errors
/// `InvalidInput` for malformed input, degree + 2t >= n, or more than t known liars;
/// `TooManyErrors` if all parties have answered or are known liars and still no value is
/// supported, which at most t liars cannot bring about.
pub fn online_open<W: Word>(
    parties: usize,
    threshold: usize,
    degree: usize,
    shares: &Shares<W>,
    known_bad: &[usize],
) -> Result<Option<Decoded<W>>> {
    if parties > MAX_PARTIES || threshold > MAX_PARTIES || degree + 2 * threshold >= parties {
        return invalid("online opening needs degree + 2 threshold < parties <= 15");
    }
    let bots = known_bad.len();
    if bots > 0 {
        check_parties(known_bad)?;
    }
    if bots > threshold || known_bad.iter().any(|&party| party > parties) {
        return invalid("known liars must be at most t parties of the list");
    }
    if shares.is_empty() {
        return Ok(None);
    }
    let mut columns = checked_columns(parties, degree, shares)?;
    columns.retain(|(party, _)| !known_bad.contains(party));
    let (received, needed) = (columns.len(), degree + threshold + 1);
    if received + bots < needed {
        return Ok(None);
    }
    let errors = (received + bots - needed)
        .min(threshold)
        .saturating_sub(bots)
        .min((received - degree - 1) / 2);
    match decode_columns(columns, degree, errors) {
        Ok(decoded) if received - decoded.bad.len() + bots >= needed => Ok(Some(decoded)),
        Ok(_) | Err(KernelError::TooManyErrors(_)) if received + bots < parties => Ok(None),
        Ok(_) => too_many(),
        Err(failure) => Err(failure),
    }
}

fn too_many<T>() -> Result<T> {
    Err(KernelError::TooManyErrors(
        "all parties answered and no value has enough support".into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::shamir::share;

    fn numbered(columns: Vec<Vec<Element<u64>>>) -> Vec<(usize, Vec<Element<u64>>)> {
        (1..).zip(columns).collect()
    }

    #[test]
    fn four_liars_of_thirteen_are_named() {
        let secrets = [1, 2, 3];
        let mut shares = numbered(share(&secrets, 13, 4, &[7; 32]).unwrap());
        for (place, bit) in [(1, 63), (4, 0), (8, 63), (12, 30)] {
            shares[place].1[1].0[place % 4] ^= 1 << bit;
        }
        let decoded = decode(13, 4, &shares, 4).unwrap();
        assert_eq!(decoded.values, secrets.map(Element::scalar));
        assert_eq!(decoded.bad, [2, 5, 9, 13]);
        shares[5].1[2].0[0] ^= 1;
        assert!(matches!(
            decode(13, 4, &shares, 4),
            Err(KernelError::TooManyErrors(_))
        ));
    }

    #[test]
    fn online_opening_waits_for_support() {
        let mut shares = numbered(share(&[9], 4, 1, &[7; 32]).unwrap());
        shares[0].1[0].0[3] ^= 1 << 63;
        assert_eq!(online_open(4, 1, 1, &shares[..3], &[]), Ok(None));
        let decoded = online_open(4, 1, 1, &shares, &[]).unwrap().unwrap();
        assert_eq!(decoded.values, [Element::scalar(9)]);
        assert_eq!(decoded.bad, [1]);
    }
}
