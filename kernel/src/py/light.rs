//! Python face of the light client.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use super::error::guarded;
use crate::light::{self, Block, Clock, Summary};

fn summary_dict(py: Python<'_>, summary: &Summary) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("height", summary.height)?;
    dict.set_item("time_ns", summary.time_ns)?;
    for (name, bytes) in [
        ("hash", &summary.hash),
        ("app_hash", &summary.app_hash),
        ("validators_hash", &summary.validators_hash),
        ("next_validators_hash", &summary.next_validators_hash),
        ("last_results_hash", &summary.last_results_hash),
        ("data_hash", &summary.data_hash),
    ] {
        dict.set_item(name, PyBytes::new(py, bytes))?;
    }
    Ok(dict.unbind())
}

#[pyfunction]
fn light_genesis(
    py: Python<'_>,
    chain_id: String,
    validators_hash: PyBackedBytes,
    signed_header: PyBackedBytes,
    validators: PyBackedBytes,
    now_ns: i64,
    drift_s: u64,
) -> PyResult<Py<PyDict>> {
    let summary = guarded(py, move || {
        let block = Block {
            signed_header: &signed_header,
            validators: &validators,
        };
        light::genesis(
            &chain_id,
            &validators_hash,
            block,
            Clock { now_ns, drift_s },
        )
    })?;
    summary_dict(py, &summary)
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the signature that Python sees; values are grouped below
fn light_verify(
    py: Python<'_>,
    chain_id: String,
    trusted_signed_header: PyBackedBytes,
    trusted_next_validators: PyBackedBytes,
    signed_header: PyBackedBytes,
    validators: PyBackedBytes,
    trusting_period_s: u64,
    drift_s: u64,
    now_ns: i64,
) -> PyResult<Py<PyDict>> {
    let summary = guarded(py, move || {
        let trusted = Block {
            signed_header: &trusted_signed_header,
            validators: &trusted_next_validators,
        };
        let block = Block {
            signed_header: &signed_header,
            validators: &validators,
        };
        let clock = Clock { now_ns, drift_s };
        light::verify(&chain_id, trusted, block, trusting_period_s, clock)
    })?;
    summary_dict(py, &summary)
}

#[pyfunction]
fn validators_hash(py: Python<'_>, validators: PyBackedBytes) -> PyResult<Py<PyBytes>> {
    let hash = guarded(py, move || light::validators_hash(&validators))?;
    Ok(PyBytes::new(py, &hash).unbind())
}

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("NOT_ENOUGH_TRUST", light::NOT_ENOUGH_TRUST)?;
    module.add_function(wrap_pyfunction!(light_genesis, module)?)?;
    module.add_function(wrap_pyfunction!(light_verify, module)?)?;
    module.add_function(wrap_pyfunction!(validators_hash, module)?)
}
