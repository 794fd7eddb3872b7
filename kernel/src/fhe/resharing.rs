//! A key share for another set of parties, or a fresh one for the same.
//!
//! Source: resharing of "Threshold (Fully) Homomorphic Encryption" (eprint 2025/699). The old set is
//! n1 parties with threshold t1, the new one n2 with t2.
//! 1. For each old party j the new set draws a vector of random elements by its pseudorandom
//!    sharing and opens it to j only, who adds it to its share and publishes the sum w.
//! 2. w minus the random vector is a sharing, among the new set, of the share of j.
//! 3. The shares of all j lie on polynomials of degree t1, so their syndrome is zero wherever j was
//!    honest. It is opened for [`COMBINATIONS`] random combinations of all elements, chosen when
//!    the w are fixed; opened is only what the errors of j add.
//! 4. The new share is the combination of t1 + 1 good ones by the Lagrange coefficients.
//!
//! A combination has its coefficients in the exceptional set of 16 points, so an error of j is not
//! seen in it with probability at most 1/16, in none of them with 2^-80. Therefore syndromes of single
//! elements are not needed: who errs in no combination is right in all elements.

use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use zeroize::{Zeroize, Zeroizing};

use super::key_share::{check_access, dimensions, KeyShare};
use super::parameters::ParameterSet;
use crate::error::{invalid, KernelError, Result};
use crate::ring::decode::decode;
use crate::ring::element::{elements_from_bytes, elements_to_bytes, Element, Word, MAX_PARTIES};
use crate::ring::prss::PrssKeys;
use crate::ring::shamir::lagrange_at_zero;
use crate::ring::syndrome::Check;

/// Random combinations of all elements whose syndromes are opened.
pub const COMBINATIONS: usize = 20;

const MASK_DOMAIN: &[u8] = b"tkms/resharing/mask/v1";
const COIN_DOMAIN: &[u8] = b"tkms/resharing/coin/v1";

/// n and t of a set of parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties {
    /// Number of parties n.
    pub count: usize,
    /// Threshold t.
    pub threshold: usize,
}

/// The elements of a share: first those of both 128-bit keys, then those of the 64-bit key.
struct Vectors {
    wide: Vec<Element<u128>>,
    narrow: Vec<Element<u64>>,
}

impl Drop for Vectors {
    fn drop(&mut self) {
        self.wide.zeroize();
        self.narrow.zeroize();
    }
}

impl Vectors {
    /// Numbers of elements for a parameter set.
    fn lengths(parameters: ParameterSet) -> (usize, usize) {
        let (squashed, compressed) = dimensions(parameters);
        (squashed + compressed, parameters.big_dimension())
    }

    fn of_share(share: &KeyShare) -> Self {
        Self {
            wide: [share.squashed.as_slice(), &share.compressed].concat(),
            narrow: share.big.clone(),
        }
    }

    fn from_bytes(bytes: &[u8], parameters: ParameterSet) -> Result<Self> {
        if bytes.len() != encoded_length(parameters) {
            return invalid("the vector does not fit the parameter set");
        }
        let (wide, narrow) = bytes.split_at(Self::lengths(parameters).0 * Element::<u128>::BYTES);
        Ok(Self {
            wide: elements_from_bytes(wide)?,
            narrow: elements_from_bytes(narrow)?,
        })
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (wide, narrow) = (
            Zeroizing::new(elements_to_bytes(&self.wide)),
            Zeroizing::new(elements_to_bytes(&self.narrow)),
        );
        let mut bytes = Zeroizing::new(Vec::with_capacity(wide.len() + narrow.len()));
        bytes.extend_from_slice(&wide);
        bytes.extend_from_slice(&narrow);
        bytes
    }

    fn combine(
        &mut self,
        other: &Self,
        wide: impl Fn(Element<u128>, Element<u128>) -> Element<u128>,
        narrow: impl Fn(Element<u64>, Element<u64>) -> Element<u64>,
    ) {
        for (own, added) in self.wide.iter_mut().zip(&other.wide) {
            *own = wide(*own, *added);
        }
        for (own, added) in self.narrow.iter_mut().zip(&other.narrow) {
            *own = narrow(*own, *added);
        }
    }
}

/// Bytes of one vector: a share of a mask, or a masked share.
#[must_use]
pub fn encoded_length(parameters: ParameterSet) -> usize {
    let (wide, narrow) = Vectors::lengths(parameters);
    wide * Element::<u128>::BYTES + narrow * Element::<u64>::BYTES
}

