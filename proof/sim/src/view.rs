//! What hosts see of their vaults: when, how much and of what kind, never the content.

use crate::World;
use strongroom_wire::process::{Health, PersistOp, ToHost};

/// One message that left a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Virtual milliseconds.
    pub at_ms: u64,
    /// Whose vault.
    pub node: usize,
    /// What.
    pub sight: Sight,
}

/// What a host can tell of it without any key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// A frame to this peer, and its size.
    Peer(u8, usize),
    /// An answer's size, and its first byte: whether it is a frame or a refusal.
    Reply(usize, Option<u8>),
    /// What is to be written: the kinds, indexes and sizes.
    Persist(Vec<(&'static str, u64, usize)>),
    /// How it says that it is: all of it is the host's to read.
    Health(Health),
    /// Anything in words.
    Words(String),
}

impl World {
    /// From now on, what hosts see is kept.
    pub fn watch_hosts(&mut self) {
        self.seen = Some(Vec::new());
    }

    /// What they saw since.
    pub fn hosts_saw(&mut self) -> Vec<Seen> {
        self.seen.take().unwrap_or_default()
    }

    pub(crate) fn look(&mut self, node: usize, outputs: &[ToHost]) {
        let at_ms = self.now();
        if let Some(seen) = self.seen.as_mut() {
            seen.extend(outputs.iter().map(|output| Seen { at_ms, node, sight: sight(output) }));
        }
    }
}

fn sight(output: &ToHost) -> Sight {
    match output {
        ToHost::Peer { to, bytes } => Sight::Peer(*to, bytes.0.len()),
        ToHost::Reply { reply, .. } => Sight::Reply(reply.0.len(), reply.0.first().copied()),
        ToHost::Persist { ops, .. } => Sight::Persist(ops.iter().map(operation).collect()),
        ToHost::Health { health } => Sight::Health(health.clone()),
        ToHost::Event { text } | ToHost::Refused { reason: text } => Sight::Words(text.clone()),
        ToHost::Halted { code, reason } => Sight::Words(format!("{code}: {reason}")),
        ToHost::Position { bytes } => Sight::Words(format!("a position of {}", bytes.0.len())),
    }
}

fn operation(op: &PersistOp) -> (&'static str, u64, usize) {
    match op {
        PersistOp::Meta { bytes } => ("meta", 0, bytes.0.len()),
        PersistOp::Entry { index, entry, salt } => ("entry", *index, entry.0.len() + salt.0.len()),
        PersistOp::EntrySalt { index, salt } => ("salt", *index, salt.0.len()),
        PersistOp::TruncateFrom { index } => ("truncate", *index, 0),
        PersistOp::CompactBefore { index } => ("compact", *index, 0),
        PersistOp::Snapshot { bytes } => ("snapshot", 0, bytes.0.len()),
        PersistOp::Salts { bytes } => ("salts", 0, bytes.0.len()),
        PersistOp::Clear {} => ("clear", 0, 0),
    }
}
