//! What changed from one manifest to the next, key by key and role by role.

use crate::types::{Fleet, Hex, Manifest, Node};
use serde::Serialize;
use std::collections::BTreeMap;

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delta {
    /// Of what: `custodian`, `node one/3 identity_key`, `policy row`.
    pub subject: String,
    /// As it was; none if it is new.
    pub before: Option<String>,
    /// As it is; none if it is gone.
    pub after: Option<String>,
}

/// Every fact of a manifest under a name of its own: two manifests differ in what these differ in.
///
/// Epoch and validity are left out: they change in every manifest and guard nothing.
fn facts(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut put = |subject: String, value: String| drop(facts.insert(subject, value));
    for key in &manifest.custodians.keys {
        put(format!("custodian {}", hex(key)), "listed".to_owned());
    }
    put("custodians threshold".to_owned(), manifest.custodians.threshold.to_string());
    for ticket in &manifest.ticket_keys {
        put(format!("ticket key {}", hex(&ticket.key)), format!("app {}", ticket.app));
    }
    put("namespace".to_owned(), manifest.namespace.clone());
    // The policy's own encoding names its settings; none is a string or nested.
    if let Ok(serde_json::Value::Object(policy)) = serde_json::to_value(&manifest.policy) {
        for (name, value) in policy {
            put(format!("policy {name}"), value.to_string());
        }
    }
    for fleet in &manifest.fleets {
        fleet_facts(fleet, &mut put);
    }
    facts
}

fn fleet_facts(fleet: &Fleet, put: &mut impl FnMut(String, String)) {
    let id = &fleet.id;
    put(format!("fleet {id} hpke_key"), hex(&fleet.hpke_key));
    put(format!("fleet {id} protection"), format!("{:?}", fleet.protection));
    put(format!("fleet {id} measurement"), fleet.measurement.clone());
    put(format!("fleet {id} rollback_tolerance"), fleet.rollback_tolerance.to_string());
    let slots = format!("{} to {}", hex(&fleet.slots.first), hex(&fleet.slots.last));
    put(format!("fleet {id} slots"), slots);
    for keyset in &fleet.keysets {
        put(format!("fleet {id} keyset {}", keyset.id), hex(&keyset.server_key));
    }
    for node in &fleet.nodes {
        node_facts(id, node, put);
    }
}

fn node_facts(fleet: &str, node: &Node, put: &mut impl FnMut(String, String)) {
    let name = format!("node {fleet}/{}", node.id);
    put(format!("{name} identity_key"), hex(&node.identity_key));
    put(format!("{name} link_key"), hex(&node.link_key));
    put(format!("{name} roles"), format!("{:?}", node.roles));
    put(format!("{name} site"), node.site.clone());
    put(format!("{name} evidence"), node.evidence.clone());
}

fn hex<const N: usize>(key: &Hex<N>) -> String {
    format!("{key:?}")
}

/// Most epochs change nothing but their number and their time.
fn guards_the_same(before: &Manifest, after: &Manifest) -> bool {
    before.fleets == after.fleets
        && before.custodians == after.custodians
        && before.ticket_keys == after.ticket_keys
        && before.policy == after.policy
        && before.namespace == after.namespace
}

/// What differs, by rising subject; against nothing, all that there is.
pub fn deltas(before: Option<&Manifest>, after: &Manifest) -> Vec<Delta> {
    if before.is_some_and(|before| guards_the_same(before, after)) {
        return Vec::new();
    }
    let mut old = before.map(facts).unwrap_or_default();
    let mut found = Vec::new();
    for (subject, value) in facts(after) {
        let was = old.remove(&subject);
        if was.as_ref() != Some(&value) {
            found.push(Delta { subject, before: was, after: Some(value) });
        }
    }
    let gone = old.into_iter();
    found.extend(gone.map(|(subject, was)| Delta { subject, before: Some(was), after: None }));
    found.sort_by(|a, b| a.subject.cmp(&b.subject));
    found
}
