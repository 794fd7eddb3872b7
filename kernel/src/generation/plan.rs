//! What a parameter set needs: batches of random values, chunks of rows.
//!
//! A chunk is a run of units of one part that is computed and opened at once; it uses up whole batches
//! of random bits (its noise) and a slice of a batch of triples (its products).

use std::ops::Range;

use super::shape::{shapes, Dimensions, Shape};
use crate::error::Result;
use crate::fhe::parameters::ParameterSet;
use crate::ring::element::DEGREE;

/// Bytes of opened values in one batch, and so the length of a party's message for it.
const BATCH_BYTES: usize = 2 << 20;

/// Random values that are made together: one run of preprocessing, one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Whether it holds triples, else bits.
    pub triples: bool,
    /// Bits of a word, 64 or 128.
    pub bits: u32,
    /// Number of values, a multiple of four.
    pub count: usize,
}

/// Where a chunk's triples are: several chunks share a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TripleSlice {
    /// Number of the batch.
    pub batch: usize,
    /// First triple, a multiple of four.
    pub start: usize,
    /// Number of triples, a multiple of four.
    pub count: usize,
}

/// Units that are computed and opened at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Shape of the part.
    pub shape: Shape,
    /// The units.
    pub units: Range<usize>,
    /// Batches of bits that are used up, by number.
    pub batches: Range<usize>,
    /// Triples for the products.
    pub triples: Option<TripleSlice>,
}

impl Chunk {
    /// Body words that are opened.
    #[must_use]
    pub fn words(&self) -> usize {
        self.units.len() * self.shape.unit_words()
    }

    /// Products of secret bits.
    #[must_use]
    pub fn products(&self) -> usize {
        self.units.len() * self.shape.products
    }
}

/// Everything that follows from a parameter set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Lengths of the secret keys.
    pub dimensions: Dimensions,
    /// Batches in order; the first ones give the secret keys.
    pub batches: Vec<Batch>,
    /// Chunks in order.
    pub chunks: Vec<Chunk>,
}

impl Plan {
    /// Plan of a parameter set.
    ///
    /// # Errors
    /// `Internal` if the set is of a kind that this generation does not know.
    pub fn new(set: ParameterSet) -> Result<Self> {
        let dimensions = Dimensions::of(set);
        let mut plan = Self {
            dimensions,
            batches: Vec::new(),
            chunks: Vec::new(),
        };
        for (bits, count) in dimensions.secrets() {
            plan.push(false, bits, count);
        }
        for shape in shapes(set, dimensions)? {
            plan.cut(shape);
        }
        Ok(plan)
    }

    /// Random values are made in groups of four, so that a batch may hold up to three too many.
    fn push(&mut self, triples: bool, bits: u32, count: usize) {
        let count = count.next_multiple_of(DEGREE);
        self.batches.push(Batch {
            triples,
            bits,
            count,
        });
    }

    /// Cut a part into chunks of as many units as fit a batch, at least one; the noise of a chunk
    /// into batches; and let as many chunks share a batch of triples as fit it.
    fn cut(&mut self, shape: Shape) {
        let limit = BATCH_BYTES * 8 / shape.bits as usize;
        let unit_bits = shape.unit_words() * shape.noise_bits();
        let step = (limit / unit_bits).clamp(1, shape.units);
        let chunk_triples = (step * shape.products).next_multiple_of(DEGREE);
        let sharing = (limit / chunk_triples.max(1)).max(1);
        let starts: Vec<_> = (0..shape.units).step_by(step).collect();
        for group in starts.chunks(sharing) {
            let batch = self.batches.len();
            if shape.products > 0 {
                self.push(true, shape.bits, group.len() * chunk_triples);
            }
            for (place, &first) in group.iter().enumerate() {
                let units = first..(first + step).min(shape.units);
                let triples = (shape.products > 0).then_some(TripleSlice {
                    batch,
                    start: place * chunk_triples,
                    count: chunk_triples,
                });
                self.chunk(shape, units, triples, limit);
            }
        }
    }

