//! Python face of the Galois ring: vectors cross as bytes, little-endian words.
#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use crate::error::{invalid, Result};
use crate::ring::decode::{self, Decoded, Shares};
use crate::ring::element::{
    elements_from_bytes, elements_to_bytes, words_from_bytes, words_to_bytes, Element, Word,
};
use crate::ring::{pack, round, shamir};

/// Evaluate an expression with `$word` bound to the word type of k.
macro_rules! with_word {
    ($k:expr, $word:ident => $body:expr) => {
        match $k {
            64 => {
                type $word = u64;
                $body
            }
            128 => {
                type $word = u128;
                $body
            }
            _ => invalid("k must be 64 or 128"),
        }
    };
}

pub(crate) use with_word;

type Opened<'py> = (Bound<'py, PyBytes>, Vec<usize>);

pub(crate) fn seed_of(seed: &[u8]) -> Result<&[u8; 32]> {
    seed.try_into()
        .or_else(|_| invalid("the seed must have 32 bytes"))
}

fn zip_elements<W: Word>(
    left: &[u8],
    right: &[u8],
    combine: impl Fn(Element<W>, Element<W>) -> Element<W>,
) -> Result<Vec<u8>> {
    let (left, right) = (
        elements_from_bytes::<W>(left)?,
        elements_from_bytes::<W>(right)?,
    );
    if left.len() != right.len() {
        return invalid("the vectors differ in length");
    }
    let combined: Vec<_> = left
        .iter()
        .zip(&right)
        .map(|(a, b)| combine(*a, *b))
        .collect();
    Ok(elements_to_bytes(&combined))
}

/// Element-wise sum of two vectors.
#[pyfunction]
fn ring_add<'py>(py: Python<'py>, k: u32, a: &[u8], b: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => zip_elements::<W>(a, b, |x, y| x + y)),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

/// Element-wise difference of two vectors.
#[pyfunction]
fn ring_sub<'py>(py: Python<'py>, k: u32, a: &[u8], b: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => zip_elements::<W>(a, b, |x, y| x - y)),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

/// Element-wise product of two vectors.
#[pyfunction]
fn ring_mul<'py>(py: Python<'py>, k: u32, a: &[u8], b: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => zip_elements::<W>(a, b, |x, y| x * y)),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

fn scale_elements<W: Word>(scalars: &[u8], elements: &[u8]) -> Result<Vec<u8>> {
    let scalars = words_from_bytes::<W>(scalars)?;
    let elements = elements_from_bytes::<W>(elements)?;
    if scalars.len() != elements.len() {
        return invalid("the vectors differ in length");
    }
    let scaled: Vec<_> = elements
        .iter()
        .zip(&scalars)
        .map(|(element, scalar)| element.scale(*scalar))
        .collect();
    Ok(elements_to_bytes(&scaled))
}

/// Element-wise product of a vector of words with a vector of elements.
#[pyfunction]
fn ring_scale<'py>(
    py: Python<'py>,
    k: u32,
    scalars: &[u8],
    a: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || with_word!(k, W => scale_elements::<W>(scalars, a)))?;
    Ok(PyBytes::new(py, &bytes))
}

fn invert_elements<W: Word>(elements: &[u8]) -> Result<Vec<u8>> {
    let inverses: Vec<_> = elements_from_bytes::<W>(elements)?
        .into_iter()
        .map(Element::inverse)
        .collect::<Result<_>>()?;
    Ok(elements_to_bytes(&inverses))
}

/// Inverse of each element.
#[pyfunction]
fn ring_inverse<'py>(py: Python<'py>, k: u32, a: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || with_word!(k, W => invert_elements::<W>(a)))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Pack four scalar sharings into one.
#[pyfunction]
fn ring_pack4<'py>(py: Python<'py>, k: u32, a: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => Ok(elements_to_bytes(&pack::pack4(&elements_from_bytes::<W>(a)?)))),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

/// Scalars of opened packed elements.
#[pyfunction]
fn ring_unpack4<'py>(
    py: Python<'py>,
    k: u32,
    a: &[u8],
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        with_word!(k, W => {
            Ok(words_to_bytes(&pack::unpack4(&elements_from_bytes::<W>(a)?, count)?))
        })
    })?;
    Ok(PyBytes::new(py, &bytes))
}

fn share_bytes<W: Word>(
    secrets: &[u8],
    parties: usize,
    degree: usize,
    seed: &[u8],
) -> Result<Vec<Vec<u8>>> {
    let secrets = zeroize::Zeroizing::new(words_from_bytes::<W>(secrets)?);
    let columns = shamir::share(&secrets, parties, degree, seed_of(seed)?)?;
    Ok(columns
        .iter()
        .map(|column| elements_to_bytes(column))
        .collect())
}

