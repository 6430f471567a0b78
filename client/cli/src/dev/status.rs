//! How a development fleet is: what runs, what votes, and what that allows.

use super::{
    error::DevError,
    http, keys,
    layout::{Layout, Process, State, WITNESSES},
    processes::{self, Identity},
};
use crate::voice::Voice;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{thread, time::Duration};

const PATIENCE: Duration = Duration::from_millis(1_500);
/// Health that is older says nothing of now.
const FRESH_MS: u64 = 2_000;

/// What a node's host says (`/v1/health`), as far as it is used here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Health {
    pub(crate) ready: bool,
    #[serde(default)]
    why_not: Option<String>,
    pub(crate) vault: Option<Vault>,
    #[serde(default)]
    host: HostWords,
}

/// What a host says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
struct HostWords {
    #[serde(default)]
    vault_last_end: Option<String>,
}

/// What a vault says through its host.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Vault {
    pub(crate) era: u64,
    pub(crate) role: String,
    leader: Option<u8>,
    #[serde(default)]
    term: u64,
    #[serde(default)]
    applied: u64,
    #[serde(default)]
    slots: u64,
    #[serde(default)]
    age_ms: u64,
}

impl Vault {
    fn votes(&self) -> bool {
        self.age_ms < FRESH_MS && matches!(self.role.as_str(), "leader" | "follower" | "candidate")
    }
}

/// One node as seen from here.
#[derive(Debug, Clone)]
pub(crate) struct NodeView {
    pub(crate) node: u8,
    pub(crate) host: Option<Identity>,
    pub(crate) health: Option<Health>,
}

impl NodeView {
    pub(crate) fn look(layout: &Layout, state: &State, node: u8) -> Self {
        let host = processes::running(&layout.files(Process::Node(node)));
        let health = host.as_ref().and_then(|_| {
            let url = format!("{}/v1/health", state.http_url(node));
            let reply = http::get(&url, PATIENCE)?;
            serde_json::from_slice(&reply.body).ok()
        });
        Self { node, host, health }
    }

    pub(crate) fn runs(&self) -> bool {
        self.host.is_some()
    }

    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.health.as_ref()?.vault.as_ref()
    }

    /// How the last vault process ended, if one did.
    pub(crate) fn vault_last_end(&self) -> Option<&str> {
        self.health.as_ref()?.host.vault_last_end.as_deref()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.ready)
    }
}

/// Looks at all nodes at once.
pub(crate) fn look_at_all(layout: &Layout, state: &State) -> Vec<NodeView> {
    thread::scope(|scope| {
        let looks: Vec<_> = state
            .node_ids()
            .map(|node| (node, scope.spawn(move || NodeView::look(layout, state, node))))
            .collect();
        looks
            .into_iter()
            .map(|(node, look)| {
                // A look that died saw nothing.
                look.join().unwrap_or(NodeView { node, host: None, health: None })
            })
            .collect()
    })
}

/// What the fleet can do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A majority of voting incarnations lives: it answers, and readmits whoever comes back.
    Quorum,
    /// A majority of processes runs, but too few of them vote: only custodians can start it.
    NeedsStart,
    /// Too few processes run for anything.
    TooFew,
}

/// How many run, how many of them vote, and how many it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) running: usize,
    pub(crate) voting: usize,
    pub(crate) majority: usize,
}

impl Census {
    pub(crate) fn of(state: &State, nodes: &[NodeView]) -> Self {
        let era = nodes.iter().filter_map(NodeView::vault).map(|v| v.era).max();
        // An incarnation that votes in an older era votes in nothing that still exists.
        let votes = |view: &&NodeView| {
            view.vault()
                .is_some_and(|vault| vault.votes() && Some(vault.era) == era && vault.era > 0)
        };
        Self {
            running: nodes.iter().filter(|view| view.runs()).count(),
            voting: nodes.iter().filter(votes).count(),
            majority: state.majority(),
        }
    }

    pub(crate) fn standing(self) -> Standing {
        if self.voting >= self.majority {
            Standing::Quorum
        } else if self.running >= self.majority {
            Standing::NeedsStart
        } else {
            Standing::TooFew
        }
    }
}

