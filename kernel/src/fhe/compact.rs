//! Inputs of users: lists of values under the compact public key, with a zero-knowledge proof.
//!
//! The proof shows that the sender knows the values and that the noise is small, and it binds the
//! metadata (who sends what to which contract). A list is verified before anything else is done
//! with it.

use tfhe::integer::ciphertext::IntegerProvenCompactCiphertextListConformanceParams;
use tfhe::prelude::{ParameterSetConformant, Tagged};
use tfhe::zk::{CompactPkeCrs, CompactPkeZkScheme, ZkComputeLoad};
use tfhe::ProvenCompactCiphertextList;

use super::codec::{load, store, MAX_CRS, MAX_LIST, MAX_PUBLIC_KEY};
use super::parameters::ParameterSet;
use super::value::{to_wide, Clear, FheType};
use crate::error::{invalid, KernelError, Result};

/// Most message bits of a list, as in the clients of the field.
pub const MAX_LIST_BITS: usize = 2048;

/// Most values of a list.
pub const MAX_LIST_VALUES: usize = 256;

/// Most bytes of metadata.
pub const MAX_METADATA: usize = 4096;

/// Bits that one packed block of a list holds: two message blocks.
pub(crate) const PACKED_BITS: usize = 4;

/// Public key for compact lists.
pub struct CompactPublicKey {
    parameters: ParameterSet,
    key: tfhe::CompactPublicKey,
}

/// Common reference string of the proofs.
pub struct Crs {
    parameters: ParameterSet,
    crs: CompactPkeCrs,
}

impl CompactPublicKey {
    /// Read a public key; its tag names the parameter set.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let key = load!(tfhe::CompactPublicKey, bytes, MAX_PUBLIC_KEY);
        let parameters = parameters_of_tag(key.tag().data())?;
        if !key.is_conformant(&parameters.compact().0) {
            return invalid("the public key does not fit its parameter set");
        }
        Ok(Self { parameters, key })
    }

    /// The parameter set of the key.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.parameters
    }

    /// Encrypt values and prove it; the proof binds `metadata`.
    ///
    /// # Errors
    /// `InvalidInput` for an empty or too long list, a value that does not fit its type, too much
    /// metadata, or a reference string of other parameters or too small.
    pub fn encrypt_list(
        &self,
        values: &[(FheType, Clear)],
        crs: &Crs,
        metadata: &[u8],
    ) -> Result<Vec<u8>> {
        self.check_crs(crs)?;
        check_metadata(metadata)?;
        let kinds: Vec<_> = values.iter().map(|(fhe_type, _)| *fhe_type).collect();
        check_size(&kinds, crs)?;
        let mut builder = ProvenCompactCiphertextList::builder(&self.key);
        for (fhe_type, value) in values {
            fhe_type.check(value)?;
            if *fhe_type == FheType::Bool {
                builder.push(value[0] == 1);
            } else {
                builder
                    .push_with_num_bits(to_wide(value), fhe_type.bits())
                    .map_err(|_| KernelError::Internal("a value was not taken".into()))?;
            }
        }
        // The sender does more of the work, so that everybody who verifies does less.
        let list = builder
            .build_with_proof_packed(&crs.crs, metadata, ZkComputeLoad::Verify)
            .map_err(|_| KernelError::Internal("the proof was not made".into()))?;
        Ok(store!(&list, MAX_LIST))
    }

    /// Check a list and its proof.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no list of these parameters, or a list beyond the limits;
    /// `VerificationFailed` if the proof does not hold for list, key and metadata.
    pub fn verify(&self, bytes: &[u8], crs: &Crs, metadata: &[u8]) -> Result<Verified> {
        self.check_crs(crs)?;
        check_metadata(metadata)?;
        let shape = IntegerProvenCompactCiphertextListConformanceParams::from_crs_and_parameters(
            self.parameters.compact().0,
            &crs.crs,
        );
        let list = load!(ProvenCompactCiphertextList, bytes, MAX_LIST, &shape);
        let kinds = kinds_of(&list)?;
        check_size(&kinds, crs)?;
        if list.verify(&crs.crs, &self.key, metadata).is_invalid() {
            return Err(KernelError::VerificationFailed(
                "the proof does not hold for this list, key and metadata".into(),
            ));
        }
        Ok(Verified {
            parameters: self.parameters,
            kinds,
            list,
        })
    }

    fn check_crs(&self, crs: &Crs) -> Result<()> {
        if crs.parameters.compact().0 != self.parameters.compact().0 {
            return invalid("the reference string belongs to other parameters");
        }
        Ok(())
    }
}

/// A list whose proof holds; only [`CompactPublicKey::verify`] makes one.
pub struct Verified {
    parameters: ParameterSet,
    kinds: Vec<FheType>,
    list: ProvenCompactCiphertextList,
}

