//! Products of values that are shared already: open xy + v for a pseudorandom word v.

use zeroize::Zeroizing;

use super::element::{Element, Word};
use super::masked::{for_each_value, packed_and_masked, Secrets, Source};
use super::prf::Kind;
use super::prss::PrssSession;
use crate::error::Result;

const SOURCE: Source = Source {
    words: Kind::Product,
    zeros: Kind::ProductZero,
    words_each: 1,
};

/// Our shares of degree 2t of packed products plus v, for the words v numbered from `start`: what a
/// party sends. `factors` gives the factors of each product by its place.
///
/// A number masks one product only: who asks for it again must bring the same factors.
///
/// # Errors
/// `InvalidInput` if the range is too large or not aligned to groups of four.
pub fn masked_products<W: Word>(
    session: &PrssSession,
    start: u64,
    count: usize,
    factors: impl Fn(usize) -> (Element<W>, Element<W>),
) -> Result<Vec<Element<W>>> {
    packed_and_masked(session, SOURCE, (start, count), |place, v| {
        let (x, y) = factors(place);
        x * y + v[0]
    })
}

/// Our shares of the products numbered from `start`, from the opened words.
///
/// # Errors
/// `InvalidInput` if the range is too large.
pub fn products<W: Word>(session: &PrssSession, start: u64, opened: &[W]) -> Result<Secrets<W>> {
    let mut products = Zeroizing::new(Vec::with_capacity(opened.len()));
    for_each_value(session, SOURCE, (start, opened.len()), |place, v| {
        products.push(Element::scalar(opened[place]) - v[0]);
        Ok(())
    })?;
    Ok(products)
}
