//! Python face of verifiable sharing: slices of bivariate polynomials, and extraction.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use super::error::guarded;
use super::ring::{seed_of, with_word};
use crate::error::{invalid, Result};
use crate::ring::bivariate;
use crate::ring::element::{elements_from_bytes, elements_to_bytes, Word};
use crate::ring::masked::Secrets;

type Pair = (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

fn bytes_of<W: Word>(vectors: &[Secrets<W>]) -> Vec<Zeroizing<Vec<u8>>> {
    vectors
        .iter()
        .map(|vector| Zeroizing::new(elements_to_bytes(vector)))
        .collect()
}

fn to_python<'py>(py: Python<'py>, vectors: &[Zeroizing<Vec<u8>>]) -> Vec<Bound<'py, PyBytes>> {
    vectors
        .iter()
        .map(|bytes| PyBytes::new(py, bytes))
        .collect()
}

fn dealt<W: Word>(
    secrets: &[u8],
    parties: usize,
    threshold: usize,
    seed: &[u8],
) -> Result<Vec<Pair>> {
    let secrets = Zeroizing::new(elements_from_bytes::<W>(secrets)?);
    let slices = bivariate::deal(&secrets, parties, threshold, seed_of(seed)?)?;
    Ok(slices
        .iter()
        .map(|slice| {
            (
                Zeroizing::new(elements_to_bytes(&slice.rows)),
                Zeroizing::new(elements_to_bytes(&slice.columns)),
            )
        })
        .collect())
}

/// Share elements by bivariate polynomials; rows and columns of each party.
#[pyfunction]
fn bivariate_deal<'py>(
    py: Python<'py>,
    k: u32,
    secrets: &[u8],
    parties: usize,
    threshold: usize,
    seed: &[u8],
) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
    let pairs = guarded(
        py,
        || with_word!(k, W => dealt::<W>(secrets, parties, threshold, seed)),
    )?;
    Ok(pairs
        .iter()
        .map(|(rows, columns)| (PyBytes::new(py, rows), PyBytes::new(py, columns)))
        .collect())
}

/// Values of a batch of polynomials at the parties' points.
#[pyfunction]
#[allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]
fn polynomials_at<'py>(
    py: Python<'py>,
    k: u32,
    coefficients: &[u8],
    length: usize,
    parties: Vec<usize>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let values = guarded(py, || {
        with_word!(k, W => {
            let coefficients = Zeroizing::new(elements_from_bytes::<W>(coefficients)?);
            Ok(bytes_of(&bivariate::evaluate(&coefficients, length, &parties)?))
        })
    })?;
    Ok(to_python(py, &values))
}

fn extracted<W: Word>(
    vectors: &[(usize, PyBackedBytes)],
    outputs: usize,
) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    let mut dealt = Zeroizing::new(Vec::with_capacity(vectors.len()));
    for (dealer, bytes) in vectors {
        dealt.push((*dealer, elements_from_bytes::<W>(bytes)?));
    }
    Ok(bytes_of(&bivariate::extract(&dealt, outputs)?))
}

/// Combinations of the dealers' vectors that no minority of them knows.
#[pyfunction]
#[allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]
fn extract_random(
    py: Python<'_>,
    k: u32,
    vectors: Vec<(usize, PyBackedBytes)>,
    outputs: usize,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let values = guarded(py, || match k {
        64 => extracted::<u64>(&vectors, outputs),
        128 => extracted::<u128>(&vectors, outputs),
        _ => invalid("k must be 64 or 128"),
    })?;
    Ok(to_python(py, &values))
}

/// Add functions to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bivariate_deal, module)?)?;
    module.add_function(wrap_pyfunction!(polynomials_at, module)?)?;
    module.add_function(wrap_pyfunction!(extract_random, module)?)
}
