//! The shapes of a trace's lines.

use serde::{Deserialize, Serialize};

/// What a note speaks of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The adversary decided on something: its name, by which a run can do without it.
    Deed,
    /// What a host, a network or a gateway did.
    #[default]
    Host,
    /// What a vault says in words.
    Vault,
    /// What users and thieves do and are told.
    Client,
    /// What custodians do.
    Custodian,
    /// A message on its way.
    Wire,
    /// How a process is, whenever that changed.
    State,
    /// A broken promise.
    Broken,
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number, from 0.
    pub n: u64,
    /// Virtual milliseconds.
    pub ms: u64,
    /// What it speaks of.
    pub kind: Kind,
    /// Which node, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<u8>,
    /// Of the node's two processes, the one that its host runs beside the first.
    #[serde(skip_serializing_if = "core::ops::Not::not", default)]
    pub twin: bool,
    /// Whose slot, from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<usize>,
    /// What happened.
    pub text: String,
    /// For [`Kind::State`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<State>,
}

/// How a process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Its name within the run; 0 if none runs.
    pub process: u64,
    /// `leader` and so on, `down` if none runs.
    pub role: String,
    /// The era.
    pub era: u64,
    /// The term.
    pub term: u64,
    /// The last applied index.
    pub applied: u64,
    /// Nodes that vote, by its own word.
    pub voters: Vec<u8>,
}

/// A trace's first line: what to run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`super::FORMAT`].
    pub format: String,
    /// The seed.
    pub seed: u64,
    /// Nodes.
    pub nodes: u8,
    /// Users.
    pub users: usize,
    /// The only deeds that were done, if not all were.
    pub only: Option<Vec<String>>,
}

/// Its last line: without it, the trace is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many entries there are.
    pub entries: u64,
    /// The run's digest, in hexadecimal.
    pub digest: String,
    /// How many promises were broken.
    pub broken: u64,
}
