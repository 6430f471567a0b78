//! From a committed entry to a sealed answer.

use crate::{
    keys::KeyError,
    vault::Vault,
    waiting::{Waiting, Work},
};
use core::hint::black_box;
use sha2::{Digest as _, Sha512};
use strongroom_hardware::Hardware;
use strongroom_opaque::SessionKey;
use strongroom_record::{Effect, LoginInputs};
use strongroom_replica::{Committed, LogPosition};
use strongroom_wire::{
    Fixed, Slot, caps, codec,
    codec::Blob,
    relay::RelayRefusal,
    response::{self, Outcome, Response, SignedResponse},
};

/// The key-stretching parameters that a stand-in claims: those of a record made today.
const STAND_IN_KSF_VERSION: u16 = 1;

/// Blocks of SHA-512 that an Ed25519 signature over the longest statement takes (RFC 8032 §5.1.6: over
/// 32 bytes and the statement, then over 64 bytes and the statement).
const SIGNED_BLOCKS: usize = 20;

/// A request, the effect of its entry, and where that entry stands.
pub(crate) struct Answerable {
    position: LogPosition,
    waiting: Waiting,
    effect: Effect,
    now_ms: u64,
}

impl<H: Hardware> Vault<H> {
    /// An own entry is held by enough nodes: whoever waits for it may be answered.
    ///
    /// # INV-8: acknowledged is kept
    /// Nobody is told that anything is stored before this: majority + s distinct nodes hold the
    /// entry on their disks, so it survives every minority of nodes lost for good and a crash of
    /// all of them at once, from whose disks custodians start the fleet again.
    pub(crate) fn release(&mut self, committed: Committed<LogPosition>) {
        let position = *committed.get();
        let Some(mut waiting) = self.waiting.take(position.term, position.index) else {
            return;
        };
        let Some((effect, now_ms)) = waiting.effect.take() else {
            return;
        };
        let to = waiting.to;
        let reply = self.answer(committed.attach(Answerable { position, waiting, effect, now_ms }));
        self.reply(to, reply.ok_or(RelayRefusal::Unknown));
    }

    /// # INV-3: uniform
    /// Known, unknown and locked slot, right and wrong password, and every verb come here with an
    /// entry of one size, cost one login's work, and leave as a frame of one size.
    ///
    /// # INV-6: signed answers
    /// What leaves is signed by this node's identity key together with the request's digest and the
    /// log position, and sealed to the device that asked.
    fn answer(&mut self, committed: Committed<Answerable>) -> Option<Vec<u8>> {
        let Answerable { position, waiting, effect, now_ms } = committed.into_inner();
        let outcome = self.outcome(&waiting.slot, waiting.work, effect).ok()?;
        let response = Response {
            version: caps::WIRE_VERSION,
            node: self.node,
            incarnation: self.incarnation.as_u64(),
            index: position.index,
            term: position.term,
            now_ms,
            outcome,
        };
        let encoded = codec::encode(&response);
        let statement = response::statement(
            &self.keys.manifest_digest,
            &self.keys.fleet,
            if cfg!(feature = "danger_mutant_unbound_signature") {
                &[0; 32]
            } else {
                &waiting.frame_digest
            },
            &response,
            &encoded,
        );
        let signature = Fixed(self.hardware.sign(&statement).ok()?);
        // INV-3: a signature hashes the answer twice; blocks that a short one has less are hashed for
        // nothing.
        let blocks = |prefix: usize| prefix.saturating_add(statement.len()).div_ceil(128);
        let rest = SIGNED_BLOCKS.saturating_sub(blocks(32 + 17).saturating_add(blocks(64 + 17)));
        black_box(Sha512::digest(vec![0; rest.saturating_mul(128).saturating_sub(17)]));
        let signed = SignedResponse { response: Blob(encoded), signature };
        let nonce = self.fresh();
        waiting.sealer.seal(&signed.to_plaintext().ok()?, nonce).ok()
    }

