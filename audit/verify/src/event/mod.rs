//! What happens to fleets between two manifests (spec §21.7).

mod checks;
mod order;

pub use checks::{EventFault, check_event};
pub use order::{EventOrder, Noted, OrderFault};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use strongroom_manifest::Hex;
use strongroom_wire::{Framed, caps::FLEET_LEN_MAX, digest::sha256};

/// The largest event that is read, in bytes of JSON: it stands in one entry of a log.
pub const EVENT_LEN_MAX: usize = 48 * 1_024;
/// The longest event log: as many as a reader checks.
pub const EVENTS_MAX: u64 = 65_536;
/// Signatures under one event.
pub const EVENT_SIGNATURES_MAX: usize = 64;
const REASON_LEN_MAX: usize = 1_024;
const MEASUREMENT_LEN_MAX: usize = 64;
/// Numbers stay exact in every JSON reader.
const NUMBER_MAX: u64 = (1 << 53) - 1;
const EVENT_LABEL: &str = "strongroom/event/v1";

/// The origin of a manifest log's event log.
pub fn events_origin(manifest_log: &str) -> String {
    format!("{manifest_log}/events")
}

/// One signature under an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSignature {
    /// Whose.
    pub key: Hex<32>,
    /// Ed25519 over [`Event::statement`].
    pub signature: Hex<64>,
}

/// The one value that a kind's name has.
macro_rules! kind {
    ($name:ident, $variant:ident) => {
        #[doc = concat!("Of kind `", stringify!($name), "`, and no other.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $variant {
            #[doc = "Its name."]
            $name,
        }
    };
}

kind!(Deployment, DeploymentKind);
kind!(Position, PositionKind);
kind!(Restart, RestartKind);

/// A fleet was put into service. Fields stand in the order in which RFC 8785 sorts their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Of the ceremony's transcript.
    pub ceremony_sha256: Hex<32>,
    /// The manifest's.
    pub epoch: u64,
    /// Of what the hardware says of itself.
    pub evidence_sha256: Hex<32>,
    /// The fleet.
    pub fleet: String,
    /// `deployment`.
    pub kind: DeploymentKind,
    /// Of the manifest of that epoch.
    pub manifest_sha256: Hex<32>,
    /// Of the vaults' code, as in the manifest.
    pub measurement: String,
    /// The operator's.
    pub signatures: Vec<EventSignature>,
    /// When, milliseconds since the Unix epoch, by the operator's clock.
    pub time_ms: u64,
}

/// Where a node's process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionEvent {
    /// The manifest's.
    pub epoch: u64,
    /// The fleet.
    pub fleet: String,
    /// `position`.
    pub kind: PositionKind,
    /// The node.
    pub node: u8,
    /// A signed position (spec §11.1), hexadecimal.
    pub position: String,
    /// None: the node's signature is inside.
    pub signatures: Vec<EventSignature>,
    /// When, milliseconds since the Unix epoch, by the clock of the node's host.
    pub time_ms: u64,
}

/// Custodians started a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The manifest's.
    pub epoch: u64,
    /// The fleet.
    pub fleet: String,
    /// `restart`.
    pub kind: RestartKind,
    /// Why, in the custodians' words.
    pub reason: String,
    /// The custodians'.
    pub signatures: Vec<EventSignature>,
    /// A signed start statement (spec §11.2), hexadecimal.
    pub start: String,
    /// When, milliseconds since the Unix epoch, by the custodians' clocks.
    pub time_ms: u64,
}

/// One event. That it reads says nothing of who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// A fleet was put into service.
    Deployment(Deployment),
    /// A node said where it stands.
    Position(PositionEvent),
    /// Custodians started a fleet.
    Restart(Restart),
}

