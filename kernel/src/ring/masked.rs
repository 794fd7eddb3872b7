//! Openings of degree 2t that show scalars only: the core of random bits, triples and products.
//!
//! Four sharings of degree 2t of scalars u_0..u_3 travel as one element, the sum of X^j u_j, and one
//! zero sharing of degree 2t hides everything of it but its constant, u_0 + u_1 X + u_2 X^2 + u_3 X^3.
//! Why one zero sharing for four values suffices: `docs/protocols/random-bits.md`.
//!
//! A zero sharing must mask one content only. Its number is the number of the group, so a range starts
//! and ends at the border of a group: a range that ended within would be masked again, with another
//! content, by a longer one.
//!
//! Values are made some hundred at a time in a buffer that is wiped once at the end.

use zeroize::{Zeroize, Zeroizing};

use super::element::{Element, Word, DEGREE};
use super::prf::Kind;
use super::prss::PrssSession;
use super::session::{check_range, Scratch};
use crate::error::{invalid, Result};

/// Our shares of a vector of secrets; wiped when they go.
pub type Secrets<W> = Zeroizing<Vec<Element<W>>>;

/// Values that are made at a time.
const CHUNK: usize = 128;

/// Streams of one kind of masked values.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) words: Kind,
    pub(super) zeros: Kind,
    /// Pseudorandom words of one value.
    pub(super) words_each: usize,
}

/// Shares of the words that values are made of, some values at a time.
struct Words<W: Word> {
    elements: Vec<Element<W>>,
    scratch: Scratch,
}

impl<W: Word> Drop for Words<W> {
    fn drop(&mut self) {
        // The slice, not the vector: that would be wiped once more, byte by byte.
        self.elements.iter_mut().zeroize();
    }
}

impl<W: Word> Words<W> {
    fn new(source: Source) -> Self {
        Self {
            elements: vec![Element::zero(); CHUNK * source.words_each],
            scratch: Scratch::default(),
        }
    }

    /// Words of the `count` values from `first`, which the caller has checked.
    fn make(
        &mut self,
        session: &PrssSession,
        source: Source,
        first: u64,
        count: usize,
    ) -> Result<&[Element<W>]> {
        let words = &mut self.elements[..count * source.words_each];
        words.fill(Element::zero());
        let number = first * source.words_each as u64;
        session.add_scalars(source.words, number, words, &mut self.scratch)?;
        Ok(words)
    }
}

/// Refuse a range of values whose words would leave the counters.
fn check_words(source: Source, start: u64, count: usize) -> Result<()> {
    let each = source.words_each;
    // What leaves the counters stays beyond them: saturating keeps the refusal.
    check_range(start.saturating_mul(each as u64), 0)?;
    check_range(start, count)?;
    check_range(
        start
            .saturating_add(count as u64)
            .saturating_mul(each as u64),
        0,
    )
}

/// What a party sends for values `start`..`start` + `count`: `masked` gives the share of degree 2t of
/// each, from its place in the range and its words.
pub(super) fn packed_and_masked<W: Word>(
    session: &PrssSession,
    source: Source,
    (start, count): (u64, usize),
    masked: impl Fn(usize, &[Element<W>]) -> Element<W>,
) -> Result<Vec<Element<W>>> {
    if !start.is_multiple_of(DEGREE as u64) || !count.is_multiple_of(DEGREE) {
        return invalid("a range of masked values starts and ends at a multiple of four");
    }
    check_words(source, start, count)?;
    let mut words = Words::new(source);
    let mut packed = vec![Element::zero(); count / DEGREE];
    for (chunk, target) in packed.chunks_mut(CHUNK / DEGREE).enumerate() {
        let offset = chunk * CHUNK;
        let first = start + offset as u64;
        let part = words.make(session, source, first, target.len() * DEGREE)?;
        let groups = part.chunks_exact(DEGREE * source.words_each);
        for (group, (element, values)) in target.iter_mut().zip(groups).enumerate() {
            let place = offset + group * DEGREE;
            // Horner in X: the last value carries the highest power.
            let values = values.chunks_exact(source.words_each).enumerate().rev();
            *element = values.fold(Element::zero(), |sum: Element<W>, (index, words)| {
                sum.times_x() + masked(place + index, words)
            });
        }
        let group = first / DEGREE as u64;
        session.add_zeros(source.zeros, group, target, &mut words.scratch)?;
    }
    Ok(packed)
}

/// Hand the words of each value `start`..`start` + `count`, with its place, to `visit`.
pub(super) fn for_each_value<W: Word>(
    session: &PrssSession,
    source: Source,
    (start, count): (u64, usize),
    mut visit: impl FnMut(usize, &[Element<W>]) -> Result<()>,
) -> Result<()> {
    check_words(source, start, count)?;
    let mut words = Words::new(source);
    let mut done = 0;
    while done < count {
        let size = CHUNK.min(count - done);
        let part = words.make(session, source, start + done as u64, size)?;
        for (index, words) in part.chunks_exact(source.words_each).enumerate() {
            visit(done + index, words)?;
        }
        done += size;
    }
    Ok(())
}

/// Refuse opened words that are not one a sharing.
pub(super) fn check_opened<W: Word>(opened: &[W], shares: &[Element<W>]) -> Result<()> {
    if opened.len() != shares.len() {
        return invalid("there is not one opened word a value");
    }
    Ok(())
}
