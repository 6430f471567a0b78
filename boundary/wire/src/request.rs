//! What a device asks (spec §6): one size, whatever the verb.

use crate::{
    caps::{self, opaque},
    codec::{self, CodecError, Fixed},
    digest::sha256,
    owner::{Authority, OwnerAuth},
    slot::AccountHash,
};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The verbs of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Verb {
    /// Begin a registration: a pending entry with a fresh salt.
    #[n(1)]
    RegisterStart,
    /// Finish a registration: a record, or its delayed replacement.
    #[n(2)]
    RegisterFinish,
    /// Begin a recovery: a charge, then KE2.
    #[n(3)]
    RecoverStart,
    /// Finish a recovery: KE3, or random bytes after a wrong password.
    #[n(4)]
    RecoverFinish,
    /// The owner asks how the slot stands.
    #[n(5)]
    Status,
    /// The owner destroys the record.
    #[n(6)]
    Destroy,
    /// The owner adds a device key.
    #[n(7)]
    EnrollDevice,
    /// Anybody with a ticket asks how many attempts are left.
    #[n(8)]
    Budget,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 8] = [
        Self::RegisterStart,
        Self::RegisterFinish,
        Self::RecoverStart,
        Self::RecoverFinish,
        Self::Status,
        Self::Destroy,
        Self::EnrollDevice,
        Self::Budget,
    ];

    /// The verb's number in encodings and signed statements.
    pub const fn code(self) -> u8 {
        match self {
            Self::RegisterStart => 1,
            Self::RegisterFinish => 2,
            Self::RecoverStart => 3,
            Self::RecoverFinish => 4,
            Self::Status => 5,
            Self::Destroy => 6,
            Self::EnrollDevice => 7,
            Self::Budget => 8,
        }
    }

    /// The verb's name in URLs, configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegisterStart => "register-start",
            Self::RegisterFinish => "register-finish",
            Self::RecoverStart => "recover-start",
            Self::RecoverFinish => "recover-finish",
            Self::Status => "status",
            Self::Destroy => "destroy",
            Self::EnrollDevice => "enroll-device",
            Self::Budget => "budget",
        }
    }

    /// The verb of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// What a registration stores, all of it covered by the owner's authority.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Registration {
    /// The pending entry that this consumes.
    #[n(0)]
    pub entry: Fixed<32>,
    /// The generation that the entry announced: compare-and-swap.
    #[n(1)]
    pub generation: u64,
    /// The OPAQUE registration record (RFC 9807 §5.2).
    #[n(2)]
    pub upload: Fixed<{ opaque::REGISTRATION_UPLOAD_LEN }>,
    /// The backup key under the export key.
    #[n(3)]
    pub wrapped_key: Fixed<{ caps::WRAPPED_KEY_LEN }>,
    /// The device's Ed25519 key, which becomes the record's only one.
    #[n(4)]
    pub device: Fixed<32>,
    /// Which key-stretching parameters the client used.
    #[n(5)]
    pub ksf_version: u16,
}

impl Registration {
    /// SHA-256 of the encoding: what authorities sign and receipts name.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&codec::encode(self))
    }
}

/// The verb's content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
pub enum Body {
    /// [`Verb::RegisterStart`].
    #[n(1)]
    RegisterStart {
        /// OPAQUE registration request.
        #[n(0)]
        request: Fixed<{ opaque::REGISTRATION_REQUEST_LEN }>,
    },
    /// [`Verb::RegisterFinish`].
    #[n(2)]
    RegisterFinish {
        /// What is stored.
        #[n(0)]
        registration: Registration,
        /// Why an existing record may be replaced.
        #[n(1)]
        authority: Authority,
    },
    /// [`Verb::RecoverStart`].
    #[n(3)]
    RecoverStart {
        /// OPAQUE KE1.
        #[n(0)]
        ke1: Fixed<{ opaque::KE1_LEN }>,
    },
    /// [`Verb::RecoverFinish`].
    #[n(4)]
    RecoverFinish {
        /// The attempt that `recover-start` opened.
        #[n(0)]
        attempt: u64,
        /// KE1 again: with the committed seed any node rebuilds the login from it.
        #[n(1)]
        ke1: Fixed<{ opaque::KE1_LEN }>,
        /// KE3, or 64 random bytes after a wrong password.
        #[n(2)]
        ke3: Fixed<{ opaque::KE3_LEN }>,
        /// This device's Ed25519 key.
        #[n(3)]
        device: Fixed<32>,
        /// Keep the newest of the earlier device keys beside this one.
        #[n(4)]
        keep_device: bool,
    },
    /// [`Verb::Status`].
    #[n(5)]
    Status {
        /// The owner's signature.
        #[n(0)]
        auth: OwnerAuth,
    },
    /// [`Verb::Destroy`].
    #[n(6)]
    Destroy {
        /// The owner's signature.
        #[n(0)]
        auth: OwnerAuth,
    },
    /// [`Verb::EnrollDevice`].
    #[n(7)]
    EnrollDevice {
        /// The owner's signature.
        #[n(0)]
        auth: OwnerAuth,
        /// The Ed25519 key to add.
        #[n(1)]
        device: Fixed<32>,
    },
    /// [`Verb::Budget`].
    #[n(8)]
    Budget {},
}

impl Body {
    /// Which verb this is.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::RegisterStart { .. } => Verb::RegisterStart,
            Self::RegisterFinish { .. } => Verb::RegisterFinish,
            Self::RecoverStart { .. } => Verb::RecoverStart,
            Self::RecoverFinish { .. } => Verb::RecoverFinish,
            Self::Status { .. } => Verb::Status,
            Self::Destroy { .. } => Verb::Destroy,
            Self::EnrollDevice { .. } => Verb::EnrollDevice,
            Self::Budget {} => Verb::Budget,
        }
    }
}

/// One request, before it is padded and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Request {
    /// [`caps::WIRE_VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose slot: the vault computes it from this, never from the ticket alone.
    #[n(1)]
    pub account: AccountHash,
    /// The verb and its content.
    #[n(2)]
    pub body: Body,
}

impl Request {
    /// A request of this version.
    pub const fn new(account: AccountHash, body: Body) -> Self {
        Self { version: caps::WIRE_VERSION, account, body }
    }

    /// The padded plaintext that is sealed to the fleet.
    ///
    /// # Errors
    /// [`CodecError::TooLong`], which no request of this version reaches.
    pub fn to_plaintext(&self) -> Result<Vec<u8>, CodecError> {
        codec::pad(&codec::encode(self), caps::REQUEST_PLAINTEXT_LEN)
    }

    /// Reads an opened request.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_plaintext(plaintext: &[u8]) -> Result<Self, CodecError> {
        let content = codec::unpad(plaintext, caps::REQUEST_PLAINTEXT_LEN)?;
        let request: Self = codec::decode(content, caps::REQUEST_PLAINTEXT_LEN)?;
        if request.version != caps::WIRE_VERSION {
            return Err(CodecError::Version { got: request.version });
        }
        Ok(request)
    }
}
