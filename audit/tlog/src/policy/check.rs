//! Counting cosignatures.

use super::{Group, Member, Policy, shown};
use crate::{
    checkpoint::SignedCheckpoint,
    cosignature::{CosignatureError, verify_cosignature},
    note::NoteError,
};

/// A witness that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The policy's name for the witness.
    pub name: String,
    /// The name of its key.
    pub key_name: String,
    /// When it cosigned, in seconds since 1970.
    pub timestamp: u64,
}

/// What a witness contributed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Absent,
    /// Valid, but `accept` refused its time.
    Refused(u64),
    Accepted(u64),
}

impl Policy {
    /// Counts the cosignatures whose timestamp `accept` accepts, and says who counted.
    ///
    /// A cosignature that does not verify under the key that it names refuses the whole note, even
    /// if the quorum could do without it. Of several by one witness the newest accepted one counts.
    ///
    /// # Errors
    /// [`QuorumError`].
    pub fn check(
        &self,
        signed: &SignedCheckpoint,
        accept: impl Fn(u64) -> bool,
    ) -> Result<Vec<Vouched>, QuorumError> {
        let by_policy = self.logs.iter().any(|log| log.key.public() == signed.signer().public());
        // Without logs the policy leaves the choice to the caller, who chose by verifying.
        if !self.logs.is_empty() && !by_policy {
            return Err(QuorumError::Log { got: signed.signer().to_string() });
        }
        let mut seen = Vec::with_capacity(self.witnesses.len());
        for witness in &self.witnesses {
            seen.push(self::seen(signed, witness.key(), &accept)?);
        }
        let Some(quorum) = self.quorum else { return Ok(Vec::new()) };
        let in_quorum = self.below(quorum);
        let named = || self.witnesses.iter().zip(&seen).enumerate();
        let counted = named().filter(|(at, _)| in_quorum.contains(&Member::Witness(*at)));
        let (got, needed) = self.evaluate(quorum, &seen);
        if got >= needed {
            let vouched = counted.filter_map(|(_, (witness, seen))| match seen {
                Seen::Accepted(timestamp) => Some(Vouched {
                    name: shown(&witness.name),
                    key_name: witness.key.name().to_owned(),
                    timestamp: *timestamp,
                }),
                Seen::Refused(_) | Seen::Absent => None,
            });
            return Ok(vouched.collect());
        }
        let (mut absent, mut refused) = (Vec::new(), Vec::new());
        for (_, (witness, seen)) in counted {
            match seen {
                Seen::Absent => absent.push(shown(&witness.name)),
                Seen::Refused(timestamp) => refused.push((shown(&witness.name), *timestamp)),
                Seen::Accepted(_) => {}
            }
        }
        let quorum = shown(self.quorum_name());
        Err(QuorumError::Quorum { quorum, got, needed, absent, refused })
    }

    /// How many members of the quorum witnessed, and how many must.
    fn evaluate(&self, quorum: Member, seen: &[Seen]) -> (usize, usize) {
        let accepted = |at: &usize| matches!(seen.get(*at), Some(Seen::Accepted(_)));
        // Groups name earlier groups only, so one pass in their order settles all of them.
        let mut settled: Vec<bool> = Vec::with_capacity(self.groups.len());
        let count = |group: &Group, settled: &[bool]| {
            let witnessed = |member: &&Member| match member {
                Member::Witness(at) => accepted(at),
                Member::Group(at) => settled.get(*at).copied().unwrap_or(false),
            };
            group.members.iter().filter(witnessed).count()
        };
        for group in &self.groups {
            let met = count(group, &settled) >= group.threshold;
            settled.push(met);
        }
        match quorum {
            Member::Witness(at) => (usize::from(accepted(&at)), 1),
            Member::Group(at) => match self.groups.get(at) {
                Some(group) => (count(group, &settled), group.threshold),
                None => (0, 1),
            },
        }
    }

    /// The member and all that it contains.
    fn below(&self, member: Member) -> Vec<Member> {
        let mut found = vec![member];
        let mut at = 0;
        // Each member stands in one group at most, so nothing is visited twice.
        while let Some(member) = found.get(at).copied() {
            if let Member::Group(group) = member {
                found.extend(self.groups.get(group).into_iter().flat_map(|group| &group.members));
            }
            at += 1;
        }
        found
    }
}

fn seen(
    signed: &SignedCheckpoint,
    key: &crate::WitnessKey,
    accept: &impl Fn(u64) -> bool,
) -> Result<Seen, QuorumError> {
    let mut best = Seen::Absent;
    for line in signed.note().signatures() {
        let timestamp = match verify_cosignature(signed.checkpoint(), line, key) {
            Ok(timestamp) => timestamp,
            Err(CosignatureError::Key { .. }) => continue,
            Err(_) => return Err(QuorumError::Note(NoteError::false_signature(line))),
        };
        best = match (best, accept(timestamp)) {
            (Seen::Accepted(before), true) => Seen::Accepted(before.max(timestamp)),
            (_, true) => Seen::Accepted(timestamp),
            (Seen::Accepted(before), false) => Seen::Accepted(before),
            (Seen::Refused(before), false) => Seen::Refused(before.max(timestamp)),
            (Seen::Absent, false) => Seen::Refused(timestamp),
        };
    }
    Ok(best)
}

/// Why a checkpoint does not satisfy a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// Signed by a log that the policy does not list.
    #[error("checkpoint signed by {got}, which is no log of the policy")]
    Log {
        /// The key that signed.
        got: String,
    },
    /// A false cosignature under a known key.
    #[error(transparent)]
    Note(NoteError),
    /// Too few witnesses.
    #[error(
        "quorum {quorum}: {got} of the {needed} needed; absent: [{}], time refused: [{}]",
        absent.join(", "),
        refused.iter().map(|(name, at)| format!("{name} at {at} s")).collect::<Vec<_>>().join(", ")
    )]
    Quorum {
        /// The policy's name for it.
        quorum: String,
        /// Members that witnessed.
        got: usize,
        /// Members that must.
        needed: usize,
        /// Witnesses without a cosignature.
        absent: Vec<String>,
        /// Witnesses whose timestamp the caller refused, in seconds since 1970.
        refused: Vec<(String, u64)>,
    },
}
