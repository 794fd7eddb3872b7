//! Python face of batched signature recovery.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use crate::recover;

#[pyfunction]
fn recover_addresses(
    py: Python<'_>,
    items: Vec<(PyBackedBytes, PyBackedBytes)>,
) -> PyResult<Vec<Option<Py<PyBytes>>>> {
    let found = guarded(py, move || {
        let items: Vec<(&[u8], &[u8])> = items
            .iter()
            .map(|(digest, signature)| (&**digest, &**signature))
            .collect();
        Ok(recover::recover_addresses(&items))
    })?;
    Ok(found
        .into_iter()
        .map(|address| address.map(|bytes| PyBytes::new(py, &bytes).unbind()))
        .collect())
}

/// Adds the function of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(recover_addresses, module)?)
}
