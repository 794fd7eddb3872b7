//! The server key: expansion of lists, computation on ciphertexts, noise squashing.
//!
//! tfhe keeps the current key in a thread-local variable; every call sets it for its own duration.

use tfhe::prelude::{
    CiphertextList, FheEq, FheOrd, IfThenElse, ParameterSetConformant, SquashNoise, Tagged,
};
use tfhe::{
    with_server_key_as_context, CompressedServerKey, CompressedSquashedNoiseCiphertextList, FheBool,
};

use super::codec::{load, store, MAX_CIPHERTEXT, MAX_SERVER_KEY, MAX_SQUASHED};
use super::compact::{parameters_of_tag, CompactPublicKey, Crs};
use super::parameters::ParameterSet;
use super::value::{dispatch, FheType};
use crate::error::{invalid, KernelError, Result};

/// Operation on two values of the same type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Sum mod 2^bits.
    Add,
    /// Difference mod 2^bits.
    Sub,
    /// Product mod 2^bits.
    Mul,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
}

impl Operation {
    /// Operation of a name.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown name.
    pub fn from_name(name: &str) -> Result<Self> {
        Ok(match name {
            "add" => Self::Add,
            "sub" => Self::Sub,
            "mul" => Self::Mul,
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "and" => Self::And,
            "or" => Self::Or,
            "xor" => Self::Xor,
            _ => return invalid("unknown operation"),
        })
    }
}

/// Public key material for computing on ciphertexts.
pub struct ServerKey {
    parameters: ParameterSet,
    key: tfhe::ServerKey,
}

fn failed(what: &str) -> KernelError {
    KernelError::Internal(format!("{what} failed"))
}

