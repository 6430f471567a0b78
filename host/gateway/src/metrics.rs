//! Counters for dashboards. Labels are verbs, outcomes and nodes: nothing that names a user.
//!
//! Each gateway has a recorder of its own, so that two in one process do not count together.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::time::Duration;

const BUCKETS_S: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0];
const METADATA: Metadata<'static> = Metadata::new("strongroom_gateway", Level::INFO, None);

const REQUESTS: &str = "strongroom_gateway_requests_total";
const REQUEST_SECONDS: &str = "strongroom_gateway_request_duration_seconds";
const TRIES: &str = "strongroom_gateway_tries_total";
const TRY_SECONDS: &str = "strongroom_gateway_try_duration_seconds";
const HEDGES: &str = "strongroom_gateway_hedges_total";
const REFUSED: &str = "strongroom_gateway_refused_total";
const IN_FLIGHT: &str = "strongroom_gateway_in_flight";
const NODE_READY: &str = "strongroom_gateway_node_ready";

pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // The buckets are a constant that is not empty, the only thing that this refuses.
        let recorder =
            PrometheusBuilder::new().set_buckets(&BUCKETS_S).unwrap_or_default().build_recorder();
        let metrics = Self { handle: recorder.handle(), recorder };
        metrics.describe();
        metrics
    }

    fn describe(&self) {
        let counters = [
            (REQUESTS, "requests by verb and outcome"),
            (TRIES, "tries at nodes by node and outcome"),
            (HEDGES, "tries that began because another node was slow"),
            (REFUSED, "requests refused before any node was asked"),
        ];
        for (name, text) in counters {
            self.recorder.describe_counter(name.into(), None, text.into());
        }
        let histograms = [
            (REQUEST_SECONDS, "from the frame's arrival to the answer"),
            (TRY_SECONDS, "one try at one node"),
        ];
        for (name, text) in histograms {
            self.recorder.describe_histogram(name.into(), None, text.into());
        }
        let gauges = [
            (IN_FLIGHT, "requests at nodes now"),
            (NODE_READY, "1 if the node said that it could serve now"),
        ];
        for (name, text) in gauges {
            self.recorder.describe_gauge(name.into(), None, text.into());
        }
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        self.recorder.register_histogram(&Key::from_parts(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>) -> Gauge {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
    }

    /// A request ended.
    pub(crate) fn request(&self, verb: &'static str, outcome: &'static str, took: Duration) {
        let labels = vec![Label::new("verb", verb), Label::new("outcome", outcome)];
        self.counter(REQUESTS, labels).increment(1);
        self.histogram(REQUEST_SECONDS, Vec::new()).record(took);
    }

    /// A request was refused at the door: by a limit, or for want of a good token.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.counter(REFUSED, vec![Label::new("reason", reason)]).increment(1);
    }

    /// A try at a node ended.
    pub(crate) fn tried(&self, node: u8, outcome: &'static str, took: Duration) {
        let node = Label::new("node", node.to_string());
        let labels = vec![node.clone(), Label::new("outcome", outcome)];
        self.counter(TRIES, labels).increment(1);
        self.histogram(TRY_SECONDS, vec![node]).record(took);
    }

    /// A second node was asked because the first was slow.
    pub(crate) fn hedged(&self) {
        self.counter(HEDGES, Vec::new()).increment(1);
    }

    /// The text for Prometheus.
    pub(crate) fn render(
        &self,
        in_flight: usize,
        nodes: impl Iterator<Item = (u8, bool)>,
    ) -> String {
        // Far below 2^32, and a gauge is a float.
        self.gauge(IN_FLIGHT, Vec::new()).set(u32::try_from(in_flight).unwrap_or(u32::MAX));
        for (node, ready) in nodes {
            let labels = vec![Label::new("node", node.to_string())];
            self.gauge(NODE_READY, labels).set(u8::from(ready));
        }
        self.handle.render()
    }

    /// Histograms are drained here and not only when somebody asks.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}
