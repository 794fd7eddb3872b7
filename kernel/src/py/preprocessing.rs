//! Python face of random bits, triples, products and noise. Shares stay in opaque objects; what crosses
//! as bytes is what a party sends, and what was opened.
#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts lists as owned values"
)]

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use super::error::guarded;
use super::prss::PrssSession;
use super::ring::with_word;
use crate::error::{invalid, Result};
use crate::ring::element::{
    elements_from_bytes, elements_to_bytes, words_from_bytes, Element, Word,
};
use crate::ring::masked::Secrets;
use crate::ring::{disputes, noise, products, random_bits, rounding, triples};

/// Our shares of a vector of values over one of the two rings.
pub enum AnyShares {
    /// Over GR(2^64, 4).
    Narrow(Secrets<u64>),
    /// Over GR(2^128, 4).
    Wide(Secrets<u128>),
}

/// Both rings' vectors behind one interface.
pub trait Held: Word {
    /// The vector as shares of either ring.
    fn hold(shares: Secrets<Self>) -> AnyShares;
    /// The vector, if it is over this ring.
    ///
    /// # Errors
    /// `InvalidInput` if it is over the other ring.
    fn of(shares: &AnyShares) -> Result<&[Element<Self>]>;
}

impl Held for u64 {
    fn hold(shares: Secrets<Self>) -> AnyShares {
        AnyShares::Narrow(shares)
    }
    fn of(shares: &AnyShares) -> Result<&[Element<Self>]> {
        match shares {
            AnyShares::Narrow(shares) => Ok(shares),
            AnyShares::Wide(_) => invalid("the shares are over the ring of 128 bits"),
        }
    }
}

impl Held for u128 {
    fn hold(shares: Secrets<Self>) -> AnyShares {
        AnyShares::Wide(shares)
    }
    fn of(shares: &AnyShares) -> Result<&[Element<Self>]> {
        match shares {
            AnyShares::Wide(shares) => Ok(shares),
            AnyShares::Narrow(_) => invalid("the shares are over the ring of 64 bits"),
        }
    }
}

/// One party's shares of a vector of values; opaque, zeroized when dropped.
#[pyclass(frozen, module = "tkms_kernel")]
pub struct Shares {
    /// The shares, for the other modules of the kernel.
    pub inner: AnyShares,
}

impl Shares {
    fn new<W: Held>(shares: Secrets<W>) -> Self {
        Self {
            inner: W::hold(shares),
        }
    }

    fn length(&self) -> usize {
        match &self.inner {
            AnyShares::Narrow(shares) => shares.len(),
            AnyShares::Wide(shares) => shares.len(),
        }
    }
}

fn part_of<W: Held>(shares: &[Element<W>], start: usize, stop: usize) -> Result<Shares> {
    match shares.get(start..stop) {
        Some(part) => Ok(Shares::new(Zeroizing::new(part.to_vec()))),
        None => invalid("the part leaves the vector"),
    }
}

fn joined<W: Held>(parts: &[&Shares]) -> Result<Shares> {
    let total = parts.iter().map(|part| part.length()).sum();
    // Reserved in full, so that no reallocation leaves a copy behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(total));
    for part in parts {
        whole.extend_from_slice(W::of(&part.inner)?);
    }
    Ok(Shares::new(whole))
}

