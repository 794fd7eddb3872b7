//! ICS-23 proofs of presence and absence.

use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, HostFunctionsManager, InnerOp};
use jmt::{ics23_spec, Sha256Jmt};
use prost::Message;

use super::source::{Reader, Source};
use super::update::{key_hash, missing};
use crate::error::{KernelError, Result};

/// Largest encoded proof that is read: two values of the largest size and both paths fit.
const MAX_PROOF: usize = 4 << 20;
/// Prefix of every inner node.
const INNER_PREFIX: &[u8] = b"JMT::IntrnalNode";
/// Bytes of a node hash.
const HASH: usize = 32;
/// Bits of a key hash, the longest possible path.
const MAX_PATH: usize = 256;

/// Proves what `version` holds under `key`: an existence proof, or a non-existence proof made of the
/// neighbours in key-hash order. The proof is verified before it is returned, so a store whose
/// values do not belong to `version` gives an error and never a wrong proof.
pub fn prove(source: &dyn Source, version: u64, key: &[u8]) -> Result<Vec<u8>> {
    if key.is_empty() {
        return Err(KernelError::InvalidInput("a key must not be empty".into()));
    }
    let reader = Reader::proving(source, key_hash(key), key);
    let tree = Sha256Jmt::new(&reader);
    let root = tree
        .get_root_hash_option(version)
        .map_err(|error| reader.explain(error))?
        .ok_or_else(|| missing(version))?;
    if root == Sha256Jmt::<Reader<'_>>::EMPTY_ROOT {
        return Err(KernelError::InvalidInput(
            "ICS-23 has no proof about an empty tree".into(),
        ));
    }
    let (value, proof) = tree
        .get_with_ics23_proof(key.to_vec(), version)
        .map_err(|error| reader.explain(error))?;
    let encoded = proof.encode_to_vec();
    match &value {
        Some(value) => verify_membership(&encoded, &root.0, key, value),
        None => verify_non_membership(&encoded, &root.0, key),
    }
    .map_err(|_| {
        KernelError::Internal(format!(
            "the store does not hold the values of version {version}"
        ))
    })?;
    Ok(encoded)
}

/// Checks that the tree with `root` holds `value` under `key`.
pub fn verify_membership(proof: &[u8], root: &[u8], key: &[u8], value: &[u8]) -> Result<()> {
    let proof = decode(proof, root)?;
    let Some(Proof::Exist(existence)) = &proof.proof else {
        return Err(refused("not an existence proof"));
    };
    check_shape(existence)?;
    let spec = ics23_spec();
    if ics23::verify_membership::<HostFunctionsManager>(&proof, &spec, &root.to_vec(), key, value) {
        return Ok(());
    }
    Err(refused(
        "the proof does not show this value under this key and root",
    ))
}

/// Checks that the tree with `root` holds nothing under `key`.
pub fn verify_non_membership(proof: &[u8], root: &[u8], key: &[u8]) -> Result<()> {
    let proof = decode(proof, root)?;
    let Some(Proof::Nonexist(absence)) = &proof.proof else {
        return Err(refused("not a non-existence proof"));
    };
    if absence.key != key || key.is_empty() {
        return Err(refused("the proof is about another key"));
    }
    for neighbour in absence.left.iter().chain(&absence.right) {
        check_shape(neighbour)?;
    }
    let spec = ics23_spec();
    if ics23::verify_non_membership::<HostFunctionsManager>(&proof, &spec, &root.to_vec(), key) {
        return Ok(());
    }
    Err(refused(
        "the proof does not show the absence of this key under this root",
    ))
}

fn decode(proof: &[u8], root: &[u8]) -> Result<CommitmentProof> {
    if root.len() != HASH {
        return Err(KernelError::InvalidInput(format!(
            "a root has {HASH} bytes"
        )));
    }
    if proof.len() > MAX_PROOF {
        return Err(refused("the proof is too large"));
    }
    CommitmentProof::decode(proof).map_err(|_| refused("the proof is not an ICS-23 message"))
}

/// Accepts only what this tree makes: its own leaf rule, and one sibling a step on the side that the
/// key hash dictates. The generic check of ICS-23 tolerates more.
fn check_shape(proof: &ExistenceProof) -> Result<()> {
    if proof.leaf != ics23_spec().leaf_spec {
        return Err(refused("the leaf rule is not that of this tree"));
    }
    let length = proof.path.len();
    if length > MAX_PATH {
        return Err(refused("the path is too long"));
    }
    let hash = key_hash(&proof.key).0;
    for (index, step) in proof.path.iter().enumerate() {
        let depth = length - 1 - index;
        let goes_right = (hash[depth / 8] >> (7 - depth % 8)) & 1 == 1;
        if !is_step(step, goes_right) {
            return Err(refused("a step of the path is not that of this key"));
        }
    }
    Ok(())
}

fn is_step(step: &InnerOp, goes_right: bool) -> bool {
    let (prefix, suffix) = if goes_right { (HASH, 0) } else { (0, HASH) };
    step.hash == i32::from(HashOp::Sha256)
        && step.prefix.starts_with(INNER_PREFIX)
        && step.prefix.len() == INNER_PREFIX.len() + prefix
        && step.suffix.len() == suffix
}

fn refused(reason: &str) -> KernelError {
    KernelError::VerificationFailed(reason.to_owned())
}
