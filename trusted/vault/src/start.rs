//! Positions for custodians, and the statements that they sign (spec §11).

use crate::{intake::signed_by, vault::Vault};
use strongroom_hardware::Hardware;
use strongroom_manifest::check_signatures;
use strongroom_replica as replica;
use strongroom_wire::{
    Fixed, codec,
    codec::Blob,
    process::ToHost,
    start::{Position, SignedPosition, SignedStart},
};

impl<H: Hardware> Vault<H> {
    /// Freezes this process and says where it stands.
    pub(crate) fn give_position(&mut self) {
        let Some(replica) = self.replica.as_mut() else {
            return self.refuse_start("not loaded yet");
        };
        let given = replica.position();
        let position = Position {
            fleet: self.keys.fleet.clone(),
            node: given.node.number(),
            incarnation: given.id.as_u64(),
            era: given.era,
            hard_term: given.hard_term,
            last_term: given.last_term,
            last_index: given.last_index,
            chain_hash: Fixed(given.chain_hash),
        };
        match self.hardware.sign(&position.statement()) {
            Ok(signature) => {
                let signed = SignedPosition { position, signature: Fixed(signature) };
                let bytes = Blob(codec::encode(&signed));
                self.out.push(ToHost::Position { bytes });
            }
            Err(_) => self.refuse_start("the hardware did not sign"),
        }
    }

    /// Begins an era, if a threshold of custodians says so from positions that nodes signed.
    pub(crate) fn on_start(&mut self, now_ms: u64, bytes: &[u8]) {
        match self.checked_start(bytes) {
            Ok(start) => {
                let Some(replica) = self.replica.as_mut() else {
                    return self.refuse_start("not loaded yet");
                };
                match replica.start(now_ms, start) {
                    Ok(output) => {
                        self.event("a start statement was accepted");
                        self.on_output(now_ms, output);
                    }
                    Err(error) => self.refuse_start(&format!("{error:?}")),
                }
            }
            Err(reason) => self.refuse_start(reason),
        }
    }

    fn refuse_start(&mut self, reason: &str) {
        self.out.push(ToHost::Refused { reason: reason.to_owned() });
    }

    fn checked_start(&self, bytes: &[u8]) -> Result<replica::Start, &'static str> {
        let signed =
            SignedStart::from_bytes(bytes).map_err(|_| "not a start statement of this version")?;
        let start = &signed.start;
        if start.fleet != self.keys.fleet {
            return Err("the statement is for another fleet");
        }
        let custodians = &self.manifest.custodians;
        let pairs = signed.signatures.iter().map(|s| (s.custodian.0, s.signature.0));
        let signatures = check_signatures(custodians, &start.statement(), pairs);
        if signatures < usize::from(custodians.threshold) {
            return Err("too few custodians of the manifest signed the statement");
        }
        let mut positions = Vec::new();
        for SignedPosition { position, signature } in &start.positions {
            let node = self.fleet.node(position.node).ok_or("a position names no listed node")?;
            if position.fleet != self.keys.fleet
                || !signed_by(&node.identity_key.0, &position.statement(), &signature.0)
            {
                return Err("a position is not signed by its node for this fleet");
            }
            positions.push(to_replica(position).ok_or("a position is out of range")?);
        }
        Ok(replica::Start { era: start.era, positions })
    }
}

fn to_replica(position: &Position) -> Option<replica::Position> {
    Some(replica::Position {
        node: replica::NodeId::new(position.node)?,
        id: replica::ReplicaId::from_u64(position.incarnation)?,
        era: position.era,
        hard_term: position.hard_term,
        last_term: position.last_term,
        last_index: position.last_index,
        chain_hash: position.chain_hash.0,
        // A log begins at index 1, so index 0 is no log.
        empty: position.last_index == 0,
    })
}
