//! What a party holds for pseudorandom sharing: keys, and sessions, are both built on it.

use zeroize::Zeroizing;

use super::element::Element;
use super::prf::{Access, KEY_BYTES};

/// Keys of one party for all sets that contain it, with the public `f_A(point of the party)`.
pub(super) struct Material {
    pub(super) access: Access,
    pub(super) party: u8,
    pub(super) sets: Vec<u16>,
    pub(super) weights: Vec<Element<u128>>,
    pub(super) keys: Zeroizing<Vec<[u8; KEY_BYTES]>>,
}