    /// Add a chunk with the batches of its noise.
    fn chunk(
        &mut self,
        shape: Shape,
        units: Range<usize>,
        triples: Option<TripleSlice>,
        limit: usize,
    ) {
        let start = self.batches.len();
        let mut left = units.len() * shape.unit_words() * shape.noise_bits();
        while left > 0 {
            let count = left.min(limit);
            self.push(false, shape.bits, count);
            left -= count;
        }
        self.chunks.push(Chunk {
            shape,
            units,
            batches: start..self.batches.len(),
            triples,
        });
    }

    /// The shapes in order.
    pub fn shapes(&self) -> impl Iterator<Item = Shape> + '_ {
        let first = |chunk: &&Chunk| chunk.units.start == 0;
        self.chunks.iter().filter(first).map(|chunk| chunk.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(set: ParameterSet) -> (usize, usize, usize) {
        let plan = Plan::new(set).expect("known set");
        let noise = |chunk: &Chunk| chunk.words() * chunk.shape.noise_bits();
        let secrets: usize = plan
            .dimensions
            .secrets()
            .iter()
            .map(|(_, count)| count)
            .sum();
        let bits = secrets + plan.chunks.iter().map(noise).sum::<usize>();
        let triples = plan.chunks.iter().map(Chunk::products).sum();
        let words = plan.chunks.iter().map(Chunk::words).sum();
        (bits, triples, words)
    }

    #[test]
    fn counts_are_those_of_the_specification() {
        // 5,014 secret bits, 16,384 key-switching rows, 3,760,128 bootstrap words, 2,048 + 4.
        let rows = 16_384 * 47 + (3_760_128 + 2_048 + 4) * 19;
        assert_eq!(totals(ParameterSet::Test).1, 256 + 256);
        let narrow = (5_014 + rows, 918 * 2_048, 3_778_564);
        assert_eq!(totals(ParameterSet::Production64), narrow);
        // 918 x 9 rows of 2,048 words squash, 4,096 x 2 rows of 1,024 words pack.
        let (squash, pack) = (918 * 9 * 2_048, 4_096 * 2 * 1_024);
        let wide = (
            narrow.0 + 10_240 + squash * 32 + pack * 5,
            narrow.1 + 918 * 4_096,
            narrow.2 + squash + pack,
        );
        assert_eq!(totals(ParameterSet::Production), wide);
    }

    #[test]
    fn chunks_cover_every_unit_and_use_every_batch_once() {
        for set in ParameterSet::ALL {
            let plan = Plan::new(set).expect("known set");
            let mut used = vec![0; plan.batches.len()];
            used[..plan.dimensions.secret_batches()].fill(0);
            for (batch, (_, count)) in plan.dimensions.secrets().into_iter().enumerate() {
                used[batch] = count;
            }
            for shape in plan.shapes() {
                let mut unit = 0;
                for chunk in plan.chunks.iter().filter(|chunk| chunk.shape == shape) {
                    assert_eq!(chunk.units.start, unit);
                    unit = chunk.units.end;
                    let mut left = chunk.words() * shape.noise_bits();
                    for batch in chunk.batches.clone() {
                        assert!(!plan.batches[batch].triples);
                        used[batch] = left.min(plan.batches[batch].count);
                        left -= used[batch];
                    }
                    assert_eq!(left, 0);
                    assert_eq!(chunk.triples.is_some(), chunk.products() > 0);
                    if let Some(slice) = chunk.triples {
                        assert!(plan.batches[slice.batch].triples);
                        assert_eq!(used[slice.batch], slice.start);
                        assert!(slice.count >= chunk.products());
                        // Only the last chunk of a part may leave some.
                        assert!(slice.count == chunk.products() || unit == shape.units);
                        used[slice.batch] += slice.count;
                    }
                }
                assert_eq!(unit, shape.units);
            }
            for (batch, used) in plan.batches.iter().zip(used) {
                assert_eq!(batch.count, used.next_multiple_of(DEGREE));
                assert!(batch.count * batch.bits as usize / 8 <= BATCH_BYTES);
            }
        }
    }
}
