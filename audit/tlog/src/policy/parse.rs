//! Reading a policy file, line by line.

use super::{Group, Member, Policy, PolicyLog, PolicyWitness, shown};
use crate::{
    caps::{POLICY_GROUPS_MAX, POLICY_LEN_MAX, POLICY_LOGS_MAX, POLICY_WITNESSES_MAX},
    keys::{KeyError, NoteKey},
    lines,
};

/// The one name that is defined from the start, for quorums only.
pub(super) const NONE: &[u8] = b"none";

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`], with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let at = |line, fault| PolicyError { line, fault };
        if bytes.len() > POLICY_LEN_MAX {
            let (got, cap) = (bytes.len(), POLICY_LEN_MAX);
            return Err(at(0, PolicyFault::TooLong { got, cap }));
        }
        let mut draft = Draft::default();
        // Each line is terminated, so what follows the last newline must be nothing: a file that
        // was cut short does not pass for a shorter policy.
        let mut lines = bytes.split(|octet| *octet == b'\n').zip(1..).peekable();
        while let Some((line, number)) = lines.next() {
            if lines.peek().is_none() {
                return match (line.is_empty(), draft.quorum) {
                    (false, _) => Err(at(number, PolicyFault::NotTerminated)),
                    (true, None) => Err(at(number, PolicyFault::NoQuorum)),
                    (true, Some(quorum)) => Ok(draft.finish(quorum)),
                };
            }
            draft.line(line).map_err(|fault| at(number, fault))?;
        }
        Err(at(0, PolicyFault::NoQuorum))
    }
}

#[derive(Default)]
struct Draft {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    /// Members that stand in a group already, and may stand in no other.
    grouped: Vec<Member>,
    quorum: Option<Option<Member>>,
}

impl Draft {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        let allowed = |octet: &u8| *octet == b'\t' || !octet.is_ascii_control();
        if let Some(got) = line.iter().find(|octet| !allowed(octet)) {
            return Err(PolicyFault::Octet { got: *got });
        }
        let is_space = |octet: &u8| matches!(octet, b' ' | b'\t');
        let items: Vec<&[u8]> = line.split(is_space).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] => self.log(key, None),
            [b"log", key, url] => self.log(key, Some(url)),
            [b"log", ..] => Err(PolicyFault::Items("log <vkey> [<url>]")),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"witness", ..] => Err(PolicyFault::Items("witness <name> <vkey> [<url>]")),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"group", ..] => Err(PolicyFault::Items("group <name> <all, any or k> <name>...")),
            [b"quorum", name] => self.quorum(name),
            [b"quorum", ..] => Err(PolicyFault::Items("quorum <name>")),
            [other, ..] => Err(PolicyFault::Keyword(shown(other))),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyFault> {
        room(self.logs.len(), POLICY_LOGS_MAX, "logs")?;
        let key = parse_key(key)?;
        unique(self.logs.iter().map(PolicyLog::key), &key)?;
        self.logs.push(PolicyLog { key, url: url.map(<[u8]>::to_vec) });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyFault> {
        room(self.witnesses.len(), POLICY_WITNESSES_MAX, "witnesses")?;
        self.define(name)?;
        let key = parse_key(key)?;
        unique(self.witnesses.iter().map(PolicyWitness::key), &key)?;
        let (name, url) = (name.to_vec(), url.map(<[u8]>::to_vec));
        self.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], names: &[&[u8]]) -> Result<(), PolicyFault> {
        room(self.groups.len(), POLICY_GROUPS_MAX, "groups")?;
        self.define(name)?;
        for name in names {
            let member = self.find(name)?;
            if self.grouped.contains(&member) {
                return Err(PolicyFault::MemberTwice(shown(name)));
            }
            self.grouped.push(member);
        }
        let members: Vec<Member> =
            names.iter().map(|name| self.find(name)).collect::<Result<_, _>>()?;
        let threshold = match threshold {
            b"any" => Some(1),
            b"all" => Some(members.len()),
            k => core::str::from_utf8(k)
                .ok()
                .and_then(lines::decimal)
                .and_then(|k| k.try_into().ok()),
        }
        .filter(|k| (1..=members.len()).contains(k))
        .ok_or_else(|| PolicyFault::Threshold { got: shown(threshold), members: members.len() })?;
        self.groups.push(Group { name: name.to_vec(), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::QuorumTwice);
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.find(name)?) });
        Ok(())
    }

    /// Refuses a name that means something already.
    fn define(&self, name: &[u8]) -> Result<(), PolicyFault> {
        if name == NONE || self.find(name).is_ok() {
            return Err(PolicyFault::NameTwice(shown(name)));
        }
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Result<Member, PolicyFault> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name);
        let group = || self.groups.iter().position(|group| group.name == name);
        witness
            .map(Member::Witness)
            .or_else(|| group().map(Member::Group))
            .ok_or_else(|| PolicyFault::Unknown(shown(name)))
    }

    fn finish(self, quorum: Option<Member>) -> Policy {
        let Self { logs, witnesses, groups, .. } = self;
        Policy { logs, witnesses, groups, quorum }
    }
}

fn parse_key<const TYPE: u8>(vkey: &[u8]) -> Result<NoteKey<TYPE>, PolicyFault> {
    let text = core::str::from_utf8(vkey).map_err(|_| KeyError::Name(shown(vkey)))?;
    Ok(NoteKey::from_vkey(text)?)
}

/// Refuses one key under two names, and two keys that signature lines cannot tell apart.
fn unique<'a, const TYPE: u8>(
    mut known: impl Iterator<Item = &'a NoteKey<TYPE>>,
    key: &NoteKey<TYPE>,
) -> Result<(), PolicyFault> {
    let same = |old: &&NoteKey<TYPE>| {
        old.public() == key.public() || (old.name() == key.name() && old.id() == key.id())
    };
    known.find(same).map_or(Ok(()), |old| {
        Err(PolicyFault::KeyTwice { first: old.to_string(), second: key.to_string() })
    })
}

const fn room(got: usize, cap: usize, what: &'static str) -> Result<(), PolicyFault> {
    if got < cap { Ok(()) } else { Err(PolicyFault::TooMany { what, cap }) }
}

/// Where a policy file is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy, line {line}: {fault}")]
pub struct PolicyError {
    /// The line, from 1; 0 is the file as a whole.
    pub line: usize,
    /// What is wrong there.
    pub fault: PolicyFault,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// More bytes than a policy may have.
    #[error("{got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// A control character.
    #[error("octet {got:#04x}; of the control characters only tab and newline are allowed")]
    Octet {
        /// The octet.
        got: u8,
    },
    /// The last line has no newline.
    #[error("the last line does not end in a newline")]
    NotTerminated,
    /// A line that begins with no known word.
    #[error("{0:?}; expected log, witness, group or quorum")]
    Keyword(String),
    /// A line with too few or too many items.
    #[error("expected: {0}")]
    Items(&'static str),
    /// A key that is none, or of the wrong kind for its line.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// One key on two lines.
    #[error("{second} is the key of an earlier line, {first}, or has its name and id")]
    KeyTwice {
        /// As written first.
        first: String,
        /// As written now.
        second: String,
    },
    /// A name that is defined already, or `none`.
    #[error("the name {0:?} is taken")]
    NameTwice(String),
    /// A name that no line before defines.
    #[error("no witness or group {0:?} on a line before this one")]
    Unknown(String),
    /// A member that counts twice.
    #[error("{0:?} is a member of a group already")]
    MemberTwice(String),
    /// A threshold that no group can have.
    #[error("threshold {got:?}, expected any, all, or 1 to {members}")]
    Threshold {
        /// As written.
        got: String,
        /// Members of the group.
        members: usize,
    },
    /// A second quorum.
    #[error("a second quorum; expected one")]
    QuorumTwice,
    /// No quorum.
    #[error("no quorum line; `quorum none` asks for no witness")]
    NoQuorum,
    /// More lines of a kind than are read.
    #[error("more than {cap} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The cap.
        cap: usize,
    },
}