/// What is read first: which fields the rest has.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Event {
    /// Reads an event's JSON: its size, its shape, its texts and numbers, and that this is its one
    /// encoding.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn parse(json: &[u8]) -> Result<Self, EventError> {
        if json.len() > EVENT_LEN_MAX {
            return Err(EventError::TooLong { got: json.len(), cap: EVENT_LEN_MAX });
        }
        let event = match read::<Kind>(json)?.kind.as_str() {
            "deployment" => Self::Deployment(read(json)?),
            "position" => Self::Position(read(json)?),
            "restart" => Self::Restart(read(json)?),
            other => {
                return Err(EventError::Kind { got: other.chars().take(40).collect() });
            }
        };
        event.keeps_its_shape()?;
        if event.to_json() == json { Ok(event) } else { Err(EventError::NotCanonical) }
    }

    /// Reads a leaf of the event log `origin`.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn from_leaf(origin: &str, leaf: &[u8]) -> Result<Self, EventError> {
        let json = leaf.strip_prefix(label(origin).as_slice()).ok_or(EventError::Origin)?;
        Self::parse(json)
    }

    /// The one encoding of the event.
    pub fn to_json(&self) -> Vec<u8> {
        // The types hold only numbers, strings, lists and structures, which always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The entry of the event log `origin`.
    pub fn to_leaf(&self, origin: &str) -> Vec<u8> {
        let mut leaf = label(origin);
        leaf.extend_from_slice(&self.to_json());
        leaf
    }

    /// What is signed, for the event log `origin`.
    pub fn statement(&self, origin: &str) -> Vec<u8> {
        let mut bare = self.clone();
        bare.signatures_mut().clear();
        let digest = sha256(&bare.to_json());
        Framed::new(EVENT_LABEL).bytes(origin.as_bytes()).bytes(&digest).into_bytes()
    }

    /// The manifest's epoch.
    pub const fn epoch(&self) -> u64 {
        match self {
            Self::Deployment(event) => event.epoch,
            Self::Position(event) => event.epoch,
            Self::Restart(event) => event.epoch,
        }
    }

    /// The fleet.
    pub fn fleet(&self) -> &str {
        match self {
            Self::Deployment(event) => &event.fleet,
            Self::Position(event) => &event.fleet,
            Self::Restart(event) => &event.fleet,
        }
    }

    /// When, milliseconds since the Unix epoch, by the signer's clock.
    pub const fn time_ms(&self) -> u64 {
        match self {
            Self::Deployment(event) => event.time_ms,
            Self::Position(event) => event.time_ms,
            Self::Restart(event) => event.time_ms,
        }
    }

    /// Its kind's name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Deployment(_) => "deployment",
            Self::Position(_) => "position",
            Self::Restart(_) => "restart",
        }
    }

    /// Who is said to have signed.
    pub fn signatures(&self) -> &[EventSignature] {
        match self {
            Self::Deployment(event) => &event.signatures,
            Self::Position(event) => &event.signatures,
            Self::Restart(event) => &event.signatures,
        }
    }

    fn signatures_mut(&mut self) -> &mut Vec<EventSignature> {
        match self {
            Self::Deployment(event) => &mut event.signatures,
            Self::Position(event) => &mut event.signatures,
            Self::Restart(event) => &mut event.signatures,
        }
    }

    /// Adds a signature, in the place that its key has.
    pub fn sign(&mut self, key: [u8; 32], signature: [u8; 64]) {
        let signatures = self.signatures_mut();
        signatures.retain(|one| one.key.0 != key);
        signatures.push(EventSignature { key: Hex(key), signature: Hex(signature) });
        signatures.sort_by_key(|one| one.key);
    }

    fn keeps_its_shape(&self) -> Result<(), EventError> {
        text(self.fleet(), 1, FLEET_LEN_MAX, "fleet")?;
        for (number, what) in [(self.epoch(), "epoch"), (self.time_ms(), "time_ms")] {
            if number == 0 || number > NUMBER_MAX {
                return Err(EventError::Field(what));
            }
        }
        match self {
            Self::Deployment(event) => {
                text(&event.measurement, 0, MEASUREMENT_LEN_MAX, "measurement")?;
            }
            Self::Position(event) => text(&event.position, 1, EVENT_LEN_MAX, "position")?,
            Self::Restart(event) => {
                text(&event.reason, 1, REASON_LEN_MAX, "reason")?;
                text(&event.start, 1, EVENT_LEN_MAX, "start")?;
            }
        }
        let signatures = self.signatures();
        let rising = signatures.is_sorted_by(|one, next| one.key < next.key);
        if signatures.len() > EVENT_SIGNATURES_MAX || !rising {
            return Err(EventError::Field("signatures"));
        }
        Ok(())
    }
}

fn label(origin: &str) -> Vec<u8> {
    format!("{origin}/event/v1\n").into_bytes()
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, EventError> {
    serde_json::from_slice(json)
        .map_err(|e| EventError::Malformed { line: e.line(), column: e.column() })
}

fn text(value: &str, min: usize, max: usize, what: &'static str) -> Result<(), EventError> {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
    let good = (min..=max).contains(&value.len()) && value.bytes().all(plain);
    if good { Ok(()) } else { Err(EventError::Field(what)) }
}

/// Why bytes are no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// More bytes than an event may have.
    #[error("event of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not an event; where reading stopped.
    #[error("not an event: unexpected content at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A kind that this version does not know.
    #[error("event of kind {got:?}, expected deployment, position or restart")]
    Kind {
        /// The kind found, cut to 40 characters.
        got: String,
    },
    /// A leaf of another log, or of none.
    #[error("the entry is no leaf of this event log (spec §21.7)")]
    Origin,
    /// A field out of its range.
    #[error("event: {0} out of range (spec §21.7)")]
    Field(&'static str),
    /// An event in another encoding than RFC 8785.
    #[error("event is not in canonical JSON (RFC 8785)")]
    NotCanonical,
}