impl ServerKey {
    /// Read a compressed server key and decompress it; its tag names the parameter set.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let compressed = load!(CompressedServerKey, bytes, MAX_SERVER_KEY);
        let parameters = parameters_of_tag(compressed.tag().data())?;
        if !compressed.is_conformant(&parameters.config().into()) {
            return invalid("the server key does not fit its parameter set");
        }
        let key = compressed.decompress();
        Ok(Self { parameters, key })
    }

    /// The parameter set of the key.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.parameters
    }

    /// Verify a proven list, then turn it into ordinary ciphertexts (format 1).
    ///
    /// # Errors
    /// As [`CompactPublicKey::verify`]; `InvalidInput` for a public key of other parameters.
    pub fn expand(
        &self,
        proven_list: &[u8],
        public_key: &CompactPublicKey,
        crs: &Crs,
        metadata: &[u8],
    ) -> Result<Vec<(FheType, Vec<u8>)>> {
        if public_key.parameters() != self.parameters {
            return invalid("public key and server key have different parameters");
        }
        let verified = public_key.verify(proven_list, crs, metadata)?;
        with_server_key_as_context(self.key.clone(), || {
            // The proof was checked above; `Verified` cannot be made without.
            let expander = verified.list().expand_without_verification();
            let expander = expander.map_err(|_| failed("expansion"))?;
            let kinds = verified.kinds().iter().enumerate();
            kinds
                .map(|(index, kind)| {
                    let bytes = dispatch!(*kind,
                        bool => {
                            let item = expander.get::<FheBool>(index).ok().flatten();
                            store!(&item.ok_or_else(|| failed("expansion"))?, MAX_CIPHERTEXT)
                        },
                        Kind => {
                            let item = expander.get::<Kind>(index).ok().flatten();
                            store!(&item.ok_or_else(|| failed("expansion"))?, MAX_CIPHERTEXT)
                        }
                    );
                    Ok((*kind, bytes))
                })
                .collect()
        })
    }

    /// Apply an operation to two ciphertexts (format 1) of one type.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no such ciphertexts, or an operation that truth values do
    /// not have.
    pub fn binary(
        &self,
        operation: Operation,
        fhe_type: FheType,
        left: &[u8],
        right: &[u8],
    ) -> Result<(FheType, Vec<u8>)> {
        dispatch!(fhe_type,
            bool => self.binary_boolean(operation, left, right),
            Kind => {
                let left = load!(Kind, left, MAX_CIPHERTEXT, &(&self.key).into());
                let right = load!(Kind, right, MAX_CIPHERTEXT, &(&self.key).into());
                let (left, right) = (&left, &right);
                let value = |item: Kind| Ok((fhe_type, store!(&item, MAX_CIPHERTEXT)));
                let truth = |item: FheBool| Ok((FheType::Bool, store!(&item, MAX_CIPHERTEXT)));
                with_server_key_as_context(self.key.clone(), || match operation {
                    Operation::Add => value(left + right),
                    Operation::Sub => value(left - right),
                    Operation::Mul => value(left * right),
                    Operation::And => value(left & right),
                    Operation::Or => value(left | right),
                    Operation::Xor => value(left ^ right),
                    Operation::Eq => truth(left.eq(right)),
                    Operation::Ne => truth(left.ne(right)),
                    Operation::Lt => truth(left.lt(right)),
                    Operation::Le => truth(left.le(right)),
                    Operation::Gt => truth(left.gt(right)),
                    Operation::Ge => truth(left.ge(right)),
                })
            }
        )
    }

    fn binary_boolean(
        &self,
        operation: Operation,
        left: &[u8],
        right: &[u8],
    ) -> Result<(FheType, Vec<u8>)> {
        let left = load!(FheBool, left, MAX_CIPHERTEXT, &(&self.key).into());
        let right = load!(FheBool, right, MAX_CIPHERTEXT, &(&self.key).into());
        let (left, right) = (&left, &right);
        let result = with_server_key_as_context(self.key.clone(), || {
            Ok(match operation {
                Operation::And => left & right,
                Operation::Or => left | right,
                Operation::Xor => left ^ right,
                Operation::Eq => left.eq(right),
                Operation::Ne => left.ne(right),
                _ => return invalid("truth values know and, or, xor, eq, ne"),
            })
        })?;
        Ok((FheType::Bool, store!(&result, MAX_CIPHERTEXT)))
    }

    /// `left` where the condition holds, else `right`; all in format 1.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no such ciphertexts.
    pub fn select(
        &self,
        condition: &[u8],
        fhe_type: FheType,
        left: &[u8],
        right: &[u8],
    ) -> Result<Vec<u8>> {
        let condition = load!(FheBool, condition, MAX_CIPHERTEXT, &(&self.key).into());
        dispatch!(fhe_type,
            bool => {
                let left = load!(FheBool, left, MAX_CIPHERTEXT, &(&self.key).into());
                let right = load!(FheBool, right, MAX_CIPHERTEXT, &(&self.key).into());
                let result = with_server_key_as_context(self.key.clone(), || {
                    condition.if_then_else(&left, &right)
                });
                Ok(store!(&result, MAX_CIPHERTEXT))
            },
            Kind => {
                let left = load!(Kind, left, MAX_CIPHERTEXT, &(&self.key).into());
                let right = load!(Kind, right, MAX_CIPHERTEXT, &(&self.key).into());
                let result = with_server_key_as_context(self.key.clone(), || {
                    condition.if_then_else(&left, &right)
                });
                Ok(store!(&result, MAX_CIPHERTEXT))
            }
        )
    }

    /// Squash the noise of a ciphertext (format 1): format 2 if `compressed`, else format 3.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no such ciphertext, blocks with unclean carries, or a
    /// parameter set without noise squashing.
    pub fn squash(
        &self,
        ciphertext: &[u8],
        fhe_type: FheType,
        compressed: bool,
    ) -> Result<Vec<u8>> {
        self.parameters.require_squashing()?;
        let refused = |_| KernelError::InvalidInput("the ciphertext cannot be squashed".into());
        dispatch!(fhe_type,
            bool => {
                let item = load!(FheBool, ciphertext, MAX_CIPHERTEXT, &(&self.key).into());
                with_server_key_as_context(self.key.clone(), || {
                    let squashed = item.squash_noise().map_err(refused)?;
                    if !compressed {
                        return Ok(store!(&squashed, MAX_SQUASHED));
                    }
                    let mut builder = CompressedSquashedNoiseCiphertextList::builder();
                    let list = builder.push(squashed).build();
                    Ok(store!(&list.map_err(|_| failed("compression"))?, MAX_SQUASHED))
                })
            },
            Kind => {
                let item = load!(Kind, ciphertext, MAX_CIPHERTEXT, &(&self.key).into());
                with_server_key_as_context(self.key.clone(), || {
                    let squashed = item.squash_noise().map_err(refused)?;
                    if !compressed {
                        return Ok(store!(&squashed, MAX_SQUASHED));
                    }
                    let mut builder = CompressedSquashedNoiseCiphertextList::builder();
                    let list = builder.push(squashed).build();
                    Ok(store!(&list.map_err(|_| failed("compression"))?, MAX_SQUASHED))
                })
            }
        )
    }
}
