//! Public keys under their names: `vkey`s (signed-note, "Verifier keys").

use crate::lines;
use core::fmt;
use ed25519_dalek::{Signature, VerifyingKey};

/// Signatures over a note's text as it stands.
pub(crate) const LOG_TYPE: u8 = 0x01;
/// Timestamped cosignatures.
pub(crate) const WITNESS_TYPE: u8 = 0x04;

/// An Ed25519 key that signs notes as they stand (type 0x01): a log's.
pub type LogKey = NoteKey<LOG_TYPE>;

/// An Ed25519 key that signs timestamped cosignatures (type 0x04): a witness's.
pub type WitnessKey = NoteKey<WITNESS_TYPE>;

/// A public key, its name and its id. The type byte is part of the Rust type, so a log's key never
/// stands where a witness's is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteKey<const TYPE: u8> {
    name: String,
    id: u32,
    public: VerifyingKey,
}

impl<const TYPE: u8> NoteKey<TYPE> {
    /// A key from its name and its 32 bytes (RFC 8032 §5.1.2).
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Point`].
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let point = strong_key(public).ok_or(KeyError::Point)?;
        let id = signed_note::key_id(name, &Self::typed(public));
        Ok(Self { name: name.to_owned(), id, public: point })
    }

    /// Reads `<name>+<id in hex>+<base64 of type and key>`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_vkey(vkey: &str) -> Result<Self, KeyError> {
        // A name holds no plus; the base64 behind the second one may.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Parts);
        };
        let bytes = lines::base64_bytes(material).ok_or(KeyError::Material)?;
        let (got, public) = bytes.split_first().ok_or(KeyError::Material)?;
        if *got != TYPE {
            return Err(KeyError::Type { got: *got, expected: TYPE });
        }
        let public = public.try_into().map_err(|_| KeyError::Material)?;
        let key = Self::new(name, public)?;
        // Compared as text: the id has eight lowercase digits and no other form.
        let expected = format!("{:08x}", key.id);
        if id == expected { Ok(key) } else { Err(KeyError::Id { got: id.to_owned(), expected }) }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key).
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The key itself; two keys with different names and the same bytes are one signer.
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// True for a signature over exactly `message`: canonical, and no point of small order.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.public.verify_strict(message, &signature).is_ok())
    }

    fn typed(public: &[u8; 32]) -> Vec<u8> {
        [&[TYPE], public.as_slice()].concat()
    }
}

/// The `vkey`.
impl<const TYPE: u8> fmt::Display for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = lines::base64(&Self::typed(self.public()));
        write!(f, "{}+{:08x}+{material}", self.name, self.id)
    }
}

impl<const TYPE: u8> fmt::Debug for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The point of a public key in its one encoding, and not of small order; none for anything else.
///
/// A point of small order verifies signatures that nobody made; a second encoding of a point would be a
/// second name for one key. The library's own reader lets both through.
pub fn strong_key(public: &[u8; 32]) -> Option<VerifyingKey> {
    let point = VerifyingKey::from_bytes(public).ok()?;
    let is_canonical = point.to_edwards().compress().as_bytes() == public;
    (is_canonical && !point.is_weak()).then_some(point)
}

fn check_name(name: &str) -> Result<(), KeyError> {
    // The library's check lets control characters through, which no note may contain.
    if signed_note::is_key_name_valid(name) && !name.chars().any(|sign| sign < ' ') {
        Ok(())
    } else {
        Err(KeyError::Name(name.to_owned()))
    }
}

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not three parts between plus signs.
    #[error("not a vkey: expected <name>+<id>+<base64>")]
    Parts,
    /// A name that no signature line can carry.
    #[error(
        "key name {0:?}: expected at least one character, and no space, plus or control character"
    )]
    Name(String),
    /// Not the base64 of a type byte and 32 bytes.
    #[error("vkey: expected the base64 of a type byte and a 32-byte Ed25519 key")]
    Material,
    /// A key for another kind of signature.
    #[error("vkey of signature type {got:#04x}, expected {expected:#04x}")]
    Type {
        /// The type byte found.
        got: u8,
        /// The one that this use of a key demands.
        expected: u8,
    },
    /// The id belongs to another name or key.
    #[error("vkey with id {got:?}, name and key make {expected}")]
    Id {
        /// The id as written.
        got: String,
        /// The id that follows from name and key.
        expected: String,
    },
    /// Not a point, not in its one encoding, or of small order.
    #[error("not a strong Ed25519 public key")]
    Point,
}