fn mask_vectors(
    prss: &PrssKeys,
    info: &[u8],
    parameters: ParameterSet,
    receiver: usize,
) -> Result<Vectors> {
    let receiver = match u8::try_from(receiver) {
        Ok(number) if (1..=MAX_PARTIES).contains(&receiver) => number,
        _ => return invalid("the receiver of a mask is not in 1..=15"),
    };
    let session = prss.session(&[MASK_DOMAIN, &[receiver], info].concat());
    let (wide, narrow) = Vectors::lengths(parameters);
    Ok(Vectors {
        wide: session.next(0, wide)?,
        narrow: session.next(0, narrow)?,
    })
}

/// A new party's share of the mask of old party `receiver`; for its eyes only.
///
/// # Errors
/// `InvalidInput` for a receiver outside 1..=15.
pub fn mask_share(
    prss: &PrssKeys,
    info: &[u8],
    parameters: ParameterSet,
    receiver: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    Ok(mask_vectors(prss, info, parameters, receiver)?.to_bytes())
}

impl KeyShare {
    /// This party's share plus its mask, from the new parties' shares of the mask; and the new parties
    /// (ascending) whose share was wrong.
    ///
    /// # Errors
    /// `InvalidInput` for malformed shares or parties, or fewer than n2 - t2 shares;
    /// `TooManyErrors` if the shares of the mask cannot be corrected.
    pub fn masked(&self, new: Parties, shares: &[(usize, &[u8])]) -> Result<(Vec<u8>, Vec<usize>)> {
        check_access(new.count, new.threshold)?;
        if shares.len() + new.threshold < new.count || shares.len() > new.count {
            return invalid("n2 - t2 to n2 shares of a mask are needed");
        }
        let absent = new.count - shares.len();
        let errors = (new.threshold - absent).min((shares.len() - new.threshold - 1) / 2);
        let mut wide = Vec::with_capacity(shares.len());
        let mut narrow = Vec::with_capacity(shares.len());
        for (party, bytes) in shares {
            let mut vectors = Vectors::from_bytes(bytes, self.parameters)?;
            wide.push((*party, std::mem::take(&mut vectors.wide)));
            narrow.push((*party, std::mem::take(&mut vectors.narrow)));
        }
        // A set without 128-bit keys has nothing to open there.
        let mut opened = decode(new.count, new.threshold, &wide, errors)?;
        let rest = decode(new.count, new.threshold, &narrow, errors)?;
        let mask = Vectors {
            wide: std::mem::take(&mut opened.values),
            narrow: rest.values,
        };
        let mut sum = Vectors::of_share(self);
        sum.combine(&mask, |a, b| a + b, |a, b| a + b);
        let mut bad = opened.bad;
        bad.extend(rest.bad);
        bad.sort_unstable();
        bad.dedup();
        Ok((sum.to_bytes().to_vec(), bad))
    }
}

/// A new party's view of one resharing, from the masked shares on.
pub struct Resharing {
    parameters: ParameterSet,
    old: Parties,
    new: Parties,
    party: usize,
    /// Old parties whose masked share is known, ascending.
    holders: Vec<usize>,
    /// Our shares of their shares.
    shares: Vec<Vectors>,
}

impl Resharing {
    /// Take the masked shares that all new parties agree on; who is missing counts as an error.
    ///
    /// # Errors
    /// `InvalidInput` for malformed shares or parties; `TooManyErrors` if more than t1 are missing.
    pub fn new(
        prss: &PrssKeys,
        info: &[u8],
        parameters: ParameterSet,
        old: Parties,
        masked: &[(usize, &[u8])],
    ) -> Result<Self> {
        check_access(old.count, old.threshold)?;
        check_access(prss.parties(), prss.threshold())?;
        let mut masked: Vec<_> = masked.to_vec();
        masked.sort_unstable_by_key(|(party, _)| *party);
        let holders: Vec<_> = masked.iter().map(|(party, _)| *party).collect();
        if holders.iter().any(|party| *party > old.count) {
            return invalid("a masked share of a party that is not in the old set");
        }
        if holders.len() + old.threshold < old.count {
            return too_many("more than t1 masked shares are missing");
        }
        let shares = masked
            .iter()
            .map(|(party, bytes)| {
                let mut share = Vectors::from_bytes(bytes, parameters)?;
                let mask = mask_vectors(prss, info, parameters, *party)?;
                share.combine(&mask, |a, b| a - b, |a, b| a - b);
                Ok(share)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            parameters,
            old,
            new: Parties {
                count: prss.parties(),
                threshold: prss.threshold(),
            },
            party: prss.party(),
            holders,
            shares,
        })
    }

    /// Our shares (degree t2) of the combined syndromes, to be opened to the new parties: vectors of
    /// 128-bit and of 64-bit elements, combination after combination.
    ///
    /// # Errors
    /// `InvalidInput` if a party is named twice.
    pub fn syndromes(&self, coin: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let wide: Vec<_> = self.shares.iter().map(|s| s.wide.as_slice()).collect();
        let narrow: Vec<_> = self.shares.iter().map(|s| s.narrow.as_slice()).collect();
        Ok((
            elements_to_bytes(&self.combined(&wide, coin)?),
            elements_to_bytes(&self.combined(&narrow, coin)?),
        ))
    }

