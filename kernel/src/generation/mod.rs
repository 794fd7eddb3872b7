//! Key generation without a dealer: what a party computes between openings.
//!
//! ```text
//! shape        parts of the public material of a parameter set
//! plan         batches of random values and chunks of rows
//! mask         the public masks, tfhe's own, from one opened seed
//! convolution  products of public polynomials with shared ones
//! rows         shares of the bodies of encryptions under shared keys
//! container    opened bodies in tfhe's containers
//! keys         shares of the secret keys
//! party        one party's state: what it sends to open, what it took, what comes out
//! ```
#![forbid(unsafe_code)]

pub mod container;
pub mod convolution;
mod keys;
pub mod mask;
pub mod party;
pub mod plan;
pub mod rows;
pub mod shape;

#[cfg(test)]
mod tests;
