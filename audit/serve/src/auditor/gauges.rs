//! What is counted, in the text that Prometheus reads.

use metrics::{Counter, Gauge, counter, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// What came of asking a witness.
pub(crate) const OUTCOMES: [&str; 5] = ["cosigned", "refused", "unreachable", "false", "ahead"];

/// One auditor's figures; each has its own, so that several can run in one test.
pub(crate) struct Gauges {
    handle: PrometheusHandle,
    /// Leaves in the log.
    pub(crate) size: Gauge,
    /// Events in the event log.
    pub(crate) events: Gauge,
    /// Seconds since the Unix epoch of the event log's last quorum.
    pub(crate) events_confirmed: Gauge,
    /// 1 while an epoch waits for its quorum.
    pub(crate) unreleased: Gauge,
    /// 1 after a witness had seen more than the folder holds.
    pub(crate) restored: Gauge,
    /// Seconds since the Unix epoch of the last quorum.
    pub(crate) confirmed: Gauge,
    pub(crate) published: Counter,
    pub(crate) refused: Counter,
    pub(crate) rounds_failed: Counter,
    witnesses: Vec<[Counter; OUTCOMES.len()]>,
}

impl Gauges {
    /// Figures for these witnesses, by the names of their keys.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || Self {
            handle,
            size: gauge!("strongroom_auditor_log_size"),
            events: gauge!("strongroom_auditor_event_log_size"),
            events_confirmed: gauge!("strongroom_auditor_event_log_confirmed_timestamp_seconds"),
            unreleased: gauge!("strongroom_auditor_unreleased"),
            restored: gauge!("strongroom_auditor_restored"),
            confirmed: gauge!("strongroom_auditor_confirmed_timestamp_seconds"),
            published: counter!("strongroom_auditor_publish_requests_total", "outcome" => "answered"),
            refused: counter!("strongroom_auditor_publish_requests_total", "outcome" => "refused"),
            rounds_failed: counter!("strongroom_auditor_rounds_failed_total"),
            witnesses: names.map(of_witness).collect(),
        })
    }

    /// Counts what came of asking the witness at this place.
    pub(crate) fn asked(&self, at: usize, outcome: &str) {
        let counter = OUTCOMES.iter().position(|one| *one == outcome);
        if let Some(counter) = counter.and_then(|one| self.witnesses.get(at)?.get(one)) {
            counter.increment(1);
        }
    }

    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}

fn of_witness(name: &str) -> [Counter; OUTCOMES.len()] {
    OUTCOMES.map(|outcome| {
        let labels = [("witness", name.to_owned()), ("outcome", outcome.to_owned())];
        counter!("strongroom_auditor_witness_answers_total", &labels)
    })
}
