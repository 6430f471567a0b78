//! One device of one account: every exchange noted, from its first byte to its signed answer.

use super::Shared;
use crate::record::{Answer, By, Call, Miss, Operation};
use chacha20::{ChaCha20Rng, rand_core::Rng as _};
use sha2::{Digest as _, Sha256};
use std::{sync::Arc, time::Duration};
use strongroom_account::{Account, Password};
use strongroom_cli::dev::DevFleet;
use strongroom_manifest::{Floors, Manifest, Verified};
use strongroom_protocol::{
    Authorisation, BackupKey, Charged, Destination, DeviceKey, Failed, FreshAuthority, Outcome,
    OutgoingFrame, ProtocolError, Recovered, Recovery, Registration, Started, Verdict,
    owner::AskBudget,
};
use strongroom_sdk::{Http, Patience, Token, carry};

/// A request without an answer for this long is a failed one, for who counts availability.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// Deadlines that a request may miss after the run was asked to stop.
const FAREWELL_MISSES: usize = 6;

/// What a device is made of, before it stands at the gateway.
pub(crate) struct Door {
    pub(crate) client: u32,
    pub(crate) account: String,
    pub(crate) token: String,
    pub(crate) gateway: String,
    pub(crate) manifest: Arc<Verified<Manifest>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) dice: ChaCha20Rng,
}

/// A device.
pub(crate) struct Device {
    client: u32,
    pub(crate) account: String,
    to: Destination,
    http: Http,
    pub(crate) shared: Arc<Shared>,
    dice: ChaCha20Rng,
    key: DeviceKey,
}

/// What a recovery came to.
pub(crate) enum Attempt {
    Key(Box<Recovered>),
    Failed {
        failed: Failed,
        /// Whether it was charged before.
        charged: bool,
    },
    /// Not accepted now; vault time of the next, and of the answer.
    Wait {
        year: bool,
        for_ms: u64,
    },
    /// No answer, or a refusal that was noted.
    Nothing,
}

impl Door {
    /// A second device of the same account.
    pub(crate) fn twin(&mut self, client: u32) -> Self {
        let mut seed = [0; 32];
        self.dice.fill_bytes(&mut seed);
        Self {
            client,
            account: self.account.clone(),
            token: self.token.clone(),
            gateway: self.gateway.clone(),
            manifest: Arc::clone(&self.manifest),
            shared: Arc::clone(&self.shared),
            dice: chacha20::rand_core::SeedableRng::from_seed(seed),
        }
    }

    /// Opens it; nothing if the fleet's files are not what they should be, which is noted.
    pub(crate) fn open(mut self) -> Option<Device> {
        let mut seed = [0; 32];
        self.dice.fill_bytes(&mut seed);
        let made = || -> Result<(Destination, Http), String> {
            let account = Account::normalise(&self.account).map_err(|e| e.to_string())?;
            let (fleet, app) = (DevFleet::FLEET, DevFleet::APP);
            let (floors, now) = (Floors::DANGER_DEVELOPMENT, strongroom_sdk::now_ms());
            let to = Destination::new(&self.manifest, fleet, app, &account, &floors, now)
                .map_err(|e| e.to_string())?
                // Two cores stretch the passwords of a crowd and run seven nodes: the one would
                // measure the other.
                .danger_unstretched();
            let http =
                Http::new(&self.gateway, &Token::new(&self.token)).map_err(|e| e.to_string())?;
            Ok((to, http))
        };
        match made() {
            Ok((to, http)) => Some(Device {
                client: self.client,
                account: self.account,
                to,
                http,
                shared: self.shared,
                dice: self.dice,
                key: DeviceKey::from_seed(&seed),
            }),
            Err(why) => {
                self.shared.book.broken(format!("{}: no client: {why}", self.account));
                None
            }
        }
    }
}

