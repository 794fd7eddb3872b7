//! Signcryption of user decryption answers, format 1: sign, then encrypt.
//!
//! The bytes are those that clients in the field read. All integers little endian, `vec` = u64
//! length and bytes (the legacy bincode layout):
//!
//! ```text
//! message    = vec share ‖ i32 fhe_type ‖ vec link(32)
//! signed     = "USER_DEC" ‖ message ‖ client address(20) ‖ SHAKE256("SIGNCRYP" ‖ u64 800 ‖ key)
//! inner      = message ‖ signature r‖s(64) ‖ SHAKE256("SIGNCRYP" ‖ u64 33 ‖ SEC1 key of the signer)
//! ciphertext = nonce(12) ‖ vec kem ciphertext(768) ‖ vec AES-256-GCM(inner)
//! ```
//!
//! The AES key is the shared secret of ML-KEM-512. Nothing is bound by associated data: link,
//! receiver and key are bound by the signature inside.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use k256::ecdsa::signature::{Signer, Verifier};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use ml_kem::array::Array;
use ml_kem::kem::{Decapsulate, DecapsulationKey, Encapsulate, EncapsulationKey};
use ml_kem::{EncodedSizeUser, KemCore, MlKem512, MlKem512Params, SharedKey, B32};
use rand::rngs::OsRng;
use rand::RngCore;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{invalid, KernelError, Result};

/// Largest share, and largest output of [`shake256`].
const MAX_BYTES: usize = 1 << 24;
const LINK: usize = 32;
const ADDRESS: usize = 20;
const ENCAPSULATION_KEY: usize = 800;
const DECAPSULATION_KEY: usize = 1632;
const KEM_CIPHERTEXT: usize = 768;
const VERIFICATION_KEY: usize = 33;
const SIGNATURE: usize = 64;
const DIGEST: usize = 32;
const NONCE: usize = 12;
const SEED: usize = 64;

/// Key pair of ML-KEM-512: encapsulation key and (expanded) decapsulation key.
pub type KemKeys = (Vec<u8>, Zeroizing<Vec<u8>>);

/// To whom and about what an answer is.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    /// EIP-712 hash of the request, 32 bytes.
    pub link: &'a [u8],
    /// Address of the client, 20 bytes.
    pub client_address: &'a [u8],
    /// ML-KEM-512 key of the client, 800 bytes.
    pub encapsulation_key: &'a [u8],
}

/// Makes an ML-KEM-512 key pair, from 64 bytes `d ‖ z` or from fresh randomness.
pub fn mlkem512_generate(seed: Option<&[u8]>) -> Result<KemKeys> {
    let mut fresh = Zeroizing::new([0_u8; SEED]);
    let seed = match seed {
        Some(bytes) => bytes,
        None => {
            OsRng.fill_bytes(&mut *fresh);
            &fresh[..]
        }
    };
    let (Some(d), Some(z)) = (seed.get(..SEED / 2), seed.get(SEED / 2..)) else {
        return invalid("a seed has 64 bytes");
    };
    let halves = (B32::try_from(d), B32::try_from(z));
    let (Ok(d), Ok(z)) = halves else {
        return invalid("a seed has 64 bytes");
    };
    let (secret, public) = MlKem512::generate_deterministic(&d, &z);
    let secret = Zeroizing::new(secret.as_bytes().to_vec());
    Ok((public.as_bytes().to_vec(), secret))
}

/// Signs and encrypts a share.
pub fn signcrypt(
    share: &[u8],
    fhe_type: i32,
    envelope: Envelope<'_>,
    signing_key: &[u8],
) -> Result<Vec<u8>> {
    let receiver = read_encapsulation_key(envelope)?;
    if share.len() > MAX_BYTES {
        return invalid(format!("a share has at most {MAX_BYTES} bytes"));
    }
    let signer = SigningKey::from_slice(signing_key)
        .map_err(|_| KernelError::InvalidInput("not a secp256k1 secret key".into()))?;
    let mut inner = Zeroizing::new(encode_message(share, fhe_type, envelope.link));
    let signature: Signature = signer.sign(&signed_bytes(&inner, envelope));
    inner.extend_from_slice(&signature.to_bytes());
    let public = signer.verifying_key().to_encoded_point(true);
    inner.extend_from_slice(&key_digest(public.as_bytes()));
    encrypt(&receiver, &inner)
}

