//! Whatever an attacker may write, and the code that reads it.
//!
//! * **What it is.** One table of fuzz targets: a function from bytes to "accepted or not", with
//!   the properties that must hold either way. The same table runs under libFuzzer
//!   (`libfuzzer/`, coverage-guided) and on the stable toolchain (`strongroom-fuzz`, tests).
//! * **What it may assume.** Nothing about its input.
//! * **What it must never do.** Depend on anything but its input: a crash repeats from its file.

#![forbid(unsafe_code)]

mod answers;
mod cluster;
mod decoders;
mod links;
mod logs;
mod pieces;
mod records;
mod seeds;
mod short;
mod vault;
mod verifier;

pub use pieces::{join, split};
pub use short::{Found, Shape, short_run};

use std::path::PathBuf;

/// One target.
pub struct Target {
    /// Its name: of the libFuzzer target, and of its folder in `corpus/`.
    pub name: &'static str,
    /// What reads the bytes.
    pub what: &'static str,
    /// Reads the bytes, panics if a property is broken, and says whether they were accepted.
    pub run: fn(&[u8]) -> bool,
    /// How inputs are changed on the stable toolchain.
    pub shape: Shape,
    /// Inputs to begin with, made by the code as it is now.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub static TARGETS: &[Target] = &[
    target("request", "a device's request, opened", decoders::request, seeds::vectors),
    target("ticket", "a gateway's ticket, opened", decoders::ticket, seeds::vectors),
    target("response", "a vault's answer, opened", decoders::response, seeds::vectors),
    target("owner", "an owner's command", decoders::owner, seeds::vectors),
    target("process", "the pipe between host and vault", decoders::process, seeds::vectors),
    target("start", "positions and start statements", decoders::start, seeds::vectors),
    target("relay", "what gateways and hosts relay", decoders::relay, seeds::relay),
    target("manifest", "a manifest", decoders::manifest, seeds::vectors),
    target("entry", "a log entry", decoders::entry, seeds::entries),
    target("opaque", "OPAQUE messages at the server", decoders::opaque, seeds::opaque),
    target("sealed", "sealed frames, tickets and answers", decoders::sealed, seeds::vectors),
    target("account", "account names and passwords", decoders::account, seeds::texts),
    target("bundle", "a validation bundle and its parts", logs::bundle, seeds::vectors),
    target("event", "an event of the event log", logs::event, seeds::events),
    target("tlog", "notes, proofs, tiles, policies", logs::tlog, seeds::vectors),
    target("verifier", "kept heads and evidence", verifier::verifier, verifier::seeds),
    target("trace", "a simulator's trace", decoders::trace, seeds::traces),
    pieces("state", "a snapshot and its salts", records::state, seeds::states),
    pieces("record", "one fleet's state, entry after entry", records::record, seeds::histories),
    pieces(
        "answers",
        "outcomes that a fleet signed, at the device",
        answers::answers,
        seeds::outcomes,
    ),
    pieces("link", "two ends of a link", links::link, links::seeds),
    pieces("cluster", "three replicas, their disks and network", cluster::cluster, cluster::seeds),
    pieces("vault", "a vault process", vault::vault, vault::seeds),
];

const fn target(
    name: &'static str,
    what: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target { name, what, run, shape: Shape::Bytes, seeds }
}

const fn pieces(
    name: &'static str,
    what: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target { name, what, run, shape: Shape::Pieces, seeds }
}

/// The target of a name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs one target: what libFuzzer calls.
///
/// # Panics
/// If a property is broken, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    (find(name).expect("a target").run)(bytes);
}

/// The folder of checked-in inputs of a target.
pub fn corpus_dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// The checked-in inputs of a target, by name of their files.
pub fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(files) = std::fs::read_dir(corpus_dir(name)) else {
        return Vec::new();
    };
    let mut inputs: Vec<(String, Vec<u8>)> = files
        .filter_map(Result::ok)
        .filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            Some((name, std::fs::read(file.path()).ok()?))
        })
        .collect();
    inputs.sort();
    inputs
}
