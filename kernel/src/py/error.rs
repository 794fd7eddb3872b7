//! Python exceptions of the kernel and the guard that every exported function passes through.
//!
//! ```text
//! ValueError
//! └── KernelError
//!     ├── InvalidInput
//!     ├── VerificationFailed
//!     ├── TooManyErrors
//!     ├── OutOfRange
//!     └── InternalError
//! ```

use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{KernelError as Failure, Result};

create_exception!(
    tkms_kernel,
    KernelError,
    PyValueError,
    "Failure of a kernel operation."
);
create_exception!(
    tkms_kernel,
    InvalidInput,
    KernelError,
    "Malformed or inconsistent input."
);
create_exception!(
    tkms_kernel,
    VerificationFailed,
    KernelError,
    "A proof, signature or integrity check does not hold."
);
create_exception!(
    tkms_kernel,
    TooManyErrors,
    KernelError,
    "More wrong shares than can be corrected."
);
create_exception!(
    tkms_kernel,
    OutOfRange,
    KernelError,
    "A value lies outside the bound that honest input keeps."
);
create_exception!(
    tkms_kernel,
    InternalError,
    KernelError,
    "A defect of the kernel, never of the input."
);

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::InvalidInput(_) => InvalidInput::new_err(text),
            Failure::VerificationFailed(_) => VerificationFailed::new_err(text),
            Failure::TooManyErrors(_) => TooManyErrors::new_err(text),
            Failure::OutOfRange(_) => OutOfRange::new_err(text),
            Failure::Internal(_) => InternalError::new_err(text),
        }
    }
}

/// Run `work` without the interpreter lock and turn failures and panics into exceptions.
///
/// # Errors
/// The exception of the failure; `InternalError` after a panic. The panic's own text is dropped,
/// because it could quote values.
pub fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    let result = outcome.unwrap_or_else(|_| {
        Err(Failure::Internal(
            "the kernel panicked; this is a defect".into(),
        ))
    });
    result.map_err(PyErr::from)
}

/// Add the exception classes to the module.
///
/// # Errors
/// Only if the interpreter cannot create the classes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("KernelError", py.get_type::<KernelError>())?;
    module.add("InvalidInput", py.get_type::<InvalidInput>())?;
    module.add("VerificationFailed", py.get_type::<VerificationFailed>())?;
    module.add("TooManyErrors", py.get_type::<TooManyErrors>())?;
    module.add("OutOfRange", py.get_type::<OutOfRange>())?;
    module.add("InternalError", py.get_type::<InternalError>())
}