/// Decrypts and verifies; returns the share and its FHE type.
pub fn open(
    ciphertext: &[u8],
    envelope: Envelope<'_>,
    decapsulation_key: &[u8],
    verification_key: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, i32)> {
    read_encapsulation_key(envelope)?;
    let secret = read_decapsulation_key(decapsulation_key, envelope)?;
    let verifier = read_verification_key(verification_key)?;
    let inner = decrypt(&secret, ciphertext)?;
    let cut = inner
        .len()
        .checked_sub(SIGNATURE + DIGEST)
        .ok_or_else(altered)?;
    let (message, tail) = inner.split_at(cut);
    let (signature, digest) = tail.split_at(SIGNATURE);
    if digest != key_digest(verification_key) {
        return Err(refused("the share is from another signer"));
    }
    let signature = Signature::from_slice(signature).map_err(|_| altered())?;
    // One signature, one encoding: the second form with a high s is not accepted.
    if signature.normalize_s().is_some() {
        return Err(refused("the signature is not in its low form"));
    }
    verifier
        .verify(&signed_bytes(message, envelope), &signature)
        .map_err(|_| refused("the signature does not hold for this receiver"))?;
    decode_message(message, envelope.link)
}

/// SHA3-256.
#[must_use]
pub fn sha3_256(data: &[u8]) -> [u8; DIGEST] {
    Sha3_256::digest(data).into()
}

/// SHAKE256 with `length` bytes of output.
pub fn shake256(data: &[u8], length: usize) -> Result<Vec<u8>> {
    if length > MAX_BYTES {
        return invalid(format!("at most {MAX_BYTES} bytes of output"));
    }
    let mut hasher = Shake256::default();
    hasher.update(data);
    let mut output = vec![0; length];
    hasher.finalize_xof().read(&mut output);
    Ok(output)
}

/// Digest of a public key with its legacy length prefix.
fn key_digest(key: &[u8]) -> [u8; DIGEST] {
    let mut hasher = Shake256::default();
    hasher.update(b"SIGNCRYP");
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    let mut digest = [0; DIGEST];
    hasher.finalize_xof().read(&mut digest);
    digest
}

fn signed_bytes(message: &[u8], envelope: Envelope<'_>) -> Zeroizing<Vec<u8>> {
    let digest = key_digest(envelope.encapsulation_key);
    let parts: [&[u8]; 4] = [b"USER_DEC", message, envelope.client_address, &digest];
    Zeroizing::new(parts.concat())
}

fn encode_message(share: &[u8], fhe_type: i32, link: &[u8]) -> Vec<u8> {
    // Room for the whole inner plaintext: no copy of the share is left behind by growth.
    let room = 8 + share.len() + 4 + 8 + link.len() + SIGNATURE + DIGEST;
    let mut message = Vec::with_capacity(room);
    push_vec(&mut message, share);
    message.extend_from_slice(&fhe_type.to_le_bytes());
    push_vec(&mut message, link);
    message
}

fn decode_message(message: &[u8], link: &[u8]) -> Result<(Zeroizing<Vec<u8>>, i32)> {
    let (share, rest) = take_vec(message)?;
    let (fhe_type, rest) = rest.split_first_chunk::<4>().ok_or_else(altered)?;
    let (found, rest) = take_vec(rest)?;
    if found != link {
        return Err(refused("the share belongs to another request"));
    }
    if !rest.is_empty() {
        return Err(altered());
    }
    Ok((
        Zeroizing::new(share.to_vec()),
        i32::from_le_bytes(*fhe_type),
    ))
}

