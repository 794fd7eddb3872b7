//! New versions of the tree.

use std::collections::BTreeMap;

use jmt::storage::{Node, NodeKey, TreeUpdateBatch};
use jmt::{KeyHash, Sha256Jmt};
use sha2::Sha256;

use super::source::{encode_node, encode_node_key, Reader, Record, Source};
use crate::error::{KernelError, Result};

/// Longest key in bytes.
const MAX_KEY: usize = 1024;
/// Longest value in bytes.
const MAX_VALUE: usize = 1 << 20;
/// Versions stay below this number, so that they fit a signed 64-bit height.
const MAX_VERSION: u64 = 1 << 63;

/// One key of an update: a new value, or `None` for a deletion.
pub type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// Outcome of an update.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Root hash of the new version.
    pub root: [u8; 32],
    /// Encoded node key and node, sorted by version and path.
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Encoded keys of nodes that no version from the new one on refers to.
    pub stale: Vec<Vec<u8>>,
}

/// Hash under which the tree files a key.
pub(super) fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash::with::<Sha256>(key)
}

/// Encoded key of the root node of a version.
fn root_key(version: u64) -> Vec<u8> {
    let mut encoded = version.to_be_bytes().to_vec();
    encoded.push(0);
    encoded
}

/// Applies changes to version `version - 1` (to nothing, for version 0) and returns version `version`.
///
/// Every version gets a root node of its own, also without changes. The previous root node is
/// reported as stale in each case: only its own version refers to it.
pub fn update(source: &dyn Source, version: u64, changes: &[Change<'_>]) -> Result<Update> {
    check_version(version)?;
    let sorted = sort_changes(changes)?;
    if version > 0 && source.read(Record::Node, &root_key(version - 1))?.is_none() {
        return Err(KernelError::InvalidInput(format!(
            "version {} is not in the store, so version {version} cannot follow it",
            version - 1
        )));
    }
    let mut outcome = apply(source, version, sorted)?;
    if version > 0 {
        let previous = root_key(version - 1);
        if !outcome.stale.contains(&previous) {
            outcome.stale.insert(0, previous);
        }
    }
    Ok(outcome)
}

/// Builds `version` from its whole content, for a node that starts from a snapshot.
pub fn build(version: u64, content: &[(&[u8], &[u8])]) -> Result<Update> {
    check_version(version)?;
    let changes: Vec<Change<'_>> = content
        .iter()
        .map(|(key, value)| (*key, Some(*value)))
        .collect();
    let sorted = sort_changes(&changes)?;
    // Building at version 0 starts from nothing; the nodes are then those of a first version.
    // For another version the empty predecessor is answered by `Nothing`.
    let mut outcome = apply(&Nothing { version }, version, sorted)?;
    outcome.stale.clear();
    Ok(outcome)
}

/// Root hash of a stored version.
pub fn root(source: &dyn Source, version: u64) -> Result<[u8; 32]> {
    check_version(version)?;
    let reader = Reader::new(source);
    Sha256Jmt::new(&reader)
        .get_root_hash_option(version)
        .map_err(|error| reader.explain(error))?
        .map(|hash| hash.0)
        .ok_or_else(|| missing(version))
}

/// Error for a version that the store does not have.
pub(super) fn missing(version: u64) -> KernelError {
    KernelError::InvalidInput(format!("version {version} is not in the store"))
}

fn apply(
    source: &dyn Source,
    version: u64,
    sorted: BTreeMap<KeyHash, Option<Vec<u8>>>,
) -> Result<Update> {
    let reader = Reader::new(source);
    let (root, batch) = Sha256Jmt::new(&reader)
        .put_value_set(sorted, version)
        .map_err(|error| reader.explain(error))?;
    collect(root.0, &batch)
}

fn collect(root: [u8; 32], batch: &TreeUpdateBatch) -> Result<Update> {
    let encode = |(key, node): (&NodeKey, &Node)| Ok((encode_node_key(key), encode_node(node)?));
    let nodes = batch
        .node_batch
        .nodes()
        .iter()
        .map(encode)
        .collect::<Result<Vec<_>>>()?;
    let stale = batch
        .stale_node_index_batch
        .iter()
        .map(|index| encode_node_key(&index.node_key))
        .collect();
    Ok(Update { root, nodes, stale })
}

fn check_version(version: u64) -> Result<()> {
    if version < MAX_VERSION {
        return Ok(());
    }
    Err(KernelError::InvalidInput(format!(
        "version {version} is too large"
    )))
}

/// Checks sizes and orders the changes by key hash, so that the caller's order has no effect.
fn sort_changes(changes: &[Change<'_>]) -> Result<BTreeMap<KeyHash, Option<Vec<u8>>>> {
    let mut sorted = BTreeMap::new();
    for (key, value) in changes {
        check_sizes(key, *value)?;
        if sorted
            .insert(key_hash(key), value.map(<[u8]>::to_vec))
            .is_some()
        {
            return Err(KernelError::InvalidInput(
                "a key occurs twice in one update".into(),
            ));
        }
    }
    Ok(sorted)
}

fn check_sizes(key: &[u8], value: Option<&[u8]>) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(KernelError::InvalidInput(format!(
            "a key has 1 to {MAX_KEY} bytes"
        )));
    }
    // ICS-23 cannot prove an empty value.
    if value.is_some_and(|bytes| bytes.is_empty() || bytes.len() > MAX_VALUE) {
        return Err(KernelError::InvalidInput(format!(
            "a value has 1 to {MAX_VALUE} bytes"
        )));
    }
    Ok(())
}

/// The empty tree as predecessor of a version.
struct Nothing {
    version: u64,
}

impl Source for Nothing {
    fn read(&self, record: Record, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let is_predecessor = self.version > 0 && key == root_key(self.version - 1);
        if record == Record::Node && is_predecessor {
            return encode_node(&Node::Null).map(Some);
        }
        Ok(None)
    }
}
