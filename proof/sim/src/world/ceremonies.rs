//! Custodians: what processes tell them, what they sign, and what is done with it.

use super::{About, World};
use crate::{acts::Act, record::Recorded, trace::Kind};
use strongroom_wire::{
    codec::{self, Blob},
    process::ToVault,
    start::{SignedPosition, SignedStart},
};

impl World {
    /// Custodians collect positions from every process that `chosen` allows, and start an era.
    pub(crate) fn ceremony_with(&mut self, chosen: &dyn Fn(usize) -> bool) {
        let mut positions = Vec::new();
        for node in (0..self.count()).filter(|n| chosen(*n)) {
            positions.extend(self.ask_position(node));
        }
        self.mislead(&positions);
        // A disk that holds nothing tells custodians nothing, unless nobody's holds anything yet.
        if positions.iter().any(|p| p.position.last_index > 0) {
            positions.retain(|p| p.position.last_index > 0);
        }
        if positions.len() >= self.majority() {
            let start = self.ceremony.start(positions);
            self.hand_out(&start);
        }
    }

    /// Hosts show custodians too little, and custodians look away: a minority, or a majority only with
    /// disks that hold nothing. Whatever they sign, it is for the vaults to refuse.
    fn mislead(&mut self, positions: &[SignedPosition]) {
        let weight = self.foe.strategy.weight(Act::Mislead);
        let again = positions.iter().any(|signed| signed.position.era > 0);
        if !again || !self.faulty() || !self.may(Act::Mislead, weight) {
            return;
        }
        let (mut full, mut empty): (Vec<_>, Vec<_>) =
            positions.iter().cloned().partition(|signed| signed.position.last_index > 0);
        full.truncate(self.majority() - 1);
        if empty.is_empty() || self.foe.dice.chance(400) {
            let few = 1 + self.foe.below(full.len());
            full.truncate(few);
        } else {
            full.append(&mut empty);
        }
        self.say(Kind::Custodian, About::Fleet, || {
            format!("custodians sign {} positions", full.len())
        });
        let start = self.ceremony.start(full);
        self.hand_out(&start);
    }

    /// A host asks its process where it stands, for custodians.
    pub(crate) fn ask_position(&mut self, place: usize) -> Option<SignedPosition> {
        if !self.runs(place) {
            return None;
        }
        self.record(place, || Recorded::Input(ToVault::Position {}));
        let vault = self.nodes[place].vault.as_mut()?;
        let outputs = vault.step(ToVault::Position {});
        self.outputs(place, outputs);
        self.nodes[place].told.clone()
    }

    /// A process told where it stands.
    pub(crate) fn told(&mut self, place: usize, bytes: &[u8]) {
        let signed = SignedPosition::from_bytes(bytes).expect("position");
        let node = self.number(place);
        // What the fleet gave it since is another matter.
        let replica = self.vault(place).and_then(|vault| vault.danger_replica());
        let given = replica.is_some_and(|replica| replica.last_index() > 0);
        let bare = self.nodes[place].bare && !given;
        let before = self.nodes[place].told.as_ref().map(|told| &told.position);
        self.oracle.inv8_position(node, before, &signed.position, bare);
        self.nodes[place].told = Some(signed);
    }

    /// Every process of the fleet is given what custodians signed.
    pub(crate) fn hand_out(&mut self, signed: &SignedStart) {
        let valid = self.oracle.signed_start(signed, self.majority());
        let bytes = Blob(codec::encode(signed));
        for place in 0..self.nodes.len() {
            if valid {
                self.nodes[place].told = None;
            }
            self.input(place, ToVault::Start { bytes: bytes.clone() });
        }
    }
}