/// Share scalars as a dealer; one vector a party.
#[pyfunction]
fn shamir_share<'py>(
    py: Python<'py>,
    k: u32,
    secrets: &[u8],
    parties: usize,
    degree: usize,
    seed: &[u8],
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let columns = guarded(
        py,
        || with_word!(k, W => share_bytes::<W>(secrets, parties, degree, seed)),
    )?;
    Ok(columns
        .iter()
        .map(|column| PyBytes::new(py, column))
        .collect())
}

/// Lagrange coefficients for the secret.
#[pyfunction]
fn lagrange_at_zero(py: Python<'_>, k: u32, parties: Vec<usize>) -> PyResult<Bound<'_, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => Ok(elements_to_bytes(&shamir::lagrange_at_zero::<W>(&parties)?))),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

fn columns_of<W: Word>(shares: &[(usize, PyBackedBytes)]) -> Result<Vec<(usize, Vec<Element<W>>)>> {
    shares
        .iter()
        .map(|(party, bytes)| Ok((*party, elements_from_bytes(bytes)?)))
        .collect()
}

fn opened_bytes<W: Word>(decoded: &Decoded<W>) -> (Vec<u8>, Vec<usize>) {
    (elements_to_bytes(&decoded.values), decoded.bad.clone())
}

/// Open a batch, correcting up to `max_errors` wrong parties.
#[pyfunction]
fn decode_shares(
    py: Python<'_>,
    k: u32,
    parties: usize,
    degree: usize,
    shares: Vec<(usize, PyBackedBytes)>,
    max_errors: usize,
) -> PyResult<Opened<'_>> {
    let (bytes, bad) = guarded(py, || {
        with_word!(k, W => {
            let columns = columns_of::<W>(&shares)?;
            Ok(opened_bytes(&decode::decode(parties, degree, &columns, max_errors)?))
        })
    })?;
    Ok((PyBytes::new(py, &bytes), bad))
}

fn open_online<W: Word>(
    (parties, threshold, degree): (usize, usize, usize),
    shares: &Shares<W>,
    known_bad: &[usize],
) -> Result<Option<(Vec<u8>, Vec<usize>)>> {
    let decoded = decode::online_open(parties, threshold, degree, shares, known_bad)?;
    Ok(decoded.as_ref().map(opened_bytes))
}

/// Open a batch as soon as enough shares agree; `None` asks to wait for more.
#[pyfunction]
fn online_open(
    py: Python<'_>,
    k: u32,
    parties: usize,
    threshold: usize,
    degree: usize,
    shares: Vec<(usize, PyBackedBytes)>,
    known_bad: Vec<usize>,
) -> PyResult<Option<Opened<'_>>> {
    let opened = guarded(py, || {
        let shape = (parties, threshold, degree);
        with_word!(k, W => open_online::<W>(shape, &columns_of(&shares)?, &known_bad))
    })?;
    Ok(opened.map(|(bytes, bad)| (PyBytes::new(py, &bytes), bad)))
}

/// Nibble of each block from opened packed phases.
#[pyfunction]
fn round_squashed<'py>(
    py: Python<'py>,
    opened: &[u8],
    blocks: usize,
    parties: usize,
    threshold: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        let (bound, statistical) = (round::LOG_BOUND, round::STATISTICAL);
        let opened = elements_from_bytes(opened)?;
        round::round_squashed(&opened, blocks, parties, threshold, bound, statistical)
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// Whether the noise mask of (n, t) stays below the message.
#[pyfunction]
fn mask_capacity_ok(py: Python<'_>, parties: usize, threshold: usize) -> PyResult<bool> {
    guarded(py, || {
        let (bound, statistical) = (round::LOG_BOUND, round::STATISTICAL);
        Ok(round::mask_capacity_ok(
            parties,
            threshold,
            bound,
            statistical,
        ))
    })
}

/// Add functions and classes to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ring_add, module)?)?;
    module.add_function(wrap_pyfunction!(ring_sub, module)?)?;
    module.add_function(wrap_pyfunction!(ring_mul, module)?)?;
    module.add_function(wrap_pyfunction!(ring_scale, module)?)?;
    module.add_function(wrap_pyfunction!(ring_inverse, module)?)?;
    module.add_function(wrap_pyfunction!(ring_pack4, module)?)?;
    module.add_function(wrap_pyfunction!(ring_unpack4, module)?)?;
    module.add_function(wrap_pyfunction!(shamir_share, module)?)?;
    module.add_function(wrap_pyfunction!(lagrange_at_zero, module)?)?;
    module.add_function(wrap_pyfunction!(decode_shares, module)?)?;
    module.add_function(wrap_pyfunction!(online_open, module)?)?;
    module.add_function(wrap_pyfunction!(round_squashed, module)?)?;
    module.add_function(wrap_pyfunction!(mask_capacity_ok, module)?)
}
