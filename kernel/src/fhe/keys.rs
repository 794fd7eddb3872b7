//! The client key: made by the dealer, split into shares, then forgotten.

use rand::rngs::OsRng;
use rand::RngCore;
use sha3::{Digest, Sha3_256};
use tfhe::prelude::{FheDecrypt, FheEncrypt, FheTryEncrypt, Tagged};
use tfhe::shortint::client_key::atomic_pattern::AtomicPatternClientKey;
use tfhe::{
    CompressedSquashedNoiseCiphertextList, FheBool, Seed, SquashedNoiseFheBool,
    SquashedNoiseFheUint,
};
use zeroize::Zeroizing;

use super::codec::{
    load, malformed, store, MAX_CIPHERTEXT, MAX_PUBLIC_KEY, MAX_SERVER_KEY, MAX_SQUASHED,
};
use super::parameters::ParameterSet;
use super::squashed;
use super::value::{dispatch, from_wide, to_wide, Clear, FheType, Format};
use crate::error::{invalid, KernelError, Result};
use tfhe::integer::U256;

/// Shortest and longest seed for reproducible keys, in bytes.
pub const SEED_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Binary secret keys as words, in the order of the LWE mask. Zeroed on drop.
pub struct SecretWords {
    /// Key of format 3; empty without noise squashing.
    pub squashed: Zeroizing<Vec<u128>>,
    /// Key of format 2; empty without noise squashing.
    pub compressed: Zeroizing<Vec<u128>>,
    /// Key of ordinary ciphertexts.
    pub big: Zeroizing<Vec<u64>>,
}

/// All secret keys of one key set.
pub struct ClientKey {
    parameters: ParameterSet,
    key: tfhe::ClientKey,
}

impl ClientKey {
    /// Generate the secret keys, from the system's randomness or reproducibly from a seed.
    ///
    /// A seed makes the secret keys reproducible, not the public ones: those draw fresh randomness.
    ///
    /// # Errors
    /// `InvalidInput` for a seed outside [`SEED_LENGTHS`].
    pub fn generate(parameters: ParameterSet, seed: Option<&[u8]>) -> Result<Self> {
        let mut narrow = Zeroizing::new([0u8; 16]);
        match seed {
            None => OsRng.fill_bytes(narrow.as_mut()),
            Some(wide) => {
                if !SEED_LENGTHS.contains(&wide.len()) {
                    return invalid("a seed has 16 to 64 bytes");
                }
                let digest = Sha3_256::new()
                    .chain_update(b"tkms/client-key/v1")
                    .chain_update([parameters.number()])
                    .chain_update(wide)
                    .finalize();
                narrow.copy_from_slice(&digest[..16]);
            }
        }
        let seed = Seed(u128::from_le_bytes(*narrow));
        let mut key = tfhe::ClientKey::generate_with_seed(parameters.config(), seed);
        key.tag_mut().set_data(parameters.name().as_bytes());
        Ok(Self { parameters, key })
    }

