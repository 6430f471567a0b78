//! What the log holds: one entry of one size for every verb.

use minicbor::{Decode, Encode};
use strongroom_manifest::Policy;
use strongroom_wire::{
    CodecError, Fixed, Slot, caps, codec,
    request::{Registration, Verb},
    response::Refusal,
};

/// The size of every entry, whatever its verb (INV-3).
pub const ENTRY_LEN: usize = 768;

/// A ticket's use, so that one ticket moves a slot once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Spending {
    /// When it expires, in vault time.
    #[n(0)]
    pub expires_ms: u64,
    /// Its id.
    #[n(1)]
    pub id: Fixed<16>,
}

/// Who the proposing node found behind a registration.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Authorised {
    /// Nobody.
    #[n(0)]
    Nobody {},
    /// A device key whose signature was right.
    #[n(1)]
    Device {
        /// The key.
        #[n(0)]
        device: Fixed<32>,
        /// The generation it signed for.
        #[n(1)]
        generation: u64,
        /// Its counter.
        #[n(2)]
        counter: u64,
    },
    /// A fresh recovery whose MAC was right.
    #[n(2)]
    Fresh {
        /// The generation recovered.
        #[n(0)]
        generation: u64,
        /// The attempt that succeeded.
        #[n(1)]
        attempt: u64,
    },
}

/// What is asked of a slot, or of the whole state.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and every entry has one size")]
pub enum Command {
    /// Begin a registration.
    #[n(1)]
    RegisterStart {
        /// SHA-256 of the OPAQUE request.
        #[n(0)]
        request: Fixed<32>,
        /// The new pending entry's name.
        #[n(1)]
        entry: Fixed<32>,
        /// SHA-256 of the salt that travels beside the entry.
        #[n(2)]
        salt: Fixed<32>,
        /// The keyset it will use.
        #[n(3)]
        keyset: u32,
    },
    /// Finish a registration.
    #[n(2)]
    RegisterFinish {
        /// What is stored.
        #[n(0)]
        registration: Registration,
        /// Who was found behind it.
        #[n(1)]
        authorised: Authorised,
    },
    /// Charge an attempt.
    #[n(3)]
    RecoverStart {
        /// SHA-256 of KE1.
        #[n(0)]
        ke1: Fixed<32>,
        /// The seed from which KE2 is computed, if the attempt is new.
        #[n(1)]
        seed: Fixed<32>,
    },
    /// Close an attempt.
    #[n(4)]
    RecoverFinish {
        /// The attempt.
        #[n(0)]
        attempt: u64,
        /// SHA-256 of KE1.
        #[n(1)]
        ke1: Fixed<32>,
        /// SHA-256 of KE3: the same finish may be answered again.
        #[n(2)]
        ke3: Fixed<32>,
        /// Present if KE3 proved the password: the key of the fresh recovery's authority.
        #[n(3)]
        proved: Option<Fixed<32>>,
        /// The device's key.
        #[n(4)]
        device: Fixed<32>,
        /// Keep the newest earlier device key.
        #[n(5)]
        keep_device: bool,
    },
    /// An owner's command whose signature was right.
    #[n(5)]
    Owner {
        /// `status`, `destroy` or `enroll-device`.
        #[n(0)]
        verb: Verb,
        /// The signing key.
        #[n(1)]
        device: Fixed<32>,
        /// The generation it signed for.
        #[n(2)]
        generation: u64,
        /// Its counter.
        #[n(3)]
        counter: u64,
        /// The key to enroll, for `enroll-device`.
        #[n(4)]
        enroll: Option<Fixed<32>>,
    },
    /// Ask how many attempts are left.
    #[n(6)]
    Budget {},
    /// A request that was refused before it touched the slot walks the same path.
    #[n(7)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
    },
    /// Time passed: expiries take effect.
    #[n(8)]
    Tick {},
    /// A new era began; every slot's year is debited by what waits allow in `window_ms`.
    #[n(9)]
    Era {
        /// The era.
        #[n(0)]
        era: u64,
        /// The window that no witness covers; 0 at genesis.
        #[n(1)]
        window_ms: u64,
    },
    /// A manifest epoch's policy.
    #[n(10)]
    Adopt {
        /// The epoch.
        #[n(0)]
        epoch: u64,
        /// Its policy.
        #[n(1)]
        policy: Policy,
    },
    /// Every node has forgotten the erasure keys of compactions up to this index.
    #[n(11)]
    Erased {
        /// The index.
        #[n(0)]
        through: u64,
    },
}

/// One log entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Entry {
    /// Vault time as the proposing leader saw it: the median of the nodes' clocks.
    #[n(0)]
    pub time_ms: u64,
    /// Whose slot; zeros for commands to the whole state.
    #[n(1)]
    pub slot: Slot,
    /// The ticket that carried it, if any.
    #[n(2)]
    pub ticket: Option<Spending>,
    /// 32 random bytes: published state hashes confirm nobody's attempt.
    #[n(3)]
    pub blind: Fixed<32>,
    /// The command.
    #[n(4)]
    pub command: Command,
}

impl Entry {
    /// The padded encoding.
    ///
    /// # Errors
    /// [`CodecError::TooLong`], which no command of this version reaches.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        if cfg!(feature = "danger_mutant_entry_size_by_verb")
            && matches!(self.command, Command::Owner { .. } | Command::RecoverFinish { .. })
        {
            return codec::pad(&codec::encode(self), ENTRY_LEN - 64);
        }
        codec::pad(&codec::encode(self), ENTRY_LEN)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let short = cfg!(feature = "danger_mutant_entry_size_by_verb");
        let len = if short { bytes.len() } else { ENTRY_LEN };
        codec::decode(codec::unpad(bytes, len)?, ENTRY_LEN)
    }
}

const _: () = assert!(caps::opaque::REGISTRATION_UPLOAD_LEN < ENTRY_LEN);
