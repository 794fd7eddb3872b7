//! One error type for all pure modules of the kernel.
//!
//! The variant says whose fault it is: the caller's bytes, the proof or signature, the peers
//! together, the numeric range of a result, or the kernel itself. Texts never hold secret bytes.

use std::fmt;

/// Failure of a kernel operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelError {
    /// Malformed or inconsistent input: lengths, encodings, parameters.
    InvalidInput(String),
    /// Well formed input whose proof, signature or integrity check does not hold.
    VerificationFailed(String),
    /// More wrong shares than the code can correct, or than the threshold allows.
    TooManyErrors(String),
    /// A value lies outside the bound that honest input keeps.
    OutOfRange(String),
    /// A defect of the kernel; never the fault of the input.
    Internal(String),
}

/// Result of a kernel operation.
pub type Result<T> = std::result::Result<T, KernelError>;

impl fmt::Display for KernelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, detail) = match self {
            Self::InvalidInput(detail) => ("invalid input", detail),
            Self::VerificationFailed(detail) => ("verification failed", detail),
            Self::TooManyErrors(detail) => ("too many errors", detail),
            Self::OutOfRange(detail) => ("out of range", detail),
            Self::Internal(detail) => ("internal error", detail),
        };
        write!(formatter, "{kind}: {detail}")
    }
}

impl std::error::Error for KernelError {}

/// Shorthand for refusing malformed input.
///
/// # Errors
/// Always `InvalidInput` with the given text.
pub fn invalid<T>(detail: impl Into<String>) -> Result<T> {
    Err(KernelError::InvalidInput(detail.into()))
}
