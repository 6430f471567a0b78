//! Requests that reached a node which does not lead: passed on, and passed on again when the leader
//! dies, so that a failover costs its users time and nothing else.
//!
//! Passing the same frame on twice is safe: the same KE1 is the same attempt, the same registration
//! the same receipt, and a ticket moves a slot once.

use crate::{
    peers::Note,
    vault::{Vault, WAITING_MAX, WAITING_MS},
    waiting::ReplyTo,
};
use strongroom_hardware::Hardware;
use strongroom_replica::Replica;
use strongroom_wire::{
    codec::Blob,
    relay::{RelayRefusal, RelayReply},
};

/// Consensus ticks for which a request waits for a leader: two elections and a little.
const PATIENCE_TICKS: u64 = 50;

/// A request under way to the leader.
pub(crate) struct Forwarded {
    host_id: u64,
    since_ms: u64,
    /// The leader that has it, if any.
    to: Option<u64>,
    /// Whether any leader ever had it: only then may it be charged.
    sent: bool,
    ticket: Vec<u8>,
    frame: Vec<u8>,
}

impl<H: Hardware> Vault<H> {
    /// A relayed request: this node's to answer if it leads, otherwise the leader's.
    pub(crate) fn on_request(&mut self, now_ms: u64, id: u64, ticket: Vec<u8>, frame: Vec<u8>) {
        if self.forwarded.len() >= WAITING_MAX {
            self.reply(ReplyTo::Host(id), Err(RelayRefusal::Busy));
            return;
        }
        let name = self.next_forward;
        self.next_forward = name.saturating_add(1);
        let request =
            Forwarded { host_id: id, since_ms: now_ms, to: None, sent: false, ticket, frame };
        self.forwarded.insert(name, request);
        self.route(now_ms, name);
    }

    /// The leader's answer to a request that was passed on.
    pub(crate) fn on_forward_answer(&mut self, from: u64, id: u64, reply: RelayReply) {
        let Some(request) = self.forwarded.get_mut(&id).filter(|r| r.to == Some(from)) else {
            return;
        };
        if reply == Err(RelayRefusal::NoQuorum) {
            // It does not lead any more, or not yet: somebody will.
            request.to = None;
            return;
        }
        let host_id = request.host_id;
        self.forwarded.remove(&id);
        self.reply(ReplyTo::Host(host_id), reply);
    }

    /// Looks after every request that no leader has, and gives up those that waited too long.
    pub(crate) fn route_all(&mut self, now_ms: u64) {
        let names: Vec<u64> = self.forwarded.keys().copied().collect();
        for name in names {
            self.route(now_ms, name);
        }
    }

    fn route(&mut self, now_ms: u64, name: u64) {
        let leads = self.replica.as_ref().is_some_and(Replica::ready_to_serve);
        if leads && self.era_has_begun() && self.vault_time(now_ms).is_some() {
            if let Some(request) = self.forwarded.remove(&name) {
                let to = ReplyTo::Host(request.host_id);
                self.take_request(now_ms, to, &request.ticket, &request.frame);
            }
            return;
        }
        let leader = self.replica.as_ref().and_then(Replica::leader);
        let leader = leader.filter(|leader| *leader != self.incarnation).map(|l| l.as_u64());
        let patience_ms = self.tick_ms.saturating_mul(PATIENCE_TICKS).min(WAITING_MS);
        let Some(request) = self.forwarded.get_mut(&name) else { return };
        if let Some(leader) = leader
            && request.to != Some(leader)
        {
            let (ticket, frame) = (request.ticket.clone(), request.frame.clone());
            let note = Note::Forward { id: name, ticket: Blob(ticket), frame: Blob(frame) };
            let sent = self.send_note(leader, &note);
            if let Some(request) = self.forwarded.get_mut(&name).filter(|_| sent) {
                request.to = Some(leader);
                request.sent = true;
            }
        }
        let Some(request) = self.forwarded.get(&name) else { return };
        let waited_ms = now_ms.saturating_sub(request.since_ms);
        let (homeless, sent) = (leader.is_none() || request.to.is_none(), request.sent);
        if waited_ms >= WAITING_MS || (homeless && waited_ms >= patience_ms) {
            let host_id = request.host_id;
            self.forwarded.remove(&name);
            let refusal = if sent { RelayRefusal::Unknown } else { RelayRefusal::NoQuorum };
            self.reply(ReplyTo::Host(host_id), Err(refusal));
        }
    }
}
