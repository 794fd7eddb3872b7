//! Arithmetic of tkms that must be fast, as Python module `tkms_kernel`.
//!
//! Pure modules know nothing of Python; only the files of `py` do. This file only registers.
#![deny(unsafe_code)]

use pyo3::prelude::*;

pub mod error;
pub mod fhe;
pub mod light;
pub mod ring;
pub mod signcryption;
pub mod tree;

mod py {
    pub mod error;
    pub mod light;
    pub mod ring;
    pub mod signcryption;
    pub mod tfhe;
    pub mod tree;
}

#[pymodule]
fn tkms_kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    py::error::register(module)?;
    py::ring::register(module)?;
    py::tfhe::register(module)?;
    py::tree::register(module)?;
    py::light::register(module)?;
    py::signcryption::register(module)
}
