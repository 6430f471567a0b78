//! The specification's vectors: what the code makes of fixed inputs, for other implementations to run.
//!
//! * **What it is.** A generator of `docs/spec/vectors/*.json` out of the crates that ship. Every seed
//!   is fixed, so the files are the same on every machine; a test makes them again and compares.
//! * **What it may assume.** Nothing secret: every key here is published with the files.
//! * **What it must never do.** Compute by itself what the product computes. It calls the product, and
//!   where two ends do one thing (client and vault), it calls both and compares.
//!
//! `cargo run -p strongroom-vectors -- --write` writes the files; without `--write` it compares.

#![forbid(unsafe_code)]

mod accounts;
mod digests;
mod entries;
mod events;
mod exchange;
mod logs;
mod manifests;
mod owners;
mod processes;
mod replicas;
mod requests;
mod responses;
mod sessions;
mod slots;
mod starts;
mod states;
mod stretch;
mod tickets;
mod vault;
mod vector;
mod world;

use std::path::PathBuf;
pub use vector::File;

/// Every file, by rising name.
pub fn all() -> Vec<File> {
    let world = world::World::new();
    let exchanged = exchange::Exchanged::run(&world);
    let overheard = replicas::run();
    vec![
        accounts::file(),
        digests::file(&world),
        entries::file(&world, &exchanged),
        events::file(&world),
        exchange::file(&world, &exchanged),
        logs::file(&world),
        manifests::file(&world),
        owners::file(&world),
        processes::file(&world),
        replicas::messages(&overheard),
        requests::file(&world, &exchanged),
        responses::file(&world),
        replicas::records(&overheard),
        sessions::file(&world),
        slots::file(&world),
        starts::file(&world),
        states::file(&world, &exchanged),
        tickets::file(&world),
    ]
}

/// Where the files are checked in.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors")
}
