//! Cuts, lags, lies about time, and what happens to frames between vaults.

use super::super::{About, Event, World, hosts::id};
use crate::{acts::Act, lots::Whose, trace::Kind};

/// Longest extra time of a lagging node's frames, and longest lag.
const LAG_MS: u64 = 600;
const LAGGING_MS: u64 = 8_000;
/// A lie that ended so long ago is forgotten by every vault.
const REMEMBERED_MS: u64 = 12_000;

impl World {
    pub(super) fn cut_off(&mut self, node: usize, both_ways: bool) -> bool {
        for other in 0..self.count() {
            if other != node {
                self.cut.insert((id(node), id(other)));
                if both_ways {
                    self.cut.insert((id(other), id(node)));
                }
            }
        }
        self.say(Kind::Host, About::Place(node), || {
            format!("node {} is cut off, both ways: {both_ways}", node + 1)
        });
        self.limit_cuts();
        true
    }

    /// A cut that isolates a majority for good would only prove that it is a cut.
    fn limit_cuts(&mut self) {
        if self.cut.len() > 2 * 3 * (self.count() - 1) {
            self.heal();
        }
    }

    /// A minority hears itself and nobody else; sometimes the others still hear it.
    pub(super) fn split(&mut self) -> bool {
        let (count, size) = (self.count(), 2 + self.foe.below(2));
        let first = self.foe.below(count);
        let inside = |node: usize| (node + count - first) % count < size;
        let deaf = self.foe.dice.chance(500);
        for from in 0..count {
            for to in 0..count {
                if (inside(from) && !inside(to)) || (deaf && !inside(from) && inside(to)) {
                    self.cut.insert((id(from), id(to)));
                }
            }
        }
        self.say(Kind::Host, About::Fleet, || {
            format!("{size} nodes from {} on are split off, deaf: {deaf}", first + 1)
        });
        self.limit_cuts();
        true
    }

    pub(super) fn heal(&mut self) -> bool {
        let any = !self.cut.is_empty();
        self.cut.clear();
        any
    }

    pub(super) fn lag(&mut self, node: usize) -> bool {
        let until = self.now() + self.foe.dice.below(LAGGING_MS);
        let longer = self.foe.dice.below(LAG_MS);
        self.say(Kind::Host, About::Place(node), || {
            format!("frames of node {} take {longer} ms more", node + 1)
        });
        self.foe.lag.insert(node, (longer, until));
        true
    }

    pub(super) fn lie_about_time(&mut self, node: usize) -> bool {
        let now = self.now();
        // A majority of clocks moves vault time: a known gap (threat model, time), so a minority
        // lies here. A vault goes by what it heard of a clock for ten seconds: liars who take turns
        // within that time are one group.
        let lies = |node: usize| *self.ceremony.nodes[node].skew_ms.borrow() != 0;
        let counts = |node: &usize| {
            lies(*node) || self.foe.lied_ms.get(node).is_some_and(|at| now - at < REMEMBERED_MS)
        };
        let liars = (0..self.count()).filter(|other| *other != node).filter(counts).count();
        let skew = if !lies(node) && liars + 1 < self.majority() {
            let days = i64::try_from(self.foe.dice.below(800)).unwrap_or(0) - 400;
            days * 86_400_000
        } else {
            0
        };
        if lies(node) {
            self.foe.lied_ms.insert(node, now);
        }
        self.say(Kind::Host, About::Place(node), || {
            format!("the clock of node {} is off by {skew} ms", node + 1)
        });
        *self.ceremony.nodes[node].skew_ms.borrow_mut() = skew;
        true
    }

    pub(super) fn replay(&mut self) -> bool {
        for _ in 0..8 {
            let pick = self.foe.below(self.kept.len());
            let Some((from, to, bytes)) = self.kept.get(pick).cloned() else {
                return false;
            };
            // To whom it belonged, or to somebody else.
            let to = if self.foe.dice.chance(500) { to } else { self.foe.below(self.count()) };
            let after = self.foe.dice.below(50);
            self.at(after, Event::Frame { from, to, bytes });
        }
        true
    }

    /// Whether frames of some node take longer than an election.
    pub(crate) fn lags(&self) -> bool {
        self.foe.lag.values().any(|(_, until)| *until > self.now())
    }

    /// How much longer a frame takes than the network says.
    fn extra_ms(&mut self, node: usize) -> u64 {
        match self.foe.lag.get(&node) {
            Some((longer, until)) if *until > self.now() => *longer,
            _ => 0,
        }
    }

    /// The network loses, delays, repeats, damages and misleads; hosts keep a copy.
    pub(crate) fn carry(&mut self, from: u8, to: usize, mut bytes: Vec<u8>) {
        self.oracle.inv10_secret_in("a frame between vaults", &bytes);
        let mut after = 1 + self.lots.of(Whose::Link(from, to)).below(self.plan.delay_ms);
        let (mut from, mut to) = (from, to);
        let mut overtakes = false;
        if self.faulty() {
            if self.foe.pace.chance(20) {
                self.keep(from, to, &bytes);
            }
            if self.cut.contains(&(from, id(to))) || self.happens(Act::LoseFrame) {
                return;
            }
            if self.happens(Act::RepeatFrame) {
                let after = self.foe.dice.below(200);
                self.at(after, Event::Frame { from, to, bytes: bytes.clone() });
            }
            if self.happens(Act::CorruptFrame) {
                self.damage(&mut bytes);
            }
            after += self.extra_ms(usize::from(from) - 1) + self.extra_ms(to);
            overtakes = self.happens(Act::ReorderFrame);
            if self.happens(Act::CrossWire) {
                if self.foe.dice.chance(500) {
                    to = self.foe.below(self.count());
                } else {
                    from = id(self.foe.below(self.count()));
                }
            }
        } else if self.cut.contains(&(from, id(to))) {
            return;
        }
        if !overtakes {
            // Hosts talk over streams that keep their order, and a message of many frames needs it:
            // a frame that arrives behind a later one is lost (spec §14.3).
            let now = self.now();
            let arrives = self.foe.arrives_ms.entry((from, to)).or_default();
            *arrives = (now + after).max(*arrives);
            after = *arrives - now;
        }
        self.at(after, Event::Frame { from, to, bytes });
    }

    fn happens(&mut self, act: Act) -> bool {
        let weight = self.foe.strategy.weight(act);
        weight > 0 && self.may(act, weight)
    }

    fn keep(&mut self, from: u8, to: usize, bytes: &[u8]) {
        self.kept.push_back((from, to, bytes.to_vec()));
        if self.kept.len() > super::super::hosts::KEPT {
            self.kept.pop_front();
        }
    }

    /// Bits flipped, an end cut off, another frame's end in its place, or something behind it.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.foe.below(bytes.len().max(1));
        match self.foe.below(4) {
            0 => bytes.truncate(at),
            1 => {
                let pick = self.foe.below(self.kept.len());
                if let Some((_, _, other)) = self.kept.get(pick) {
                    bytes.truncate(at);
                    bytes.extend(other.iter().skip(at));
                }
            }
            2 => bytes.extend([0; 16]),
            _ => {
                let bit = self.foe.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
}