    fn outcome(&self, slot: &Slot, work: Work, effect: Effect) -> Result<Outcome, KeyError> {
        match (effect, work) {
            (effect @ Effect::Evaluate { .. }, Work::Register(request)) => {
                self.evaluated(slot, effect, &request)
            }
            (effect @ Effect::Challenge { .. }, Work::Recover(ke1, digest)) => {
                self.challenge(slot, effect, &ke1, &digest)
            }
            (Effect::StandIn { expires_ms, budget }, Work::Recover(ke1, digest)) => {
                let login = self.keys.login(&self.hardware, slot, None, &ke1, &digest)?;
                Ok(Outcome::RecoverStarted {
                    attempt: 1,
                    generation: self.keys.fakes.generation(slot),
                    keyset: self.keys.newest_keyset(),
                    ksf_version: STAND_IN_KSF_VERSION,
                    ke2: Fixed(*login.ke2()),
                    expires_ms,
                    budget,
                })
            }
            (
                Effect::Release { attempt, login, wrapped_key, receipt },
                Work::Release(Some(session)),
            ) => {
                let released = session.release(slot, login.generation, attempt, &wrapped_key.0);
                let released_key = Fixed(released.ok_or(KeyError::Opaque)?);
                Ok(Outcome::Recovered { released_key, receipt })
            }
            // The finish already did its login's work when it was checked. What it does not release is
            // sealed all the same, and dropped (INV-3).
            (Effect::Plain(outcome), Work::Release(_)) => {
                let nothing = [0; caps::WRAPPED_KEY_LEN];
                black_box(SessionKey::of_nobody().release(slot, 0, 0, &nothing));
                Ok(outcome)
            }
            (Effect::Plain(outcome), _) => {
                self.keys.burn_login(&self.hardware, slot);
                Ok(outcome)
            }
            (Effect::Registered(receipt), _) => {
                self.keys.burn_login(&self.hardware, slot);
                Ok(Outcome::Registered { receipt })
            }
            _ => Err(KeyError::Opaque),
        }
    }

    fn evaluated(
        &self,
        slot: &Slot,
        effect: Effect,
        request: &[u8; caps::opaque::REGISTRATION_REQUEST_LEN],
    ) -> Result<Outcome, KeyError> {
        let Effect::Evaluate { entry, generation, keyset, salt, expires_ms, occupied } = effect
        else {
            return Err(KeyError::Opaque);
        };
        self.keys.burn_login(&self.hardware, slot);
        let inputs = (keyset, generation, salt.expose());
        match self.keys.register(&self.hardware, slot, inputs, request) {
            Ok(response) => Ok(Outcome::RegisterStarted {
                entry,
                generation,
                keyset,
                response: Fixed(response),
                expires_ms,
                occupied,
            }),
            Err(KeyError::Opaque) => {
                Ok(Outcome::Refused { why: response::Refusal::BadMessage, generation: 0 })
            }
            Err(error) => Err(error),
        }
    }

    fn challenge(
        &self,
        slot: &Slot,
        effect: Effect,
        ke1: &[u8; caps::opaque::KE1_LEN],
        ke1_digest: &[u8; 32],
    ) -> Result<Outcome, KeyError> {
        let Effect::Challenge {
            attempt,
            generation,
            keyset,
            ksf_version,
            upload,
            salt,
            seed,
            expires_ms,
            budget,
        } = effect
        else {
            return Err(KeyError::Opaque);
        };
        let seed = if cfg!(feature = "danger_mutant_fresh_seed_each_time") {
            Fixed(strongroom_wire::digest::sha256(&self.incarnation.as_u64().to_be_bytes()))
        } else {
            seed
        };
        let inputs = LoginInputs { generation, keyset, upload, salt, seed };
        let login = self.keys.login(&self.hardware, slot, Some(&inputs), ke1, ke1_digest)?;
        let ke2 = Fixed(*login.ke2());
        Ok(Outcome::RecoverStarted {
            attempt,
            generation,
            keyset,
            ksf_version,
            ke2,
            expires_ms,
            budget,
        })
    }
}
