//! What is counted, in the text that Prometheus reads. No label names a user, a slot or a request.

use crate::error::NodeError;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use strongroom_wire::relay::RelayRefusal;

const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// One node's counters. Each node has its own, so that several can run in one test.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    pub(crate) ready: Gauge,
    pub(crate) era: Gauge,
    pub(crate) term: Gauge,
    pub(crate) applied: Gauge,
    pub(crate) erased_through: Gauge,
    pub(crate) slots: Gauge,
    pub(crate) voters: Gauge,
    pub(crate) links_up: Gauge,
    pub(crate) leader: Gauge,
    pub(crate) health_age: Gauge,
    pub(crate) peers_connected: Gauge,
    pub(crate) vault_starts: Counter,
    pub(crate) vault_halts: Counter,
    pub(crate) relay_seconds: Histogram,
    pub(crate) relay_waiting: Gauge,
    relay_answered: Counter,
    relay_no_quorum: Counter,
    relay_malformed: Counter,
    relay_ticket_refused: Counter,
    relay_busy: Counter,
    relay_unknown: Counter,
    pub(crate) persist_seconds: Histogram,
    pub(crate) persist_batches: Counter,
    pub(crate) persist_failures: Counter,
    pub(crate) persist_failing: Gauge,
    pub(crate) peer_frames_sent: Counter,
    pub(crate) peer_frames_received: Counter,
    pub(crate) peer_frames_dropped: Counter,
    pub(crate) peer_connections_refused: Counter,
    roles: Vec<(&'static str, Gauge)>,
}

/// Every role of `Health::role`.
const ROLES: [&str; 7] =
    ["joining", "learner", "follower", "candidate", "leader", "frozen", "halted"];

impl Metrics {
    pub(crate) fn new(node: u8) -> Result<Self, NodeError> {
        let failed = |e: metrics_exporter_prometheus::BuildError| NodeError::Metrics(e.to_string());
        let recorder = PrometheusBuilder::new()
            .add_global_label("node", node.to_string())
            .set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), &SECONDS)
            .map_err(failed)?
            .build_recorder();
        let handle = recorder.handle();
        Ok(metrics::with_local_recorder(&recorder, || Self::register(handle)))
    }

    fn register(handle: PrometheusHandle) -> Self {
        let relay = |outcome: &'static str| counter!("strongroom_relay_replies_total", "outcome" => outcome);
        Self {
            handle,
            ready: gauge!("strongroom_ready"),
            era: gauge!("strongroom_era"),
            term: gauge!("strongroom_term"),
            applied: gauge!("strongroom_applied_index"),
            erased_through: gauge!("strongroom_erased_through_index"),
            slots: gauge!("strongroom_slots"),
            voters: gauge!("strongroom_voters"),
            links_up: gauge!("strongroom_links_up"),
            leader: gauge!("strongroom_leader_node"),
            health_age: gauge!("strongroom_vault_silence_seconds"),
            peers_connected: gauge!("strongroom_peers_connected"),
            vault_starts: counter!("strongroom_vault_starts_total"),
            vault_halts: counter!("strongroom_vault_halts_total"),
            relay_seconds: histogram!("strongroom_relay_seconds"),
            relay_waiting: gauge!("strongroom_relay_waiting"),
            relay_answered: relay("answered"),
            relay_no_quorum: relay("no_quorum"),
            relay_malformed: relay("malformed"),
            relay_ticket_refused: relay("ticket_refused"),
            relay_busy: relay("busy"),
            relay_unknown: relay("unknown"),
            persist_seconds: histogram!("strongroom_persist_seconds"),
            persist_batches: counter!("strongroom_persist_batches_total"),
            persist_failures: counter!("strongroom_persist_failures_total"),
            persist_failing: gauge!("strongroom_persist_failing"),
            peer_frames_sent: counter!("strongroom_peer_frames_sent_total"),
            peer_frames_received: counter!("strongroom_peer_frames_received_total"),
            peer_frames_dropped: counter!("strongroom_peer_frames_dropped_total"),
            peer_connections_refused: counter!("strongroom_peer_connections_refused_total"),
            roles: ROLES.map(|role| (role, gauge!("strongroom_role", "role" => role))).into(),
        }
    }

    /// Counts one relayed request by its outcome. The same for every verb and user.
    pub(crate) fn relayed(&self, refusal: Option<RelayRefusal>, took: Duration) {
        self.relay_seconds.record(took.as_secs_f64());
        match refusal {
            None => &self.relay_answered,
            Some(RelayRefusal::NoQuorum) => &self.relay_no_quorum,
            Some(RelayRefusal::Malformed) => &self.relay_malformed,
            Some(RelayRefusal::TicketRefused) => &self.relay_ticket_refused,
            Some(RelayRefusal::Busy) => &self.relay_busy,
            Some(RelayRefusal::Unknown) => &self.relay_unknown,
        }
        .increment(1);
    }

    /// Sets one role to 1 and the others to 0; all to 0 while no vault speaks.
    pub(crate) fn role(&self, now: Option<&str>) {
        for (role, gauge) in &self.roles {
            gauge.set(if now == Some(role) { 1.0 } else { 0.0 });
        }
    }

    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_carries_its_node_and_none_names_a_user() {
        let metrics = Metrics::new(3).expect("metrics");
        metrics.relayed(None, Duration::from_millis(4));
        metrics.relayed(Some(RelayRefusal::Busy), Duration::ZERO);
        metrics.role(Some("leader"));
        let text = metrics.render();
        assert!(text.contains("strongroom_relay_replies_total{node=\"3\",outcome=\"busy\"} 1"));
        assert!(text.contains("strongroom_role{node=\"3\",role=\"leader\"} 1"));
        assert!(text.contains("strongroom_relay_seconds_bucket"));
        for word in ["slot=", "account", "user", "ticket="] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
