//! What a node's host says of itself and its vault (`/v1/health`).

use serde::Deserialize;
use std::time::Duration;
use ureq::Agent;

/// Health that is older than this says nothing of now.
const FRESH_MS: u64 = 700;
const LEN_MAX: u64 = 256 * 1_024;

/// As far as it is used here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Health {
    pub(crate) ready: bool,
    pub(crate) why_not: Option<String>,
    pub(crate) vault: Option<Vault>,
    pub(crate) host: Host,
}

/// What a vault says through its host.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Vault {
    pub(crate) era: u64,
    pub(crate) role: String,
    pub(crate) term: u64,
    pub(crate) voters: Vec<u8>,
    age_ms: u64,
}

/// What a host says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Host {
    pub(crate) vault_last_end: Option<String>,
}

impl Health {
    /// Era and term, if this node leads now.
    pub(crate) fn leads(&self) -> Option<(u64, u64)> {
        let vault = self.vault.as_ref()?;
        (vault.role == "leader" && vault.age_ms < FRESH_MS).then_some((vault.era, vault.term))
    }

    /// Whether this process has a vote.
    pub(crate) fn votes(&self) -> bool {
        let role = self.vault.as_ref().map(|vault| vault.role.as_str());
        matches!(role, Some("leader" | "follower" | "candidate"))
    }
}

fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

/// Asks a host.
pub(crate) fn ask(base: &str, patience: Duration) -> Option<Health> {
    let mut response = agent(patience).get(format!("{base}/v1/health")).call().ok()?;
    let body = response.body_mut().with_config().limit(LEN_MAX).read_to_vec().ok()?;
    serde_json::from_slice(&body).ok()
}

/// One step of a ceremony, at the node itself.
pub(crate) fn post(url: &str, body: &[u8], patience: Duration) -> Result<Vec<u8>, String> {
    let request = agent(patience).post(url).header("content-type", "application/octet-stream");
    let mut response = request.send(body).map_err(|e| e.to_string())?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(LEN_MAX).read_to_vec();
    let body = body.map_err(|e| e.to_string())?;
    if status.is_success() {
        return Ok(body);
    }
    Err(format!("HTTP {status}: {}", String::from_utf8_lossy(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_word_makes_a_leader() {
        let text = |age: u64| {
            format!(
                "{{\"ready\":true,\"vault\":{{\"era\":1,\"role\":\"leader\",\"term\":3,\"incarnation\":\"ab\",\
                 \"voters\":[1],\"age_ms\":{age}}},\"host\":{{\"vault_last_end\":null,\"disk_fault\":null}}}}"
            )
        };
        let health: Health = serde_json::from_str(&text(10)).expect("health");
        assert_eq!(health.leads(), Some((1, 3)));
        let health: Health = serde_json::from_str(&text(5_000)).expect("health");
        assert_eq!(health.leads(), None);
        assert!(health.votes());
    }
}
