//! Recovery: the backup key for the password, one charged attempt at a time.

use crate::{
    destination::Destination,
    entropy::Entropy,
    error::ProtocolError,
    exchange::{Awaiting, OutgoingFrame, Voucher, ask},
    key::{BackupKey, FreshAuthority},
    ksf::KsfVersion,
    suite::Suite,
    wrap::{self, Place},
};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientLoginFinishResult, CredentialResponse,
    Identifiers, errors,
};
use strongroom_account::Password;
use strongroom_wire::{
    Fixed, binding,
    caps::opaque::{KE1_LEN, KE2_LEN, KE3_LEN},
    request::Body,
    response::{self, Budget, Failure, RecoveryReceipt, WaitReason},
};
use zeroize::Zeroizing;

/// A recovery whose first answer has not come.
pub struct Recovery {
    awaiting: Awaiting,
    state: ClientLogin<Suite>,
    ke1: Fixed<KE1_LEN>,
    password: Password,
    device: [u8; 32],
    keep_device: bool,
    later: Zeroizing<[u8; 32]>,
}

/// What came of a recovery's first step.
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
pub enum Started {
    /// The attempt is charged and open. Send the frame, whatever the verdict.
    Charged(Charged),
    /// The attempt is not accepted now and was not charged.
    Wait {
        /// Why.
        reason: WaitReason,
        /// The budget; `next_ms` says when.
        budget: Budget,
        /// Who signed it.
        by: Voucher,
    },
    /// There is nothing to attempt.
    Failed(Failed),
}

/// An open attempt and the frame that ends it.
pub struct Charged {
    /// The second frame. After a wrong password it is random, so that whoever carries it cannot
    /// tell; it has to be sent all the same.
    pub frame: OutgoingFrame,
    /// Reads the second answer.
    pub next: RecoveryFinish,
    /// What this device knows of the password already.
    pub verdict: Verdict,
    /// The budget, this attempt charged.
    pub budget: Budget,
    /// Who signed it.
    pub by: Voucher,
}

/// What a device knows between the two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The password fits.
    Fits,
    /// The password does not fit. The signed answer says what is left.
    Wrong,
    /// The fleet's key or message was refused, and no KE3 was made for it.
    Refused(ProtocolError),
}

/// Why an attempt brought nothing, as the fleet signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub why: Failure,
    /// The budget from here on.
    pub budget: Budget,
    /// The generation destroyed by this attempt or before it.
    pub destroyed: Option<u64>,
    /// Who signed it.
    pub by: Voucher,
}

/// A backup key and what the owner should know.
#[derive(Debug, Clone)]
pub struct Recovered {
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
}

/// What came of a recovery.
#[derive(Debug)]
pub enum Outcome {
    /// The password was right.
    Recovered(Recovered),
    /// The attempt brought nothing.
    Failed(Failed),
}

impl Recovery {
    /// Begins: blinds the password and asks for an attempt.
    ///
    /// On success `device` becomes the record's device key, beside the newest earlier one if
    /// `keep_device`. `seed` is random and used once.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn start(
        destination: &Destination,
        password: &Password,
        device: [u8; 32],
        keep_device: bool,
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let mut entropy = Entropy::from_seed(&seed);
        let started = ClientLogin::<Suite>::start(&mut entropy, password.as_bytes())
            .map_err(|_| ProtocolError::Internal("blinding"))?;
        let ke1 = Fixed::from_slice(&started.message.serialize())
            .map_err(|_| ProtocolError::Internal("KE1 size"))?;
        let (awaiting, frame) = ask(destination, Body::RecoverStart { ke1 }, entropy.draw())?;
        let recovery = Self {
            awaiting,
            state: started.state,
            ke1,
            password: password.clone(),
            device,
            keep_device,
            later: Zeroizing::new(entropy.draw()),
        };
        Ok((recovery, frame))
    }

    /// Reads the attempt and tries the password on it (64 MiB, about 100 ms).
    ///
    /// After an error the same frame may be carried again: it is the same attempt, charged once.
    ///
    /// # Errors
    /// [`ProtocolError`] for an answer that is not the fleet's, or a signed refusal. Whether the
    /// attempt was charged is known only for the latter: it was not.
    pub fn on_started(&self, answer: &[u8]) -> Result<Started, ProtocolError> {
        let (outcome, by) = self.awaiting.verify(answer)?;
        match outcome {
            response::Outcome::RecoverStarted {
                attempt,
                generation,
                keyset,
                ksf_version,
                ke2,
                budget,
                ..
            } => {
                let opened = Opened { attempt, generation, keyset, ksf_version };
                self.try_password(opened, &ke2, budget, by).map(Started::Charged)
            }
            response::Outcome::Wait { reason, budget } => Ok(Started::Wait { reason, budget, by }),
            response::Outcome::RecoverFailed { why, budget, destroyed } => {
                Ok(Started::Failed(Failed { why, budget, destroyed, by }))
            }
            _ => Err(self.awaiting.mismatch()),
        }
    }

    fn try_password(
        &self,
        opened: Opened,
        ke2: &Fixed<KE2_LEN>,
        budget: Budget,
        by: Voucher,
    ) -> Result<Charged, ProtocolError> {
        let destination = self.awaiting.destination();
        let mut entropy = Entropy::from_seed(&self.later);
        // Drawn in any case: the same number of steps, whatever the verdict.
        let (random_ke3, seed) = (entropy.draw::<KE3_LEN>(), entropy.draw());
        let tried = self.login(&opened, ke2, &mut entropy);
        let (ke3, end) = match tried {
            Ok(Some(finished)) => {
                let ke3 = Fixed::from_slice(&finished.message.serialize())
                    .map_err(|_| ProtocolError::Internal("KE3 size"))?;
                let secrets = Secrets {
                    session_key: Zeroizing::new(finished.session_key.to_vec()),
                    export_key: Zeroizing::new(finished.export_key.to_vec()),
                };
                (ke3, End::Fits(secrets))
            }
            Ok(None) => (Fixed(random_ke3), End::Wrong),
            Err(error) => (Fixed(random_ke3), End::Refused(error)),
        };
        let body = Body::RecoverFinish {
            attempt: opened.attempt,
            ke1: self.ke1,
            ke3,
            device: Fixed(self.device),
            keep_device: self.keep_device,
        };
        let (awaiting, frame) = ask(destination, body, seed)?;
        Ok(Charged {
            frame,
            verdict: end.verdict(),
            next: RecoveryFinish { awaiting, opened, end },
            budget,
            by,
        })
    }

    /// Tries the password on KE2: nothing if it does not fit.
    ///
    /// No KE3 leaves this function for a server whose key is not the keyset's: an impostor with a record
    /// that it made for "123456" would otherwise log that password in.
    fn login(
        &self,
        opened: &Opened,
        ke2: &Fixed<KE2_LEN>,
        entropy: &mut Entropy,
    ) -> Result<Option<ClientLoginFinishResult<Suite>>, ProtocolError> {
        let destination = self.awaiting.destination();
        let to = destination.inner();
        let known = destination.keyset(opened.keyset)?;
        let version = KsfVersion::accept(opened.ksf_version)?;
        let stretch = self.awaiting.destination().stretch(version);
        let message = CredentialResponse::deserialize(ke2.as_slice())
            .map_err(|_| ProtocolError::OpaqueMessage)?;
        let client = binding::client_identity(&to.slot);
        let server = binding::server_identity(&to.namespace, opened.keyset);
        let context = binding::context(&to.fleet, to.epoch);
        let identifiers = Identifiers { client: Some(&client), server: Some(&server) };
        let parameters =
            ClientLoginFinishParameters::new(Some(&context), identifiers, Some(&stretch));
        let finished =
            match self.state.clone().finish(entropy, self.password.as_bytes(), message, parameters)
            {
                Ok(finished) => finished,
                Err(errors::ProtocolError::InvalidLoginError) => return Ok(None),
                Err(errors::ProtocolError::LibraryError(errors::InternalError::KsfError)) => {
                    return Err(ProtocolError::Internal("key stretching"));
                }
                Err(_) => return Err(ProtocolError::OpaqueMessage),
            };
        let got = <[u8; 32]>::try_from(finished.server_s_pk.serialize().as_slice())
            .map_err(|_| ProtocolError::OpaqueMessage)?;
        if got != known.server_key {
            return Err(ProtocolError::ServerKey {
                keyset: opened.keyset,
                got,
                expected: known.server_key,
            });
        }
        Ok(Some(finished))
    }
}

