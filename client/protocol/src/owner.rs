//! The owner's commands, and the one question that anybody with a ticket may ask.

use crate::{
    destination::Destination,
    entropy::Entropy,
    error::ProtocolError,
    exchange::{Awaiting, OutgoingFrame, Voucher, ask},
    key::DeviceKey,
};
use strongroom_wire::{
    Fixed,
    owner::{OwnerAuth, OwnerScope, body_digest},
    request::{Body, Verb},
    response::{self, Budget, SlotStatus},
};

/// An enrolled device and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The device's key.
    pub key: &'a DeviceKey,
    /// The record's generation, as the device knows it.
    pub generation: u64,
    /// Above every counter that the device has used.
    pub counter: u64,
}

impl Owner<'_> {
    fn sign(&self, destination: &Destination, verb: Verb, content: &[u8]) -> OwnerAuth {
        let to = destination.inner();
        self.key.authorise(&OwnerScope {
            namespace: &to.namespace,
            fleet: &to.fleet,
            slot: &to.slot,
            verb,
            generation: self.generation,
            counter: self.counter,
            body: body_digest(content),
        })
    }
}

fn sealed(
    destination: &Destination,
    body: Body,
    seed: [u8; 32],
) -> Result<(Awaiting, OutgoingFrame), ProtocolError> {
    ask(destination, body, Entropy::from_seed(&seed).draw())
}

/// Asks how the slot stands. It also cancels a replacement that somebody without authority began.
pub struct Status(Awaiting);

impl Status {
    /// Seals the question.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn ask(
        destination: &Destination,
        owner: &Owner<'_>,
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let auth = owner.sign(destination, Verb::Status, &[]);
        let (awaiting, frame) = sealed(destination, Body::Status { auth }, seed)?;
        Ok((Self(awaiting), frame))
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn on_answer(&self, answer: &[u8]) -> Result<(SlotStatus, Voucher), ProtocolError> {
        match self.0.verify(answer)? {
            (response::Outcome::Status { status }, by) => Ok((status, by)),
            _ => Err(self.0.mismatch()),
        }
    }
}

/// Destroys the record.
pub struct Destroy(Awaiting);

impl Destroy {
    /// Seals the command.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn ask(
        destination: &Destination,
        owner: &Owner<'_>,
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let auth = owner.sign(destination, Verb::Destroy, &[]);
        let (awaiting, frame) = sealed(destination, Body::Destroy { auth }, seed)?;
        Ok((Self(awaiting), frame))
    }

    /// Reads the answer: the generation that is destroyed.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn on_answer(&self, answer: &[u8]) -> Result<(u64, Voucher), ProtocolError> {
        match self.0.verify(answer)? {
            (response::Outcome::Destroyed { generation }, by) => Ok((generation, by)),
            _ => Err(self.0.mismatch()),
        }
    }
}

/// Adds a device key to the record.
pub struct EnrollDevice(Awaiting);

impl EnrollDevice {
    /// Seals the command.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn ask(
        destination: &Destination,
        owner: &Owner<'_>,
        device: [u8; 32],
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let auth = owner.sign(destination, Verb::EnrollDevice, &device);
        let device = Fixed(device);
        let (awaiting, frame) = sealed(destination, Body::EnrollDevice { auth, device }, seed)?;
        Ok((Self(awaiting), frame))
    }

    /// Reads the answer: how many device keys are enrolled now.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn on_answer(&self, answer: &[u8]) -> Result<(u8, Voucher), ProtocolError> {
        match self.0.verify(answer)? {
            (response::Outcome::Enrolled { devices }, by) => Ok((devices, by)),
            _ => Err(self.0.mismatch()),
        }
    }
}

/// Asks how many attempts are left; spends none.
pub struct AskBudget(Awaiting);

impl AskBudget {
    /// Seals the question.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn ask(
        destination: &Destination,
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let (awaiting, frame) = sealed(destination, Body::Budget {}, seed)?;
        Ok((Self(awaiting), frame))
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn on_answer(&self, answer: &[u8]) -> Result<(Budget, Voucher), ProtocolError> {
        match self.0.verify(answer)? {
            (response::Outcome::BudgetIs { budget }, by) => Ok((budget, by)),
            _ => Err(self.0.mismatch()),
        }
    }
}
