//! What happened in a run, in an order and in words: kept while it runs, written to a file, read back
//! (spec §20).
//!
//! * **What it is.** Notes beside a run. A run with notes is the same run, to its digest.
//! * **What it may assume.** Of a file that is read: nothing. It may be cut, edited or hostile.
//! * **What it must never do.** Take part: no note changes what happens.

mod file;
mod note;

pub use file::{FORMAT, LINE_MAX, ReadError, Tape, read, write};
pub use note::{End, Entry, Head, Kind, State};

use crate::{Plan, Report, acts::Deed};
use std::cell::RefCell;

/// How much is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Nothing.
    Off,
    /// What a story is told from: deeds, hosts, vaults' own words, what clients learn.
    Story,
    /// Also every message, and how every process is.
    All,
}

/// The notes of a run that is under way.
#[derive(Debug)]
pub(crate) struct Notes {
    detail: Detail,
    entries: RefCell<Vec<Entry>>,
}

impl Notes {
    pub(crate) const fn new(detail: Detail) -> Self {
        Self { detail, entries: RefCell::new(Vec::new()) }
    }

    /// Whether anything of this kind is noted.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        match kind {
            Kind::Wire | Kind::State => self.detail == Detail::All,
            _ => self.detail >= Detail::Story,
        }
    }

    pub(crate) fn add(&self, entry: Entry) {
        let mut entries = self.entries.borrow_mut();
        let n = entries.len() as u64;
        entries.push(Entry { n, ..entry });
    }

    /// A deed by its name.
    pub(crate) fn deed(&self, ms: u64, deed: Deed) {
        if self.wants(Kind::Deed) {
            self.add(Entry { ms, kind: Kind::Deed, text: deed.to_string(), ..Entry::default() });
        }
    }
}

impl Tape {
    /// What is written of a run.
    pub(crate) fn of(plan: &Plan, report: &Report, notes: &Notes) -> Self {
        let only = plan.only.as_ref().map(|only| only.iter().map(ToString::to_string).collect());
        let format = FORMAT.to_owned();
        let head = Head { format, seed: plan.seed, nodes: plan.nodes, users: plan.users, only };
        if notes.wants(Kind::Broken) {
            for broken in &report.broken {
                let text = format!("{}/{}: {}", broken.invariant, broken.checker, broken.story);
                let ms = report.virtual_ms;
                notes.add(Entry { ms, kind: Kind::Broken, text, ..Entry::default() });
            }
        }
        let entries = notes.entries.take();
        let digest = report.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let broken = report.broken.len() as u64;
        let end = End { entries: entries.len() as u64, digest, broken };
        Self { head, entries, end }
    }
}
