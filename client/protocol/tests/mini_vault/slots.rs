//! Records, attempts and owners, kept as plainly as the protocol allows.

use super::{
    NOW_MS,
    fleet::{FLEET, Fleet, KEYSETS, NAMESPACE, ServerSuite, seeded},
};
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload, array::Array},
};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, ServerLogin,
    ServerLoginParameters, ServerRegistration,
};
use sha2::Sha256;
use std::collections::BTreeMap;
use strongroom_wire::{
    Fixed, Slot, binding,
    digest::sha256,
    owner::{Authority, OwnerAuth, OwnerScope, body_digest},
    request::{Body, Registration, Verb},
    response::{Budget, Failure, Outcome, Receipt, RecoveryReceipt, Refusal, SlotStatus},
};

pub(crate) struct Record {
    pub(crate) registration: Registration,
    keyset: u32,
    salt: [u8; 32],
    devices: Vec<([u8; 32], u64)>,
}

struct Attempt {
    number: u64,
    ke1: [u8; 32],
    open: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) record: Option<Record>,
    pub(crate) failures: u8,
    pending: Option<([u8; 32], [u8; 32], u64)>,
    attempt: Option<Attempt>,
    attempts: u64,
    generation: u64,
    destroyed: Option<u64>,
    receipt: Option<Receipt>,
    fresh: Option<([u8; 32], u64)>,
}

/// All slots; empty until somebody asks.
#[derive(Default)]
pub(crate) struct Slots {
    pub(crate) states: BTreeMap<Slot, State>,
}

const ROW: u8 = 10;

impl State {
    fn budget(&self) -> Budget {
        Budget { row_left: ROW - self.failures, year_left: 40 - self.failures, next_ms: 0 }
    }

    fn fail(&self, why: Failure) -> Outcome {
        Outcome::RecoverFailed { why, budget: self.budget(), destroyed: self.destroyed }
    }
}

fn refuse(why: Refusal) -> Outcome {
    Outcome::Refused { why, generation: 0 }
}

impl Slots {
    pub(crate) fn apply(&mut self, fleet: &Fleet, slot: Slot, bound: Slot, body: Body) -> Outcome {
        let state = self.states.entry(slot).or_default();
        match body {
            Body::RegisterStart { request } => state.register_start(fleet, slot, &request.0),
            Body::RegisterFinish { registration, authority } => {
                state.register_finish(slot, registration, &authority)
            }
            Body::RecoverStart { ke1 } => state.recover_start(fleet, slot, bound, &ke1.0),
            Body::RecoverFinish { attempt, ke1, ke3, device, .. } => {
                let device = device.0;
                state.recover_finish(fleet, (slot, bound), attempt, &ke1.0, &ke3.0, device)
            }
            Body::Status { auth } => match state.owner(slot, Verb::Status, &auth, &[]) {
                Ok(()) => state.status(),
                Err(refusal) => refuse(refusal),
            },
            Body::Destroy { auth } => match state.owner(slot, Verb::Destroy, &auth, &[]) {
                Ok(()) => state.destroy(),
                Err(refusal) => refuse(refusal),
            },
            Body::EnrollDevice { auth, device } => {
                match state.owner(slot, Verb::EnrollDevice, &auth, &device.0) {
                    Ok(()) => state.enroll(device.0),
                    Err(refusal) => refuse(refusal),
                }
            }
            Body::Budget {} => Outcome::BudgetIs { budget: state.budget() },
        }
    }
}

impl State {
    fn register_start(&mut self, fleet: &Fleet, slot: Slot, request: &[u8; 32]) -> Outcome {
        let salt = sha256(&[request.as_slice(), b"salt"].concat());
        let entry = sha256(&[request.as_slice(), b"entry"].concat());
        let generation = self.generation + 1;
        self.pending = Some((entry, salt, generation));
        let keyset = KEYSETS[1];
        let Ok(message) = RegistrationRequest::<ServerSuite>::deserialize(request) else {
            return refuse(Refusal::BadMessage);
        };
        let identifier = binding::credential_identifier(&slot, generation, &salt);
        let started = ServerRegistration::start(fleet.setup(keyset), message, &identifier);
        let response = started.expect("evaluate").message.serialize();
        Outcome::RegisterStarted {
            entry: Fixed(entry),
            generation,
            keyset,
            response: Fixed::from_slice(&response).expect("64 bytes"),
            expires_ms: NOW_MS + 600_000,
            occupied: self.record.is_some(),
        }
    }