#[pymethods]
impl Shares {
    /// Read what `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, k: u32, data: &[u8]) -> PyResult<Self> {
        guarded(
            py,
            || with_word!(k, W => Ok(Self::new(Zeroizing::new(elements_from_bytes::<W>(data)?)))),
        )
    }

    /// Secret: the shares as bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = guarded(py, || {
            Ok(Zeroizing::new(match &self.inner {
                AnyShares::Narrow(shares) => elements_to_bytes(shares),
                AnyShares::Wide(shares) => elements_to_bytes(shares),
            }))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Word size of the ring.
    #[getter]
    fn k(&self) -> u32 {
        match &self.inner {
            AnyShares::Narrow(_) => u64::BITS,
            AnyShares::Wide(_) => u128::BITS,
        }
    }

    fn part(&self, py: Python<'_>, start: usize, stop: usize) -> PyResult<Self> {
        guarded(py, || match &self.inner {
            AnyShares::Narrow(shares) => part_of(shares, start, stop),
            AnyShares::Wide(shares) => part_of(shares, start, stop),
        })
    }

    /// One vector after the other.
    #[staticmethod]
    fn join(py: Python<'_>, parts: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        let parts: Vec<&Self> = parts.iter().map(|part| &**part).collect();
        guarded(py, || match parts.first().map(|part| part.k()) {
            Some(u64::BITS) => joined::<u64>(&parts),
            Some(_) => joined::<u128>(&parts),
            None => invalid("there is nothing to join"),
        })
    }

    fn __len__(&self) -> usize {
        self.length()
    }

    fn __repr__(&self) -> String {
        format!("Shares(k={}, {} values)", self.k(), self.length())
    }
}

/// What a party sends for a range of random bits.
#[pyfunction]
fn masked_bits<'py>(
    py: Python<'py>,
    session: &PrssSession,
    k: u32,
    start: u64,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        with_word!(k, W => {
            let packed = random_bits::masked_bits::<W>(&session.inner, start, count)?;
            Ok(elements_to_bytes(&packed))
        })
    })?;
    Ok(PyBytes::new(py, &bytes))
}

fn bits_of<W: Held>(session: &PrssSession, start: u64, opened: &[u8]) -> Result<Shares> {
    let opened = words_from_bytes::<W>(opened)?;
    Ok(Shares::new(random_bits::bits(
        &session.inner,
        start,
        &opened,
    )?))
}

/// Our shares of random bits from what was opened.
#[pyfunction]
fn finish_bits(
    py: Python<'_>,
    session: &PrssSession,
    k: u32,
    start: u64,
    opened: &[u8],
) -> PyResult<Shares> {
    guarded(
        py,
        || with_word!(k, W => bits_of::<W>(session, start, opened)),
    )
}

/// What a party sends for a range of triples.
#[pyfunction]
fn masked_triples<'py>(
    py: Python<'py>,
    session: &PrssSession,
    k: u32,
    start: u64,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        with_word!(k, W => {
            let packed = triples::masked_triples::<W>(&session.inner, start, count)?;
            Ok(elements_to_bytes(&packed))
        })
    })?;
    Ok(PyBytes::new(py, &bytes))
}

fn triples_of<W: Held>(
    session: &PrssSession,
    start: u64,
    opened: &[u8],
) -> Result<(Shares, Shares, Shares)> {
    let opened = words_from_bytes::<W>(opened)?;
    let done = triples::triples(&session.inner, start, &opened)?;
    Ok((
        Shares::new(done.left),
        Shares::new(done.right),
        Shares::new(done.product),
    ))
}

/// Our shares of triples from what was opened.
#[pyfunction]
fn finish_triples(
    py: Python<'_>,
    session: &PrssSession,
    k: u32,
    start: u64,
    opened: &[u8],
) -> PyResult<(Shares, Shares, Shares)> {
    guarded(
        py,
        || with_word!(k, W => triples_of::<W>(session, start, opened)),
    )
}

fn products_of<W: Held>(
    session: &PrssSession,
    start: u64,
    left: &Shares,
    right: &Shares,
) -> Result<Vec<u8>> {
    let (left, right) = (W::of(&left.inner)?, W::of(&right.inner)?);
    if left.len() != right.len() {
        return invalid("there is not one second factor a first");
    }
    let packed = products::masked_products(&session.inner, start, left.len(), |place| {
        (left[place], right[place])
    })?;
    Ok(elements_to_bytes(&packed))
}

/// What a party sends for the products of shared values.
#[pyfunction]
fn masked_products<'py>(
    py: Python<'py>,
    session: &PrssSession,
    k: u32,
    start: u64,
    left: &Shares,
    right: &Shares,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(
        py,
        || with_word!(k, W => products_of::<W>(session, start, left, right)),
    )?;
    Ok(PyBytes::new(py, &bytes))
}

