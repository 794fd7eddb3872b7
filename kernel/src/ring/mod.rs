//! Secret sharing over the Galois rings GR(2^k, 4) = (Z/2^k)\[X\]/(X^4 + X + 1), k = 64 or 128.
//!
//! Source of the algebra: "Threshold (Fully) Homomorphic Encryption" (eprint 2025/699) and
//! "Noah's Ark" (eprint 2023/815). Party `i` of 1..=15 owns the evaluation point whose bits are
//! the bits of `i`; the point 0 holds the secret.

pub mod bivariate;
mod borrow;
pub mod decode;
pub mod disputes;
pub mod element;
pub mod field;
pub mod locate;
pub mod masked;
mod material;
pub mod noise;
pub mod pack;
pub mod prf;
pub mod products;
pub mod prss;
pub mod random_bits;
pub mod round;
pub mod rounding;
mod session;
pub mod shamir;
pub mod syndrome;
pub mod triples;
