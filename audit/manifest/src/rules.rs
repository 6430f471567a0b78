//! The rules of a manifest that need no other document (spec §9.2).

use crate::types::{Fleet, Manifest, Protection, Role};
use core::fmt;
use std::collections::BTreeSet;
use strongroom_wire::caps;

/// Numbers stay exact in every JSON reader.
const NUMBER_MAX: u64 = (1 << 53) - 1;
const NODES_MIN: usize = 5;

/// A rule that a manifest breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleBreach {
    /// Another version.
    Version(u32),
    /// A string that is empty, too long or not plain printable ASCII.
    Text(&'static str),
    /// A number above 2^53 − 1, or zero where that has no meaning.
    Number(&'static str),
    /// A list that is empty, unsorted or has doubles.
    Order(&'static str),
    /// A key that stands in two places.
    KeyTwice(&'static str),
    /// Fewer nodes than a fleet of this protection needs.
    TooFewNodes {
        /// Nodes listed.
        got: usize,
        /// Nodes needed.
        needed: usize,
    },
    /// Two fleets claim one slot.
    SlotsOverlap(String),
    /// More custodian signatures needed than there are custodians, or none.
    Threshold,
    /// A policy that cannot be kept.
    Policy(&'static str),
    /// A rollback tolerance that no quorum can give.
    RollbackTolerance,
}

impl fmt::Display for RuleBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(got) => write!(f, "manifest version {got}, expected 1"),
            Self::Text(what) => write!(f, "{what}: expected plain printable ASCII within its cap"),
            Self::Number(what) => write!(f, "{what}: number out of range"),
            Self::Order(what) => write!(f, "{what}: expected a sorted list without doubles"),
            Self::KeyTwice(what) => write!(f, "{what}: a key stands in two places"),
            Self::TooFewNodes { got, needed } => write!(f, "{got} nodes, at least {needed} needed"),
            Self::SlotsOverlap(fleet) => write!(f, "fleet {fleet}: its slots overlap another's"),
            Self::Threshold => write!(f, "custodian threshold out of range"),
            Self::Policy(what) => write!(f, "policy: {what}"),
            Self::RollbackTolerance => write!(f, "rollback tolerance above what the nodes allow"),
        }
    }
}

fn text(value: &str, cap: usize, what: &'static str) -> Result<(), RuleBreach> {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
    let good = !value.is_empty() && value.len() <= cap && value.bytes().all(plain);
    if good { Ok(()) } else { Err(RuleBreach::Text(what)) }
}

fn sorted<T: Ord>(
    mut items: impl Iterator<Item = T>,
    what: &'static str,
) -> Result<(), RuleBreach> {
    let Some(mut last) = items.next() else {
        return Err(RuleBreach::Order(what));
    };
    for item in items {
        if item <= last {
            return Err(RuleBreach::Order(what));
        }
        last = item;
    }
    Ok(())
}

fn number(value: u64, what: &'static str) -> Result<(), RuleBreach> {
    if value <= NUMBER_MAX { Ok(()) } else { Err(RuleBreach::Number(what)) }
}

/// Checks every rule.
pub(crate) fn check(manifest: &Manifest) -> Result<(), RuleBreach> {
    if manifest.version != 1 {
        return Err(RuleBreach::Version(manifest.version));
    }
    text(&manifest.namespace, caps::NAMESPACE_LEN_MAX, "namespace")?;
    number(manifest.epoch, "epoch")?;
    number(manifest.not_before_ms, "not_before_ms")?;
    number(manifest.not_after_ms, "not_after_ms")?;
    if manifest.epoch == 0 || manifest.not_before_ms >= manifest.not_after_ms {
        return Err(RuleBreach::Number("epoch or validity"));
    }
    sorted(manifest.custodians.keys.iter(), "custodians")?;
    let custodians = manifest.custodians.keys.len();
    if !(1..=custodians).contains(&usize::from(manifest.custodians.threshold)) {
        return Err(RuleBreach::Threshold);
    }
    sorted(manifest.ticket_keys.iter().map(|k| k.key), "ticket_keys")?;
    for ticket_key in &manifest.ticket_keys {
        text(&ticket_key.app, caps::APP_LEN_MAX, "ticket_keys.app")?;
    }
    policy(manifest)?;
    sorted(manifest.fleets.iter().map(|fleet| fleet.id.as_str()), "fleets")?;
    manifest.fleets.iter().try_for_each(fleet)?;
    unique_keys(manifest)?;
    disjoint_slots(manifest)
}

fn policy(manifest: &Manifest) -> Result<(), RuleBreach> {
    let p = &manifest.policy;
    for (value, what) in [
        (p.compact_ms, "policy.compact_ms"),
        (p.fresh_ms, "policy.fresh_ms"),
        (p.grants_window_ms, "policy.grants_window_ms"),
        (p.last_attempt_ms, "policy.last_attempt_ms"),
        (p.lock_ceiling, "policy.lock_ceiling"),
        (p.lock_ceiling_per_mille, "policy.lock_ceiling_per_mille"),
        (p.lock_window_ms, "policy.lock_window_ms"),
        (p.open_ms, "policy.open_ms"),
        (p.pending_ms, "policy.pending_ms"),
        (p.replace_ms, "policy.replace_ms"),
        (p.year_ms, "policy.year_ms"),
    ] {
        number(value, what)?;
    }
    for wait in &p.waits_ms {
        number(*wait, "policy.waits_ms")?;
    }
    match () {
        () if p.row == 0 || p.row > 10 => Err(RuleBreach::Policy("row is not 1 to 10")),
        () if p.year < p.row || p.year > 40 => Err(RuleBreach::Policy("year is not row to 40")),
        () if p.waits_ms.len() > 16 => Err(RuleBreach::Policy("more than 16 waits")),
        () if p.open_ms == 0 || p.pending_ms == 0 => {
            Err(RuleBreach::Policy("attempts or entries expire at once"))
        }
        () => Ok(()),
    }
}

fn fleet(fleet: &Fleet) -> Result<(), RuleBreach> {
    text(&fleet.id, caps::FLEET_LEN_MAX, "fleets.id")?;
    if fleet.id.contains(' ') {
        return Err(RuleBreach::Text("fleets.id"));
    }
    sorted(fleet.keysets.iter().map(|k| k.id), "keysets")?;
    sorted(fleet.nodes.iter().map(|n| n.id), "nodes")?;
    if !fleet.measurement.is_empty() {
        text(&fleet.measurement, 64, "measurement")?;
    }
    for node in &fleet.nodes {
        text(&node.site, 64, "nodes.site")?;
        if node.id == 0 || usize::from(node.id) > caps::NODES_MAX {
            return Err(RuleBreach::Number("nodes.id"));
        }
        if node.roles != [Role::Vault] {
            return Err(RuleBreach::Order("nodes.roles"));
        }
        if !node.evidence.is_empty() {
            text(&node.evidence, 4_096, "nodes.evidence")?;
        }
    }
    let needed = if fleet.protection == Protection::Software { 1 } else { NODES_MIN };
    if fleet.nodes.len() < needed {
        return Err(RuleBreach::TooFewNodes { got: fleet.nodes.len(), needed });
    }
    let majority = fleet.nodes.len() / 2 + 1;
    if majority + usize::from(fleet.rollback_tolerance) > fleet.nodes.len() {
        return Err(RuleBreach::RollbackTolerance);
    }
    Ok(())
}

fn unique_keys(manifest: &Manifest) -> Result<(), RuleBreach> {
    let mut seen = BTreeSet::new();
    let nodes = manifest.fleets.iter().flat_map(|fleet| &fleet.nodes);
    let keys = nodes
        .flat_map(|node| [node.identity_key, node.link_key])
        .chain(manifest.ticket_keys.iter().map(|k| k.key))
        .chain(manifest.custodians.keys.iter().copied());
    for key in keys {
        if !seen.insert(key) {
            return Err(RuleBreach::KeyTwice("nodes, ticket_keys, custodians"));
        }
    }
    Ok(())
}

fn disjoint_slots(manifest: &Manifest) -> Result<(), RuleBreach> {
    let mut ranges: Vec<_> = manifest.fleets.iter().map(|f| (&f.slots, &f.id)).collect();
    ranges.sort_by_key(|(slots, _)| slots.first);
    let mut last_end = None;
    for (slots, id) in ranges {
        if slots.first > slots.last || last_end.is_some_and(|end| slots.first <= end) {
            return Err(RuleBreach::SlotsOverlap(id.clone()));
        }
        last_end = Some(slots.last);
    }
    Ok(())
}
