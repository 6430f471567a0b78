//! Asking all witnesses at once, and what follows from their answers.

use super::desk::{Book, Desk, Failure, Turn};
use crate::now_s;
use std::{sync::Arc, time::Duration};
use strongroom_log::{EventSubmitError, SubmitError};
use strongroom_tlog::{
    NoteSignature, Policy, SignedCheckpoint,
    witness::{AddCheckpoint, Answer},
};
use tokio::{task::JoinSet, time::Instant};

/// A witness's clock may be so far behind, and its line still counts as asked for now.
pub(crate) const CLOCK_BEHIND_S: u64 = 2;
/// A round before something new, one for what was left over, one that an intent needs.
pub(crate) const ROUNDS_MAX: usize = 4;
/// As clients have it, and `Auditor::release`.
const COSIGNED_S_MAX: u64 = 300;
/// One witness is asked so often in a round: from where it was believed to stand, from where it says
/// that it stands, and once more if it moved.
const QUESTIONS_MAX: usize = 3;
/// How long the others are waited for once there is a quorum.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// The head is confirmed, published, and its epoch released.
    Settled,
    /// An intent from before a crash was finished: the head is another now, and needs a round.
    Grown,
}

/// What one witness came to.
enum Heard {
    Lines(Vec<NoteSignature>),
    /// It has seen more of the log than there is.
    Ahead {
        witnessed: u64,
    },
    Nothing {
        outcome: &'static str,
        why: String,
    },
}

impl Desk {
    /// One round: ask, confirm, publish, release. The same for an epoch that was just taken, for one
    /// that a crash left, and for a head that is only to stay fresh.
    pub(crate) async fn round(self: &Arc<Self>, turn: &mut Turn) -> Result<Round, Failure> {
        let done = self.asked(turn).await;
        if let Err(failure) = &done {
            self.gauges.rounds_failed.increment(1);
            self.health().trouble = Some(failure.to_string());
        }
        done
    }

    async fn asked(self: &Arc<Self>, turn: &mut Turn) -> Result<Round, Failure> {
        self.refuse_restored()?;
        let asked_s = now_s().saturating_sub(CLOCK_BEHIND_S);
        let (signed, policy) = self
            .look(|auditor| Ok((auditor.log().signed().clone(), auditor.policy().clone())))
            .await?;
        let head = signed.checkpoint().head();
        let lines = self.ask_all(Book::Manifests, turn, signed, &policy, asked_s).await?;
        let done = self.change(move |auditor| {
            let now_s = now_s();
            let confirmed = auditor.confirm(&lines, asked_s, now_s);
            let grown = auditor.log().head() != head;
            // Also when the confirmation failed for a line that is a little too old: an epoch that is
            // taken needs a quorum, not a new one.
            if !grown {
                auditor.release(&lines, now_s)?;
            }
            confirmed?;
            Ok(if grown { Round::Grown } else { Round::Settled })
        });
        let done = done.await?;
        self.confirmed();
        Ok(done)
    }