const NODE: &str = "node";
const FLEET_TYPE: &str = "fleet";

#[derive(Serialize)]
struct NodeLine<'a> {
    node: u8,
    site: String,
    running: bool,
    pid: Option<i32>,
    ready: bool,
    role: Option<&'a str>,
    era: Option<u64>,
    leader: Option<u8>,
    term: Option<u64>,
    applied: Option<u64>,
    slots: Option<u64>,
    why_not: Option<&'a str>,
    http: String,
}

#[derive(Serialize)]
struct FleetLine {
    nodes: u8,
    running: usize,
    voting: usize,
    majority: usize,
    ready: usize,
    quorum: bool,
    gateway_running: bool,
    gateway_ready: bool,
    gateway: String,
    auditor_running: bool,
    auditor_ready: bool,
    auditor: String,
    witnesses_running: usize,
    witnesses: u8,
    protection: &'static str,
}

/// `strongroom dev status`.
pub(crate) fn status(layout: &Layout, voice: Voice) -> Result<(), DevError> {
    let state = layout.load()?;
    let views = look_at_all(layout, &state);
    let census = Census::of(&state, &views);
    let gateway = processes::running(&layout.files(Process::Gateway));
    let is_ready = |base: &str| {
        http::get(&format!("{base}/readyz"), PATIENCE).is_some_and(|reply| reply.status == 200)
    };
    let gateway_ready = gateway.is_some() && is_ready(&state.gateway_url());
    let runs = |process| processes::running(&layout.files(process)).is_some();
    let auditor_running = runs(Process::Auditor);
    let fleet = FleetLine {
        nodes: state.nodes,
        running: census.running,
        voting: census.voting,
        majority: census.majority,
        ready: views.iter().filter(|view| view.is_ready()).count(),
        quorum: census.standing() == Standing::Quorum,
        gateway_running: gateway.is_some(),
        gateway_ready,
        gateway: state.gateway_url(),
        auditor_running,
        auditor_ready: auditor_running && is_ready(&state.auditor_url()),
        auditor: state.auditor_url(),
        witnesses_running: (1..=WITNESSES).filter(|w| runs(Process::Witness(*w))).count(),
        witnesses: WITNESSES,
        protection: "software",
    };
    let lines: Vec<NodeLine<'_>> = views.iter().map(|view| line(&state, view)).collect();
    for line in &lines {
        voice.result(NODE, "", facts(line));
    }
    let text = format!("{}{}", table(&lines), summary(&fleet));
    voice.result(FLEET_TYPE, &text, facts(&fleet));
    Ok(())
}

/// Structures of numbers and strings always serialise.
fn facts(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn line<'a>(state: &State, view: &'a NodeView) -> NodeLine<'a> {
    let vault = view.vault();
    NodeLine {
        node: view.node,
        site: keys::site(view.node),
        running: view.runs(),
        pid: view.host.as_ref().map(|host| host.pid),
        ready: view.is_ready(),
        role: vault.map(|vault| vault.role.as_str()),
        era: vault.map(|vault| vault.era),
        leader: vault.and_then(|vault| vault.leader),
        term: vault.map(|vault| vault.term),
        applied: vault.map(|vault| vault.applied),
        slots: vault.map(|vault| vault.slots),
        why_not: view.health.as_ref().and_then(|h| h.why_not.as_deref()),
        http: state.http_url(view.node),
    }
}

const HEADINGS: [&str; 8] = ["node", "site", "process", "ready", "role", "era", "applied", "slots"];