impl Verified {
    /// Types of the values in order.
    #[must_use]
    pub fn kinds(&self) -> &[FheType] {
        &self.kinds
    }

    /// The parameter set.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.parameters
    }

    /// The list itself.
    #[must_use]
    pub fn list(&self) -> &ProvenCompactCiphertextList {
        &self.list
    }
}

impl Crs {
    /// Make a reference string for lists of up to `max_bits` message bits.
    ///
    /// Whoever runs this knows its trapdoor for a moment and could then forge proofs: for tests and
    /// development; production takes the string of a ceremony.
    ///
    /// # Errors
    /// `InvalidInput` unless 1 <= `max_bits` <= [`MAX_LIST_BITS`].
    pub fn generate(parameters: ParameterSet, max_bits: usize) -> Result<Self> {
        if max_bits == 0 || max_bits > MAX_LIST_BITS {
            return invalid("the reference string is empty or beyond the limit of a list");
        }
        let crs = CompactPkeCrs::from_config(parameters.config(), max_bits)
            .map_err(|_| KernelError::Internal("the reference string was not made".into()))?;
        Ok(Self { parameters, crs })
    }

    /// The string that a ceremony made for a parameter set.
    pub(crate) fn of(parameters: ParameterSet, crs: CompactPkeCrs) -> Self {
        Self { parameters, crs }
    }

    /// Read a reference string; the parameter set is the first whose public key it fits.
    ///
    /// `checked` says that these very bytes passed before (their digest is pinned): the test of every
    /// curve point, nearly all of the time, is then left out.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn load(bytes: &[u8], checked: bool) -> Result<Self> {
        let crs = load!(CompactPkeCrs, bytes, MAX_CRS);
        let count = crs.max_num_messages();
        if count.0 == 0 || count.0 > MAX_LIST_BITS / PACKED_BITS {
            return invalid("the reference string is empty or beyond the limit of a list");
        }
        let fits = |parameters: &ParameterSet| {
            if checked {
                return numbers_fit(&crs, *parameters);
            }
            tfhe::zk::new_compact_pke_crs_conformance_params(parameters.compact().0, count)
                .is_ok_and(|shape| crs.is_conformant(&shape))
        };
        match ParameterSet::ALL.into_iter().find(fits) {
            Some(parameters) => Ok(Self { parameters, crs }),
            None => invalid("the reference string fits no parameter set"),
        }
    }

    /// The encoding, uncompressed points: twice as long, but read without square roots.
    ///
    /// # Errors
    /// `Internal` if it does not fit its limit.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(store!(&self.crs, MAX_CRS))
    }

    /// Most message bits of a list proven under this string.
    #[must_use]
    pub fn max_bits(&self) -> usize {
        self.crs.max_num_messages().0 * PACKED_BITS
    }
}

fn numbers_fit(crs: &CompactPkeCrs, parameters: ParameterSet) -> bool {
    let key = parameters.compact().0;
    matches!(crs.scheme_version(), CompactPkeZkScheme::V2)
        && crs.lwe_dimension() == key.encryption_lwe_dimension
        && crs.ciphertext_modulus::<u64>() == key.ciphertext_modulus
        // One more bit for the padding.
        && crs.plaintext_modulus() == 2 * key.message_modulus.0 * key.carry_modulus.0
}

/// The parameter set that a tag names.
///
/// # Errors
/// `InvalidInput` if it names none.
pub fn parameters_of_tag(tag: &[u8]) -> Result<ParameterSet> {
    let name = std::str::from_utf8(tag).unwrap_or_default();
    ParameterSet::from_name(name)
}

fn check_metadata(metadata: &[u8]) -> Result<()> {
    if metadata.len() > MAX_METADATA {
        return invalid("the metadata is too long");
    }
    Ok(())
}

fn check_size(kinds: &[FheType], crs: &Crs) -> Result<()> {
    if kinds.is_empty() || kinds.len() > MAX_LIST_VALUES {
        return invalid("a list holds 1 to 256 values");
    }
    // All values are laid out in blocks of 2 bits, and two blocks share a packed one.
    let blocks: usize = kinds.iter().map(|kind| kind.blocks()).sum();
    if 2 * blocks > crs.max_bits() {
        return invalid("the list is too long for the reference string");
    }
    Ok(())
}

fn kinds_of(list: &ProvenCompactCiphertextList) -> Result<Vec<FheType>> {
    // An empty list has no modulus, and tfhe asks it for one.
    if list.is_empty() || list.len() > MAX_LIST_VALUES {
        return invalid("a list holds 1 to 256 values");
    }
    (0..list.len())
        .map(|index| match list.get_kind_of(index) {
            Some(kind) => FheType::from_number(kind as i64),
            None => invalid("the list holds a value of an unknown type"),
        })
        .collect()
}
