//! Passwords: `OpaqueString` (RFC 8265 §4.2), widened to today's emoji.

use crate::character::{self, Unfit};
use core::fmt;
use precis_core::{DerivedPropertyValue, Error, FreeformClass, StringClass as _};
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use zeroize::Zeroizing;

/// The longest password, in bytes of prepared UTF-8.
pub const PASSWORD_LEN_MAX: usize = 1_024;

/// The most that NFC lengthens a text (UAX #15): from one byte to three, in UTF-8.
const NFC_GROWTH: usize = 3;

/// Stands for a character that is allowed beyond RFC 8264 while its class checks the rest: a symbol
/// without rules of its own.
const STAND_IN: char = '\u{2603}';

/// A prepared password, wiped on drop.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Prepares what a person typed.
    ///
    /// Spaces of any kind become U+0020, emoji presentation selectors go, then NFC; no case mapping.
    ///
    /// # Errors
    /// [`PasswordError`], before anything is sent: a refusal costs no attempt.
    pub fn prepare(typed: &str) -> Result<Self, PasswordError> {
        // NFC never shrinks a text to less than a third, so this bounds the work, not the password.
        if typed.len() > PASSWORD_LEN_MAX * NFC_GROWTH * 2 {
            return Err(PasswordError::TooLong { got: typed.len() });
        }
        let mapped = typed.chars().filter(|c| !character::is_presentation(*c)).map(space);
        // Room for all of it at once: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(typed.len() * NFC_GROWTH));
        text.extend(mapped.nfc());
        match text.len() {
            0 => Err(PasswordError::Empty),
            got if got > PASSWORD_LEN_MAX => Err(PasswordError::TooLong { got }),
            _ => {
                check(&text)?;
                Ok(Self(text))
            }
        }
    }

    /// The bytes that OPAQUE is given.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The prepared text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Characters, for strength rules.
    pub fn characters(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

fn space(character: char) -> char {
    if character.general_category() == GeneralCategory::SpaceSeparator { ' ' } else { character }
}

/// The freeform class of RFC 8264, with three kinds of character allowed in addition: those assigned
/// since Unicode 6.3, joiners between two emoji, and those that identifiers allow only beside certain
/// others (ContextO, such as `·`): NFC makes them of characters without such a rule.
fn check(text: &str) -> Result<(), PasswordError> {
    let class = FreeformClass::default();
    let mut masked = Zeroizing::new(String::with_capacity(text.len() * NFC_GROWTH));
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let property = class.get_value_from_char(c);
        let is_free = property == DerivedPropertyValue::ContextO
            || (property == DerivedPropertyValue::Unassigned && character::is_newer_and_visible(c));
        let joins = c == character::JOINER
            && before.is_some_and(character::is_joinable)
            && rest.clone().next().is_some_and(character::is_joinable);
        masked.push(if is_free || joins { STAND_IN } else { c });
        before = Some(c);
    }
    class.allows(masked.as_str()).map_err(|error| match error {
        Error::BadCodepoint(info) => {
            PasswordError::Character { at: info.position.saturating_add(1), why: Unfit::of(&info) }
        }
        _ => PasswordError::Character { at: 0, why: Unfit::Context },
    })
}

/// Why a password was refused. Nothing was sent, no attempt was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// Nothing, or nothing that counts.
    Empty,
    /// More bytes than [`PASSWORD_LEN_MAX`].
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// A character that is not accepted.
    Character {
        /// Its place, from 1; 0 if it is not known.
        at: usize,
        /// Why.
        why: Unfit,
    },
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the password is empty"),
            Self::TooLong { got } => {
                write!(f, "the password has {got} bytes, at most {PASSWORD_LEN_MAX} are accepted")
            }
            Self::Character { at: 0, why } => write!(f, "the password holds a character {why}"),
            Self::Character { at, why } => write!(f, "character {at} of the password is {why}"),
        }
    }
}

impl core::error::Error for PasswordError {}
