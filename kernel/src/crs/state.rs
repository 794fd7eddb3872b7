//! The points so far, and a contribution as bytes.
//!
//! Encoding of a contribution, all integers little-endian:
//! ```text
//! "tkms-crs" | u16 version | shape, 9 bytes | u16 round | challenge, 40 | response, 40
//! | m - 1 + m points of G1 (exponents 1..=m and m + 2..=2m) | m points of G2
//! ```
//! The punctured exponent m + 1 has no place in it, so nobody can fill it.

use ark_ec::short_weierstrass::SWCurveConfig;
use sha3::{Digest, Sha3_256};
use tfhe_zk_pok::curve_446::Fr;

use super::group::{Group, G1, G2};
use super::point::{self, SCALAR};
use super::shape::{Points, Shape};
use crate::error::{invalid, KernelError, Result};
use crate::fhe::compact::Crs;

const MAGIC: &[u8; 8] = b"tkms-crs";
const VERSION: u16 = 1;
const SHAPE_BYTES: usize = 9;
const HEADER: usize = MAGIC.len() + 2 + SHAPE_BYTES + 2 + 2 * SCALAR;

/// Proof that a contributor knows its factor: Schnorr's, made non-interactive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Knowledge {
    /// Hash of what was committed to.
    pub challenge: Fr,
    /// Commitment's exponent plus challenge times factor.
    pub response: Fr,
}

/// A contribution whose points are on their curves; nothing else is checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Contribution {
    /// Whose turn it is.
    pub round: u16,
    /// The proof.
    pub knowledge: Knowledge,
    /// The new points.
    pub points: Points,
}

/// A ceremony after some rounds.
#[derive(Clone)]
pub struct State {
    /// What is made.
    pub shape: Shape,
    /// Name of the ceremony.
    pub name: Vec<u8>,
    /// Rounds whose contribution was accepted, ascending.
    pub accepted: Vec<u16>,
    /// The points.
    pub points: Points,
}

impl State {
    /// The beginning: all points are generators.
    #[must_use]
    pub fn new(shape: Shape, name: &[u8]) -> Self {
        let dimension = shape.dimension();
        Self {
            shape,
            name: name.to_vec(),
            accepted: Vec::new(),
            points: Points {
                g: vec![G1::GENERATOR; 2 * dimension - 1],
                h: vec![G2::GENERATOR; dimension],
            },
        }
    }

    /// Bytes of a contribution.
    #[must_use]
    pub fn contribution_bytes(&self) -> usize {
        HEADER + self.points.g.len() * G1::BYTES + self.points.h.len() * G2::BYTES
    }

    /// SHA3-256 of name, shape, accepted rounds and points.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha3_256::new();
        hash.update((self.name.len() as u64).to_le_bytes());
        hash.update(&self.name);
        hash.update(self.shape.to_bytes());
        hash.update((self.accepted.len() as u64).to_le_bytes());
        for round in &self.accepted {
            hash.update(round.to_le_bytes());
        }
        let mut bytes = Vec::with_capacity(self.contribution_bytes());
        point::write(&self.points.g, &mut bytes);
        point::write(&self.points.h, &mut bytes);
        hash.update(&bytes);
        hash.finalize().into()
    }

    /// The reference string.
    ///
    /// # Errors
    /// `VerificationFailed` if nobody contributed, for then everybody knows the trapdoor;
    /// `InvalidInput` for a toy.
    pub fn finish(&self) -> Result<Crs> {
        if self.accepted.is_empty() {
            return Err(KernelError::VerificationFailed(
                "nobody contributed to the reference string".into(),
            ));
        }
        self.shape.reference_string(&self.points, &self.digest())
    }

    /// Read a contribution for this ceremony to round `round`.
    ///
    /// # Errors
    /// `InvalidInput` for another format, shape, round or length, and for points that cannot be read;
    /// `VerificationFailed` for points that are not on their curve.
    pub fn read(&self, round: u16, bytes: &[u8]) -> Result<Contribution> {
        let Some((header, body)) = bytes.split_at_checked(HEADER) else {
            return invalid("contribution: truncated header");
        };
        let (start, rest) = header.split_at(MAGIC.len() + 2);
        if start != [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat() {
            return invalid("contribution: unknown format or version");
        }
        let (shape, rest) = rest.split_at(SHAPE_BYTES);
        if shape != self.shape.to_bytes() {
            return invalid("contribution: another parameter set or size");
        }
        let (number, proof) = rest.split_at(2);
        if number != round.to_le_bytes() {
            return invalid("contribution: another round");
        }
        if bytes.len() != self.contribution_bytes() {
            return invalid("contribution: wrong length");
        }
        let scalar =
            |offset: usize| point::read_scalar(&std::array::from_fn(|index| proof[offset + index]));
        let (g, h) = body.split_at(self.points.g.len() * G1::BYTES);
        Ok(Contribution {
            round,
            knowledge: Knowledge {
                challenge: scalar(0)?,
                response: scalar(SCALAR)?,
            },
            points: Points {
                g: point::read(g)?,
                h: point::read(h)?,
            },
        })
    }

    /// The encoding that [`Self::read`] reads.
    #[must_use]
    pub fn write(&self, contribution: &Contribution) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.contribution_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.shape.to_bytes());
        bytes.extend_from_slice(&contribution.round.to_le_bytes());
        bytes.extend_from_slice(&point::scalar_bytes(&contribution.knowledge.challenge));
        bytes.extend_from_slice(&point::scalar_bytes(&contribution.knowledge.response));
        point::write(&contribution.points.g, &mut bytes);
        point::write(&contribution.points.h, &mut bytes);
        bytes
    }
}
