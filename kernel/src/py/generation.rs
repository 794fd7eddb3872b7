//! Python face of key generation: opened values and what to open cross as bytes, secrets do not.

use std::sync::{PoisonError, RwLock};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use super::prss::{PrssKeys, PrssSession};
use super::tfhe::secret::KeyShare;
use crate::error::{KernelError, Result};
use crate::fhe::parameters::ParameterSet;
use crate::generation::party::{self, BatchRecord};
use crate::generation::plan::Plan;
use crate::generation::rows::CHECK_VALUE;
use crate::ring::prss;

/// Session of a batch, its opened words.
type Record<'py> = (PyRef<'py, PrssSession>, PyBackedBytes);

/// Whether a batch holds triples, its word size, its number of values.
type PlannedBatch = (bool, u32, usize);

/// Part, word size, body words, products, first batch of bits, the one behind the last, batch of
/// triples.
type PlannedChunk = (&'static str, u32, usize, usize, usize, usize, Option<usize>);

/// What a parameter set needs: the number of secret batches, all batches, all chunks.
#[pyfunction]
fn generation_plan(
    py: Python<'_>,
    parameters: &str,
) -> PyResult<(usize, Vec<PlannedBatch>, Vec<PlannedChunk>)> {
    let plan = guarded(py, || Plan::new(ParameterSet::from_name(parameters)?))?;
    let batches = plan.batches.iter();
    let chunks = plan.chunks.iter().map(|chunk| {
        (
            chunk.shape.part.name(),
            chunk.shape.bits,
            chunk.words(),
            chunk.products(),
            chunk.batches.start,
            chunk.batches.end,
            chunk.triples.map(|slice| slice.batch),
        )
    });
    Ok((
        plan.dimensions.secret_batches(),
        batches.map(|b| (b.triples, b.bits, b.count)).collect(),
        chunks.collect(),
    ))
}

/// One party's side of a key generation; opaque, zeroized when dropped.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct KeyGeneration {
    inner: RwLock<party::KeyGeneration>,
}

fn poisoned<T>(_: PoisonError<T>) -> KernelError {
    KernelError::Internal("an earlier step of this generation failed".into())
}

impl KeyGeneration {
    fn read<T>(&self, work: impl FnOnce(&party::KeyGeneration) -> Result<T>) -> Result<T> {
        work(&*self.inner.read().map_err(poisoned)?)
    }

    fn write<T>(&self, work: impl FnOnce(&mut party::KeyGeneration) -> Result<T>) -> Result<T> {
        work(&mut *self.inner.write().map_err(poisoned)?)
    }
}

/// Records without their ties to the interpreter.
fn plain<'a>(records: &'a [Record<'_>]) -> Vec<(&'a prss::PrssSession, &'a [u8])> {
    let record = |record: &'a Record<'_>| (&record.0.inner, &*record.1);
    records.iter().map(record).collect()
}

fn records<'a>(plain: &[(&'a prss::PrssSession, &'a [u8])]) -> Vec<BatchRecord<'a>> {
    let record = |&(session, opened)| BatchRecord { session, opened };
    plain.iter().map(record).collect()
}

#[pymethods]
impl KeyGeneration {
    #[new]
    fn new(py: Python<'_>, parameters: &str, keys: &PrssKeys) -> PyResult<Self> {
        let keys = &keys.inner;
        let access = (keys.parties(), keys.threshold(), keys.party());
        let inner = guarded(py, || {
            party::KeyGeneration::new(ParameterSet::from_name(parameters)?, access)
        })?;
        Ok(Self {
            inner: RwLock::new(inner),
        })
    }

    fn set_seed(&self, py: Python<'_>, seed: &[u8]) -> PyResult<()> {
        guarded(py, || self.write(|inner| inner.set_seed(seed)))
    }

    fn set_keys(&self, py: Python<'_>, bits: Vec<Record<'_>>) -> PyResult<()> {
        let bits = plain(&bits);
        guarded(py, || self.write(|inner| inner.set_keys(&records(&bits))))
    }

    fn factors<'py>(
        &self,
        py: Python<'py>,
        chunk: usize,
        triples: &PrssSession,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let triples = &triples.inner;
        let bytes = guarded(py, || self.read(|inner| inner.factors(chunk, triples)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[pyo3(signature = (chunk, bits, triples=None, factors=None))]
    fn bodies<'py>(
        &self,
        py: Python<'py>,
        chunk: usize,
        bits: Vec<Record<'_>>,
        triples: Option<Record<'_>>,
        factors: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (bits, triples) = (plain(&bits), triples.into_iter().collect::<Vec<_>>());
        let triples = plain(&triples);
        let bytes = guarded(py, || {
            let triples = records(&triples);
            let products = triples.first().zip(factors);
            self.read(|inner| inner.bodies(chunk, &records(&bits), products))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn accept(&self, py: Python<'_>, chunk: usize, bodies: &[u8]) -> PyResult<()> {
        guarded(py, || self.write(|inner| inner.accept(chunk, bodies)))
    }

    fn accepted(&self, py: Python<'_>, chunk: usize) -> PyResult<bool> {
        guarded(py, || self.read(|inner| Ok(inner.accepted(chunk))))
    }

    fn compact_public_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.read(party::KeyGeneration::public_key))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn server_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.read(party::KeyGeneration::server_key))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn check_ciphertext<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.read(party::KeyGeneration::check_ciphertext))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn key_share(&self, py: Python<'_>) -> PyResult<KeyShare> {
        let share = guarded(py, || self.read(party::KeyGeneration::key_share))?;
        Ok(KeyShare::new(share))
    }

    fn __repr__(&self) -> String {
        "KeyGeneration()".to_owned()
    }
}

/// Add the class and the function to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("GENERATION_CHECK_VALUE", CHECK_VALUE)?;
    module.add_function(wrap_pyfunction!(generation_plan, module)?)?;
    module.add_class::<KeyGeneration>()
}
