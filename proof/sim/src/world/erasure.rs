//! Whenever the fleet says that a record is erased, somebody breaks in everywhere and looks for it.

use super::{World, hosts::id};
use crate::burglar::Burglar;
use std::collections::{BTreeMap, BTreeSet};
use strongroom_wire::process::PersistOp;

/// What hosts keep, and what the oracle knows of records.
#[derive(Default)]
pub(crate) struct Erasures {
    /// By node: every sealed record of salts that its disk ever held.
    sealed: Vec<Vec<Vec<u8>>>,
    /// The salt of each user's record of each generation.
    salts: BTreeMap<(usize, u64), [u8; 32]>,
    /// Those that were looked for.
    sought: BTreeSet<(usize, u64)>,
}

impl World {
    /// Hosts keep everything; here, all that holds a salt.
    pub(crate) fn keep_salts(&mut self, place: usize, ops: &[PersistOp]) {
        let (node, nodes) = (self.node_of(place), self.count());
        self.erasures.sealed.resize(nodes, Vec::new());
        let kept = &mut self.erasures.sealed[node];
        for op in ops {
            match op {
                PersistOp::Entry { salt, .. } | PersistOp::EntrySalt { salt, .. } => {
                    kept.push(salt.0.clone());
                }
                PersistOp::Salts { bytes } => kept.push(bytes.0.clone()),
                _ => {}
            }
        }
    }

    /// INV-7: looks at what a vault says of users' records, and where it says "erased", looks for them.
    pub(crate) fn seek_erased(&mut self, place: usize) {
        // A crowd's run is about other things, and long enough.
        let vault = self.nodes[place].vault.as_ref().filter(|_| !self.plan.crowd);
        let Some(state) = vault.map(|vault| vault.danger_state()) else {
            return;
        };
        let through = state.erased_through();
        let mut wanted = BTreeSet::new();
        for (user, client) in self.users.iter().enumerate() {
            let Some(slot) = state.slot(client.destination.slot()) else {
                continue;
            };
            if let Some(record) = &slot.record
                && let Some(salt) = &record.salt
            {
                self.erasures.salts.insert((user, record.generation), *salt.expose());
            }
            let Some((newest, _)) = slot.destroyed.filter(|(_, index)| *index <= through) else {
                continue;
            };
            for (name, salt) in self.erasures.salts.range((user, 0)..=(user, newest)) {
                if self.erasures.sought.insert(*name) {
                    wanted.insert(*salt);
                }
            }
        }
        if !wanted.is_empty() {
            let found = self.break_in(&wanted);
            let story =
                format!("erased by index {through}, and had from disks and cells of {found:?}");
            self.oracle.inv7_erased(!found.is_empty(), story);
        }
    }

    /// At which nodes one of some salts can be had, from any disk that there ever was and with all keys
    /// that there are.
    pub fn break_in(&self, wanted: &BTreeSet<[u8; 32]>) -> Vec<u8> {
        let nodes = self.erasures.sealed.iter().enumerate();
        let gives = |(node, kept): (usize, &Vec<Vec<u8>>)| {
            let mut burglar = Burglar::at(id(node), &self.ceremony.nodes[node]);
            kept.iter().any(|sealed| burglar.find(sealed, wanted).is_some()).then(|| id(node))
        };
        nodes.filter_map(gives).collect()
    }
}
