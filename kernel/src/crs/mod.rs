//! Ceremony for the common reference string of the proofs: powers of a number that nobody knows.
//!
//! Source: section on the CRS of "Threshold (Fully) Homomorphic Encryption" (eprint 2025/699). The
//! string is g^(a^i) for i in 1..=2m without m + 1, and h^(a^i) for i in 1..=m, on the curve
//! BLS12-446. It starts with a = 1; each party in turn replaces a by a times a secret number, proves
//! that it knows the number, and forgets it. If one accepted party did, nobody knows a.
//!
//! ```text
//! shape       the points of a string, how many a parameter set needs, the string made of them
//! group       subgroup tests, multiplication by the curve's endomorphisms
//! point       points and factors as bytes, as tfhe has them, and its pairing
//! sum         sums of many points with short coefficients
//! state       the points so far, and a contribution as bytes
//! contribute  a party's turn
//! verify      what everybody checks before a contribution counts
//! ```
#![forbid(unsafe_code)]

pub mod contribute;
pub mod group;
pub mod point;
pub mod shape;
pub mod state;
mod sum;
pub mod verify;