/// What the first answer said of the attempt.
struct Opened {
    attempt: u64,
    generation: u64,
    keyset: u32,
    ksf_version: u16,
}

struct Secrets {
    session_key: Zeroizing<Vec<u8>>,
    export_key: Zeroizing<Vec<u8>>,
}

enum End {
    Fits(Secrets),
    Wrong,
    Refused(ProtocolError),
}

impl End {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Fits(_) => Verdict::Fits,
            Self::Wrong => Verdict::Wrong,
            Self::Refused(error) => Verdict::Refused(error.clone()),
        }
    }
}

/// A recovery whose second answer has not come.
pub struct RecoveryFinish {
    awaiting: Awaiting,
    opened: Opened,
    end: End,
}

impl RecoveryFinish {
    /// The attempt's number.
    pub const fn attempt(&self) -> u64 {
        self.opened.attempt
    }

    /// The generation of the record that it is charged for.
    pub const fn generation(&self) -> u64 {
        self.opened.generation
    }

    /// Reads the second answer.
    ///
    /// # Errors
    /// [`ProtocolError`]; the attempt stays charged. After [`Verdict::Refused`] the error is always
    /// that one.
    pub fn on_finished(&self, answer: &[u8]) -> Result<Outcome, ProtocolError> {
        let verified = self.awaiting.verify(answer);
        if let End::Refused(error) = &self.end {
            return Err(error.clone());
        }
        let (outcome, by) = verified?;
        match (outcome, &self.end) {
            (response::Outcome::Recovered { released_key, receipt }, End::Fits(secrets)) => {
                let Opened { attempt, generation, keyset, ksf_version } = self.opened;
                if receipt.generation != generation {
                    return Err(ProtocolError::OtherReceipt);
                }
                let place = Place {
                    slot: self.awaiting.destination().slot(),
                    generation,
                    keyset,
                    ksf_version,
                };
                let session_key = &secrets.session_key;
                Ok(Outcome::Recovered(Recovered {
                    backup_key: wrap::unwrap(
                        session_key,
                        &secrets.export_key,
                        &place,
                        attempt,
                        &released_key,
                    )?,
                    receipt,
                    fresh: FreshAuthority::of_session(session_key, generation, attempt)?,
                    ksf_version,
                    keyset,
                    by,
                }))
            }
            // A proved password that the fleet calls wrong, or the reverse, is not an outcome.
            (response::Outcome::Recovered { .. }, _)
            | (
                response::Outcome::RecoverFailed { why: Failure::WrongPassword, .. },
                End::Fits(_),
            ) => Err(ProtocolError::Contradiction),
            (response::Outcome::RecoverFailed { why, budget, destroyed }, _) => {
                Ok(Outcome::Failed(Failed { why, budget, destroyed, by }))
            }
            _ => Err(self.awaiting.mismatch()),
        }
    }
}