    /// What the witnesses say of a log's head.
    pub(crate) async fn ask_all(
        self: &Arc<Self>,
        book: Book,
        turn: &mut Turn,
        mut signed: SignedCheckpoint,
        policy: &Policy,
        asked_s: u64,
    ) -> Result<Vec<NoteSignature>, Failure> {
        let size = signed.checkpoint().size();
        let mut asked = JoinSet::new();
        let sizes = turn.sizes(book);
        for (at, old) in sizes.iter().copied().enumerate() {
            let desk = Arc::clone(self);
            asked.spawn(async move { (at, desk.ask(book, at, old).await) });
        }
        let mut lines = Vec::new();
        let mut until: Option<Instant> = None;
        loop {
            let next = match until {
                Some(until) => tokio::time::timeout_at(until, asked.join_next()).await,
                None => Ok(asked.join_next().await),
            };
            // Nobody is left, or a quorum is there and the rest took too long.
            let Ok(Some(heard)) = next else { break };
            let Ok((at, heard)) = heard else { continue };
            let Some(witness) = self.witnesses.get(at) else { continue };
            let name = witness.key.name();
            match heard {
                Heard::Lines(own) => {
                    if let Some(size_of) = sizes.get_mut(at) {
                        *size_of = size;
                    }
                    let (outcome, line) = take_own(&mut signed, &own, &witness.key, name);
                    self.gauges.asked(at, outcome);
                    lines.extend(line);
                }
                Heard::Ahead { witnessed } => {
                    self.gauges.asked(at, "ahead");
                    let failure = restored(book, size, witnessed);
                    self.is_restored(format!("{name}: {failure}"));
                    return Err(failure);
                }
                Heard::Nothing { outcome, why } => {
                    self.gauges.asked(at, outcome);
                    tracing::warn!(witness = name, why, "a witness did not cosign");
                }
            }
            // What a confirmation needs: a quorum with a slow clock in it must not cut off a good one.
            let fresh = |timestamp: u64| {
                timestamp >= asked_s && timestamp.abs_diff(now_s()) <= COSIGNED_S_MAX
            };
            if until.is_none() && policy.check(&signed, fresh).is_ok() {
                until = Some(Instant::now() + STRAGGLERS);
            }
        }
        Ok(lines)
    }

    async fn request(self: &Arc<Self>, book: Book, old: u64) -> Result<AddCheckpoint, Failure> {
        match book {
            Book::Manifests => self.look(move |auditor| auditor.request(old)).await,
            Book::Events => self.look_events(move |events, _| events.request(old)).await,
        }
    }

    /// Asks one witness until it cosigns or there is no sense in asking again.
    async fn ask(self: &Arc<Self>, book: Book, at: usize, mut old: u64) -> Heard {
        let nothing = |outcome, why| Heard::Nothing { outcome, why };
        let Some(witness) = self.witnesses.get(at) else {
            return nothing("unreachable", "no such witness".to_owned());
        };
        for _ in 0..QUESTIONS_MAX {
            let request = match self.request(book, old).await {
                Ok(request) => request,
                Err(failure) => match failure.witnessed() {
                    Some(witnessed) => return Heard::Ahead { witnessed },
                    None => return nothing("refused", failure.to_string()),
                },
            };
            match self.asker.ask(witness, request.to_bytes()).await {
                Ok(Answer::Cosigned(lines)) => return Heard::Lines(lines),
                Ok(Answer::Conflict { size }) if size == old => {
                    return nothing(
                        "refused",
                        format!("asks for size {size} and does not take it"),
                    );
                }
                Ok(Answer::Conflict { size }) => old = size,
                Ok(Answer::Refused { status, reason }) => {
                    return nothing("refused", format!("{status}: {reason}"));
                }
                Err(why) => return nothing("unreachable", why),
            }
        }
        nothing("refused", format!("named another size {QUESTIONS_MAX} times"))
    }
}

fn restored(book: Book, got: u64, witnessed: u64) -> Failure {
    match book {
        Book::Manifests => SubmitError::Restored { got, witnessed }.into(),
        Book::Events => EventSubmitError::Restored { got, witnessed }.into(),
    }
}

/// Takes a witness's own line; what else it sent is looked at by nobody here.
fn take_own(
    signed: &mut SignedCheckpoint,
    lines: &[NoteSignature],
    key: &strongroom_tlog::WitnessKey,
    name: &str,
) -> (&'static str, Option<NoteSignature>) {
    let Some(own) = lines.iter().find(|line| line.names(key)) else {
        tracing::warn!(witness = name, "a witness answered without its own line");
        return ("false", None);
    };
    match signed.add_cosignature(own.clone(), key) {
        Ok(timestamp) => {
            let off_s = timestamp.abs_diff(now_s());
            if off_s > CLOCK_BEHIND_S {
                tracing::warn!(witness = name, off_s, "a witness's clock differs from this one's");
            }
            ("cosigned", Some(own.clone()))
        }
        Err(error) => {
            tracing::error!(witness = name, %error, "a witness sent a false cosignature");
            ("false", None)
        }
    }
}