    fn combined<W: Word>(&self, columns: &[&[Element<W>]], coin: &[u8]) -> Result<Vec<Element<W>>> {
        let check = Check::new(&self.holders, self.old.threshold)?;
        let mut sums = vec![vec![Element::zero(); columns.len()]; COMBINATIONS];
        let mut points = Coefficients::new::<W>(coin);
        for index in 0..columns[0].len() {
            let row = points.next();
            for (place, column) in columns.iter().enumerate() {
                for (sum, &coefficient) in sums.iter_mut().zip(&row) {
                    sum[place] += column[index].times_point(usize::from(coefficient));
                }
            }
        }
        let mut syndromes = Vec::with_capacity(COMBINATIONS * check.length());
        for word in &sums {
            syndromes.extend(check.syndrome(word)?);
        }
        Ok(syndromes)
    }

    /// Our new share, and the old parties (ascending) whose masked share is wrong, from the opened
    /// syndromes.
    ///
    /// # Errors
    /// `InvalidInput` for vectors of another length; `TooManyErrors` if more than t1 old parties are
    /// missing or wrong.
    pub fn finish(&self, wide: &[u8], narrow: &[u8]) -> Result<(KeyShare, Vec<usize>)> {
        let mut bad = self.located::<u128>(wide)?;
        bad.extend(self.located::<u64>(narrow)?);
        bad.sort_unstable();
        bad.dedup();
        if bad.len() > self.spare() {
            return too_many("more than t1 shares are missing or wrong");
        }
        let mut good = self.holders.clone();
        good.retain(|party| !bad.contains(party));
        good.truncate(self.old.threshold + 1);
        let (squashed, _) = dimensions(self.parameters);
        let mut wide = self.recombined(&good, |share| &share.wide)?;
        // What the split leaves behind is spare capacity, which is zeroed on drop as well.
        let compressed = wide.split_off(squashed);
        let share = KeyShare {
            parameters: self.parameters,
            parties: self.new.count,
            threshold: self.new.threshold,
            party: self.party,
            squashed: wide,
            compressed,
            big: self.recombined(&good, |share| &share.narrow)?,
        };
        Ok((share, bad))
    }

    /// Errors that are left when the missing shares are counted.
    fn spare(&self) -> usize {
        self.old.threshold + self.holders.len() - self.old.count
    }

    fn located<W: Word>(&self, opened: &[u8]) -> Result<Vec<usize>> {
        let check = Check::<W>::new(&self.holders, self.old.threshold)?;
        let syndromes = elements_from_bytes(opened)?;
        if syndromes.len() != COMBINATIONS * check.length() {
            return invalid("the syndromes do not fit the number of shares");
        }
        check.locate(&syndromes, self.spare())
    }

    fn recombined<W: Word>(
        &self,
        good: &[usize],
        column: impl Fn(&Vectors) -> &Vec<Element<W>>,
    ) -> Result<Vec<Element<W>>> {
        let weights = lagrange_at_zero::<W>(good)?;
        let places = self.holders.iter().zip(&self.shares);
        let chosen: Vec<_> = places.filter(|(party, _)| good.contains(party)).collect();
        let mut sums = vec![Element::zero(); chosen.first().map_or(0, |(_, s)| column(s).len())];
        for ((_, share), weight) in chosen.iter().zip(&weights) {
            for (sum, element) in sums.iter_mut().zip(column(share)) {
                *sum += *weight * *element;
            }
        }
        Ok(sums)
    }
}

fn too_many<T>(detail: &str) -> Result<T> {
    Err(KernelError::TooManyErrors(detail.into()))
}

/// Stream of coefficients: numbers of points, 0 to 15, one for each combination.
///
/// SHAKE256("tkms/resharing/coin/v1" | k as 2 bytes LE | coin), low nibble first.
struct Coefficients {
    stream: sha3::Shake256Reader,
}

impl Coefficients {
    fn new<W: Word>(coin: &[u8]) -> Self {
        let mut hash = Shake256::default();
        hash.update(COIN_DOMAIN);
        hash.update(&W::BITS.to_le_bytes()[..2]);
        hash.update(coin);
        Self {
            stream: hash.finalize_xof(),
        }
    }

    /// Coefficients of the next element.
    fn next(&mut self) -> [u8; COMBINATIONS] {
        let mut bytes = [0u8; COMBINATIONS / 2];
        self.stream.read(&mut bytes);
        std::array::from_fn(|index| (bytes[index / 2] >> (4 * (index % 2))) & 15)
    }
}
