//! Random shared triples (x, y, xy): open xy + v for a pseudorandom word v.

use zeroize::Zeroizing;

use super::element::{Element, Word};
use super::masked::{check_opened, for_each_value, packed_and_masked, Secrets, Source};
use super::prf::Kind;
use super::prss::PrssSession;
use super::session::check_range;
use crate::error::Result;

/// Words of a triple drawn from the stream: x, y and v.
const WORDS: usize = 3;

/// Our shares of a batch of triples.
pub struct Triples<W: Word> {
    /// First factors.
    pub left: Secrets<W>,
    /// Second factors.
    pub right: Secrets<W>,
    /// Before the opening the words v, after it the products.
    pub product: Secrets<W>,
}

const SOURCE: Source = Source {
    words: Kind::Triple,
    zeros: Kind::TripleZero,
    words_each: WORDS,
};

/// Our shares of degree 2t of the packed xy + v for the words numbered `start`..`start` + `count`: what
/// a party sends.
///
/// # Errors
/// `InvalidInput` if the range is too large or not aligned to groups of four.
pub fn masked_triples<W: Word>(
    session: &PrssSession,
    start: u64,
    count: usize,
) -> Result<Vec<Element<W>>> {
    packed_and_masked(session, SOURCE, (start, count), |_, w| w[0] * w[1] + w[2])
}

/// Our shares of the triples numbered from `start`, from the opened words xy + v.
///
/// # Errors
/// `InvalidInput` if the range is too large.
pub fn triples<W: Word>(session: &PrssSession, start: u64, opened: &[W]) -> Result<Triples<W>> {
    finish_triples(words(session, start, opened.len())?, opened)
}

/// Our shares of x, y, v alone: what [`finish_triples`] needs when the openings are already known.
///
/// # Errors
/// `InvalidInput` if the range is too large.
pub fn words<W: Word>(session: &PrssSession, start: u64, count: usize) -> Result<Triples<W>> {
    check_range(start, count)?;
    let column = || Zeroizing::new(Vec::with_capacity(count));
    let mut triples = Triples {
        left: column(),
        right: column(),
        product: column(),
    };
    for_each_value(session, SOURCE, (start, count), |_, words| {
        triples.left.push(words[0]);
        triples.right.push(words[1]);
        triples.product.push(words[2]);
        Ok(())
    })?;
    Ok(triples)
}

/// Our shares of the triples, from the opened words xy + v.
///
/// # Errors
/// `InvalidInput` if the numbers differ.
pub fn finish_triples<W: Word>(mut words: Triples<W>, opened: &[W]) -> Result<Triples<W>> {
    check_opened(opened, &words.product)?;
    for (product, &word) in words.product.iter_mut().zip(opened) {
        *product = Element::scalar(word) - *product;
    }
    Ok(words)
}
