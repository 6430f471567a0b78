//! The few requests that a development command makes, all of them to loopback.

use std::time::Duration;
use ureq::Agent;

const BODY_LEN_MAX: u64 = 256 * 1_024;
const OCTETS: &str = "application/octet-stream";

/// A status and a body; no reply at all is [`None`] in the functions below.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The `detail` of a problem document, or what stands there instead.
    pub(crate) fn reason(&self) -> String {
        let document: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let detail = document
            .as_ref()
            .and_then(|document| document.get("detail"))
            .and_then(serde_json::Value::as_str);
        detail.map_or_else(|| format!("HTTP status {}", self.status), str::to_owned)
    }
}

fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(patience))
        // A status is an answer here, and a proxy cannot reach loopback.
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

fn reply(
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Reply, ureq::Error> {
    let mut response = result?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(BODY_LEN_MAX);
    Ok(Reply { status, body: body.read_to_vec()? })
}

pub(crate) fn get(url: &str, patience: Duration) -> Option<Reply> {
    reply(agent(patience).get(url).call()).ok()
}

pub(crate) fn post(url: &str, body: &[u8], patience: Duration) -> Result<Reply, String> {
    let request = agent(patience).post(url).header("content-type", OCTETS);
    reply(request.send(body)).map_err(|e| e.to_string())
}
