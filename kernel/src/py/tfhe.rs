//! Python face of `crate::fhe`: functions and public objects; the secret ones are in `tfhe::secret`.

mod rounding;
pub mod secret;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt};

use super::error::guarded;
use crate::error::invalid;
use crate::fhe::parameters::ParameterSet;
use crate::fhe::value::{Clear, FheType, Format};
use crate::fhe::{compact, evaluate, partial, squashed};
use secret::{ClientKey, KeyShare};

/// Names of the parameter sets.
#[pyfunction]
fn parameter_sets() -> Vec<&'static str> {
    ParameterSet::ALL.iter().map(|set| set.name()).collect()
}

/// The numbers of a parameter set.
#[pyfunction]
fn parameter_info<'py>(py: Python<'py>, parameters: &str) -> PyResult<Bound<'py, PyDict>> {
    let info = guarded(py, || Ok(ParameterSet::from_name(parameters)?.info()))?;
    let numbers = PyDict::new(py);
    for (name, number) in info {
        numbers.set_item(name, number)?;
    }
    Ok(numbers)
}

/// Number of squashed blocks and LWE dimension of a squashed ciphertext, fully validated.
#[pyfunction]
fn squashed_info(
    py: Python<'_>,
    ciphertext: &[u8],
    fhe_type: i64,
    format: i64,
) -> PyResult<(usize, usize)> {
    guarded(py, || {
        let (fhe_type, format) = (
            FheType::from_number(fhe_type)?,
            Format::from_number(format)?,
        );
        let squashed = squashed::read_any(ciphertext, fhe_type, format)?;
        Ok((squashed.blocks(), squashed.dimension()))
    })
}

/// SHA-256 over the words of a squashed ciphertext: what the mask of its shares is bound to.
#[pyfunction]
fn squashed_digest<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    fhe_type: i64,
    format: i64,
) -> PyResult<Bound<'py, PyBytes>> {
    let digest = guarded(py, || {
        let (fhe_type, format) = (
            FheType::from_number(fhe_type)?,
            Format::from_number(format)?,
        );
        Ok(squashed::read_any(ciphertext, fhe_type, format)?.digest())
    })?;
    Ok(PyBytes::new(py, &digest))
}

/// Plaintext of rounded blocks, one byte 0..15 a block.
#[pyfunction]
fn plaintext_from_blocks<'py>(
    py: Python<'py>,
    blocks: &[u8],
    fhe_type: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let value = guarded(py, || {
        partial::plaintext_from_blocks(blocks, FheType::from_number(fhe_type)?)
    })?;
    to_int(py, &value)
}

/// Check a proven list; the types of its values.
#[pyfunction]
fn verify_list(
    py: Python<'_>,
    proven_list: &[u8],
    public_key: &CompactPublicKey,
    crs: &Crs,
    metadata: &[u8],
) -> PyResult<Vec<i64>> {
    guarded(py, || {
        let verified = public_key.inner.verify(proven_list, &crs.inner, metadata)?;
        Ok(verified.kinds().iter().map(|kind| kind.number()).collect())
    })
}

/// Public key for compact lists.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct CompactPublicKey {
    inner: compact::CompactPublicKey,
}

