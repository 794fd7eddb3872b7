//! The state tree: a Jellyfish Merkle tree over SHA-256 whose root is the app hash.
//!
//! `update` and `build` compute new versions, `prove` makes ICS-23 proofs, `verify_membership` and
//! `verify_non_membership` check them without any store. All storage stays with the caller, who
//! answers reads through [`Source`] and writes what `update` returns.
//!
//! Root rule (crate `jmt` 0.12): leaf = SHA-256("JMT::LeafNode" ‖ SHA-256(key) ‖ SHA-256(value)),
//! inner = SHA-256("JMT::IntrnalNode" ‖ left ‖ right), a subtree of one leaf is that leaf, an empty
//! subtree is "SPARSE_MERKLE_PLACEHOLDER_HASH__". The root depends on the content alone, never on
//! the version or on the order of updates.

mod proof;
mod source;
mod update;

pub use proof::{prove, verify_membership, verify_non_membership};
pub use source::{Record, Source};
pub use update::{build, root, update, Change, Update};
