//! Python face of signcryption and of the SHA-3 family.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::guarded;
use crate::signcryption::{self, Envelope};

type Bytes = Py<PyBytes>;

fn bytes(py: Python<'_>, data: &[u8]) -> Bytes {
    PyBytes::new(py, data).unbind()
}

#[pyfunction]
#[pyo3(signature = (seed=None))]
fn mlkem512_generate(py: Python<'_>, seed: Option<PyBackedBytes>) -> PyResult<(Bytes, Bytes)> {
    let (public, secret) = guarded(py, move || signcryption::mlkem512_generate(seed.as_deref()))?;
    Ok((bytes(py, &public), bytes(py, &secret)))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the signature that Python sees; values are grouped below
fn signcrypt_share(
    py: Python<'_>,
    plaintext_share: PyBackedBytes,
    fhe_type: i32,
    link: PyBackedBytes,
    client_address: PyBackedBytes,
    encapsulation_key: PyBackedBytes,
    signing_key: PyBackedBytes,
) -> PyResult<Bytes> {
    let ciphertext = guarded(py, move || {
        let envelope = Envelope {
            link: &link,
            client_address: &client_address,
            encapsulation_key: &encapsulation_key,
        };
        signcryption::signcrypt(&plaintext_share, fhe_type, envelope, &signing_key)
    })?;
    Ok(bytes(py, &ciphertext))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the signature that Python sees; values are grouped below
fn open_signcryption(
    py: Python<'_>,
    ciphertext: PyBackedBytes,
    link: PyBackedBytes,
    client_address: PyBackedBytes,
    encapsulation_key: PyBackedBytes,
    decapsulation_key: PyBackedBytes,
    verification_key: PyBackedBytes,
) -> PyResult<(Bytes, i32)> {
    let (share, fhe_type) = guarded(py, move || {
        let envelope = Envelope {
            link: &link,
            client_address: &client_address,
            encapsulation_key: &encapsulation_key,
        };
        signcryption::open(&ciphertext, envelope, &decapsulation_key, &verification_key)
    })?;
    Ok((bytes(py, &share), fhe_type))
}

#[pyfunction]
fn sha3_256(py: Python<'_>, data: PyBackedBytes) -> PyResult<Bytes> {
    let digest = guarded(py, move || Ok(signcryption::sha3_256(&data)))?;
    Ok(bytes(py, &digest))
}

#[pyfunction]
fn shake256(py: Python<'_>, data: PyBackedBytes, length: usize) -> PyResult<Bytes> {
    let output = guarded(py, move || signcryption::shake256(&data, length))?;
    Ok(bytes(py, &output))
}

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(mlkem512_generate, module)?)?;
    module.add_function(wrap_pyfunction!(signcrypt_share, module)?)?;
    module.add_function(wrap_pyfunction!(open_signcryption, module)?)?;
    module.add_function(wrap_pyfunction!(sha3_256, module)?)?;
    module.add_function(wrap_pyfunction!(shake256, module)?)
}