    fn register_finish(
        &mut self,
        slot: Slot,
        registration: Registration,
        authority: &Authority,
    ) -> Outcome {
        let digest = registration.digest();
        if let Some(receipt) = &self.receipt
            && receipt.registration.0 == digest
        {
            let receipt = receipt.clone();
            return Outcome::Registered { receipt };
        }
        let Some((entry, salt, generation)) = self.pending.take() else {
            return refuse(Refusal::EntryUnknown);
        };
        if registration.entry.0 != entry || registration.generation != generation {
            return refuse(Refusal::EntryUnknown);
        }
        if self.record.is_some()
            && let Err(refusal) = self.may_replace(slot, authority, digest)
        {
            return refuse(refusal);
        }
        let destroyed = self.record.is_some().then_some(self.generation);
        self.generation = generation;
        self.failures = 0;
        self.record = Some(Record {
            devices: vec![(registration.device.0, 0)],
            keyset: KEYSETS[1],
            salt,
            registration,
        });
        let receipt = Receipt {
            generation,
            destroyed,
            registration: Fixed(digest),
            effective_ms: 0,
            budget: self.budget(),
        };
        self.receipt = Some(receipt.clone());
        Outcome::Registered { receipt }
    }

    /// The delay of a replacement without authority is not played here: it is refused.
    fn may_replace(
        &mut self,
        slot: Slot,
        authority: &Authority,
        digest: [u8; 32],
    ) -> Result<(), Refusal> {
        match authority {
            Authority::None {} => Err(Refusal::NotOwner),
            Authority::Device { auth } => {
                let scope = self.scope(&slot, Verb::RegisterFinish, auth, digest);
                check(&scope.device_statement(), auth)?;
                self.count(auth)
            }
            Authority::Fresh { generation, attempt, mac } => {
                let (key, proved) = self.fresh.take().ok_or(Refusal::NotOwner)?;
                let scope = OwnerScope {
                    namespace: NAMESPACE,
                    fleet: FLEET,
                    slot: &slot,
                    verb: Verb::RegisterFinish,
                    generation: *generation,
                    counter: *attempt,
                    body: digest,
                };
                let mut expected =
                    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key).expect("any length");
                expected.update(&scope.fresh_statement());
                let good = proved == *attempt && *generation == self.generation;
                let verified = expected.verify_slice(&mac.0).is_ok();
                if good && verified { Ok(()) } else { Err(Refusal::NotOwner) }
            }
        }
    }

    fn recover_start(&mut self, fleet: &Fleet, slot: Slot, bound: Slot, ke1: &[u8; 96]) -> Outcome {
        let digest = sha256(ke1);
        let repeated =
            self.attempt.as_ref().is_some_and(|attempt| attempt.open && attempt.ke1 == digest);
        if !repeated {
            if self.failures == ROW {
                return self.fail(Failure::Locked);
            }
            if self.record.is_some() {
                self.failures += 1;
            }
            self.attempts += 1;
            self.attempt = Some(Attempt { number: self.attempts, ke1: digest, open: true });
        }
        let attempt = self.attempts;
        let record = self.record.as_ref();
        let (ke2, _) = login(fleet, slot, bound, record, ke1);
        Outcome::RecoverStarted {
            attempt,
            generation: self.generation,
            keyset: record.map_or(KEYSETS[1], |record| record.keyset),
            ksf_version: record.map_or(1, |record| record.registration.ksf_version),
            ke2: Fixed(ke2),
            expires_ms: NOW_MS + 600_000,
            budget: self.budget(),
        }
    }

    fn recover_finish(
        &mut self,
        fleet: &Fleet,
        (slot, bound): (Slot, Slot),
        number: u64,
        ke1: &[u8; 96],
        ke3: &[u8; 64],
        device: [u8; 32],
    ) -> Outcome {
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.open) else {
            return self.fail(Failure::Closed);
        };
        if attempt.number != number || attempt.ke1 != sha256(ke1) {
            return self.fail(Failure::Closed);
        }
        attempt.open = false;
        let Some(record) = &mut self.record else {
            return self.fail(Failure::NoRecord);
        };
        let (_, state) = login(fleet, slot, bound, Some(record), ke1);
        let server = binding::server_identity(NAMESPACE, record.keyset);
        let parameters = parameters(fleet.manifest.epoch, bound.as_bytes(), &server);
        let finished = CredentialFinalization::deserialize(ke3)
            .ok()
            .and_then(|ke3| state.finish(ke3, parameters).ok());
        let Some(finished) = finished else {
            if self.failures == ROW {
                self.record = None;
                self.destroyed = Some(self.generation);
                return self.fail(Failure::Locked);
            }
            return self.fail(Failure::WrongPassword);
        };
        record.devices = vec![(device, 0)];
        let released_key = release(
            &finished.session_key,
            &slot,
            self.generation,
            number,
            &record.registration.wrapped_key.0,
        );
        let failures_year = self.failures - 1;
        self.failures = 0;
        let fresh = derive(&finished.session_key, binding::FRESH_INFO);
        self.fresh = Some((fresh, number));
        Outcome::Recovered {
            released_key: Fixed(released_key),
            receipt: RecoveryReceipt {
                generation: self.generation,
                failures_ms: vec![NOW_MS; usize::from(failures_year)],
                failures_year,
                budget: self.budget(),
            },
        }
    }

    fn scope<'a>(
        &self,
        slot: &'a Slot,
        verb: Verb,
        auth: &OwnerAuth,
        body: [u8; 32],
    ) -> OwnerScope<'a> {
        OwnerScope {
            namespace: NAMESPACE,
            fleet: FLEET,
            slot,
            verb,
            generation: auth.generation,
            counter: auth.counter,
            body,
        }
    }

    fn owner(
        &mut self,
        slot: Slot,
        verb: Verb,
        auth: &OwnerAuth,
        content: &[u8],
    ) -> Result<(), Refusal> {
        let scope = self.scope(&slot, verb, auth, body_digest(content));
        check(&scope.device_statement(), auth)?;
        self.count(auth)
    }

    fn count(&mut self, auth: &OwnerAuth) -> Result<(), Refusal> {
        let record = self.record.as_mut().ok_or(Refusal::NoRecord)?;
        let device = record
            .devices
            .iter_mut()
            .find(|(key, _)| *key == auth.device.0)
            .ok_or(Refusal::NotOwner)?;
        if auth.generation != self.generation {
            return Err(Refusal::GenerationMoved);
        }
        if auth.counter <= device.1 {
            return Err(Refusal::Replayed);
        }
        device.1 = auth.counter;
        Ok(())
    }

    fn status(&self) -> Outcome {
        let record = self.record.as_ref().expect("the owner was checked");
        Outcome::Status {
            status: SlotStatus {
                generation: self.generation,
                registered_ms: NOW_MS,
                keyset: record.keyset,
                devices: u8::try_from(record.devices.len()).expect("few"),
                budget: self.budget(),
                failures_ms: vec![NOW_MS; usize::from(self.failures)],
                failures_year: self.failures,
                cancelled_replacement: false,
                destroyed: self.destroyed,
                erased: false,
            },
        }
    }

    fn destroy(&mut self) -> Outcome {
        self.record = None;
        self.destroyed = Some(self.generation);
        Outcome::Destroyed { generation: self.generation }
    }

    fn enroll(&mut self, device: [u8; 32]) -> Outcome {
        let record = self.record.as_mut().expect("the owner was checked");
        if record.devices.len() == 4 {
            return refuse(Refusal::DevicesFull);
        }
        record.devices.push((device, 0));
        Outcome::Enrolled { devices: u8::try_from(record.devices.len()).expect("few") }
    }
}

