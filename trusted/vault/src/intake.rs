//! From sealed bytes to a command: what is checked before anything enters the log.
//!
//! A request that fails before its ticket is believed is refused without a trace: strangers burn
//! nothing. One whose ticket is good walks the whole path, refused or not, so that a host sees the
//! same entries whatever is inside.

use crate::{
    keys::KeyError,
    vault::{Vault, WAITING_MAX},
    waiting::{ReplyTo, Waiting, Work},
};
use core::hint::black_box;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_hardware::Hardware;
use strongroom_opaque::{Server, SessionKey};
use strongroom_record::{Authorised, Command, Entry, Spending};
use strongroom_session::ResponseSealer;
use strongroom_wire::{
    Fixed, Slot,
    caps::opaque,
    digest::sha256,
    owner::{Authority, OwnerAuth, OwnerScope, body_digest},
    relay::RelayRefusal,
    request::{Body, Registration, Request, Verb},
    response::Refusal,
    ticket::{TICKET_LIFE_MS_MAX, Ticket},
};

/// A request whose ticket is good.
struct Validated {
    slot: Slot,
    ticket: Spending,
    body: Body,
    sealer: ResponseSealer,
    frame_digest: [u8; 32],
}

/// What becomes of it: the command, the salt beside it, and the work once it is committed.
struct Planned {
    command: Command,
    salt: [u8; 32],
    work: Work,
}

impl<H: Hardware> Vault<H> {
    /// Takes a request as the leader.
    pub(crate) fn take_request(&mut self, now_ms: u64, to: ReplyTo, ticket: &[u8], frame: &[u8]) {
        if self.waiting.len() >= WAITING_MAX {
            self.reply(to, Err(RelayRefusal::Busy));
            return;
        }
        let Some(time_ms) = self.vault_time(now_ms).filter(|_| self.era_has_begun()) else {
            self.reply(to, Err(RelayRefusal::NoQuorum));
            return;
        };
        match self.validate(time_ms, ticket, frame) {
            Ok(validated) => self.propose_request(now_ms, time_ms, to, validated),
            Err(refusal) => self.reply(to, Err(refusal)),
        }
    }

    fn validate(
        &self,
        time_ms: u64,
        ticket: &[u8],
        frame: &[u8],
    ) -> Result<Validated, RelayRefusal> {
        let scope = self.keys.scope();
        let bad_ticket = |_| RelayRefusal::TicketRefused;
        let opened = self.keys.session.open_ticket(&scope, ticket).map_err(bad_ticket)?;
        let ticket = Ticket::from_plaintext(&opened).map_err(|_| RelayRefusal::TicketRefused)?;
        let frame_digest = sha256(frame);
        let app = self.check_ticket(time_ms, &ticket, &frame_digest)?;
        let (plaintext, sealer) =
            self.keys.session.open_request(&scope, frame).map_err(|_| RelayRefusal::Malformed)?;
        let request = Request::from_plaintext(&plaintext).map_err(|_| RelayRefusal::Malformed)?;
        // The vault computes the slot: from the app that the manifest gives the ticket's key, and
        // from the account inside the sealed request. A gateway mints no alias.
        let slot = if cfg!(feature = "danger_mutant_slot_of_the_gateway") {
            ticket.slot
        } else {
            Slot::of(app, &request.account)
        };
        if slot != ticket.slot || request.body.verb() != ticket.verb {
            return Err(RelayRefusal::TicketRefused);
        }
        let ticket = Spending { expires_ms: ticket.expires_ms, id: ticket.id };
        Ok(Validated { slot, ticket, body: request.body, sealer, frame_digest })
    }

    /// The app of a ticket that a listed gateway signed, for this fleet, this frame and now.
    fn check_ticket(
        &self,
        time_ms: u64,
        ticket: &Ticket,
        frame_digest: &[u8; 32],
    ) -> Result<&str, RelayRefusal> {
        let app = self.manifest.app_of(&ticket.key.0).ok_or(RelayRefusal::TicketRefused)?;
        let latest = time_ms.saturating_add(TICKET_LIFE_MS_MAX);
        let for_this = ticket.fleet == self.keys.fleet
            && ticket.frame_digest.0 == *frame_digest
            && (time_ms..=latest).contains(&ticket.expires_ms);
        let signed = signed_by(&ticket.key.0, &ticket.statement(), &ticket.signature.0);
        let signed = signed || cfg!(feature = "danger_mutant_ticket_signature");
        if for_this && signed { Ok(app) } else { Err(RelayRefusal::TicketRefused) }
    }

