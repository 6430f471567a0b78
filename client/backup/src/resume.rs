//! What an interrupted backup left behind.
//!
//! Packs are stored as they fill; the index that names them is stored at the end, or every five minutes.
//! After a kill there are therefore finished packs that no index names. They are taken over here, so
//! that their data is not stored again. The other way round, packs that the index names and the store
//! has lost must not be believed to be there, or every later backup would refer to nothing.

use std::collections::BTreeMap;

use rustic_core::repofile::IndexFile;
use rustic_core::{Id, OpenStatus, RepairIndexOptions, Repository as Engine};

use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::progress::Meter;
use crate::store::Kind;
use crate::summary::{Problem, ProblemKind};

/// What was found and done.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    pub(crate) packs: u64,
    pub(crate) problems: Vec<Problem>,
}

/// Makes index and packs agree before a backup relies on them.
pub(crate) fn adopt(engine: &Engine<OpenStatus>, guard: &Guard, meter: &Meter) -> Result<Adopted> {
    let mut orphans: BTreeMap<Id, u32> = guard.files(Kind::Pack)?.into_iter().collect();
    let mut adopted = Adopted::default();
    let mut lost = Vec::new();
    let mut seen = BTreeMap::new();
    let index = engine.stream_files::<IndexFile>().map_err(|error| guard.explain(&error))?;
    for file in index {
        let (_, file) = file.map_err(|error| guard.explain(&error))?;
        for pack in file.packs.iter().chain(&file.packs_to_delete) {
            if let Some(found) = orphans.remove(&*pack.id) {
                seen.insert(*pack.id, found);
            }
            match seen.get(&*pack.id) {
                Some(found) if *found == pack.pack_size() => {}
                found => lost.push((*pack.id, pack.pack_size(), found.copied())),
            }
        }
    }

    // A pack that is adopted is relied upon by all later backups, so it is read once.
    let mut broken = Vec::new();
    for id in orphans.keys() {
        meter.go_on()?;
        match guard.read_checked(Kind::Pack, id) {
            Ok(_) => adopted.packs += 1,
            Err(Error::Damaged { .. }) => broken.push(*id),
            Err(error) => return Err(error),
        }
    }
    guard.hide_packs(broken);

    for (id, expected, got) in &lost {
        let got = got.map_or("it is missing".to_owned(), |got| format!("got {got}"));
        adopted.problems.push(Problem::new(
            ProblemKind::Repaired,
            Kind::Pack.describe(id),
            format!(
                "the index promises {expected} bytes, {got}; taken out of the index, so that this \
                 backup stores again what it still finds"
            ),
        ));
    }
    if adopted.packs > 0 || !lost.is_empty() {
        engine
            .repair_index(&RepairIndexOptions::default(), false)
            .map_err(|error| guard.explain(&error))?;
        // A crash here leaves an index that names the packs: the next run starts from it.
    }
    Ok(adopted)
}
