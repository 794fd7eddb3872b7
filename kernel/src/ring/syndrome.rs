//! Syndromes: what is left of a word when all sharings are taken out, so only its errors.
//!
//! The check is systematic: row r is the share of party `degree + 1 + r` of the list minus what the
//! first `degree + 1` shares predict for it. A word of zeros followed by a syndrome therefore has
//! that very syndrome, and its errors are those of every word that has it: locating errors from a
//! syndrome is decoding that word.

use super::decode::{decode, inner_product, Code};
use super::element::{Element, Word, MAX_PARTIES};
use super::shamir::check_parties;
use crate::error::{invalid, Result};

/// Check of the sharings of one degree among some parties.
pub struct Check<W> {
    parties: Vec<usize>,
    degree: usize,
    code: Code<W>,
}

impl<W: Word> Check<W> {
    /// Check for a list of parties in the order of the words.
    ///
    /// # Errors
    /// `InvalidInput` for a list that repeats or leaves 1..=15, or has no more than `degree` + 1.
    pub fn new(parties: &[usize], degree: usize) -> Result<Self> {
        check_parties(parties)?;
        if parties.len() <= degree + 1 {
            return invalid("a check needs more than degree + 1 parties");
        }
        Ok(Self {
            parties: parties.to_vec(),
            degree,
            code: Code::new(parties, degree + 1)?,
        })
    }

    /// Elements of a syndrome.
    #[must_use]
    pub fn length(&self) -> usize {
        self.parties.len() - self.degree - 1
    }

    /// Syndrome of a word with one element a party; zero exactly for sharings.
    ///
    /// # Errors
    /// `InvalidInput` for a word of another length.
    pub fn syndrome(&self, word: &[Element<W>]) -> Result<Vec<Element<W>>> {
        if word.len() != self.parties.len() {
            return invalid("a word has one element a party");
        }
        let (base, rest) = word.split_at(self.degree + 1);
        let rows = self.code.parity.iter().zip(rest);
        Ok(rows
            .map(|(row, share)| *share - inner_product(row, base))
            .collect())
    }

    /// Parties (ascending) that err in at least one of the words with these syndromes, one after the
    /// other, if they are at most `max_errors`.
    ///
    /// # Errors
    /// `InvalidInput` for another length or more errors than the code has room for;
    /// `TooManyErrors` if more parties err.
    pub fn locate(&self, syndromes: &[Element<W>], max_errors: usize) -> Result<Vec<usize>> {
        let length = self.length();
        if syndromes.is_empty() || !syndromes.len().is_multiple_of(length) {
            return invalid("the number of syndromes is not whole");
        }
        let words = syndromes.len() / length;
        let columns: Vec<_> = self
            .parties
            .iter()
            .enumerate()
            .map(|(place, &party)| {
                let column = (0..words).map(|word| match place.checked_sub(self.degree + 1) {
                    Some(row) => syndromes[word * length + row],
                    None => Element::zero(),
                });
                (party, column.collect())
            })
            .collect();
        Ok(decode(MAX_PARTIES, self.degree, &columns, max_errors)?.bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KernelError;
    use crate::ring::shamir::share;

    #[test]
    fn only_errors_are_left_and_located() {
        let parties: Vec<usize> = (1..=13).collect();
        let check = Check::<u64>::new(&parties, 4).unwrap();
        let columns = share(&[9u64, 7], 13, 4, &[5; 32]).unwrap();
        let mut syndromes = Vec::new();
        for index in 0..2 {
            let mut word: Vec<_> = columns.iter().map(|column| column[index]).collect();
            assert_eq!(check.syndrome(&word).unwrap(), [Element::zero(); 8]);
            // The first is among those that predict, the others among the predicted.
            word[index].0[3] ^= 1 << 63;
            word[11].0[0] ^= 1 << 40;
            word[8].0[index] ^= 1;
            syndromes.extend(check.syndrome(&word).unwrap());
        }
        assert_eq!(check.locate(&syndromes, 4).unwrap(), [1, 2, 9, 12]);
        assert!(matches!(
            check.locate(&syndromes, 3),
            Err(KernelError::TooManyErrors(_))
        ));
    }

    #[test]
    fn lengths_are_checked() {
        let check = Check::<u128>::new(&[1, 2, 4], 1).unwrap();
        assert!(check.syndrome(&[Element::zero(); 2]).is_err());
        assert!(check.locate(&[], 0).is_err());
        assert!(Check::<u128>::new(&[1, 2], 1).is_err());
    }
}
