//! The nine types of clear values and the formats of ciphertexts.

use tfhe::integer::U256;

use crate::error::{invalid, Result};

/// A clear value of up to 256 bits, little-endian.
pub type Clear = [u8; 32];

/// Type of a clear value; the numbers are tfhe's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FheType {
    /// Truth value, one block.
    Bool,
    /// Unsigned integer of 4 bits.
    Uint4,
    /// Unsigned integer of 8 bits.
    Uint8,
    /// Unsigned integer of 16 bits.
    Uint16,
    /// Unsigned integer of 32 bits.
    Uint32,
    /// Unsigned integer of 64 bits.
    Uint64,
    /// Unsigned integer of 128 bits.
    Uint128,
    /// Unsigned integer of 160 bits: an address.
    Uint160,
    /// Unsigned integer of 256 bits.
    Uint256,
}

impl FheType {
    /// All types in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Bool,
        Self::Uint4,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Uint128,
        Self::Uint160,
        Self::Uint256,
    ];

    /// Type of a number.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is not 0..=8.
    pub fn from_number(number: i64) -> Result<Self> {
        match usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)) {
            Some(found) => Ok(*found),
            None => invalid("unknown type of encrypted value"),
        }
    }

    /// Number of the type, 0..=8.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Bool => 0,
            Self::Uint4 => 1,
            Self::Uint8 => 2,
            Self::Uint16 => 3,
            Self::Uint32 => 4,
            Self::Uint64 => 5,
            Self::Uint128 => 6,
            Self::Uint160 => 7,
            Self::Uint256 => 8,
        }
    }

    /// Width in bits.
    #[must_use]
    pub fn bits(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Uint4 => 4,
            Self::Uint8 => 8,
            Self::Uint16 => 16,
            Self::Uint32 => 32,
            Self::Uint64 => 64,
            Self::Uint128 => 128,
            Self::Uint160 => 160,
            Self::Uint256 => 256,
        }
    }

    /// Ordinary blocks of 2 message bits.
    #[must_use]
    pub fn blocks(self) -> usize {
        self.bits().div_ceil(2)
    }

    /// Squashed blocks: two ordinary blocks each.
    #[must_use]
    pub fn squashed_blocks(self) -> usize {
        self.blocks().div_ceil(2)
    }

    /// Check that a clear value fits the type.
    ///
    /// # Errors
    /// `InvalidInput` if it is too large.
    pub fn check(self, value: &Clear) -> Result<()> {
        let bits = self.bits();
        let too_large = value.iter().enumerate().any(|(index, byte)| {
            let kept = bits.saturating_sub(8 * index).min(8);
            u16::from(*byte) >> kept != 0
        });
        if too_large {
            return invalid("the value does not fit its type");
        }
        Ok(())
    }
}

/// How a ciphertext is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// 0: compressed list of ordinary ciphertexts; tkms does not read it.
    SmallCompressed,
    /// 1: ordinary 64-bit ciphertext.
    SmallExpanded,
    /// 2: list of one compressed squashed ciphertext.
    BigCompressed,
    /// 3: squashed 128-bit ciphertext.
    BigExpanded,
}

impl Format {
    /// Format of a number.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is not 0..=3.
    pub fn from_number(number: i64) -> Result<Self> {
        match number {
            0 => Ok(Self::SmallCompressed),
            1 => Ok(Self::SmallExpanded),
            2 => Ok(Self::BigCompressed),
            3 => Ok(Self::BigExpanded),
            _ => invalid("unknown ciphertext format"),
        }
    }
}

/// The value as tfhe's wide integer.
#[must_use]
pub fn to_wide(value: &Clear) -> U256 {
    let mut wide = U256::default();
    wide.copy_from_le_byte_slice(value);
    wide
}

/// The value of tfhe's wide integer.
#[must_use]
pub fn from_wide(wide: U256) -> Clear {
    let mut value = [0; 32];
    wide.copy_to_le_byte_slice(&mut value);
    value
}

/// Evaluate `$body` with `$alias` standing for the tfhe type of an integer type.
///
/// `Bool` goes to `$boolean`, because tfhe gives it another interface.
macro_rules! dispatch {
    ($fhe_type:expr, bool => $boolean:expr, $alias:ident => $body:expr) => {
        match $fhe_type {
            $crate::fhe::value::FheType::Bool => $boolean,
            $crate::fhe::value::FheType::Uint4 => {
                type $alias = tfhe::FheUint4;
                $body
            }
            $crate::fhe::value::FheType::Uint8 => {
                type $alias = tfhe::FheUint8;
                $body
            }
            $crate::fhe::value::FheType::Uint16 => {
                type $alias = tfhe::FheUint16;
                $body
            }
            $crate::fhe::value::FheType::Uint32 => {
                type $alias = tfhe::FheUint32;
                $body
            }
            $crate::fhe::value::FheType::Uint64 => {
                type $alias = tfhe::FheUint64;
                $body
            }
            $crate::fhe::value::FheType::Uint128 => {
                type $alias = tfhe::FheUint128;
                $body
            }
            $crate::fhe::value::FheType::Uint160 => {
                type $alias = tfhe::FheUint160;
                $body
            }
            $crate::fhe::value::FheType::Uint256 => {
                type $alias = tfhe::FheUint256;
                $body
            }
        }
    };
}
pub(crate) use dispatch;
