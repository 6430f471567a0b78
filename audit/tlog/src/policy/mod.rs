//! Whom to believe: logs, witnesses, groups and one quorum (tlog-policy).

mod check;
mod parse;

pub use check::{QuorumError, Vouched};
pub use parse::{PolicyError, PolicyFault};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
    keys::{LogKey, WitnessKey},
    note::{Note, NoteError},
};

/// A trust policy. Only [`Policy::parse`] makes one, so its rules hold: no key twice, no name twice,
/// no group that names a later one, one quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that the policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    key: LogKey,
    url: Option<Vec<u8>>,
}

/// A witness that the policy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Octets, not text: two names are one only if they are equal byte for byte.
    name: Vec<u8>,
    key: WitnessKey,
    url: Option<Vec<u8>>,
}

/// At least `threshold` of the members.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: Vec<u8>,
    threshold: usize,
    members: Vec<Member>,
}

/// A place in the policy's list of witnesses, or of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

impl PolicyLog {
    /// The log's key; its name is the log's origin.
    pub const fn key(&self) -> &LogKey {
        &self.key
    }

    /// Where the log is, if the policy says; octets.
    pub fn url(&self) -> Option<&[u8]> {
        self.url.as_deref()
    }
}

impl PolicyWitness {
    /// The name that the policy gives it; octets.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The witness's key.
    pub const fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Where the witness is, if the policy says; octets.
    pub fn url(&self) -> Option<&[u8]> {
        self.url.as_deref()
    }
}

impl Policy {
    /// The logs, in the file's order.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the file's order.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Verifies a note as a checkpoint of any of the policy's logs, by its origin. The quorum is
    /// [`Policy::check`]'s.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn signed(&self, note: Note) -> Result<SignedCheckpoint, CheckpointError> {
        let origin = Checkpoint::parse(note.text())?.origin().to_owned();
        let of_origin = self.logs.iter().map(PolicyLog::key).filter(|key| key.name() == origin);
        let keys: Vec<LogKey> = of_origin.cloned().collect();
        if keys.is_empty() {
            let expected = self.logs.iter().map(|log| log.key.name().to_owned()).collect();
            return Err(NoteError::NotSigned { expected }.into());
        }
        SignedCheckpoint::verify_of(note, &origin, &keys)
    }

    /// The policy as a file; comments and the words `all` and `any` are not kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for log in &self.logs {
            line(&mut out, &[b"log", log.key.to_string().as_bytes()], log.url());
        }
        for witness in &self.witnesses {
            let key = witness.key.to_string();
            line(&mut out, &[b"witness", &witness.name, key.as_bytes()], witness.url());
        }
        for group in &self.groups {
            let threshold = group.threshold.to_string();
            let mut items: Vec<&[u8]> = vec![b"group", &group.name, threshold.as_bytes()];
            items.extend(group.members.iter().map(|member| self.name_of(*member)));
            line(&mut out, &items, None);
        }
        line(&mut out, &[b"quorum", self.quorum_name()], None);
        out
    }

    /// False for `quorum none`: such a policy believes what the log alone signed.
    pub const fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    fn quorum_name(&self) -> &[u8] {
        self.quorum.map_or(parse::NONE, |member| self.name_of(member))
    }

    fn name_of(&self, member: Member) -> &[u8] {
        let name = match member {
            Member::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Member::Group(at) => self.groups.get(at).map(|group| &group.name),
        };
        name.map(Vec::as_slice).unwrap_or_default()
    }
}

fn line(out: &mut Vec<u8>, items: &[&[u8]], url: Option<&[u8]>) {
    let items: Vec<&[u8]> = items.iter().copied().chain(url).collect();
    out.extend(items.join(&b' '));
    out.push(b'\n');
}

/// Names are octets; people read text.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
