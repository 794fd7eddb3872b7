//! Who lied in a masked opening: pseudorandom values of one group are revealed, shares recomputed.
//!
//! When the shares of a group do not fit together, every party reveals what its sets contribute to that
//! group. What most members of a set say is the truth (more than half of them are honest), and from the
//! truth everybody computes the share that each party should have sent. The values of the group are public from then on and must not
//! be used.
//!
//! Contribution of one set to one group: the words, then the coefficients of the zero sharing, all
//! little-endian. Words: four x of bits; four times x, y, v of triples; of products four v, then eight words
//! x of the bits that are multiplied, first and second factor in turn.

use zeroize::Zeroizing;

use super::element::{words_from_bytes, Element, Word, DEGREE};
use super::masked::Secrets;
use super::pack::pack4;
use super::prf::Kind;
use super::prss::{all_sets, checked_access, contains, set_weight, PrssSession};
use super::random_bits::finish_bits;
use crate::error::{invalid, KernelError, Result};

/// What a group of four masked values is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Random bits.
    Bits,
    /// Triples.
    Triples,
    /// Products of random bits.
    Products,
}

impl Group {
    /// Group of a name.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "bits" => Ok(Self::Bits),
            "triples" => Ok(Self::Triples),
            "products" => Ok(Self::Products),
            _ => invalid("unknown kind of masked values"),
        }
    }

    fn kinds(self) -> (Kind, Kind) {
        match self {
            Self::Bits => (Kind::Bit, Kind::BitZero),
            Self::Triples => (Kind::Triple, Kind::TripleZero),
            Self::Products => (Kind::Product, Kind::ProductZero),
        }
    }

    /// Words of the own stream.
    fn words(self) -> usize {
        match self {
            Self::Triples => 3 * DEGREE,
            Self::Bits | Self::Products => DEGREE,
        }
    }

    /// Words of bits that are multiplied.
    fn factors(self) -> usize {
        match self {
            Self::Products => 2 * DEGREE,
            Self::Bits | Self::Triples => 0,
        }
    }
}

/// What each own set contributes to a group, in the order of the sets; `factors` are the numbers of
/// the bits that are multiplied.
///
/// # Errors
/// `InvalidInput` if the number of factors is another or a number is too large.
pub fn revealed<W: Word>(
    session: &PrssSession,
    group: Group,
    number: u64,
    factors: &[u64],
) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    if factors.len() != group.factors() {
        return invalid("a group of products has eight factors, others have none");
    }
    let (words, zeros) = group.kinds();
    let count = group.words();
    let first = number.saturating_mul(count as u64);
    let mut columns = session.contributed::<W>(words, first, count)?;
    for &factor in factors {
        let words = session.contributed::<W>(Kind::Bit, factor, 1)?;
        append(&mut columns, &words);
    }
    append(&mut columns, &session.coefficients::<W>(zeros, number)?);
    Ok(columns)
}

fn append(columns: &mut [Zeroizing<Vec<u8>>], parts: &[Zeroizing<Vec<u8>>]) {
    for (column, part) in columns.iter_mut().zip(parts) {
        column.extend_from_slice(part);
    }
}

/// The share of a group that `party` should have sent, from what all sets contribute (in
/// lexicographic order) and, for products, the opened squares of the bits that are multiplied.
///
/// # Errors
/// `InvalidInput` for malformed contributions, squares or numbers.
pub fn expected_share<W: Word>(
    (parties, threshold, party): (usize, usize, usize),
    group: Group,
    contributions: &[&[u8]],
    squares: &[W],
) -> Result<Element<W>> {
    let access = checked_access(parties, threshold)?;
    let sets = all_sets(access);
    let party = match u8::try_from(party) {
        Ok(party) if (1..=access.parties).contains(&party) => party,
        _ => return invalid("the party is not in 1..=n"),
    };
    let count = group.words() + group.factors();
    let size = count * W::BYTES + threshold * Element::<W>::BYTES;
    if contributions.len() != sets.len() || squares.len() != group.factors() {
        return invalid("there is not one contribution a set, or not one square a factor");
    }
    let mut words: Secrets<W> = Zeroizing::new(vec![Element::zero(); count]);
    let mut zero = Element::zero();
    for (&set, bytes) in sets.iter().zip(contributions) {
        if !contains(set, party) {
            continue;
        }
        if bytes.len() != size {
            return invalid("a contribution has another length");
        }
        let weight = reduced(set_weight(access, set, party)?);
        let (scalars, coefficients) = bytes.split_at(count * W::BYTES);
        for (sum, word) in words.iter_mut().zip(words_from_bytes::<W>(scalars)?) {
            *sum += weight.scale(word);
        }
        zero += weight * without_constant(coefficients, usize::from(party));
    }
    Ok(masked(group, &words, squares)? + zero)
}

/// The packed masked values without the zero sharing.
fn masked<W: Word>(group: Group, words: &[Element<W>], squares: &[W]) -> Result<Element<W>> {
    let values: Vec<_> = match group {
        Group::Bits => words.iter().map(|x| x.square() + *x).collect(),
        Group::Triples => words.chunks_exact(3).map(|w| w[0] * w[1] + w[2]).collect(),
        Group::Products => {
            let (masks, factors) = words.split_at(DEGREE);
            let bits = finish_bits(factors, squares)?;
            let products = bits.chunks_exact(2).map(|pair| pair[0] * pair[1]);
            products.zip(masks).map(|(xy, v)| xy + *v).collect()
        }
    };
    pack4(&values)
        .first()
        .copied()
        .ok_or_else(|| KernelError::Internal("an empty group".into()))
}

/// Sum of coefficient j times the party's point to the j, j from 1.
fn without_constant<W: Word>(coefficients: &[u8], party: usize) -> Element<W> {
    let high_first = coefficients.chunks_exact(Element::<W>::BYTES).rev();
    high_first.fold(Element::zero(), |value: Element<W>, chi| {
        (value + Element::from_le_slice(chi)).times_point(party)
    })
}

fn reduced<W: Word>(weight: Element<u128>) -> Element<W> {
    Element(weight.0.map(W::from_u128))
}
