//! Fully homomorphic encryption of tkms: keys, proven inputs, evaluation, squashing and the
//! threshold part of decryption.
//!
//! ```text
//! parameters   which numbers, and the configuration handed to tfhe
//! value        the nine types of clear values
//! codec        bounded reading and writing of tfhe objects
//! keys         the dealer's client key
//! compact      compact public key, common reference string, proven lists
//! evaluate     the server key: expand, compute, squash
//! squashed     reading a squashed ciphertext down to LWE words
//! toeplitz     some coefficients of a product of polynomials, with fewer products of words
//! key_share    Shamir shares of the secret keys
//! ordinary     threshold decryption of ordinary ciphertexts by rounding, their plaintext
//! resharing    a key share for another set of parties, or a fresh one for the same
//! partial      a party's masked partial decryption, and the plaintext of opened blocks
//! ```
//!
//! A block is one LWE ciphertext. Ordinary blocks (64-bit) hold 2 message bits and 2 carry bits;
//! squashed blocks (128-bit) hold two message blocks, that is 4 bits, scaled by 2^123.
#![forbid(unsafe_code)]

pub mod codec;
pub mod compact;
pub mod evaluate;
pub mod key_share;
pub mod keys;
pub mod ordinary;
pub mod parameters;
pub mod partial;
pub mod resharing;
pub mod squashed;
mod toeplitz;
pub mod value;
