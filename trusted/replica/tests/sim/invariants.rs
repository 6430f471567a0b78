//! What must hold after every event.

use std::collections::BTreeSet;

use strongroom_replica::{Applied, NodeId, Role};

use super::{Model, Sim};

impl Sim {
    pub(super) fn apply(&mut self, n: u8, applied: Applied) {
        let at = self.see(n).model.count as usize;
        if let Some(hash) = self.replica(n).and_then(|r| r.chain_hash(applied.index)) {
            let first = *self.hashes.entry(applied.index).or_insert(hash);
            assert_eq!(first, hash, "logs diverge at {}", applied.index);
        }
        let entry = (applied.index, applied.term, applied.payload.clone());
        match self.history.get(at) {
            Some(known) => assert_eq!(*known, entry, "node {n} applied another history at {at}"),
            None => {
                assert_eq!(at, self.history.len(), "node {n} skipped entries");
                self.history.push(entry);
            }
        }
        let model = &mut self.at(n).model;
        assert!(applied.index > model.last_index, "INV-4: positions go forward");
        model.count += 1;
        model.last_index = applied.index;
        model.salts.insert(applied.index, applied.salt.expect("live salts are never lost"));
    }

    pub(super) fn invariant_state_is_history(&self, model: &Model) {
        if model.count > 0 {
            let last = &self.history[model.count as usize - 1];
            assert_eq!(last.0, model.last_index, "an installed state is part of the one history");
        }
    }

    pub(super) fn invariant_released_is_held(&mut self, n: u8, index: u64) {
        let hash = self.hashes.get(&index).copied();
        let holders = self.nodes.iter().filter(|n| n.held(index, hash)).count();
        let needed = 4 + usize::from(self.tolerance);
        assert!(holders >= needed, "INV-2: entry {index} was released with {holders} holders");
        let model = &self.see(n).model;
        assert!(model.last_index >= index, "released before it was applied");
        let payload = self.history.iter().rev().find(|h| h.0 == index).unwrap().2.clone();
        assert!(self.released.insert(index, payload).is_none(), "released twice");
    }

    pub(super) fn invariant_one_leader(&mut self, n: u8) {
        let Some(replica) = self.replica(n).filter(|r| r.role() == Role::Leader) else {
            return;
        };
        let (key, id) = ((replica.era(), replica.term()), replica.id());
        let first = *self.leaders.entry(key).or_insert(id);
        assert_eq!(first, id, "two leaders in era and term {key:?}");
    }

    pub(super) fn invariant_seven_voters(&self, n: u8) {
        let Some(replica) = self.replica(n) else {
            return;
        };
        let voters = replica.voters();
        if !voters.is_empty() {
            let nodes: BTreeSet<NodeId> = voters.iter().map(|v| v.node()).collect();
            assert_eq!((voters.len(), nodes.len()), (7, 7), "always seven voters, one a node");
        }
    }
}
