//! Two processes of one node, and processes that were stopped and go on.

use super::super::{About, Node, Route, World};
use crate::{acts::Act, disk::Restore, lots::Whose, trace::Kind};

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

    /// A voter has just changed its erasure key, and so does not look at its cell for a while: the time
    /// to start another process that some peers know, whoever leads among them, beside the one that the
    /// others know.
    pub(crate) fn two_voices(&mut self, node: usize) {
        let leader = self.leader().map(|place| self.node_of(place));
        let Some(leader) = leader.filter(|leader| *leader != node) else {
            return;
        };
        let weight = self.foe.strategy.weight(Act::Fork) * 4;
        let free = node < self.count() && self.is_seated(node) && self.at_large();
        if free && self.may(Act::Fork, weight) && self.fork(node) {
            let peers = self.foe.dice.below(1 << self.plan.nodes) | 1 << leader;
            self.nodes[node].route = Route::Divided(peers);
        }
    }

    pub(super) fn reroute(&mut self, node: usize) -> bool {
        if self.nodes[self.beside(node)].vault.is_none() {
            return false;
        }
        let divided = Route::Divided(self.foe.dice.below(1 << self.plan.nodes));
        let routes = [Route::Own, Route::Twin, Route::Both, Route::Either, divided, divided];
        let route = routes[self.foe.below(routes.len())];
        self.nodes[node].route = route;
        self.say(Kind::Host, About::Place(node), || {
            format!("the host of node {} hands frames to {route:?}", node + 1)
        });
        true
    }

    /// Which of a node's processes its host hands something to, from a peer or from a client.
    pub(crate) fn routed(&mut self, node: usize, from: Option<u8>) -> Vec<usize> {
        let twin = self.beside(node);
        if self.nodes[twin].vault.is_none() {
            return [node].to_vec();
        }
        match (self.nodes[node].route, from) {
            (Route::Own, _) => [node].to_vec(),
            (Route::Twin, _) => [twin].to_vec(),
            (Route::Both, _) => [node, twin].to_vec(),
            (Route::Divided(peers), Some(from)) => {
                [if peers >> (from - 1) & 1 == 0 { node } else { twin }].to_vec()
            }
            _ => [if self.lots.of(Whose::Place(node)).chance(500) { node } else { twin }].to_vec(),
        }
    }

    /// Whether a host carries what a process says to a peer.
    pub(crate) fn speaks_to(&self, place: usize, to: u8) -> bool {
        let node = self.node_of(place);
        match self.nodes[node].route {
            Route::Divided(peers) if self.nodes[self.beside(place)].vault.is_some() => {
                (peers >> (to - 1) & 1 == 0) == (place == node)
            }
            _ => true,
        }
    }

    /// A process that was let in while an older one of its node still has a voice with other peers: a
    /// host that wants two voices keeps the newer one from the seat, and disturbs whoever let it in.
    pub(super) fn starve(&mut self, place: usize) {
        let (node, older) = (self.node_of(place), self.beside(place));
        let divided = matches!(self.nodes[node].route, Route::Divided(_));
        let votes = self.vault(older).and_then(|vault| vault.danger_replica());
        let votes = votes.is_some_and(|replica| replica.voters().contains(&replica.id()));
        if !divided || !votes || !self.may(Act::Starve, 700) {
            return;
        }
        self.say(Kind::Host, About::Place(node), || {
            format!("the host of node {} starves the newer process", node + 1)
        });
        self.nodes[node].route = if older == node { Route::Own } else { Route::Twin };
        self.commit(Act::CutLeader);
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
        self.say(Kind::Host, About::Place(place), || format!("{} is stopped", self.name(place)));
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
        self.say(Kind::Host, About::Place(place), || format!("{} goes on", self.name(place)));
        self.nodes[place].stopped = false;
        for input in core::mem::take(&mut self.nodes[place].piled) {
            self.input(place, input);
        }
    }
}
