//! Python face of the objects that hold secrets. They are opaque; only `KeyShare.to_bytes` exports.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use super::{from_int, to_int};
use crate::fhe::parameters::ParameterSet;
use crate::fhe::value::{FheType, Format};
use crate::fhe::{key_share, keys};
use crate::py::error::guarded;
use crate::py::prss::PrssKeys;

/// All secret keys of one key set; the repr shows the parameter set only.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct ClientKey {
    inner: keys::ClientKey,
}

#[pymethods]
impl ClientKey {
    #[staticmethod]
    #[pyo3(signature = (parameters, seed=None))]
    fn generate(py: Python<'_>, parameters: &str, seed: Option<&[u8]>) -> PyResult<Self> {
        let inner = guarded(py, || {
            keys::ClientKey::generate(ParameterSet::from_name(parameters)?, seed)
        })?;
        Ok(Self { inner })
    }

    #[getter]
    fn parameters(&self) -> &'static str {
        self.inner.parameters().name()
    }

    fn compact_public_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.inner.compact_public_key())?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn server_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.inner.server_key())?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        fhe_type: i64,
        value: &Bound<'py, PyInt>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let value = from_int(value)?;
        let bytes = guarded(py, || {
            self.inner.encrypt(FheType::from_number(fhe_type)?, &value)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        fhe_type: i64,
        format: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = guarded(py, || {
            let (fhe_type, format) = (
                FheType::from_number(fhe_type)?,
                Format::from_number(format)?,
            );
            self.inner.decrypt(ciphertext, fhe_type, format)
        })?;
        to_int(py, &value)
    }

    fn deal(&self, py: Python<'_>, parties: usize, threshold: usize) -> PyResult<Vec<KeyShare>> {
        let shares = guarded(py, || key_share::deal(&self.inner, parties, threshold))?;
        Ok(shares.into_iter().map(|inner| KeyShare { inner }).collect())
    }

    fn __repr__(&self) -> String {
        format!("ClientKey(parameters={:?})", self.inner.parameters().name())
    }
}

/// One party's shares of the secret keys; the repr shows public numbers only.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct KeyShare {
    /// The pure object, for the other modules of the kernel.
    pub inner: key_share::KeyShare,
}

impl KeyShare {
    /// The object of a share made in another module.
    pub fn new(inner: key_share::KeyShare) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl KeyShare {
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || key_share::KeyShare::from_bytes(data))?;
        Ok(Self { inner })
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.inner.to_bytes())?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn parameters(&self) -> &'static str {
        self.inner.parameters().name()
    }

    #[getter]
    fn parties(&self) -> usize {
        self.inner.parties()
    }

    #[getter]
    fn threshold(&self) -> usize {
        self.inner.threshold()
    }

    #[getter]
    fn party(&self) -> usize {
        self.inner.party()
    }

    fn partial_decrypt<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        fhe_type: i64,
        format: i64,
        prss: &PrssKeys,
        info: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || {
            let (fhe_type, format) = (
                FheType::from_number(fhe_type)?,
                Format::from_number(format)?,
            );
            self.inner
                .partial_decrypt(ciphertext, fhe_type, format, &prss.inner, info)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        format!(
            "KeyShare(parameters={:?}, parties={}, threshold={}, party={})",
            self.inner.parameters().name(),
            self.inner.parties(),
            self.inner.threshold(),
            self.inner.party()
        )
    }
}
