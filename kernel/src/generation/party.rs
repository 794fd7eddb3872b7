//! One party's side of a key generation. All secrets stay here.

use zeroize::Zeroizing;

use super::container::{self, ServerParts};
use super::keys::{Keyed, Keys};
use super::mask::{self, SEED_BYTES};
use super::plan::{Chunk, Plan, TripleSlice};
use super::rows::{self, Inputs};
use super::shape::{Part, Shape};
use crate::error::{invalid, KernelError, Result};
use crate::fhe::key_share::KeyShare;
use crate::fhe::parameters::ParameterSet;
use crate::ring::element::{elements_to_bytes, words_from_bytes, Element, Word};
use crate::ring::masked::Secrets;
use crate::ring::noise::tuniform_from_bits;
use crate::ring::pack::pack4;
use crate::ring::prss::PrssSession;
use crate::ring::{random_bits, triples};

/// Opened values of one batch, and the session that they belong to.
pub struct BatchRecord<'a> {
    /// Session of the run that made the batch.
    pub session: &'a PrssSession,
    /// Opened words.
    pub opened: &'a [u8],
}

/// Words of a part.
enum Bodies {
    Narrow(Vec<u64>),
    Wide(Vec<u128>),
}

/// The state of a party. Zeroed on drop.
pub struct KeyGeneration {
    set: ParameterSet,
    access: (usize, usize, usize),
    plan: Plan,
    keys: Option<Keys>,
    seed: Option<[u8; SEED_BYTES]>,
    /// Opened bodies by part; words of missing chunks are 0.
    bodies: Vec<(Shape, Bodies)>,
    accepted: Vec<bool>,
}

/// Shares of the bits of a batch, the first `count` of them.
fn bits_of<W: Word>(record: &BatchRecord<'_>, count: usize) -> Result<Secrets<W>> {
    let opened = words_from_bytes::<W>(record.opened)?;
    if opened.len() != count {
        return invalid("the record does not hold the bits of its batch");
    }
    let words = random_bits::words(record.session, 0, count)?;
    random_bits::finish_bits(&words, &opened)
}

impl KeyGeneration {
    /// Begin; `access` is n, t and this party's number.
    ///
    /// # Errors
    /// `InvalidInput` if the parties do not fit; `Internal` for a set of an unknown kind.
    pub fn new(set: ParameterSet, access: (usize, usize, usize)) -> Result<Self> {
        let plan = Plan::new(set)?;
        let bodies = plan.shapes().map(|shape| {
            let words = shape.words();
            match shape.bits {
                64 => (shape, Bodies::Narrow(vec![0; words])),
                _ => (shape, Bodies::Wide(vec![0; words])),
            }
        });
        Ok(Self {
            set,
            access,
            keys: None,
            seed: None,
            bodies: bodies.collect(),
            accepted: vec![false; plan.chunks.len()],
            plan,
        })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The parameter set.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.set
    }

    /// Take the opened seed of the public masks.
    ///
    /// # Errors
    /// `InvalidInput` if it has another length.
    pub fn set_seed(&mut self, seed: &[u8]) -> Result<()> {
        match seed.try_into() {
            Ok(seed) => self.seed = Some(seed),
            Err(_) => return invalid("the seed of the masks has 16 bytes"),
        }
        Ok(())
    }