    fn propose_request(&mut self, now_ms: u64, time_ms: u64, to: ReplyTo, request: Validated) {
        let Validated { slot, ticket, body, sealer, frame_digest } = request;
        let planned = if self.fleet.slots.contains(slot.as_bytes()) {
            self.plan(&slot, body)
        } else {
            Ok(self.refuse(Refusal::OtherFleet))
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(refusal) => return self.reply(to, Err(refusal)),
        };
        let Planned { command, salt, work } = planned;
        let blind = Fixed(self.fresh());
        let entry = Entry { time_ms, slot, ticket: Some(ticket), blind, command };
        let proposed = entry.to_bytes().ok().and_then(|payload| {
            self.replica.as_mut().and_then(|replica| replica.propose(payload, salt).ok())
        });
        match proposed {
            Some(at) => {
                let since_ms = now_ms;
                let waiting =
                    Waiting { to, slot, work, sealer, frame_digest, since_ms, effect: None };
                self.waiting.insert(at.term, at.index, waiting);
            }
            None => self.reply(to, Err(RelayRefusal::Busy)),
        }
    }

    /// Every command has a salt beside it, so that every verb writes alike.
    fn planned(&mut self, command: Command, work: Work) -> Planned {
        Planned { command, salt: self.fresh(), work }
    }

    fn refuse(&mut self, why: Refusal) -> Planned {
        self.planned(Command::Refused { why }, Work::Burn)
    }

    fn plan(&mut self, slot: &Slot, body: Body) -> Result<Planned, RelayRefusal> {
        let planned = match body {
            Body::RegisterStart { request } => self.plan_register_start(request),
            Body::RegisterFinish { registration, authority } => {
                self.plan_register_finish(slot, registration, &authority)
            }
            Body::RecoverStart { ke1 } => match Server::check_ke1(&ke1.0) {
                Ok(()) => {
                    let digest = sha256(&ke1.0);
                    let seed = Fixed(self.fresh());
                    let command = Command::RecoverStart { ke1: Fixed(digest), seed };
                    self.planned(command, Work::Recover(ke1.0, digest))
                }
                Err(_) => self.refuse(Refusal::BadMessage),
            },
            Body::RecoverFinish { attempt, ke1, ke3, device, keep_device } => {
                return self.plan_recover_finish(
                    slot,
                    attempt,
                    (&ke1.0, &ke3.0),
                    device,
                    keep_device,
                );
            }
            Body::Status { auth } => self.plan_owner(slot, Verb::Status, &auth, None),
            Body::Destroy { auth } => self.plan_owner(slot, Verb::Destroy, &auth, None),
            Body::EnrollDevice { auth, device } => {
                self.plan_owner(slot, Verb::EnrollDevice, &auth, Some(device))
            }
            Body::Budget {} => self.planned(Command::Budget {}, Work::Burn),
        };
        Ok(planned)
    }

    fn plan_register_start(
        &mut self,
        request: Fixed<{ opaque::REGISTRATION_REQUEST_LEN }>,
    ) -> Planned {
        let salt = self.fresh();
        let command = Command::RegisterStart {
            request: Fixed(sha256(&request.0)),
            entry: Fixed(self.fresh()),
            salt: Fixed(sha256(&salt)),
            keyset: self.keys.newest_keyset(),
        };
        Planned { command, salt, work: Work::Register(request.0) }
    }

    fn plan_register_finish(
        &mut self,
        slot: &Slot,
        registration: Registration,
        authority: &Authority,
    ) -> Planned {
        if Server::check_upload(&registration.upload.0).is_err()
            || VerifyingKey::from_bytes(&registration.device.0).is_err()
        {
            return self.refuse(Refusal::BadMessage);
        }
        match self.authorise(slot, &registration, authority) {
            Some(authorised) => {
                let command = Command::RegisterFinish { registration, authorised };
                self.planned(command, Work::Burn)
            }
            None => self.refuse(Refusal::NotOwner),
        }
    }

