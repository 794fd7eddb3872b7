//! Python face of the rounding of ordinary ciphertexts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use super::secret::KeyShare;
use super::to_int;
use crate::error::Result;
use crate::fhe::ordinary;
use crate::fhe::value::FheType;
use crate::py::error::guarded;
use crate::py::preprocessing::{Held, Shares};
use crate::ring::element::{elements_from_bytes, elements_to_bytes};
use crate::ring::rounding;
use crate::ring::triples::Triples;

/// One party's side of the rounding of the ciphertexts of one request.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct Rounding {
    inner: Mutex<rounding::Rounding>,
    /// Blocks of each ciphertext.
    counts: Vec<usize>,
}

impl Rounding {
    fn locked(&self) -> MutexGuard<'_, rounding::Rounding> {
        // A panic within leaves the stage broken, and a broken stage refuses.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copied(shares: &Shares) -> Result<Zeroizing<Vec<crate::ring::element::Element<u64>>>> {
    Ok(Zeroizing::new(u64::of(&shares.inner)?.to_vec()))
}

#[pymethods]
impl Rounding {
    #[new]
    fn new(
        py: Python<'_>,
        key: &KeyShare,
        ciphertexts: Vec<(PyBackedBytes, i64)>,
        bits: &Shares,
        pairs: &Shares,
        triples: (PyRef<'_, Shares>, PyRef<'_, Shares>, PyRef<'_, Shares>),
    ) -> PyResult<Self> {
        let (left, right, product) = (&*triples.0, &*triples.1, &*triples.2);
        guarded(py, || {
            let typed = ciphertexts
                .iter()
                .map(|(bytes, number)| Ok((&**bytes, FheType::from_number(*number)?)))
                .collect::<Result<Vec<_>>>()?;
            let material = rounding::Material {
                bits: copied(bits)?,
                pairs: copied(pairs)?,
                triples: Triples {
                    left: copied(left)?,
                    right: copied(right)?,
                    product: copied(product)?,
                },
            };
            Ok(Self {
                inner: Mutex::new(key.inner.rounding(&typed, material)?),
                counts: typed.iter().map(|(_, kind)| kind.blocks()).collect(),
            })
        })
    }

    #[getter]
    fn last(&self) -> bool {
        self.locked().last()
    }

    #[getter]
    fn message_bytes(&self) -> usize {
        self.locked().packed_width() * 32
    }

    fn message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || Ok(elements_to_bytes(&self.locked().message())))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn advance(&self, py: Python<'_>, opened: &[u8]) -> PyResult<()> {
        guarded(py, || self.locked().advance(&elements_from_bytes(opened)?))
    }

    fn blocks<'py>(&self, py: Python<'py>, opened: &[u8]) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let parts = guarded(py, || {
            let blocks = self.locked().result(&elements_from_bytes(opened)?)?;
            let mut rest = blocks.as_slice();
            let parts = self.counts.iter().map(|&count| {
                let (part, behind) = rest.split_at(count);
                rest = behind;
                part.to_vec()
            });
            Ok(parts.collect::<Vec<_>>())
        })?;
        Ok(parts.iter().map(|part| PyBytes::new(py, part)).collect())
    }

    fn lifted<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let parts = guarded(py, || {
            let locked = self.locked();
            let mut rest = locked.scaled()?;
            let parts = self.counts.iter().map(|&count| {
                let (part, behind) = rest.split_at(count);
                rest = behind;
                elements_to_bytes(&rounding::lifted(part))
            });
            Ok(parts.collect::<Vec<_>>())
        })?;
        Ok(parts.iter().map(|part| PyBytes::new(py, part)).collect())
    }

    fn __repr__(&self) -> String {
        format!("Rounding({} ciphertexts)", self.counts.len())
    }
}

/// Number of blocks and digest of an ordinary ciphertext, fully validated.
#[pyfunction]
fn ordinary_info<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    fhe_type: i64,
) -> PyResult<(usize, Bound<'py, PyBytes>)> {
    let (blocks, digest) = guarded(py, || {
        let read = ordinary::read_any(ciphertext, FheType::from_number(fhe_type)?)?;
        Ok((read.blocks(), read.digest()))
    })?;
    Ok((blocks, PyBytes::new(py, &digest)))
}

/// Ordinary blocks of a type.
#[pyfunction]
fn ordinary_blocks(py: Python<'_>, fhe_type: i64) -> PyResult<usize> {
    guarded(py, || Ok(FheType::from_number(fhe_type)?.blocks()))
}

/// Value of rounded ordinary blocks.
#[pyfunction]
fn plaintext_from_ordinary_blocks<'py>(
    py: Python<'py>,
    blocks: &[u8],
    fhe_type: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let value = guarded(py, || {
        ordinary::plaintext(blocks, FheType::from_number(fhe_type)?)
    })?;
    to_int(py, &value)
}

/// Add the functions and classes of this file to the module.
///
/// # Errors
/// Only if the interpreter cannot create them.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Rounding>()?;
    module.add_function(wrap_pyfunction!(ordinary_info, module)?)?;
    module.add_function(wrap_pyfunction!(ordinary_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(plaintext_from_ordinary_blocks, module)?)?;
    module.add("ROUNDING_BITS", rounding::BITS)?;
    module.add("ROUNDING_PAIRS", rounding::PAIRS)?;
    module.add("ROUNDING_TRIPLES", rounding::TRIPLES)?;
    module.add("ROUNDING_OPENINGS", rounding::OPENINGS)?;
    module.add("ORDINARY_PACKING_FACTOR", ordinary::MESSAGE_BLOCKS)
}