/// How keys are named in histories.
pub(crate) fn name_of(key: &BackupKey) -> String {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    hex::encode(digest.get(..8).unwrap_or_default())
}

impl Device {
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.dice.fill_bytes(&mut seed);
        seed
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.dice.next_u32() % bound.max(1)
    }

    /// Waits between two bounds, as people do.
    pub(crate) async fn dawdle(&mut self, least_ms: u32, most_ms: u32) {
        let ms = least_ms + self.below(most_ms.saturating_sub(least_ms));
        self.shared.pause(Duration::from_millis(ms.into())).await;
    }

    /// Carries one frame until it is answered: one request, one line of the history.
    async fn exchange<T>(
        &self,
        call: Call,
        frame: &OutgoingFrame,
        read: impl Fn(&[u8]) -> Result<(T, Answer, By), ProtocolError>,
    ) -> Option<T> {
        let book = &self.shared.book;
        let mut operation = Operation {
            client: self.client,
            account: self.account.clone(),
            call,
            invoked_us: book.now_us(),
            returned_us: None,
            answer: None,
            by: None,
            misses: Vec::new(),
        };
        let patience = Patience { deadline: DEADLINE, one_try: DEADLINE, tries: 1_000 };
        let mut farewell = 0;
        let mut result = None;
        while farewell < FAREWELL_MISSES {
            let since_us = book.now_us();
            let tried = match carry(&self.http, frame, &patience).await {
                Ok(carried) => carried,
                Err(tried) => {
                    let (kind, detail) =
                        (tried.last.code.name().to_owned(), tried.last.detail.clone());
                    operation.misses.push(Miss { since_us, at_us: book.now_us(), kind, detail });
                    farewell += usize::from(self.shared.is_stopping());
                    continue;
                }
            };
            operation.returned_us = Some(book.now_us());
            operation.answer = Some(match read(&tried.answer) {
                Ok((value, answer, by)) => {
                    operation.by = Some(by);
                    result = Some(value);
                    answer
                }
                Err(ProtocolError::Refused { why, by, .. }) => {
                    operation.by = Some(By::from(&by));
                    Answer::Refused { why: format!("{why:?}") }
                }
                Err(error) => {
                    book.broken(format!(
                        "{}: an answer that is not the fleet's: {error}",
                        self.account
                    ));
                    Answer::Bad { error: error.to_string() }
                }
            });
            break;
        }
        book.note(operation);
        result
    }

    /// Asks how many attempts are left.
    pub(crate) async fn budget(&self, seed: [u8; 32]) {
        let Ok((ask, frame)) = AskBudget::ask(&self.to, seed) else { return };
        self.exchange(Call::Budget, &frame, |answer| {
            let (budget, by) = ask.on_answer(answer)?;
            Ok(((), Answer::Budget { budget: budget.into() }, By::from(&by)))
        })
        .await;
    }

    /// Registers a key. True with a receipt that says that it is stored; a key without a receipt
    /// may be stored or not.
    pub(crate) async fn enroll(
        &mut self,
        password: &Password,
        key: &BackupKey,
        fresh: Option<&FreshAuthority>,
    ) -> Option<u64> {
        let (registration, seed) = (self.shared.name(), self.seed());
        let (state, frame) =
            Registration::start(&self.to, password, key, self.key.public(), seed).ok()?;
        let state = std::sync::Mutex::new(Some(state));
        let offer = self
            .exchange(Call::RegisterStart { registration }, &frame, |answer| {
                let state = state.lock().ok().and_then(|mut state| state.take());
                let offer = state
                    .ok_or(ProtocolError::Internal("an offer read twice"))?
                    .on_started(answer)?;
                let (generation, occupied) = (offer.generation(), offer.occupied());
                let by = By::from(offer.by());
                Ok((offer, Answer::RegisterStarted { generation, occupied }, by))
            })
            .await?;
        let authority = fresh.map_or(Authorisation::None, Authorisation::Fresh);
        let generation = offer.generation();
        let (finish, frame) = offer.finish(&authority).ok()?;
        let (key, fresh) = (name_of(key), fresh.is_some());
        let call = Call::RegisterFinish { registration, generation, key, fresh };
        self.exchange(call, &frame, |answer| {
            let registered = finish.on_finished(answer)?;
            let receipt = registered.receipt;
            let answer = Answer::Registered {
                generation: receipt.generation,
                destroyed: receipt.destroyed,
                effective_ms: receipt.effective_ms,
                budget: receipt.budget.into(),
            };
            Ok((receipt.generation, answer, By::from(&registered.by)))
        })
        .await
    }

    /// Recovers, right or wrong, to the end of the attempt. `right` is what the password is.
    pub(crate) async fn recover(&mut self, password: &Password, right: bool) -> Attempt {
        let attempt = self.shared.name();
        let seed = self.seed();
        let started = Recovery::start(&self.to, password, self.key.public(), false, seed);
        let Ok((recovery, frame)) = started else { return Attempt::Nothing };
        let started = self
            .exchange(Call::RecoverStart { attempt, right }, &frame, |answer| {
                let started = recovery.on_started(answer)?;
                let (answer, by) = describe(&started);
                Ok(((started, by), answer, by))
            })
            .await;
        match started {
            Some((Started::Charged(charged), _)) => self.finish(attempt, right, charged).await,
            Some((Started::Failed(failed), _)) => Attempt::Failed { failed, charged: false },
            Some((Started::Wait { budget, reason, .. }, by)) => Attempt::Wait {
                year: format!("{reason:?}") == "Year",
                for_ms: budget.next_ms.saturating_sub(by.now_ms),
            },
            None => Attempt::Nothing,
        }
    }

    async fn finish(&self, attempt: u64, right: bool, charged: Charged) -> Attempt {
        if right && charged.verdict == Verdict::Wrong {
            // The record holds another password than its owner was told.
            self.shared.book.broken(format!("{}: the right password does not fit", self.account));
        }
        let call = Call::RecoverFinish { attempt, number: charged.next.attempt(), right };
        let outcome = self
            .exchange(call, &charged.frame, |answer| {
                let outcome = charged.next.on_finished(answer)?;
                let (answer, by) = match &outcome {
                    Outcome::Failed(failed) => (failure(failed), By::from(&failed.by)),
                    Outcome::Recovered(recovered) => {
                        let receipt = &recovered.receipt;
                        let answer = Answer::Recovered {
                            generation: receipt.generation,
                            key: name_of(&recovered.backup_key),
                            failures: receipt.failures_ms.len(),
                            failures_year: receipt.failures_year,
                            budget: receipt.budget.into(),
                        };
                        (answer, By::from(&recovered.by))
                    }
                };
                Ok((outcome, answer, by))
            })
            .await;
        match outcome {
            Some(Outcome::Recovered(recovered)) => Attempt::Key(Box::new(recovered)),
            Some(Outcome::Failed(failed)) => Attempt::Failed { failed, charged: true },
            None => Attempt::Nothing,
        }
    }
}

fn failure(failed: &Failed) -> Answer {
    Answer::Failed {
        why: format!("{:?}", failed.why),
        destroyed: failed.destroyed,
        budget: failed.budget.into(),
    }
}

fn describe(started: &Started) -> (Answer, By) {
    match started {
        Started::Charged(charged) => {
            let (number, budget) = (charged.next.attempt(), charged.budget.into());
            let fits = charged.verdict == Verdict::Fits;
            (Answer::Charged { number, fits, budget }, By::from(&charged.by))
        }
        Started::Wait { reason, budget, by } => {
            let (reason, budget) = (format!("{reason:?}"), (*budget).into());
            (Answer::Wait { reason, budget }, By::from(by))
        }
        Started::Failed(failed) => (failure(failed), By::from(&failed.by)),
    }
}
