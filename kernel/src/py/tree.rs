//! Python face of the state tree.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use crate::error::{KernelError, Result};
use crate::tree::{self, Record, Source, Update};

type Bytes = Py<PyBytes>;
type Raised = Arc<Mutex<Option<PyErr>>>;
type UpdateTuple = (Bytes, Vec<(Bytes, Bytes)>, Vec<Bytes>);

/// A store whose reads are calls of a Python function.
struct Callable {
    read: Py<PyAny>,
    raised: Raised,
}

impl Callable {
    fn call(&self, record: Record, key: &[u8]) -> PyResult<Option<Vec<u8>>> {
        Python::attach(|py| {
            let answer = self
                .read
                .bind(py)
                .call1((record.number(), PyBytes::new(py, key)))?;
            if answer.is_none() {
                return Ok(None);
            }
            Ok(Some(answer.cast::<PyBytes>()?.as_bytes().to_vec()))
        })
    }
}

impl Source for Callable {
    fn read(&self, record: Record, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.call(record, key).map_err(|error| {
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            raised.get_or_insert(error);
            KernelError::Internal("the read function raised".into())
        })
    }
}

/// Runs tree work without the GIL; an exception of `read` reaches the caller unchanged.
fn with_source<T: Send>(
    py: Python<'_>,
    read: Py<PyAny>,
    work: impl FnOnce(&dyn Source) -> Result<T> + Send,
) -> PyResult<T> {
    let raised = Raised::default();
    let source = Callable {
        read,
        raised: Arc::clone(&raised),
    };
    let outcome = guarded(py, move || work(&source));
    let exception = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
    exception.map_or(outcome, Err)
}

fn bytes(py: Python<'_>, data: &[u8]) -> Bytes {
    PyBytes::new(py, data).unbind()
}

fn update_tuple(py: Python<'_>, update: &Update) -> UpdateTuple {
    let nodes = update
        .nodes
        .iter()
        .map(|(key, node)| (bytes(py, key), bytes(py, node)))
        .collect();
    let stale = update.stale.iter().map(|key| bytes(py, key)).collect();
    (bytes(py, &update.root), nodes, stale)
}

#[pyfunction]
fn tree_update(
    py: Python<'_>,
    read: Py<PyAny>,
    version: u64,
    updates: Vec<(PyBackedBytes, Option<PyBackedBytes>)>,
) -> PyResult<UpdateTuple> {
    let update = with_source(py, read, move |source| {
        let changes: Vec<tree::Change<'_>> = updates
            .iter()
            .map(|(key, value)| (&**key, value.as_deref()))
            .collect();
        tree::update(source, version, &changes)
    })?;
    Ok(update_tuple(py, &update))
}

#[pyfunction]
fn tree_build(
    py: Python<'_>,
    version: u64,
    content: Vec<(PyBackedBytes, PyBackedBytes)>,
) -> PyResult<(Bytes, Vec<(Bytes, Bytes)>)> {
    let update = guarded(py, move || {
        let content: Vec<(&[u8], &[u8])> = content
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        tree::build(version, &content)
    })?;
    let (root, nodes, _) = update_tuple(py, &update);
    Ok((root, nodes))
}

#[pyfunction]
fn tree_root(py: Python<'_>, read: Py<PyAny>, version: u64) -> PyResult<Bytes> {
    let root = with_source(py, read, move |source| tree::root(source, version))?;
    Ok(bytes(py, &root))
}

#[pyfunction]
fn tree_prove(
    py: Python<'_>,
    read: Py<PyAny>,
    version: u64,
    key: PyBackedBytes,
) -> PyResult<Bytes> {
    let proof = with_source(py, read, move |source| tree::prove(source, version, &key))?;
    Ok(bytes(py, &proof))
}

#[pyfunction]
fn verify_membership(
    py: Python<'_>,
    proof: PyBackedBytes,
    root: PyBackedBytes,
    key: PyBackedBytes,
    value: PyBackedBytes,
) -> PyResult<()> {
    guarded(py, move || {
        tree::verify_membership(&proof, &root, &key, &value)
    })
}

#[pyfunction]
fn verify_non_membership(
    py: Python<'_>,
    proof: PyBackedBytes,
    root: PyBackedBytes,
    key: PyBackedBytes,
) -> PyResult<()> {
    guarded(py, move || tree::verify_non_membership(&proof, &root, &key))
}

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("TREE_NODE", Record::Node.number())?;
    module.add("TREE_VALUE", Record::Value.number())?;
    module.add("TREE_PREIMAGE", Record::Preimage.number())?;
    module.add_function(wrap_pyfunction!(tree_update, module)?)?;
    module.add_function(wrap_pyfunction!(tree_build, module)?)?;
    module.add_function(wrap_pyfunction!(tree_root, module)?)?;
    module.add_function(wrap_pyfunction!(tree_prove, module)?)?;
    module.add_function(wrap_pyfunction!(verify_membership, module)?)?;
    module.add_function(wrap_pyfunction!(verify_non_membership, module)?)
}
