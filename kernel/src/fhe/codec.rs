//! Bounded reading and writing of tfhe objects (`safe_serialize`, format 0.5, versioned).
//!
//! Reading never allocates more than a small factor of the bytes given: tfhe's limit is set to the
//! length of the input, and the input's length is checked first. Trailing bytes are refused, so an
//! object has one encoding less to hide data in. Reasons of tfhe are dropped, for they may quote
//! foreign bytes.

use tfhe::named::Named;
use tfhe::Unversionize;

use crate::error::{invalid, KernelError, Result};

/// Most bytes of an ordinary ciphertext: 128 blocks of 2049 words are 2.1 MB.
pub const MAX_CIPHERTEXT: usize = 4 << 20;
/// Most bytes of a squashed ciphertext: 64 blocks of 4097 words of 16 bytes are 4.2 MB.
pub const MAX_SQUASHED: usize = 8 << 20;
/// Most bytes of a compact public key (33 KB in production).
pub const MAX_PUBLIC_KEY: usize = 1 << 20;
/// Most bytes of a proven list.
pub const MAX_LIST: usize = 1 << 20;
/// Most bytes of a common reference string.
pub const MAX_CRS: usize = 64 << 20;
/// Most bytes of a compressed server key.
pub const MAX_SERVER_KEY: usize = 2 << 30;

/// Refuse input that is empty or longer than `limit` bytes.
///
/// # Errors
/// `InvalidInput`.
pub fn check_length(bytes: &[u8], limit: usize) -> Result<()> {
    if bytes.is_empty() || bytes.len() > limit {
        return invalid("the object is empty or longer than its limit");
    }
    Ok(())
}

/// Refuse bytes left behind an object.
///
/// # Errors
/// `InvalidInput`.
pub fn check_finished(rest: &[u8]) -> Result<()> {
    if !rest.is_empty() {
        return invalid("bytes follow the object");
    }
    Ok(())
}

/// The refusal of bytes that are no `what`.
#[must_use]
pub fn malformed(what: &str) -> KernelError {
    KernelError::InvalidInput(format!("not a well formed {what}"))
}

/// Read a whole object: `load!(type, bytes, limit)`, with a fourth argument conformant to it.
///
/// A macro, because tfhe's bounds name traits of a crate that this one does not depend on.
macro_rules! load {
    ($kind:ty, $bytes:expr, $limit:expr) => {{
        let bytes: &[u8] = $bytes;
        $crate::fhe::codec::check_length(bytes, $limit)?;
        let mut rest = bytes;
        let object: $kind =
            tfhe::safe_serialization::safe_deserialize(&mut rest, bytes.len() as u64)
                .map_err(|_| $crate::fhe::codec::malformed(<$kind as tfhe::named::Named>::NAME))?;
        $crate::fhe::codec::check_finished(rest)?;
        object
    }};
    ($kind:ty, $bytes:expr, $limit:expr, $shape:expr) => {{
        let bytes: &[u8] = $bytes;
        $crate::fhe::codec::check_length(bytes, $limit)?;
        let mut rest = bytes;
        let object: $kind = tfhe::safe_serialization::safe_deserialize_conformant(
            &mut rest,
            bytes.len() as u64,
            $shape,
        )
        .map_err(|_| $crate::fhe::codec::malformed(<$kind as tfhe::named::Named>::NAME))?;
        $crate::fhe::codec::check_finished(rest)?;
        object
    }};
}
pub(crate) use load;

/// Write an object: `store!(reference, limit)`.
macro_rules! store {
    ($object:expr, $limit:expr) => {{
        let mut bytes = Vec::new();
        tfhe::safe_serialization::safe_serialize($object, &mut bytes, $limit as u64).map_err(
            |_| $crate::error::KernelError::Internal("an object does not fit its limit".into()),
        )?;
        bytes
    }};
}
pub(crate) use store;

/// Reads the fields of a `safe_serialize`d object one after the other.
///
/// Needed for objects whose inner parts tfhe neither exposes nor checks against parameters.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Start behind the header of an object of type `T`.
    ///
    /// # Errors
    /// `InvalidInput` if the header is not exactly the one of `T`, versioned, format 0.5.
    pub fn open<T: Named>(bytes: &'a [u8], limit: usize) -> Result<Self> {
        check_length(bytes, limit)?;
        let header = header(T::NAME);
        match bytes.strip_prefix(header.as_slice()) {
            Some(rest) => Ok(Self { rest }),
            None => Err(malformed(T::NAME)),
        }
    }

    /// Next field, with tfhe's own versioned encoding.
    ///
    /// # Errors
    /// `InvalidInput` if the bytes are none of `T`.
    pub fn field<T: Unversionize>(&mut self) -> Result<T> {
        // The limit bounds what a length field may announce.
        let config = bincode::config::legacy().with_limit::<MAX_SQUASHED>();
        let (versioned, used): (T::VersionedOwned, usize) =
            bincode::serde::decode_from_slice(self.rest, config).map_err(|_| malformed("field"))?;
        self.rest = &self.rest[used..];
        T::unversionize(versioned).map_err(|_| malformed("field"))
    }

    /// Next 32-bit number: the version of a part.
    ///
    /// # Errors
    /// `InvalidInput` if it is not 0, the only version there is.
    pub fn version_zero(&mut self) -> Result<()> {
        self.expect(&[0; 4], "version")
    }

    /// Fixed bytes.
    ///
    /// # Errors
    /// `InvalidInput` if other bytes follow.
    pub fn expect(&mut self, fixed: &[u8], what: &str) -> Result<()> {
        match self.rest.strip_prefix(fixed) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(malformed(what)),
        }
    }

    /// End of the object.
    ///
    /// # Errors
    /// `InvalidInput` if bytes are left.
    pub fn finish(self) -> Result<()> {
        check_finished(self.rest)
    }
}

fn header(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text = |value: &str, bytes: &mut Vec<u8>| {
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
    };
    text("0.5", &mut bytes);
    bytes.extend_from_slice(&0u32.to_le_bytes()); // versioned
    text("0.1", &mut bytes);
    text(name, &mut bytes);
    bytes
}