    fn authorise(
        &self,
        slot: &Slot,
        registration: &Registration,
        authority: &Authority,
    ) -> Option<Authorised> {
        let scope = |generation, counter| OwnerScope {
            namespace: &self.keys.namespace,
            fleet: &self.keys.fleet,
            slot,
            verb: Verb::RegisterFinish,
            generation,
            counter,
            body: registration.digest(),
        };
        match authority {
            Authority::None {} => Some(Authorised::Nobody {}),
            Authority::Device { auth } => {
                let statement = scope(auth.generation, auth.counter).device_statement();
                let OwnerAuth { device, generation, counter, signature } = auth.clone();
                signed_by(&device.0, &statement, &signature.0).then_some(Authorised::Device {
                    device,
                    generation,
                    counter,
                })
            }
            Authority::Fresh { generation, attempt, mac } => {
                let success = self.state.slot(slot)?.success.as_ref()?;
                let fresh_key = success.fresh_key.filter(|_| success.attempt == *attempt)?;
                let mut expected = Hmac::<Sha256>::new_from_slice(&fresh_key.0).ok()?;
                expected.update(&scope(*generation, *attempt).fresh_statement());
                // The library compares in constant time.
                expected.verify_slice(&mac.0).ok()?;
                let (generation, attempt) = (*generation, *attempt);
                Some(Authorised::Fresh { generation, attempt })
            }
        }
    }

    /// The login is rebuilt from the committed seed and KE3 is checked here, once; what enters the
    /// log is the verdict. It counts only if the attempt is still open when it is applied.
    fn plan_recover_finish(
        &mut self,
        slot: &Slot,
        attempt: u64,
        (ke1, ke3): (&[u8; opaque::KE1_LEN], &[u8; opaque::KE3_LEN]),
        device: Fixed<32>,
        keep_device: bool,
    ) -> Result<Planned, RelayRefusal> {
        let digest = sha256(ke1);
        if Server::check_ke1(ke1).is_err() || VerifyingKey::from_bytes(&device.0).is_err() {
            return Ok(self.refuse(Refusal::BadMessage));
        }
        let inputs = self.state.login_of(slot, attempt, &digest);
        if self.state.lacks_salt(slot, attempt, &digest) {
            return Err(RelayRefusal::Busy);
        }
        let login = self.keys.login(&self.hardware, slot, inputs.as_ref(), ke1, &digest);
        // Only an OPAQUE verdict may enter the log: hardware that does not answer is no wrong password,
        // and on a row's last attempt it would destroy the record of an owner who typed the right one.
        let session = match login {
            Ok(login) => login.finish(ke3),
            Err(KeyError::Opaque) => None,
            Err(_) if cfg!(feature = "danger_mutant_sick_hardware_is_a_wrong_password") => None,
            Err(KeyError::Hardware | KeyError::NoKeyset) => return Err(RelayRefusal::Busy),
        };
        // Derived whether or not it is used (INV-3).
        let fresh_key = session.as_ref().unwrap_or(&SessionKey::of_nobody()).fresh_key();
        let command = Command::RecoverFinish {
            attempt,
            ke1: Fixed(digest),
            ke3: Fixed(sha256(ke3)),
            proved: session.is_some().then_some(Fixed(black_box(fresh_key))),
            device,
            keep_device,
        };
        Ok(self.planned(command, Work::Release(session)))
    }

    fn plan_owner(
        &mut self,
        slot: &Slot,
        verb: Verb,
        auth: &OwnerAuth,
        enroll: Option<Fixed<32>>,
    ) -> Planned {
        let content = enroll.as_ref().map(|key| key.0.to_vec()).unwrap_or_default();
        let statement = OwnerScope {
            namespace: &self.keys.namespace,
            fleet: &self.keys.fleet,
            slot,
            verb,
            generation: auth.generation,
            counter: auth.counter,
            body: body_digest(&content),
        }
        .device_statement();
        if !signed_by(&auth.device.0, &statement, &auth.signature.0) {
            return self.refuse(Refusal::NotOwner);
        }
        let (device, generation, counter) = (auth.device, auth.generation, auth.counter);
        self.planned(Command::Owner { verb, device, generation, counter, enroll }, Work::Burn)
    }
}

/// Strict Ed25519 (no small-order keys, canonical encodings).
pub(crate) fn signed_by(key: &[u8; 32], statement: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(statement, &Signature::from_bytes(signature)).is_ok())
}
