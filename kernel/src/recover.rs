//! Addresses behind many recoverable secp256k1 signatures at once.
//!
//! The rule is that of the chain (`wire/signing.py`): 65 bytes r ‖ s ‖ v, v in {0, 1, 27, 28}, low s (EIP-2);
//! the address is the last 20 bytes of Keccak-256 of the uncompressed point (Ethereum yellow paper, appendix F).

use rayon::prelude::*;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::Message;
use sha3::{Digest, Keccak256};

/// Bytes of an address.
pub const ADDRESS: usize = 20;

/// Half the group order: a larger s has a twin signature.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Recovers on all cores who signed each (digest, signature); `None` where nobody could have.
#[must_use]
pub fn recover_addresses(items: &[(&[u8], &[u8])]) -> Vec<Option<[u8; ADDRESS]>> {
    items
        .par_iter()
        .map(|(digest, signature)| recover(digest, signature))
        .collect()
}

fn recover(digest: &[u8], signature: &[u8]) -> Option<[u8; ADDRESS]> {
    let digest: [u8; 32] = digest.try_into().ok()?;
    let signature: &[u8; 65] = signature.try_into().ok()?;
    let version = match signature[64] {
        0 | 27 => RecoveryId::Zero,
        1 | 28 => RecoveryId::One,
        _ => return None,
    };
    if signature[32..64] > HALF_ORDER[..] {
        return None;
    }
    let signature = RecoverableSignature::from_compact(&signature[..64], version).ok()?;
    let key = signature.recover_ecdsa(Message::from_digest(digest)).ok()?;
    let hashed = Keccak256::digest(&key.serialize_uncompressed()[1..]);
    hashed[32 - ADDRESS..].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secp256k1::SecretKey;

    fn signed(seed: u8, digest: [u8; 32]) -> [u8; 65] {
        let key = SecretKey::from_secret_bytes([seed; 32]).expect("a valid key");
        let (version, compact) =
            RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(digest), &key)
                .serialize_compact();
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&compact);
        signature[64] = version.to_u8();
        signature
    }

    #[test]
    fn each_signer_is_found_and_everything_else_is_nobody() {
        let digest = [7; 32];
        let (first, second) = (signed(1, digest), signed(2, digest));
        let mut typed = first;
        typed[64] += 27;
        let mut version = first;
        version[64] = 2;
        let mut high = first;
        high[32..64].copy_from_slice(&[0xff; 32]);
        let found = recover_addresses(&[
            (&digest, &first),
            (&digest, &second),
            (&digest, &typed),
            (&digest, &version),
            (&digest, &high),
            (&digest[..31], &first),
            (&digest, &first[..64]),
        ]);
        assert!(found[0].is_some() && found[1].is_some());
        assert_ne!(found[0], found[1]);
        assert_eq!(found[0], found[2]);
        assert_eq!(found[3..], [None, None, None, None]);
    }
}
