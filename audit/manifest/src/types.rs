//! The manifest's shape. Fields stand in the order in which RFC 8785 sorts their names.

use crate::policy::Policy;
use core::fmt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
    ser::Error as _,
};

/// Exactly `N` bytes, written as `2 N` lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = vec![0; 2 * N];
        hex::encode_to_slice(self.0, &mut digits).map_err(S::Error::custom)?;
        serializer.serialize_str(str::from_utf8(&digits).map_err(S::Error::custom)?)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Digits::<N>)
    }
}

/// Reads digits where they stand: manifests are read by the ten thousand.
struct Digits<const N: usize>;

impl<const N: usize> Visitor<'_> for Digits<N> {
    type Value = Hex<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hexadecimal digits", 2 * N)
    }

    fn visit_str<E: de::Error>(self, digits: &str) -> Result<Hex<N>, E> {
        let mut bytes = [0; N];
        match hex::decode_to_slice(digits, &mut bytes) {
            Ok(()) => Ok(Hex(bytes)),
            Err(_) => Err(E::custom(format!("expected {} hexadecimal digits", 2 * N))),
        }
    }
}

/// What stands between a fleet's secrets and the person with root on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Development only: keys and logic in ordinary processes.
    Software,
    /// Keys in a token, logic in an ordinary process.
    KeysOnly,
    /// Keys and logic inside the hardware.
    KeysAndLogic,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Votes, holds records and answers.
    Vault,
}

/// One vault node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What the hardware says of the keys; empty for `software`.
    pub evidence: String,
    /// 1 to 62, unique in its fleet.
    pub id: u8,
    /// Ed25519: signs answers and positions.
    pub identity_key: Hex<32>,
    /// X25519: authenticates peer links.
    pub link_key: Hex<32>,
    /// What it does.
    pub roles: Vec<Role>,
    /// Where it stands.
    pub site: String,
}

/// One OPRF seed and one OPAQUE key pair, by the public half of the latter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyset {
    /// Rises; new registrations take the highest.
    pub id: u32,
    /// ristretto255 public key of the OPAQUE server.
    pub server_key: Hex<32>,
}

/// The slots of a fleet, both ends included, compared as big-endian numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRange {
    /// The first slot.
    pub first: Hex<32>,
    /// The last slot.
    pub last: Hex<32>,
}

impl SlotRange {
    /// All slots.
    pub const ALL: Self = Self { first: Hex([0; 32]), last: Hex([0xff; 32]) };

    /// Whether a slot lies in this range.
    pub fn contains(&self, slot: &[u8; 32]) -> bool {
        self.first.0 <= *slot && *slot <= self.last.0
    }
}

/// One replica group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// X-Wing public key that requests and tickets are sealed to.
    pub hpke_key: Hex<1216>,
    /// The fleet's name.
    pub id: String,
    /// Live keysets, by rising id.
    pub keysets: Vec<Keyset>,
    /// SHA-256 of the vault's code, or empty where nothing measures it.
    pub measurement: String,
    /// The nodes, by rising id.
    pub nodes: Vec<Node>,
    /// What guards the fleet's secrets.
    pub protection: Protection,
    /// Nodes beyond a majority that must hold a charge before it is answered.
    pub rollback_tolerance: u8,
    /// The slots that this fleet serves.
    pub slots: SlotRange,
}

impl Fleet {
    /// The keyset that new registrations take.
    pub fn newest_keyset(&self) -> Option<&Keyset> {
        self.keysets.iter().max_by_key(|keyset| keyset.id)
    }

    /// The keyset of an id.
    pub fn keyset(&self, id: u32) -> Option<&Keyset> {
        self.keysets.iter().find(|keyset| keyset.id == id)
    }

    /// The node of an id.
    pub fn node(&self, id: u8) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

/// A gateway's key and the one app whose slots it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketKey {
    /// The app.
    pub app: String,
    /// Ed25519: signs tickets.
    pub key: Hex<32>,
}

/// The people who together start or re-key a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custodians {
    /// Their Ed25519 keys, by rising bytes.
    pub keys: Vec<Hex<32>>,
    /// How many must sign.
    pub threshold: u8,
}

/// All live fleets of a namespace at one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who signs the next manifest, start statements and re-keyings.
    pub custodians: Custodians,
    /// Rises by one.
    pub epoch: u64,
    /// The fleets, by rising name.
    pub fleets: Vec<Fleet>,
    /// `<org>.encrypted_backups.fleet_keys.v1`.
    pub namespace: String,
    /// Valid until, milliseconds since the Unix epoch.
    pub not_after_ms: u64,
    /// Valid from, milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// The budget and its clocks.
    pub policy: Policy,
    /// Gateways' keys, by rising key.
    pub ticket_keys: Vec<TicketKey>,
    /// 1.
    pub version: u32,
}

impl Manifest {
    /// The fleet of a name.
    pub fn fleet(&self, id: &str) -> Option<&Fleet> {
        self.fleets.iter().find(|fleet| fleet.id == id)
    }

    /// The app that a ticket key serves.
    pub fn app_of(&self, ticket_key: &[u8; 32]) -> Option<&str> {
        self.ticket_keys.iter().find(|k| k.key.0 == *ticket_key).map(|k| k.app.as_str())
    }
}
