//! Arithmetic of tkms that must be fast, as Python module `tkms_kernel`.
//!
//! Pure modules know nothing of Python; only the files of `py` do. This file only registers.
#![deny(unsafe_code)]

use pyo3::prelude::*;

pub mod crs;
pub mod error;
pub mod fhe;
pub mod generation;
pub mod light;
pub mod recover;
pub mod ring;
pub mod signcryption;
pub mod tree;

mod py {
    pub mod bivariate;
    pub mod crs;
    pub mod error;
    pub mod generation;
    pub mod light;
    pub mod preprocessing;
    pub mod prss;
    pub mod recover;
    pub mod resharing;
    pub mod ring;
    pub mod signcryption;
    pub mod tfhe;
    pub mod tree;
}

#[pymodule]
fn tkms_kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    py::error::register(module)?;
    py::ring::register(module)?;
    py::prss::register(module)?;
    py::bivariate::register(module)?;
    py::preprocessing::register(module)?;
    py::tfhe::register(module)?;
    py::crs::register(module)?;
    py::generation::register(module)?;
    py::tree::register(module)?;
    py::light::register(module)?;
    py::recover::register(module)?;
    py::resharing::register(module)?;
    py::signcryption::register(module)
}
