//! The backup key: 32 random bytes, which a person sees as 64 hexadecimal digits.

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, Result};

/// The 32-byte backup key. Its 64 lower-case hexadecimal digits are the password of the repository,
/// for this crate and for stock `restic` alike.
///
/// It has no `Debug` of its content and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BackupKey([u8; BackupKey::LEN]);

impl BackupKey {
    /// Bytes in a backup key.
    pub const LEN: usize = 32;
    /// Hexadecimal digits in a backup key.
    pub const DIGITS: usize = 64;

    /// Takes the 32 bytes. They must come from a good random source; this crate makes no keys.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Reads 64 hexadecimal digits, in either case, with white space around them allowed.
    pub fn from_digits(digits: &str) -> Result<Self> {
        let digits = digits.trim();
        let mut bytes = Zeroizing::new([0u8; Self::LEN]);
        // The message gives lengths only: a mistyped key is still most of a key.
        hex::decode_to_slice(digits, bytes.as_mut_slice())
            .map_err(|_| Error::BadKey { got: digits.chars().count() })?;
        Ok(Self(*bytes))
    }

    /// The 64 lower-case hexadecimal digits.
    pub fn digits(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }
}

impl PartialEq for BackupKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BackupKey {}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip_and_debug_shows_none_of_them() {
        let key = BackupKey::from_bytes([0xab; 32]);
        let digits = key.digits();
        assert_eq!(digits.len(), BackupKey::DIGITS);
        assert!(BackupKey::from_digits(&format!(" {}\n", digits.to_uppercase())).unwrap() == key);
        assert!(!format!("{key:?}").contains("ab"));
    }

    #[test]
    fn a_short_key_is_refused_without_repeating_it() {
        let error = BackupKey::from_digits("deadbeef").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("64") && text.contains('8'), "{text}");
        assert!(!text.contains("deadbeef"));
    }
}