#[pymethods]
impl CompactPublicKey {
    #[staticmethod]
    fn load(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || compact::CompactPublicKey::load(data))?;
        Ok(Self { inner })
    }

    #[getter]
    fn parameters(&self) -> &'static str {
        self.inner.parameters().name()
    }

    fn encrypt_list<'py>(
        &self,
        py: Python<'py>,
        values: Vec<(i64, Bound<'py, PyInt>)>,
        crs: &Crs,
        metadata: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let values = values
            .iter()
            .map(|(number, value)| Ok((FheType::from_number(*number)?, from_int(value)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let bytes = guarded(py, || {
            self.inner.encrypt_list(&values, &crs.inner, metadata)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        format!(
            "CompactPublicKey(parameters={:?})",
            self.inner.parameters().name()
        )
    }
}

/// Common reference string of the proofs.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct Crs {
    /// The pure object, for the other modules of the kernel.
    pub inner: compact::Crs,
}

#[pymethods]
impl Crs {
    #[staticmethod]
    fn generate(py: Python<'_>, parameters: &str, max_bits: usize) -> PyResult<Self> {
        let inner = guarded(py, || {
            compact::Crs::generate(ParameterSet::from_name(parameters)?, max_bits)
        })?;
        Ok(Self { inner })
    }

    #[staticmethod]
    #[pyo3(signature = (data, *, checked=false))]
    fn load(py: Python<'_>, data: &[u8], checked: bool) -> PyResult<Self> {
        let inner = guarded(py, || compact::Crs::load(data, checked))?;
        Ok(Self { inner })
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || self.inner.to_bytes())?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn max_bits(&self) -> usize {
        self.inner.max_bits()
    }

    fn __repr__(&self) -> String {
        format!("Crs(max_bits={})", self.inner.max_bits())
    }
}

/// Public key material for computing on ciphertexts.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct ServerKey {
    inner: evaluate::ServerKey,
}

#[pymethods]
impl ServerKey {
    #[staticmethod]
    fn load(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || evaluate::ServerKey::load(data))?;
        Ok(Self { inner })
    }

    #[getter]
    fn parameters(&self) -> &'static str {
        self.inner.parameters().name()
    }

    fn expand<'py>(
        &self,
        py: Python<'py>,
        proven_list: &[u8],
        public_key: &CompactPublicKey,
        crs: &Crs,
        metadata: &[u8],
    ) -> PyResult<Vec<(i64, Bound<'py, PyBytes>)>> {
        let items = guarded(py, || {
            self.inner
                .expand(proven_list, &public_key.inner, &crs.inner, metadata)
        })?;
        Ok(items
            .iter()
            .map(|(kind, bytes)| (kind.number(), PyBytes::new(py, bytes)))
            .collect())
    }

    fn binary<'py>(
        &self,
        py: Python<'py>,
        operation: &str,
        fhe_type: i64,
        left: &[u8],
        right: &[u8],
    ) -> PyResult<(i64, Bound<'py, PyBytes>)> {
        let (kind, bytes) = guarded(py, || {
            let operation = evaluate::Operation::from_name(operation)?;
            let fhe_type = FheType::from_number(fhe_type)?;
            self.inner.binary(operation, fhe_type, left, right)
        })?;
        Ok((kind.number(), PyBytes::new(py, &bytes)))
    }

    fn select<'py>(
        &self,
        py: Python<'py>,
        condition: &[u8],
        fhe_type: i64,
        left: &[u8],
        right: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || {
            let fhe_type = FheType::from_number(fhe_type)?;
            self.inner.select(condition, fhe_type, left, right)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn squash<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        fhe_type: i64,
        compressed: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || {
            let fhe_type = FheType::from_number(fhe_type)?;
            self.inner.squash(ciphertext, fhe_type, compressed)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        format!("ServerKey(parameters={:?})", self.inner.parameters().name())
    }
}

/// Little-endian value of a Python integer of 0..2^256.
fn from_int(value: &Bound<'_, PyInt>) -> PyResult<Clear> {
    let bytes = value.call_method1("to_bytes", (32, "little"));
    let Ok(bytes) = bytes else {
        return Ok(invalid("the value is negative or above 256 bits")?);
    };
    let mut clear = [0; 32];
    clear.copy_from_slice(bytes.cast::<PyBytes>()?.as_bytes());
    Ok(clear)
}

/// Python integer of a little-endian value.
fn to_int<'py>(py: Python<'py>, value: &Clear) -> PyResult<Bound<'py, PyAny>> {
    py.get_type::<PyInt>()
        .call_method1("from_bytes", (PyBytes::new(py, value), "little"))
}

/// Add the functions and classes of this file to the module.
///
/// # Errors
/// Only if the interpreter cannot create them.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parameter_sets, module)?)?;
    module.add_function(wrap_pyfunction!(parameter_info, module)?)?;
    module.add_function(wrap_pyfunction!(squashed_info, module)?)?;
    module.add_function(wrap_pyfunction!(squashed_digest, module)?)?;
    module.add_function(wrap_pyfunction!(plaintext_from_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(verify_list, module)?)?;
    module.add("USER_SHARE_PACKING_FACTOR", squashed::MESSAGE_BLOCKS)?;
    module.add("MAX_LIST_BITS", compact::MAX_LIST_BITS)?;
    module.add("MAX_LIST_VALUES", compact::MAX_LIST_VALUES)?;
    module.add("MAX_METADATA", compact::MAX_METADATA)?;
    module.add_class::<ClientKey>()?;
    module.add_class::<KeyShare>()?;
    module.add_class::<CompactPublicKey>()?;
    module.add_class::<Crs>()?;
    module.add_class::<ServerKey>()?;
    rounding::register(module)
}
