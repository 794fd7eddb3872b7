//! How the tree reads what the caller stored.

use std::cell::RefCell;

use jmt::storage::{HasPreimage, LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Version};

use crate::error::{KernelError, Result};

/// Version under which `jmt` looks for a tree from before genesis; this kernel never has one.
const PRE_GENESIS: Version = u64::MAX;

/// What a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A tree node by its encoded key, see [`encode_node_key`].
    Node,
    /// The value of a plain key at the version that is being proved.
    Value,
    /// The plain key by its SHA-256 hash.
    Preimage,
}

impl Record {
    /// Number of this kind at the Python boundary.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Node => 0,
            Self::Value => 1,
            Self::Preimage => 2,
        }
    }
}

/// The caller's store.
pub trait Source {
    /// Returns the stored bytes, or `None` when there is no such record.
    fn read(&self, record: Record, key: &[u8]) -> Result<Option<Vec<u8>>>;
}

/// Encodes a node key: version (8 bytes, big endian), number of nibbles (1 byte), nibbles packed
/// two a byte, high half first, a last odd nibble padded with zero. Keys sort by version.
pub(super) fn encode_node_key(key: &NodeKey) -> Vec<u8> {
    let path = key.nibble_path();
    let count = path.num_nibbles();
    let mut encoded = Vec::with_capacity(9 + count.div_ceil(2));
    encoded.extend_from_slice(&key.version().to_be_bytes());
    // A path has at most 64 nibbles: the key hash has 32 bytes.
    encoded.push(count as u8);
    let mut half: Option<u8> = None;
    for nibble in path.nibbles() {
        let value = nibble.as_usize() as u8;
        match half.take() {
            None => half = Some(value << 4),
            Some(high) => encoded.push(high | value),
        }
    }
    encoded.extend(half);
    encoded
}

/// Encodes a node as `jmt` defines it (borsh).
pub(super) fn encode_node(node: &Node) -> Result<Vec<u8>> {
    borsh::to_vec(node).map_err(|error| KernelError::Internal(format!("node: {error}")))
}

/// A [`Source`] in the shape that `jmt` wants. Keeps the first error of the source, because the
/// library only carries its own error type.
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    /// The key that is being proved: its preimage need not be read.
    proving: Option<(KeyHash, &'a [u8])>,
    failure: RefCell<Option<KernelError>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            proving: None,
            failure: RefCell::new(None),
        }
    }

    pub(super) fn proving(source: &'a dyn Source, key_hash: KeyHash, key: &'a [u8]) -> Self {
        Self {
            proving: Some((key_hash, key)),
            ..Self::new(source)
        }
    }

    /// The error to report for a failed tree operation: the source's own one if there was one.
    pub(super) fn explain(&self, error: anyhow::Error) -> KernelError {
        self.failure
            .borrow_mut()
            .take()
            .unwrap_or_else(|| KernelError::Internal(format!("tree: {error:#}")))
    }

    fn read(&self, record: Record, key: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        self.source.read(record, key).map_err(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            anyhow::anyhow!("the store could not be read")
        })
    }
}

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, node_key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if node_key.version() == PRE_GENESIS {
            return Ok(None);
        }
        match self.read(Record::Node, &encode_node_key(node_key))? {
            Some(bytes) => Ok(Some(borsh::from_slice(&bytes)?)),
            None => Ok(None),
        }
    }

    fn get_value_option(
        &self,
        _max_version: Version,
        key_hash: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        match self.preimage(key_hash)? {
            Some(key) => self.read(Record::Value, &key),
            None => Ok(None),
        }
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only a restore of jmt asks for the rightmost leaf, and there is none here")
    }
}

impl HasPreimage for Reader<'_> {
    fn preimage(&self, key_hash: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        match self.proving {
            Some((hash, key)) if hash == key_hash => Ok(Some(key.to_vec())),
            _ => self.read(Record::Preimage, &key_hash.0),
        }
    }
}