    /// The parameter set.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.parameters
    }

    /// The compact public key, serialised; its tag names the parameter set.
    ///
    /// # Errors
    /// `Internal` if the key does not fit its limit.
    pub fn compact_public_key(&self) -> Result<Vec<u8>> {
        let key = tfhe::CompactPublicKey::try_new(&self.key)
            .map_err(|_| KernelError::Internal("no compact public key".into()))?;
        Ok(store!(&key, MAX_PUBLIC_KEY))
    }

    /// The compressed server key, serialised; its tag names the parameter set.
    ///
    /// # Errors
    /// `Internal` if the key does not fit its limit.
    pub fn server_key(&self) -> Result<Vec<u8>> {
        let key = self.key.generate_compressed_server_key();
        Ok(store!(&key, MAX_SERVER_KEY))
    }

    /// Encrypt directly under the secret key, format 1.
    ///
    /// # Errors
    /// `InvalidInput` if the value does not fit the type.
    pub fn encrypt(&self, fhe_type: FheType, value: &Clear) -> Result<Vec<u8>> {
        fhe_type.check(value)?;
        let refused = |_| KernelError::Internal("encryption failed".into());
        dispatch!(fhe_type,
            bool => Ok(store!(&FheBool::encrypt(value[0] == 1, &self.key), MAX_CIPHERTEXT)),
            Kind => {
                let ciphertext = Kind::try_encrypt(to_wide(value), &self.key).map_err(refused)?;
                Ok(store!(&ciphertext, MAX_CIPHERTEXT))
            }
        )
    }

    /// Decrypt with the whole secret key: the oracle of tests.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no such ciphertext.
    pub fn decrypt(&self, bytes: &[u8], fhe_type: FheType, format: Format) -> Result<Clear> {
        match format {
            Format::SmallCompressed => invalid("format 0 is not read"),
            Format::SmallExpanded => self.decrypt_ordinary(bytes, fhe_type),
            Format::BigCompressed => {
                squashed::read(bytes, fhe_type, format, self.parameters)?;
                let list = load!(CompressedSquashedNoiseCiphertextList, bytes, MAX_SQUASHED);
                if fhe_type == FheType::Bool {
                    let item = list.get::<SquashedNoiseFheBool>(0);
                    let item = item.ok().flatten().ok_or_else(|| malformed("list"))?;
                    return Ok(from_bool(item.decrypt(&self.key)));
                }
                let item = list.get::<SquashedNoiseFheUint>(0);
                let item = item.ok().flatten().ok_or_else(|| malformed("list"))?;
                let wide: U256 = item.decrypt(&self.key);
                Ok(from_wide(wide))
            }
            Format::BigExpanded => {
                squashed::read(bytes, fhe_type, format, self.parameters)?;
                if fhe_type == FheType::Bool {
                    let item = load!(SquashedNoiseFheBool, bytes, MAX_SQUASHED);
                    return Ok(from_bool(item.decrypt(&self.key)));
                }
                let item = load!(SquashedNoiseFheUint, bytes, MAX_SQUASHED);
                let wide: U256 = item.decrypt(&self.key);
                Ok(from_wide(wide))
            }
        }
    }

    fn decrypt_ordinary(&self, bytes: &[u8], fhe_type: FheType) -> Result<Clear> {
        let compute = self.parameters.compute();
        dispatch!(fhe_type,
            bool => {
                let item = load!(FheBool, bytes, MAX_CIPHERTEXT, &compute.into());
                Ok(from_bool(item.decrypt(&self.key)))
            },
            Kind => {
                let item = load!(Kind, bytes, MAX_CIPHERTEXT, &compute.into());
                let wide: U256 = item.decrypt(&self.key);
                Ok(from_wide(wide))
            }
        )
    }

    /// The secret keys that parties hold shares of.
    ///
    /// # Errors
    /// `Internal` if tfhe stores the keys in another way than expected.
    pub fn secret_words(&self) -> Result<SecretWords> {
        let (integer, _, _, squashing, compression, _, _, _) = self.key.clone().into_raw_parts();
        let AtomicPatternClientKey::Standard(standard) = integer.into_raw_parts().atomic_pattern
        else {
            return Err(KernelError::Internal(
                "unexpected kind of client key".into(),
            ));
        };
        let big = Zeroizing::new(standard.large_lwe_secret_key().as_ref().to_vec());
        let squashed = squashing.map_or_else(Vec::new, |key| {
            let (glwe, _) = key.into_raw_parts().into_raw_parts();
            glwe.into_container()
        });
        let compressed = compression.map_or_else(Vec::new, |key| {
            let (glwe, _) = key.into_raw_parts().into_raw_parts();
            glwe.into_container()
        });
        Ok(SecretWords {
            squashed: Zeroizing::new(squashed),
            compressed: Zeroizing::new(compressed),
            big,
        })
    }
}

/// A truth value as clear value.
#[must_use]
pub fn from_bool(value: bool) -> Clear {
    let mut clear = [0; 32];
    clear[0] = u8::from(value);
    clear
}
