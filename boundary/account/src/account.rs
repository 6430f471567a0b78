//! Account names: `UsernameCaseMapped` (RFC 8265 §3.3).

use crate::character::Unfit;
use core::fmt;
use precis_core::{Error, profile::Profile as _};
use precis_profiles::UsernameCaseMapped;
use strongroom_wire::{AccountHash, caps};

/// How often the rules are applied until nothing changes (RFC 8264 §7).
const ROUNDS: usize = 4;

/// A normalised account name: what the slot is computed from.
///
/// Device and gateway normalise it alike, so that `Alice` and `alice` are one slot, one budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    name: String,
    hash: AccountHash,
}

impl Account {
    /// Normalises a name: width and case mapping, NFC, identifier characters only.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn normalise(name: &str) -> Result<Self, AccountError> {
        if name.is_empty() {
            return Err(AccountError::Empty);
        }
        if name.len() > caps::ACCOUNT_LEN_MAX {
            return Err(AccountError::TooLong { got: name.len() });
        }
        let profile = UsernameCaseMapped::new();
        let mut name = name.to_owned();
        for _ in 0..ROUNDS {
            let mapped = profile.enforce(name.as_str()).map_err(refusal)?.into_owned();
            if mapped == name {
                return Self::of_normal(name);
            }
            name = mapped;
        }
        Err(AccountError::Unstable)
    }

    fn of_normal(name: String) -> Result<Self, AccountError> {
        // Mapping may lengthen a name past the cap.
        let hash = AccountHash::of(&name).ok_or(AccountError::TooLong { got: name.len() })?;
        Ok(Self { name, hash })
    }

    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Its hash: all that a request carries of it.
    pub const fn hash(&self) -> AccountHash {
        self.hash
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn refusal(error: Error) -> AccountError {
    match error {
        Error::BadCodepoint(info) => {
            AccountError::Character { at: info.position.saturating_add(1), why: Unfit::of(&info) }
        }
        Error::Invalid => AccountError::Direction,
        Error::Unexpected(_) => AccountError::Unstable,
    }
}

/// Why an account name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountError {
    /// Nothing.
    Empty,
    /// More bytes than [`caps::ACCOUNT_LEN_MAX`].
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// A character that is not accepted.
    Character {
        /// Its place, from 1.
        at: usize,
        /// Why.
        why: Unfit,
    },
    /// Left-to-right and right-to-left letters in an order that displays ambiguously (RFC 5893).
    Direction,
    /// The rules do not settle on one form.
    Unstable,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the account name is empty"),
            Self::TooLong { got } => write!(
                f,
                "the account name has {got} bytes, at most {} are accepted",
                caps::ACCOUNT_LEN_MAX
            ),
            Self::Character { at, why } => write!(f, "character {at} of the account name is {why}"),
            Self::Direction => {
                f.write_str("the account name mixes writing directions in an ambiguous order")
            }
            Self::Unstable => f.write_str("the account name has no one normal form"),
        }
    }
}

impl core::error::Error for AccountError {}