fn encrypt(receiver: &EncapsulationKey<MlKem512Params>, inner: &[u8]) -> Result<Vec<u8>> {
    let failed = || KernelError::Internal("encryption failed".into());
    let (kem, secret) = receiver.encapsulate(&mut OsRng).map_err(|()| failed())?;
    let cipher = cipher(secret);
    let mut nonce = [0_u8; NONCE];
    OsRng.fill_bytes(&mut nonce);
    let sealed = cipher
        .encrypt(Nonce::from_slice(&nonce), inner)
        .map_err(|_| failed())?;
    let mut ciphertext = nonce.to_vec();
    push_vec(&mut ciphertext, &kem);
    push_vec(&mut ciphertext, &sealed);
    Ok(ciphertext)
}

fn decrypt(
    secret: &DecapsulationKey<MlKem512Params>,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = ciphertext
        .split_first_chunk::<NONCE>()
        .ok_or_else(altered)?;
    let (kem, rest) = take_vec(rest)?;
    let (sealed, rest) = take_vec(rest)?;
    if kem.len() != KEM_CIPHERTEXT || !rest.is_empty() {
        return Err(altered());
    }
    let kem = Array::try_from(kem).map_err(|_| altered())?;
    let inner = cipher(secret.decapsulate(&kem).map_err(|()| altered())?)
        .decrypt(Nonce::from_slice(nonce), sealed)
        .map_err(|_| altered())?;
    Ok(Zeroizing::new(inner))
}

/// The cipher under a shared secret, which is wiped.
fn cipher(mut shared: SharedKey<MlKem512>) -> Aes256Gcm {
    let mut key: [u8; 32] = shared.into();
    shared.as_mut_slice().zeroize();
    let cipher = Aes256Gcm::new(&key.into());
    key.zeroize();
    cipher
}

fn read_encapsulation_key(envelope: Envelope<'_>) -> Result<EncapsulationKey<MlKem512Params>> {
    if envelope.link.len() != LINK || envelope.client_address.len() != ADDRESS {
        return invalid("a link has 32 bytes and an address 20");
    }
    let bytes = envelope.encapsulation_key;
    let Ok(encoded) = Array::try_from(bytes) else {
        return invalid(format!(
            "an encapsulation key has {ENCAPSULATION_KEY} bytes"
        ));
    };
    let key = EncapsulationKey::<MlKem512Params>::from_bytes(&encoded);
    // The modulus check of FIPS 203 section 7.2: a key must survive decoding and encoding.
    if key.as_bytes()[..] != *bytes {
        return invalid("the encapsulation key is not reduced");
    }
    Ok(key)
}

fn read_decapsulation_key(
    bytes: &[u8],
    envelope: Envelope<'_>,
) -> Result<DecapsulationKey<MlKem512Params>> {
    let Ok(mut encoded) = Array::try_from(bytes) else {
        return invalid(format!("a decapsulation key has {DECAPSULATION_KEY} bytes"));
    };
    let key = DecapsulationKey::<MlKem512Params>::from_bytes(&encoded);
    encoded.as_mut_slice().zeroize();
    if key.encapsulation_key().as_bytes()[..] != *envelope.encapsulation_key {
        return invalid("the two keys of the receiver do not belong together");
    }
    Ok(key)
}

fn read_verification_key(bytes: &[u8]) -> Result<VerifyingKey> {
    if bytes.len() != VERIFICATION_KEY {
        return invalid(format!("a verification key has {VERIFICATION_KEY} bytes"));
    }
    VerifyingKey::from_sec1_bytes(bytes)
        .map_err(|_| KernelError::InvalidInput("the verification key is not on the curve".into()))
}

fn push_vec(target: &mut Vec<u8>, bytes: &[u8]) {
    target.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    target.extend_from_slice(bytes);
}

/// Splits a length-prefixed byte string from the front.
fn take_vec(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(altered)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| altered())?;
    rest.split_at_checked(length).ok_or_else(altered)
}

fn altered() -> KernelError {
    refused("the ciphertext was altered or is for another key")
}

fn refused(reason: &str) -> KernelError {
    KernelError::VerificationFailed(reason.to_owned())
}