fn table(lines: &[NodeLine<'_>]) -> String {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut rows: Vec<[String; 8]> = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines.iter().map(|line| {
        [
            line.node.to_string(),
            line.site.clone(),
            line.pid.map_or("down".to_owned(), |pid| format!("pid {pid}")),
            if line.ready { "yes" } else { "no" }.to_owned(),
            line.role.unwrap_or("-").to_owned(),
            number(line.era),
            number(line.applied),
            number(line.slots),
        ]
    }));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn summary(fleet: &FleetLine) -> String {
    let state = if fleet.quorum { "quorum" } else { "NO QUORUM: nothing is answered" };
    let word = |running, ready| match (running, ready) {
        (true, true) => "ready",
        (true, false) => "not ready",
        (false, _) => "down",
    };
    let gateway = word(fleet.gateway_running, fleet.gateway_ready);
    let auditor = word(fleet.auditor_running, fleet.auditor_ready);
    format!(
        "{state}: {} of {} nodes run, {} vote, {} are needed\ngateway {} is {gateway}\nauditor {} is \
         {auditor}, {} of {} witnesses run\nprotection software: INSECURE, for development only",
        fleet.running,
        fleet.nodes,
        fleet.voting,
        fleet.majority,
        fleet.gateway,
        fleet.auditor,
        fleet.witnesses_running,
        fleet.witnesses
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(node: u8, running: bool, role: &str, era: u64, age_ms: u64) -> NodeView {
        let health = format!(
            "{{\"node\":{node},\"fleet\":\"dev\",\"ready\":true,\"host\":{{}},\"vault\":{{\
             \"incarnation\":\"1\",\"era\":{era},\"role\":\"{role}\",\"leader\":1,\
             \"age_ms\":{age_ms}}}}}"
        );
        let identity = "{\"pid\":1,\"start_time\":2,\"boot_id\":\"x\"}";
        NodeView {
            node,
            host: running.then(|| serde_json::from_str(identity).expect("identity")),
            health: serde_json::from_str(&health).ok().filter(|_| running),
        }
    }

    fn standing(views: &[NodeView]) -> Standing {
        let nodes = u8::try_from(views.len()).expect("few");
        Census::of(&State::new(nodes, 20_000, 1), views).standing()
    }

    #[test]
    fn who_joins_does_not_vote_yet() {
        let voting = |node| view(node, true, "follower", 1, 10);
        let joining = |node| view(node, true, "joining", 0, 10);
        let down = |node| view(node, false, "", 0, 0);
        let seven = [1, 2, 3, 4].map(voting).into_iter().chain([5, 6, 7].map(joining));
        assert_eq!(standing(&seven.collect::<Vec<_>>()), Standing::Quorum);
        let seven = [1, 2, 3].map(voting).into_iter().chain([4, 5, 6, 7].map(joining));
        assert_eq!(standing(&seven.collect::<Vec<_>>()), Standing::NeedsStart);
        let seven = [1, 2, 3].map(voting).into_iter().chain([4, 5, 6, 7].map(down));
        assert_eq!(standing(&seven.collect::<Vec<_>>()), Standing::TooFew);
    }

    #[test]
    fn old_eras_old_words_and_frozen_vaults_do_not_count() {
        let good = |node| view(node, true, "follower", 2, 10);
        for bad in [
            view(3, true, "leader", 1, 10),
            view(3, true, "follower", 2, 60_000),
            view(3, true, "frozen", 2, 10),
            view(3, true, "learner", 2, 10),
            view(3, true, "halted", 2, 10),
        ] {
            let views = [good(1), bad, view(2, true, "joining", 0, 10)];
            assert_eq!(standing(&views), Standing::NeedsStart);
        }
        assert_eq!(standing(&[good(1), good(2), good(3)]), Standing::Quorum);
        let unborn = [1, 2, 3].map(|node| view(node, true, "follower", 0, 10));
        assert_eq!(standing(&unborn), Standing::NeedsStart);
    }

    #[test]
    fn the_table_keeps_its_columns() {
        let state = State::new(2, 20_000, 1);
        let views = [view(1, true, "leader", 1, 1), view(2, false, "", 0, 0)];
        let lines: Vec<_> = views.iter().map(|view| line(&state, view)).collect();
        let table = table(&lines);
        let columns: Vec<_> = table.lines().map(|line| line.find("ready")).collect();
        assert!(columns[0].is_some());
        assert!(table.lines().nth(1).is_some_and(|line| line.contains("leader")));
        assert!(table.lines().nth(2).is_some_and(|line| line.contains("down")));
    }
}
