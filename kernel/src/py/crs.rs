//! Python face of the ceremony for the reference string: contributions cross as bytes.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error::guarded;
use super::tfhe::Crs;
use crate::crs::contribute::contribute;
use crate::crs::shape::Shape;
use crate::crs::state::State;
use crate::error::invalid;
use crate::fhe::parameters::ParameterSet;

/// A ceremony after some rounds; public.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct CrsCeremony {
    inner: State,
}

#[pymethods]
impl CrsCeremony {
    #[staticmethod]
    fn begin(py: Python<'_>, parameters: &str, max_bits: usize, name: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || {
            let shape = Shape::new(ParameterSet::from_name(parameters)?, max_bits)?;
            Ok(State::new(shape, name))
        })?;
        Ok(Self { inner })
    }

    #[staticmethod]
    fn begin_toy(py: Python<'_>, dimension: usize, name: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || Ok(State::new(Shape::toy(dimension)?, name)))?;
        Ok(Self { inner })
    }

    #[getter]
    fn dimension(&self) -> usize {
        self.inner.shape.dimension()
    }

    #[getter]
    fn contribution_bytes(&self) -> usize {
        self.inner.contribution_bytes()
    }

    #[getter]
    fn accepted(&self) -> Vec<u16> {
        self.inner.accepted.clone()
    }

    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let digest = guarded(py, || Ok(self.inner.digest()))?;
        Ok(PyBytes::new(py, &digest))
    }

    fn contribute<'py>(
        &self,
        py: Python<'py>,
        round: u16,
        seed: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || match seed.try_into() {
            Ok(seed) => Ok(self.inner.write(&contribute(&self.inner, round, seed))),
            Err(_) => invalid("the seed must have 32 bytes"),
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn accept(&self, py: Python<'_>, round: u16, contribution: &[u8]) -> PyResult<Self> {
        let inner = guarded(py, || self.inner.accept(round, contribution))?;
        Ok(Self { inner })
    }

    fn finish(&self, py: Python<'_>) -> PyResult<Crs> {
        let inner = guarded(py, || self.inner.finish())?;
        Ok(Crs { inner })
    }

    fn __repr__(&self) -> String {
        format!("CrsCeremony(accepted={:?})", self.inner.accepted)
    }
}

/// Add the class to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CrsCeremony>()
}
