//! Enrolment: a record for a backup key, with a receipt or with a warning.

use crate::{
    client::{Stopwatch, StrongroomClient, Timings},
    error::{Cost, SdkError},
    random,
    recover::free,
    session::{Doubt, Mark},
    transport::Transport,
};
use std::sync::Arc;
use strongroom_account::Password;
use strongroom_protocol::{
    Authorisation, BackupKey, DeviceKey, FreshAuthority, Offer, ProtocolError, Receipt,
    Registration, RegistrationFinish, Voucher,
};

/// Why an existing record may be replaced at once.
#[derive(Debug, Clone)]
pub enum Authority {
    /// Nothing: over an existing record this announces a replacement that its owner can cancel.
    None,
    /// This device is enrolled.
    Device {
        /// Its key.
        key: DeviceKey,
        /// The generation that is replaced.
        generation: u64,
        /// Above every counter that the device has used.
        counter: u64,
    },
    /// The password was proved within the last ten minutes.
    Fresh(FreshAuthority),
}

impl Authority {
    fn borrowed(&self) -> Authorisation<'_> {
        match self {
            Self::None => Authorisation::None,
            Self::Device { key, generation, counter } => {
                Authorisation::Device { key, generation: *generation, counter: *counter }
            }
            Self::Fresh(fresh) => Authorisation::Fresh(fresh),
        }
    }
}

/// What to do when the account has a record already.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
pub enum IfOccupied {
    /// Stop with [`SdkError::Occupied`].
    Stop,
    /// Replace it, or announce so.
    Replace(Authority),
}

/// A pending registration: nothing is stored yet.
pub struct Enrolment {
    offer: Offer,
    mark: Mark,
    spent: Stopwatch,
}

impl Enrolment {
    /// Whether the account has a record already.
    pub const fn occupied(&self) -> bool {
        self.offer.occupied()
    }

    /// The generation that would be stored.
    pub const fn generation(&self) -> u64 {
        self.offer.generation()
    }

    /// Who signed the pending entry.
    pub const fn by(&self) -> &Voucher {
        self.offer.by()
    }
}

/// A stored registration, or one that waits for its delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// What was done.
    pub receipt: Receipt,
    /// Who signed it.
    pub by: Voucher,
    /// Where the time went.
    pub timings: Timings,
}

impl<T: Transport> StrongroomClient<T> {
    /// Asks for a pending registration. Stores nothing and spends no attempt.
    ///
    /// # Errors
    /// [`SdkError::ReceiptMissing`] if this session has sent the same password and got no receipt:
    /// ask for it with [`StrongroomClient::receipt`], or let go with [`StrongroomClient::give_up`].
    pub async fn begin_enroll(
        &self,
        password: &Password,
        backup_key: &BackupKey,
        device: &DeviceKey,
    ) -> Result<Enrolment, SdkError> {
        let mut spent = Stopwatch::start();
        let mark = self.session.mark(password, &[0; 32]);
        if let Some((of, doubt)) = self.session.doubt()
            && of == mark
        {
            return Err(SdkError::ReceiptMissing { generation: doubt.generation, last: None });
        }
        let to = &self.destination;
        let device = device.public();
        let (registration, frame) =
            Registration::start(to, password, backup_key, device, random()?).map_err(free)?;
        let carried = self.carry(&frame, &mut spent).await.map_err(|tried| {
            let cost = Cost::None;
            SdkError::Unavailable { tried, cost }
        })?;
        let offer = registration.on_started(&carried.answer).map_err(free)?;
        Ok(Enrolment { offer, mark, spent })
    }

    /// Stretches the password and stores the registration.
    ///
    /// # Errors
    /// [`SdkError::ReceiptMissing`] if nobody knows whether it is stored.
    pub async fn finish_enroll(
        &self,
        enrolment: Enrolment,
        authority: &Authority,
    ) -> Result<Enrolled, SdkError> {
        let Enrolment { offer, mark, mut spent } = enrolment;
        let generation = offer.generation();
        let authority = authority.clone();
        let finished: Result<(RegistrationFinish, _), ProtocolError> =
            spent.stretch(Cost::None, move || offer.finish(&authority.borrowed())).await?;
        let (finish, frame) = finished.map_err(free)?;
        let doubt = Arc::new(Doubt { finish, frame, generation });
        // From here on a dropped future leaves the doubt behind, not silence.
        self.session.set_doubt(mark, doubt.clone());
        self.ask_receipt(&doubt, &mut spent).await
    }

    /// Asks again for a receipt that did not come, with the frame that was sent.
    ///
    /// # Errors
    /// As [`StrongroomClient::finish_enroll`]. Nothing if no receipt is missing.
    pub async fn receipt(&self) -> Result<Option<Enrolled>, SdkError> {
        let Some((_, doubt)) = self.session.doubt() else {
            return Ok(None);
        };
        let mut spent = Stopwatch::start();
        self.ask_receipt(&doubt, &mut spent).await.map(Some)
    }

    /// Lets go of a missing receipt, so that the same password may be registered again. The user
    /// should know: each registration is one more place where the password can be attempted.
    pub fn give_up(&self) {
        self.session.settle();
    }

    async fn ask_receipt(
        &self,
        doubt: &Doubt,
        spent: &mut Stopwatch,
    ) -> Result<Enrolled, SdkError> {
        let missing = |last| SdkError::ReceiptMissing {
            generation: doubt.generation,
            last: Some(Box::new(last)),
        };
        let carried = self.carry(&doubt.frame, spent).await.map_err(|tried| {
            let cost = Cost::None;
            missing(SdkError::Unavailable { tried, cost })
        })?;
        match doubt.finish.on_finished(&carried.answer) {
            Ok(registered) => {
                self.session.settle();
                self.session.note(registered.receipt.budget);
                // A new password under a new record: what was refused before may be right now.
                self.session.forget_refused();
                Ok(Enrolled {
                    receipt: registered.receipt,
                    by: registered.by,
                    timings: spent.read(),
                })
            }
            Err(error @ ProtocolError::Refused { .. }) => {
                self.session.settle();
                Err(free(error))
            }
            Err(error) => Err(missing(free(error))),
        }
    }

    /// Both steps at once.
    ///
    /// # Errors
    /// [`SdkError::Occupied`] if the account has a record and `if_occupied` says to stop.
    pub async fn enroll(
        &self,
        password: &Password,
        backup_key: &BackupKey,
        device: &DeviceKey,
        if_occupied: &IfOccupied,
    ) -> Result<Enrolled, SdkError> {
        let enrolment = self.begin_enroll(password, backup_key, device).await?;
        let authority = match if_occupied {
            IfOccupied::Replace(authority) if enrolment.occupied() => authority.clone(),
            IfOccupied::Stop if enrolment.occupied() => {
                let by = enrolment.by().clone();
                return Err(SdkError::Occupied { by });
            }
            IfOccupied::Stop | IfOccupied::Replace(_) => Authority::None,
        };
        self.finish_enroll(enrolment, &authority).await
    }

    /// Registers the same backup key under another password, with the authority of this device or
    /// of a fresh recovery. The old password opens nothing any more once the receipt is there.
    ///
    /// # Errors
    /// As [`StrongroomClient::finish_enroll`].
    pub async fn change_password(
        &self,
        password: &Password,
        backup_key: &BackupKey,
        device: &DeviceKey,
        authority: &Authority,
    ) -> Result<Enrolled, SdkError> {
        let enrolment = self.begin_enroll(password, backup_key, device).await?;
        self.finish_enroll(enrolment, authority).await
    }
}