    /// Derive our shares of the secret keys from the records of the secret batches.
    ///
    /// # Errors
    /// `InvalidInput` if the records do not fit their batches.
    pub fn set_keys(&mut self, records: &[BatchRecord<'_>]) -> Result<()> {
        if records.len() != self.plan.dimensions.secret_batches() {
            return invalid("there is not one record a secret batch");
        }
        let count = |index: usize| self.plan.batches[index].count;
        let narrow = bits_of::<u64>(&records[0], count(0))?;
        let wide = match records.get(1) {
            Some(record) => Some(bits_of::<u128>(record, count(1))?),
            None => None,
        };
        self.keys = Some(Keys::new(&self.plan, &narrow, wide.as_ref())?);
        Ok(())
    }

    fn keys(&self) -> Result<&Keys> {
        match &self.keys {
            Some(keys) => Ok(keys),
            None => invalid("the secret keys are not there yet"),
        }
    }

    fn seed(&self) -> Result<[u8; SEED_BYTES]> {
        match self.seed {
            Some(seed) => Ok(seed),
            None => invalid("the seed of the masks is not there yet"),
        }
    }

    fn chunk(&self, index: usize) -> Result<&Chunk> {
        match self.plan.chunks.get(index) {
            Some(chunk) => Ok(chunk),
            None => invalid("there is no such chunk"),
        }
    }

    /// What we send to open the factors of a chunk's products, each less a triple's: first all
    /// differences of input bits, then all of output bits, packed.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown chunk or one without products, or before the keys are there.
    pub fn factors(&self, index: usize, triples: &PrssSession) -> Result<Vec<u8>> {
        let chunk = self.chunk(index)?;
        match chunk.shape.bits {
            64 => self.factors_of::<u64>(chunk, triples),
            _ => self.factors_of::<u128>(chunk, triples),
        }
    }

    fn factors_of<W: Keyed>(&self, chunk: &Chunk, session: &PrssSession) -> Result<Vec<u8>> {
        let Some(slice) = chunk.triples else {
            return invalid("the chunk needs no products");
        };
        let (_, input, output) = W::keys_of(self.keys()?, chunk.shape.part)?;
        let triples = triples::words::<W>(session, slice.start as u64, slice.count)?;
        let pairs = Zeroizing::new(rows::factors(chunk, input, output));
        let bits = pairs.iter().zip(triples.left.iter());
        let words = pairs.iter().zip(triples.right.iter());
        let lefts = bits.map(|(pair, x)| pair.0 - *x);
        let rights = words.map(|(pair, y)| pair.1 - *y);
        let differences: Vec<_> = lefts.chain(rights).collect();
        Ok(elements_to_bytes(&pack4(&differences)))
    }

    /// What we send to open the bodies of a chunk, packed. `triples` are the record of the chunk's
    /// triples and the opened factors.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown chunk, records or factors that do not fit it, or before keys and
    /// seed are there.
    pub fn bodies(
        &self,
        index: usize,
        bits: &[BatchRecord<'_>],
        triples: Option<(&BatchRecord<'_>, &[u8])>,
    ) -> Result<Vec<u8>> {
        let chunk = self.chunk(index)?;
        match chunk.shape.bits {
            64 => self.bodies_of::<u64>(chunk, bits, triples),
            _ => self.bodies_of::<u128>(chunk, bits, triples),
        }
    }

    fn bodies_of<W: Keyed>(
        &self,
        chunk: &Chunk,
        bits: &[BatchRecord<'_>],
        triples: Option<(&BatchRecord<'_>, &[u8])>,
    ) -> Result<Vec<u8>> {
        let shape = chunk.shape;
        let (key, input, _) = W::keys_of(self.keys()?, shape.part)?;
        let products = match (chunk.triples, triples) {
            (Some(slice), Some((record, factors))) => {
                self.products::<W>(chunk, slice, record, factors)?
            }
            (None, None) => Zeroizing::new(Vec::new()),
            _ => return invalid("the triples do not fit the chunk"),
        };
        let masks = mask::rows::<W>(
            &shape,
            self.seed()?,
            chunk.units.start * shape.rows,
            chunk.units.len() * shape.rows,
        )?;
        let mut inputs = Inputs {
            key,
            input,
            noise: self.noise(chunk, bits)?,
            products: &products,
        };
        let bodies = rows::bodies(chunk, &masks, &mut inputs)?;
        Ok(elements_to_bytes(&pack4(&bodies)))
    }

    /// Our shares of the noise of a chunk.
    fn noise<W: Word>(&self, chunk: &Chunk, records: &[BatchRecord<'_>]) -> Result<Secrets<W>> {
        let batches = &self.plan.batches[chunk.batches.clone()];
        if records.len() != batches.len() {
            return invalid("there is not one record a batch of the chunk");
        }
        let needed = chunk.words() * chunk.shape.noise_bits();
        let held = batches.iter().map(|batch| batch.count).sum();
        // Reserved in full, so that no reallocation leaves a copy behind.
        let mut bits = Zeroizing::new(Vec::with_capacity(held));
        for (record, batch) in records.iter().zip(batches) {
            bits.extend_from_slice(&bits_of::<W>(record, batch.count)?);
        }
        tuniform_from_bits(&bits[..needed], chunk.shape.noise)
    }

    /// Our shares of the products of a chunk: with the opened d = s - x and e = S - y of a triple
    /// (x, y, xy), s S = xy + d y + e x + d e.
    fn products<W: Word>(
        &self,
        chunk: &Chunk,
        slice: TripleSlice,
        record: &BatchRecord<'_>,
        factors: &[u8],
    ) -> Result<Secrets<W>> {
        let opened = words_from_bytes::<W>(factors)?;
        if opened.len() != 2 * chunk.products() {
            return invalid("the opened factors do not fit the chunk");
        }
        if record.opened.len() != self.plan.batches[slice.batch].count * W::BYTES {
            return invalid("the record does not hold the triples of its batch");
        }
        let held = &record.opened[slice.start * W::BYTES..][..slice.count * W::BYTES];
        let words = triples::words::<W>(record.session, slice.start as u64, slice.count)?;
        let triples = triples::finish_triples(words, &words_from_bytes::<W>(held)?)?;
        let (lefts, rights) = opened.split_at(chunk.products());
        let shares = triples.left.iter().zip(triples.right.iter());
        let shares = shares.zip(triples.product.iter());
        let products = lefts.iter().zip(rights).zip(shares);
        let products = products.map(|((d, e), ((x, y), xy))| {
            let public = Element::scalar(d.wrapping_mul(*e));
            *xy + y.scale(*d) + x.scale(*e) + public
        });
        Ok(Zeroizing::new(products.collect()))
    }

    /// Take the opened bodies of a chunk.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown chunk or a wrong length.
    pub fn accept(&mut self, index: usize, opened: &[u8]) -> Result<()> {
        let chunk = self.chunk(index)?.clone();
        if opened.len() != chunk.words() * chunk.shape.bits as usize / 8 {
            return invalid("the opened bodies do not fit the chunk");
        }
        let start = chunk.units.start * chunk.shape.unit_words();
        let places = start..start + chunk.words();
        let held = self
            .bodies
            .iter_mut()
            .find(|(s, _)| s.part == chunk.shape.part);
        match held {
            Some((_, Bodies::Narrow(words))) => {
                words[places].copy_from_slice(&words_from_bytes::<u64>(opened)?);
            }
            Some((_, Bodies::Wide(words))) => {
                words[places].copy_from_slice(&words_from_bytes::<u128>(opened)?);
            }
            None => return Err(KernelError::Internal("a chunk without its part".into())),
        }
        self.accepted[index] = true;
        Ok(())
    }

    /// Whether the bodies of a chunk are there.
    #[must_use]
    pub fn accepted(&self, index: usize) -> bool {
        self.accepted.get(index).copied().unwrap_or_default()
    }

    fn check_complete(&self) -> Result<()> {
        if self.accepted.iter().all(|done| *done) {
            return Ok(());
        }
        invalid("not all chunks are there yet")
    }

    fn narrow(&self, part: Part) -> Result<(Shape, &[u64])> {
        let found = self.bodies.iter().find(|(shape, _)| shape.part == part);
        match found {
            Some((shape, Bodies::Narrow(words))) => Ok((*shape, words)),
            _ => Err(KernelError::Internal("a part of another width".into())),
        }
    }

    fn wide(&self, part: Part) -> Option<(Shape, Vec<u128>)> {
        let found = self.bodies.iter().find(|(shape, _)| shape.part == part);
        match found {
            Some((shape, Bodies::Wide(words))) => Some((*shape, words.clone())),
            _ => None,
        }
    }

    /// The compact public key, serialised.
    ///
    /// # Errors
    /// `InvalidInput` before all chunks are there.
    pub fn public_key(&self) -> Result<Vec<u8>> {
        self.check_complete()?;
        let (shape, bodies) = self.narrow(Part::PublicKey)?;
        container::public_key(self.set, &shape, self.seed()?, bodies)
    }

    /// The check ciphertext, serialised.
    ///
    /// # Errors
    /// `InvalidInput` before all chunks are there.
    pub fn check_ciphertext(&self) -> Result<Vec<u8>> {
        self.check_complete()?;
        let (shape, bodies) = self.narrow(Part::Check)?;
        container::check_ciphertext(self.set, &shape, self.seed()?, bodies)
    }

    /// The compressed server key, serialised.
    ///
    /// # Errors
    /// `InvalidInput` before all chunks are there.
    pub fn server_key(&self) -> Result<Vec<u8>> {
        self.check_complete()?;
        let narrow = |part| {
            self.narrow(part)
                .map(|(shape, words)| (shape, words.to_vec()))
        };
        let parts = ServerParts {
            key_switch: narrow(Part::KeySwitch)?,
            casting: narrow(Part::Casting)?,
            bootstrap: narrow(Part::Bootstrap)?,
            squashing: self.wide(Part::Squashing).zip(self.wide(Part::Packing)),
        };
        container::server_key(self.set, self.seed()?, parts)
    }

    /// Our key share: what decryption needs, and no more.
    ///
    /// # Errors
    /// `InvalidInput` before the keys are there.
    pub fn key_share(&self) -> Result<KeyShare> {
        let keys = self.keys()?;
        let wide = keys.wide.as_ref();
        let copy = |shares: Option<&Secrets<u128>>| shares.map_or_else(Vec::new, |s| s.to_vec());
        KeyShare::from_parts(
            self.set,
            self.access,
            copy(wide.map(|wide| &wide.squashed)),
            copy(wide.map(|wide| &wide.compressed)),
            keys.big.to_vec(),
        )
    }
}