fn check(statement: &[u8], auth: &OwnerAuth) -> Result<(), Refusal> {
    VerifyingKey::from_bytes(&auth.device.0)
        .and_then(|key| key.verify_strict(statement, &Signature::from_bytes(&auth.signature.0)))
        .map_err(|_| Refusal::NotOwner)
}

fn parameters<'a>(epoch: u64, client: &'a [u8], server: &'a [u8]) -> ServerLoginParameters<'a, 'a> {
    // A few bytes an answer, which may live as long as the tests.
    let context: &'static [u8] = Box::leak(binding::context(FLEET, epoch).into_boxed_slice());
    ServerLoginParameters {
        context: Some(context),
        identifiers: Identifiers { client: Some(client), server: Some(server) },
    }
}

/// KE2 and the login's state, the same for the same KE1.
fn login(
    fleet: &Fleet,
    slot: Slot,
    bound: Slot,
    record: Option<&Record>,
    ke1: &[u8; 96],
) -> ([u8; 320], ServerLogin<ServerSuite>) {
    let keyset = record.map_or(KEYSETS[1], |record| record.keyset);
    let (salt, generation) =
        record.map_or(([9; 32], 1), |record| (record.salt, record.registration.generation));
    let upload = record.map(|record| {
        let bytes = record.registration.upload.as_slice();
        ServerRegistration::deserialize(bytes).expect("an upload")
    });
    let server = binding::server_identity(NAMESPACE, keyset);
    let started = ServerLogin::start(
        &mut seeded(u64::from(ke1[0])),
        fleet.setup(keyset),
        upload,
        CredentialRequest::deserialize(ke1).expect("KE1"),
        &binding::credential_identifier(&slot, generation, &salt),
        parameters(fleet.manifest.epoch, bound.as_bytes(), &server),
    )
    .expect("login");
    let ke2 = started.message.serialize();
    (ke2.as_slice().try_into().expect("320 bytes"), started.state)
}

fn derive(session_key: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, session_key).expand(info, &mut key).expect("32 bytes");
    key
}

fn release(
    session_key: &[u8],
    slot: &Slot,
    generation: u64,
    attempt: u64,
    wrapped: &[u8],
) -> [u8; 64] {
    let key = derive(session_key, binding::RELEASE_INFO);
    let payload = Payload { msg: wrapped, aad: &binding::release_aad(slot, generation, attempt) };
    Aes256Gcm::new(&Array::from(key))
        .encrypt(&Array::from([0; 12]), payload)
        .expect("seal")
        .try_into()
        .expect("64 bytes")
}