/// What a party sends for the products of neighbouring bits that a rounding takes.
#[pyfunction]
fn masked_neighbours<'py>(
    py: Python<'py>,
    session: &PrssSession,
    start: u64,
    bits: &Shares,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        let packed = rounding::masked_neighbours(&session.inner, start, u64::of(&bits.inner)?)?;
        Ok(elements_to_bytes(&packed))
    })?;
    Ok(PyBytes::new(py, &bytes))
}

fn finished_products<W: Held>(session: &PrssSession, start: u64, opened: &[u8]) -> Result<Shares> {
    let opened = words_from_bytes::<W>(opened)?;
    Ok(Shares::new(products::products(
        &session.inner,
        start,
        &opened,
    )?))
}

/// Our shares of products from what was opened.
#[pyfunction]
fn finish_products(
    py: Python<'_>,
    session: &PrssSession,
    k: u32,
    start: u64,
    opened: &[u8],
) -> PyResult<Shares> {
    guarded(
        py,
        || with_word!(k, W => finished_products::<W>(session, start, opened)),
    )
}

/// What each own set contributes to a group of masked values.
#[pyfunction]
fn revealed_group<'py>(
    py: Python<'py>,
    session: &PrssSession,
    k: u32,
    kind: &str,
    number: u64,
    factors: Vec<u64>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let columns = guarded(py, || {
        let group = disputes::Group::from_name(kind)?;
        with_word!(k, W => disputes::revealed::<W>(&session.inner, group, number, &factors))
    })?;
    let columns = columns.iter();
    Ok(columns.map(|column| PyBytes::new(py, column)).collect())
}

fn share_expected<W: Word>(
    access: (usize, usize, usize),
    group: disputes::Group,
    contributions: &[&[u8]],
    squares: &[u8],
) -> Result<Vec<u8>> {
    let squares = words_from_bytes::<W>(squares)?;
    Ok(disputes::expected_share(access, group, contributions, &squares)?.to_le_bytes())
}

/// The share of a group that a party should have sent.
#[pyfunction]
fn expected_group_share<'py>(
    py: Python<'py>,
    k: u32,
    access: (usize, usize, usize),
    kind: &str,
    contributions: Vec<PyBackedBytes>,
    squares: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = guarded(py, || {
        let group = disputes::Group::from_name(kind)?;
        let columns: Vec<&[u8]> = contributions.iter().map(|column| &**column).collect();
        with_word!(k, W => share_expected::<W>(access, group, &columns, squares))
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// Our shares of noise from our shares of bits.
#[pyfunction]
fn tuniform_from_bits(py: Python<'_>, bits: &Shares, bound: u32) -> PyResult<Shares> {
    guarded(py, || {
        Ok(match &bits.inner {
            AnyShares::Narrow(bits) => Shares::new(noise::tuniform_from_bits(bits, bound)?),
            AnyShares::Wide(bits) => Shares::new(noise::tuniform_from_bits(bits, bound)?),
        })
    })
}

/// Add functions and classes to the module.
///
/// # Errors
/// Only if the interpreter cannot add a name.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Shares>()?;
    module.add_function(wrap_pyfunction!(masked_bits, module)?)?;
    module.add_function(wrap_pyfunction!(finish_bits, module)?)?;
    module.add_function(wrap_pyfunction!(masked_triples, module)?)?;
    module.add_function(wrap_pyfunction!(finish_triples, module)?)?;
    module.add_function(wrap_pyfunction!(masked_products, module)?)?;
    module.add_function(wrap_pyfunction!(masked_neighbours, module)?)?;
    module.add_function(wrap_pyfunction!(finish_products, module)?)?;
    module.add_function(wrap_pyfunction!(revealed_group, module)?)?;
    module.add_function(wrap_pyfunction!(expected_group_share, module)?)?;
    module.add_function(wrap_pyfunction!(tuniform_from_bits, module)?)
}
