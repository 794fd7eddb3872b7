//! Python face of resharing: key shares stay opaque, masked and opened vectors cross as bytes.
#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use super::prss::PrssKeys;
use super::tfhe::secret::KeyShare;
use crate::error::Result;
use crate::fhe::parameters::ParameterSet;
use crate::fhe::resharing::{self, Parties};

type Vectors<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

fn slices(shares: &[(usize, PyBackedBytes)]) -> Vec<(usize, &[u8])> {
    let pairs = shares.iter();
    pairs.map(|(party, bytes)| (*party, &**bytes)).collect()
}

/// Bytes of a mask share or a masked share.
#[pyfunction]
fn resharing_length(py: Python<'_>, parameters: &str) -> PyResult<usize> {
    guarded(py, || {
        Ok(resharing::encoded_length(ParameterSet::from_name(
            parameters,
        )?))
    })
}

/// Our share of the mask of an old party.
#[pyfunction]
fn resharing_mask_share<'py>(
    py: Python<'py>,
    prss: &PrssKeys,
    info: &[u8],
    parameters: &str,
    receiver: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        let parameters = ParameterSet::from_name(parameters)?;
        resharing::mask_share(&prss.inner, info, parameters, receiver)
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// Our key share plus our mask.
#[pyfunction]
fn resharing_masked<'py>(
    py: Python<'py>,
    share: &KeyShare,
    parties: usize,
    threshold: usize,
    masks: Vec<(usize, PyBackedBytes)>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<usize>)> {
    let (bytes, bad) = guarded(py, || {
        let new = Parties {
            count: parties,
            threshold,
        };
        share.inner.masked(new, &slices(&masks))
    })?;
    Ok((PyBytes::new(py, &bytes), bad))
}

/// A new party's view of one resharing; opaque, zeroized when dropped.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct Resharing {
    inner: resharing::Resharing,
}

#[pymethods]
impl Resharing {
    #[new]
    fn new(
        py: Python<'_>,
        prss: &PrssKeys,
        info: &[u8],
        parameters: &str,
        parties: usize,
        threshold: usize,
        masked: Vec<(usize, PyBackedBytes)>,
    ) -> PyResult<Self> {
        let build = || -> Result<_> {
            let old = Parties {
                count: parties,
                threshold,
            };
            let parameters = ParameterSet::from_name(parameters)?;
            resharing::Resharing::new(&prss.inner, info, parameters, old, &slices(&masked))
        };
        Ok(Self {
            inner: guarded(py, build)?,
        })
    }

    fn syndromes<'py>(&self, py: Python<'py>, coin: &[u8]) -> PyResult<Vectors<'py>> {
        let (wide, narrow) = guarded(py, || self.inner.syndromes(coin))?;
        Ok((PyBytes::new(py, &wide), PyBytes::new(py, &narrow)))
    }

    fn finish(
        &self,
        py: Python<'_>,
        wide: &[u8],
        narrow: &[u8],
    ) -> PyResult<(KeyShare, Vec<usize>)> {
        let (inner, bad) = guarded(py, || self.inner.finish(wide, narrow))?;
        Ok((KeyShare { inner }, bad))
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an object")]
    fn __repr__(&self) -> &'static str {
        "Resharing()"
    }
}

/// Add functions and classes to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Resharing>()?;
    module.add_function(wrap_pyfunction!(resharing_length, module)?)?;
    module.add_function(wrap_pyfunction!(resharing_mask_share, module)?)?;
    module.add_function(wrap_pyfunction!(resharing_masked, module)?)
}
