//! The owner's commands, and the budget question.

use crate::{
    client::{Stopwatch, StrongroomClient, Timings},
    error::{Cost, SdkError},
    random,
    recover::free,
    transport::Transport,
};
use strongroom_protocol::{
    Budget, DeviceKey, OutgoingFrame, ProtocolError, Refusal, SlotStatus, Voucher, owner,
};

/// An enrolled device.
///
/// A command uses `counter` and, where a lost answer made that a replay, `counter + 1`: store a
/// number above both before calling.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The device's key.
    pub key: DeviceKey,
    /// The record's generation, as the device knows it.
    pub generation: u64,
    /// Above every counter that the device has used.
    pub counter: u64,
}

impl Owner {
    fn with(&self, counter: u64) -> owner::Owner<'_> {
        owner::Owner { key: &self.key, generation: self.generation, counter }
    }
}

/// How a slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAnswer {
    /// The view.
    pub status: SlotStatus,
    /// Who signed it.
    pub by: Voucher,
    /// Where the time went.
    pub timings: Timings,
}

/// A record that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// Its generation.
    pub generation: u64,
    /// Whether the answer that said so was lost and the fleet signed only that nothing is left.
    pub found_gone: bool,
    /// Who signed it.
    pub by: Voucher,
}

impl<T: Transport> StrongroomClient<T> {
    /// Asks how the account's record stands. Cancels an announced replacement.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn status(&self, owner: &Owner) -> Result<StatusAnswer, SdkError> {
        let mut spent = Stopwatch::start();
        let mut counter = owner.counter;
        loop {
            let to = &self.destination;
            let asked = owner::Status::ask(to, &owner.with(counter), random()?);
            let (ask, frame) = asked.map_err(free)?;
            let (answer, repeated) = self.command(&frame, &mut spent).await?;
            match ask.on_answer(&answer) {
                Ok((status, by)) => {
                    self.session.note(status.budget);
                    let timings = spent.read();
                    return Ok(StatusAnswer { status, by, timings });
                }
                Err(ProtocolError::Refused { why: Refusal::Replayed, .. })
                    if repeated && counter == owner.counter =>
                {
                    counter = counter.saturating_add(1)
                }
                Err(error) => return Err(free(error)),
            }
        }
    }

    /// Destroys the account's record.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn destroy(&self, owner: &Owner) -> Result<Destroyed, SdkError> {
        let mut spent = Stopwatch::start();
        let to = &self.destination;
        let (ask, frame) =
            owner::Destroy::ask(to, &owner.with(owner.counter), random()?).map_err(free)?;
        let (answer, repeated) = self.command(&frame, &mut spent).await?;
        match ask.on_answer(&answer) {
            Ok((generation, by)) => Ok(Destroyed { generation, found_gone: false, by }),
            Err(ProtocolError::Refused { why: Refusal::NoRecord, by, .. }) if repeated => {
                Ok(Destroyed { generation: owner.generation, found_gone: true, by })
            }
            Err(error) => Err(free(error)),
        }
    }

    /// Adds a device key; says how many there are then.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn enroll_device(
        &self,
        owner: &Owner,
        device: [u8; 32],
    ) -> Result<(u8, Voucher), SdkError> {
        let mut spent = Stopwatch::start();
        let mut counter = owner.counter;
        loop {
            let to = &self.destination;
            let asked = owner::EnrollDevice::ask(to, &owner.with(counter), device, random()?);
            let (ask, frame) = asked.map_err(free)?;
            let (answer, repeated) = self.command(&frame, &mut spent).await?;
            match ask.on_answer(&answer) {
                // A key that is there already is not added twice, so asking again is harmless.
                Err(ProtocolError::Refused { why: Refusal::Replayed, .. })
                    if repeated && counter == owner.counter =>
                {
                    counter = counter.saturating_add(1)
                }
                answered => return answered.map_err(free),
            }
        }
    }

    /// Asks how many attempts are left. Spends none.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn budget(&self) -> Result<(Budget, Voucher), SdkError> {
        let mut spent = Stopwatch::start();
        let (ask, frame) = owner::AskBudget::ask(&self.destination, random()?).map_err(free)?;
        let (answer, _) = self.command(&frame, &mut spent).await?;
        let (budget, by) = ask.on_answer(&answer).map_err(free)?;
        self.session.note(budget);
        Ok((budget, by))
    }

    async fn command(
        &self,
        frame: &OutgoingFrame,
        spent: &mut Stopwatch,
    ) -> Result<(Vec<u8>, bool), SdkError> {
        let carried = self.carry(frame, spent).await.map_err(|tried| {
            let cost = Cost::None;
            SdkError::Unavailable { tried, cost }
        })?;
        Ok((carried.answer, carried.repeated))
    }
}
