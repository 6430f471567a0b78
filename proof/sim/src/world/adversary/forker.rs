//! Two processes of one node, and processes that were stopped and go on.

use super::super::{Node, Route, World};
use crate::disk::Restore;

/// Writes of salts after which a process that shared its cell with another has its own key in it
/// again: the write under way, and a whole one.
const TAINT: u8 = 2;

impl World {
    /// A second process of a node, on a copy of its disk, and on its hardware.
    pub(super) fn fork(&mut self, node: usize) -> bool {
        let twin = self.beside(node);
        let busy = self.nodes[twin].vault.is_some() || self.nodes[node].vault.is_none();
        if busy || !self.may_doubt(node) || !self.may_unseat(node) {
            return false;
        }
        self.nodes[twin] = Node { disk: self.nodes[node].disk.clone(), ..Node::default() };
        if self.foe.dice.chance(300) {
            let share = u8::try_from(self.foe.below(256)).unwrap_or(0);
            self.nodes[twin].disk.restore(Restore::Old(share));
        }
        self.nodes[node].doubtful = true;
        self.nodes[node].taint = TAINT;
        self.boot(twin);
        self.reroute(node)
    }

    pub(super) fn reroute(&mut self, node: usize) -> bool {
        if self.nodes[self.beside(node)].vault.is_none() {
            return false;
        }
        let routes = [Route::Own, Route::Twin, Route::Both, Route::Either];
        let route = routes[self.foe.below(routes.len())];
        self.nodes[node].route = route;
        self.say(|| format!("the host of node {} hands frames to {route:?}", node + 1));
        true
    }

    /// The host ends its game with a node: both processes end, and a new one begins on either's disk.
    pub(crate) fn settle(&mut self, node: usize) -> bool {
        let twin = self.beside(node);
        if self.nodes[twin].vault.is_none() {
            return false;
        }
        self.crash(twin);
        if self.foe.dice.chance(500) {
            self.crash(node);
            self.nodes[node].disk = core::mem::take(&mut self.nodes[twin].disk);
        }
        self.nodes[twin] = Node::default();
        self.nodes[node].doubtful = true;
        self.restart(node, Restore::Today);
        true
    }

    /// Hung is not dead.
    pub(super) fn stop_within_reason(&mut self, place: usize) -> bool {
        let node = self.node_of(place);
        let runs = self.nodes[place].vault.is_some() && !self.nodes[place].stopped;
        if !runs || self.able() <= self.majority() || !self.may_unseat(node) {
            return false;
        }
        self.say(|| format!("{} is stopped", self.name(place)));
        self.nodes[place].stopped = true;
        true
    }

    /// A stopped process is given up, and its host starts another; the old one may go on later.
    pub(super) fn succeed(&mut self, node: usize) -> bool {
        let stopped = (0..self.count())
            .map(|n| (node + n) % self.count())
            .find(|n| self.nodes[*n].stopped && self.nodes[self.beside(*n)].vault.is_none());
        let Some(node) = stopped.filter(|node| self.may_doubt(*node)) else {
            return false;
        };
        let twin = self.beside(node);
        self.nodes.swap(node, twin);
        self.nodes[node] = Node {
            disk: self.nodes[twin].disk.clone(),
            doubtful: true,
            taint: TAINT,
            ..Node::default()
        };
        self.boot(node);
        true
    }

    pub(super) fn resume(&mut self, node: usize) -> bool {
        let places = self.nodes.len();
        let stopped = (0..places).map(|n| (node + n) % places).find(|n| self.nodes[*n].stopped);
        if let Some(place) = stopped {
            self.go_on(place);
        }
        stopped.is_some()
    }

    /// A stopped process goes on with all that waited for it.
    pub(crate) fn go_on(&mut self, place: usize) {
        self.say(|| format!("{} goes on", self.name(place)));
        self.nodes[place].stopped = false;
        for input in core::mem::take(&mut self.nodes[place].piled) {
            self.input(place, input);
        }
    }
}
