//! Python face of pseudorandom sharing: keys and sessions, opaque.
#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use super::ring::{seed_of, with_word};
use crate::error::invalid;
use crate::ring::element::elements_to_bytes;
use crate::ring::prss;

/// One party's PRSS keys; opaque, zeroized when dropped.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct PrssKeys {
    /// The pure object, for the other modules of the kernel.
    pub inner: prss::PrssKeys,
}

#[pymethods]
impl PrssKeys {
    /// Deal the keys of all parties from a 32-byte seed.
    #[staticmethod]
    fn deal(py: Python<'_>, parties: usize, threshold: usize, seed: &[u8]) -> PyResult<Vec<Self>> {
        let keys = guarded(py, || {
            prss::PrssKeys::generate_all(parties, threshold, seed_of(seed)?)
        })?;
        Ok(keys.into_iter().map(|inner| Self { inner }).collect())
    }

    /// Keys of the sets that contain the party, in the order of the sets.
    #[staticmethod]
    fn from_keys(
        py: Python<'_>,
        parties: usize,
        threshold: usize,
        party: usize,
        keys: Vec<PyBackedBytes>,
    ) -> PyResult<Self> {
        let inner = guarded(py, || {
            // Reserved in full, so that no reallocation leaves a copy of keys behind.
            let mut array = Vec::with_capacity(keys.len());
            for key in &keys {
                match key[..].try_into() {
                    Ok(key) => array.push(key),
                    Err(_) => return invalid("a PRSS key has 16 bytes"),
                }
            }
            prss::PrssKeys::new(parties, threshold, party, array)
        })?;
        Ok(Self { inner })
    }

    /// Read what `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, b: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || prss::PrssKeys::from_bytes(b))?;
        Ok(Self { inner })
    }

    /// Export the keys for the vault.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || Ok(self.inner.to_bytes()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Number of parties n.
    #[getter]
    fn parties(&self) -> usize {
        self.inner.parties()
    }

    /// Threshold t.
    #[getter]
    fn threshold(&self) -> usize {
        self.inner.threshold()
    }

    /// Number of the party that holds these keys.
    #[getter]
    fn party(&self) -> usize {
        self.inner.party()
    }

    /// Session bound to `info`.
    fn session(&self, py: Python<'_>, info: &[u8]) -> PyResult<PrssSession> {
        let inner = guarded(py, || Ok(self.inner.session(info)))?;
        Ok(PrssSession { inner })
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.inner)
    }
}

/// Pseudorandom sharings of one session.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct PrssSession {
    /// The pure object, for the other modules of the kernel.
    pub inner: prss::PrssSession,
}

#[pymethods]
impl PrssSession {
    /// Shares of uniform ring values.
    fn next<'py>(
        &self,
        py: Python<'py>,
        k: u32,
        start: u64,
        count: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(
            py,
            || with_word!(k, W => Ok(elements_to_bytes(&self.inner.next::<W>(start, count)?))),
        )?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Shares of uniform words.
    fn scalars<'py>(
        &self,
        py: Python<'py>,
        k: u32,
        start: u64,
        count: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(
            py,
            || with_word!(k, W => Ok(elements_to_bytes(&self.inner.scalars::<W>(start, count)?))),
        )?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Shares of degree 2t of zero.
    fn zero<'py>(
        &self,
        py: Python<'py>,
        k: u32,
        start: u64,
        count: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(
            py,
            || with_word!(k, W => Ok(elements_to_bytes(&self.inner.zero::<W>(start, count)?))),
        )?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Shares of noise masks.
    fn mask<'py>(
        &self,
        py: Python<'py>,
        start: u64,
        count: usize,
        log_bound: u32,
        statistical: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || {
            let masks = self.inner.mask(start, count, log_bound, statistical)?;
            Ok(elements_to_bytes(&masks))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.inner)
    }
}

/// Add the classes to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PrssKeys>()?;
    module.add_class::<PrssSession>()
}
