//! One sealed request and its one signed answer: nothing of an answer is used before all of it holds.

use crate::{destination::Destination, error::ProtocolError};
use core::fmt;
use ed25519_dalek::Signature;
use strongroom_session::{ResponseOpener, Scope, seal_request};
use strongroom_wire::{
    caps,
    digest::sha256,
    request::{Body, Request, Verb},
    response::{self, Outcome, SignedResponse},
};

/// A frame to carry to the fleet. Carrying it again is the same request, not a second one.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingFrame {
    verb: Verb,
    bytes: Vec<u8>,
}

impl OutgoingFrame {
    /// The verb, which the gateway needs for its ticket.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// The bytes: [`caps::REQUEST_FRAME_LEN`] of them, whatever the verb.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for OutgoingFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutgoingFrame({})", self.verb.name())
    }
}

/// Which node signed an answer, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The node's number in the manifest.
    pub node: u8,
    /// Where the manifest says it stands.
    pub site: String,
    /// The process that answered.
    pub incarnation: u64,
    /// The log index that the answer rests on.
    pub index: u64,
    /// Agreed vault time, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

impl fmt::Display for Voucher {
    /// As people name a node: `node syd-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}-{}", self.site, self.node)
    }
}

/// A request whose answer has not come.
pub(crate) struct Awaiting {
    destination: Destination,
    opener: ResponseOpener,
    frame_digest: [u8; 32],
    verb: Verb,
}

/// Seals a request to the destination. `seed` is used for this frame alone.
pub(crate) fn ask(
    destination: &Destination,
    body: Body,
    seed: [u8; 32],
) -> Result<(Awaiting, OutgoingFrame), ProtocolError> {
    let to = destination.inner();
    let verb = body.verb();
    let plaintext = Request::new(to.account, body)
        .to_plaintext()
        .map_err(|_| ProtocolError::Internal("request size"))?;
    let scope = Scope { manifest_digest: &to.digest, fleet: &to.fleet };
    let (bytes, opener) = seal_request(&scope, &to.public, &plaintext, seed)
        .map_err(|_| ProtocolError::Internal("seal"))?;
    let awaiting =
        Awaiting { destination: destination.clone(), opener, frame_digest: sha256(&bytes), verb };
    Ok((awaiting, OutgoingFrame { verb, bytes }))
}

impl Awaiting {
    pub(crate) const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Opens an answer and checks who signed it, for which request, under which manifest.
    ///
    /// A refusal that the fleet signed is an error here, so that every caller reads it alike.
    pub(crate) fn verify(&self, frame: &[u8]) -> Result<(Outcome, Voucher), ProtocolError> {
        let to = self.destination.inner();
        if frame.len() != caps::RESPONSE_FRAME_LEN {
            return Err(ProtocolError::Length { got: frame.len() });
        }
        let plaintext = self.opener.open(frame).map_err(|_| ProtocolError::Sealed)?;
        let (signed, response) =
            SignedResponse::from_plaintext(&plaintext).map_err(ProtocolError::Encoding)?;
        let node = to
            .nodes
            .iter()
            .find(|node| node.id == response.node)
            .ok_or(ProtocolError::Unlisted { node: response.node })?;
        let statement = response::statement(
            &to.digest,
            &to.fleet,
            &self.frame_digest,
            &response,
            &signed.response.0,
        );
        node.identity
            .verify_strict(&statement, &Signature::from_bytes(&signed.signature.0))
            .map_err(|_| ProtocolError::Signature { node: node.id })?;
        let by = Voucher {
            node: node.id,
            site: node.site.clone(),
            incarnation: response.incarnation,
            index: response.index,
            now_ms: response.now_ms,
        };
        match response.outcome {
            Outcome::Refused { why, generation } => {
                Err(ProtocolError::Refused { why, generation, by })
            }
            outcome => Ok((outcome, by)),
        }
    }

    /// The error for a signed answer that belongs to another verb.
    pub(crate) const fn mismatch(&self) -> ProtocolError {
        ProtocolError::OtherOutcome { verb: self.verb }
    }
}
