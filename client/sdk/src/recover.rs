//! Recovery: one attempt, however often its frames have to be carried.

use crate::{
    client::{Stopwatch, StrongroomClient, Timings},
    error::{Cost, SdkError},
    random,
    session::{Mark, Open},
    transport::Transport,
};
use std::sync::Arc;
use strongroom_account::Password;
use strongroom_protocol::{
    BackupKey, Charged, DeviceKey, Failed, Failure, FreshAuthority, Outcome, ProtocolError,
    Recovery, RecoveryReceipt, Started, Verdict, Voucher,
};

/// A backup key, back.
#[derive(Debug, Clone)]
pub struct RecoveredKey {
    /// The backup key.
    pub backup_key: BackupKey,
    /// Failures before this success, and the budget.
    pub receipt: RecoveryReceipt,
    /// May authorise one registration within ten minutes.
    pub fresh: FreshAuthority,
    /// The key-stretching version of the record.
    pub ksf_version: u16,
    /// The keyset of the record.
    pub keyset: u32,
    /// Who signed it.
    pub by: Voucher,
    /// Where the time went.
    pub timings: Timings,
}

impl<T: Transport> StrongroomClient<T> {
    /// Spends one attempt on a password. On success `device` becomes the record's device key, beside
    /// the newest earlier one if `keep_device`: store it before calling.
    ///
    /// A call that was dropped or failed for want of an answer goes on where it was when it is
    /// repeated with the same password and device: one attempt.
    ///
    /// # Errors
    /// [`SdkError`]; `cost()` says what it cost.
    pub async fn recover(
        &self,
        password: &Password,
        device: &DeviceKey,
        keep_device: bool,
    ) -> Result<RecoveredKey, SdkError> {
        let mut spent = Stopwatch::start();
        let mark = self.session.mark(password, &device.public());
        if self.session.was_refused(&mark) {
            return Err(SdkError::RefusedBefore);
        }
        let open = match self.session.open(&mark) {
            Some(open) => open,
            None => {
                let seed = random()?;
                let to = &self.destination;
                let started = Recovery::start(to, password, device.public(), keep_device, seed);
                let open = Open::Started(Arc::new(started.map_err(free)?));
                self.session.set_open(mark, open.clone());
                open
            }
        };
        let before = self.session.last_budget();
        let charged = match open {
            Open::Charged(charged) => charged,
            Open::Started(started) => self.begin(mark, started, &mut spent).await?,
        };
        let end = self.end(mark, &charged, &mut spent).await;
        end.map_err(|error| match error {
            // Only a row that had attempts left before can have been locked by this one.
            SdkError::Locked { destroyed, by, .. } => SdkError::Locked {
                destroyed,
                by_this_attempt: before.map(|budget| budget.row_left > 0),
                by,
            },
            other => other,
        })
    }

    /// Forgets which passwords were refused, so that they would be sent again.
    pub fn forget_refused(&self) {
        self.session.forget_refused();
    }

    async fn begin(
        &self,
        mark: Mark,
        started: Arc<(Recovery, strongroom_protocol::OutgoingFrame)>,
        spent: &mut Stopwatch,
    ) -> Result<Arc<Charged>, SdkError> {
        let carried = self.carry(&started.1, spent).await.map_err(|tried| {
            let cost = match (tried.may_have_arrived, tried.reached) {
                (true, _) => Cost::Unknown,
                (false, true) => Cost::Unsigned,
                (false, false) => Cost::None,
            };
            SdkError::Unavailable { tried, cost }
        })?;
        let answer = carried.answer;
        let outcome = spent.stretch(Cost::Unknown, move || started.0.on_started(&answer)).await?;
        match outcome {
            Ok(Started::Charged(charged)) => {
                let charged = Arc::new(charged);
                self.session.note(charged.budget);
                self.session.set_open(mark, Open::Charged(charged.clone()));
                Ok(charged)
            }
            Ok(Started::Wait { reason, budget, by }) => {
                self.session.close();
                self.session.note(budget);
                Err(SdkError::Wait { reason, budget, by })
            }
            Ok(Started::Failed(failed)) => {
                self.session.close();
                Err(self.failed(mark, failed))
            }
            Err(error @ ProtocolError::Refused { .. }) => {
                self.session.close();
                Err(free(error))
            }
            // Somebody changed the answer, or made one up. The frame may be carried again.
            Err(error) => Err(SdkError::Protocol { error, cost: Cost::Unknown }),
        }
    }

    async fn end(
        &self,
        mark: Mark,
        charged: &Arc<Charged>,
        spent: &mut Stopwatch,
    ) -> Result<RecoveredKey, SdkError> {
        let charge = |error| SdkError::Protocol { error, cost: Cost::Charged };
        let carried = self.carry(&charged.frame, spent).await;
        let outcome = match (&charged.verdict, carried) {
            (Verdict::Refused(error), _) => {
                self.session.close();
                return Err(charge(error.clone()));
            }
            (Verdict::Wrong, Err(_)) => {
                // The count that the first answer signed includes this attempt.
                self.session.close();
                self.session.refuse(mark);
                return Err(SdkError::WrongPassword {
                    budget: charged.budget,
                    by: charged.by.clone(),
                });
            }
            (Verdict::Fits, Err(tried)) => {
                let cost = Cost::Charged;
                return Err(SdkError::Unavailable { tried, cost });
            }
            (_, Ok(carried)) => charged.next.on_finished(&carried.answer),
        };
        match outcome {
            Ok(Outcome::Recovered(recovered)) => {
                self.session.close();
                self.session.note(recovered.receipt.budget);
                Ok(RecoveredKey {
                    backup_key: recovered.backup_key,
                    receipt: recovered.receipt,
                    fresh: recovered.fresh,
                    ksf_version: recovered.ksf_version,
                    keyset: recovered.keyset,
                    by: recovered.by,
                    timings: spent.read(),
                })
            }
            Ok(Outcome::Failed(failed)) => {
                self.session.close();
                Err(self.failed(mark, failed))
            }
            Err(error) => {
                // A changed answer can be asked for again; a signed one that is wrong cannot.
                let is_signed = !matches!(
                    error,
                    ProtocolError::Length { .. }
                        | ProtocolError::Sealed
                        | ProtocolError::Encoding(_)
                );
                if is_signed {
                    self.session.close();
                }
                Err(charge(error))
            }
        }
    }

    fn failed(&self, mark: Mark, failed: Failed) -> SdkError {
        let Failed { why, budget, destroyed, by } = failed;
        self.session.note(budget);
        match why {
            Failure::WrongPassword => {
                self.session.refuse(mark);
                SdkError::WrongPassword { budget, by }
            }
            Failure::NoRecord => SdkError::NoRecord { by },
            Failure::Locked => SdkError::Locked { destroyed, by_this_attempt: None, by },
            Failure::Closed => SdkError::Closed { budget, by },
        }
    }
}

/// An error that cost nothing.
pub(crate) fn free(error: ProtocolError) -> SdkError {
    SdkError::Protocol { error, cost: Cost::None }
}
