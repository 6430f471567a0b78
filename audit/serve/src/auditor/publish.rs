//! Publishing, and the keeper that finishes what stopped half-way.

use super::{
    desk::{Desk, Failure, Turn},
    round::{ROUNDS_MAX, Round},
};
use crate::{now_ms, now_s};
use std::{sync::Arc, time::Duration};
use strongroom_log::{Answer, Submission, SubmitError};
use tokio::{sync::watch, time::Instant};

impl Desk {
    /// Publishes a manifest, whatever becomes of who asked for it: a caller that goes away does not stop
    /// an epoch half-way.
    pub(crate) async fn publish(self: &Arc<Self>, submission: Submission) -> Answer {
        let desk = Arc::clone(self);
        let (epoch, began) = (submission.epoch, Instant::now());
        let done = tokio::spawn(async move { desk.published(submission).await }).await;
        let done = done.unwrap_or_else(|error| {
            let what = format!("publishing ended early: {error}");
            Err(Failure::Unavailable("auditor", what))
        });
        let elapsed_ms = began.elapsed().as_millis();
        match done {
            Ok(answer) => {
                self.gauges.published.increment(1);
                tracing::info!(epoch, elapsed_ms, "published");
                answer
            }
            Err(failure) => {
                self.gauges.refused.increment(1);
                tracing::warn!(epoch, elapsed_ms, %failure, "not published");
                // The epoch may be taken and wait for witnesses; the keeper asks on.
                self.wake.notify_one();
                Answer::from(&failure)
            }
        }
    }

    async fn published(self: &Arc<Self>, submission: Submission) -> Result<Answer, Failure> {
        let submission = Arc::new(submission);
        // What is released is given out again to anybody, whoever is down.
        if let Some(answer) = self.released(&submission).await? {
            return Ok(answer);
        }
        let mut turn = self.turn().await?;
        self.refuse_restored()?;
        // Who had the turn before may have published the same.
        if let Some(answer) = self.released(&submission).await? {
            return Ok(answer);
        }
        self.take(&mut turn, &submission).await?;
        let round = self.round(&mut turn).await;
        // The epoch may be released although the round failed: by cosignatures that were there, or with
        // a clock that is too far off for the next epoch and not for this one.
        match (self.released(&submission).await?, round) {
            (Some(answer), _) => Ok(answer),
            (None, Err(failure)) => Err(failure),
            (None, Ok(_)) => {
                let epoch = submission.epoch;
                Err(SubmitError::NotReleased { epoch }.into())
            }
        }
    }

    /// Takes a submission into the log: after a confirmation, and after what is left over.
    async fn take(
        self: &Arc<Self>,
        turn: &mut Turn,
        submission: &Arc<Submission>,
    ) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let given = Arc::clone(submission);
            let taken = self.change(move |auditor| auditor.submit(&given, now_ms())).await;
            match taken {
                Err(Failure::Submit(SubmitError::Unconfirmed | SubmitError::Unreleased { .. })) => {
                    self.round(turn).await?;
                }
                other => return other,
            }
        }
        Err(SubmitError::Unconfirmed.into())
    }

    async fn released(
        self: &Arc<Self>,
        submission: &Arc<Submission>,
    ) -> Result<Option<Answer>, Failure> {
        let given = Arc::clone(submission);
        self.look(move |auditor| auditor.released(&given)).await
    }

    /// Asks the witnesses at every start, at intervals, and sooner while something waits for them.
    pub(crate) async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let refresh = Duration::from_secs(self.config.refresh_s);
        let retry = Duration::from_secs(self.config.retry_s);
        loop {
            let is_well = {
                let mut turn = self.turn_at_last().await;
                // Both, whatever becomes of the first.
                let is_well = self.tended(&mut turn).await;
                self.tended_events(&mut turn).await && is_well
            };
            let now = Instant::now();
            let mut next = now + if is_well { refresh } else { retry };
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    // Never later than it was: who fails again and again must not keep it from its round.
                    () = self.wake.notified() => next = next.min(Instant::now() + retry),
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        }
    }

    async fn tended(self: &Arc<Self>, turn: &mut Turn) -> bool {
        for _ in 0..ROUNDS_MAX {
            match self.round(turn).await {
                Ok(Round::Settled) => {
                    let (size, at_s) = (self.health().size, now_s());
                    tracing::info!(size, at_s, "a quorum of witnesses has cosigned the head");
                    return true;
                }
                Ok(Round::Grown) => {}
                Err(failure) => {
                    tracing::warn!(%failure, "no quorum of witnesses; they are asked again");
                    return false;
                }
            }
        }
        false
    }

    async fn tended_events(self: &Arc<Self>, turn: &mut Turn) -> bool {
        if self.events.is_none() {
            return true;
        }
        match self.round_of_events(turn).await {
            Ok(()) => true,
            Err(failure) => {
                tracing::warn!(%failure, "no quorum of witnesses for the event log; they are asked again");
                self.health().trouble = Some(format!("event log: {failure}"));
                false
            }
        }
    }
}
