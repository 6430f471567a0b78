//! Ten thousand epochs, and one bundle, against what they cannot do without.
//!
//! `cargo run --release -p strongroom-verify --example measure`. Exit codes: 0 both bounds are kept, 1 one
//! is not.

#[path = "../tests/world/published.rs"]
mod published;
#[path = "../tests/world/mod.rs"]
mod world;

use ed25519_dalek::Signer as _;
use published::{history, publish, run};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use strongroom_tlog::leaf_hash;
use strongroom_verify::check;
use world::{AUDITOR, World, circumstances, key, trust};

const EPOCHS: u64 = 10_000;
/// Of the whole check to two bare strict verifications an epoch and hashing of the same bytes.
const RATIO_MAX: f64 = 1.5;
const BUNDLE_MAX: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let published = publish(&history(EPOCHS));
    let start = Instant::now();
    let checked = run(&published).map(|checked| checked.len()).expect("the history holds");
    let whole = start.elapsed();

    let message = [7; 100];
    let (auditor, signature) = (key(AUDITOR).verifying_key(), key(AUDITOR).sign(&message));
    let start = Instant::now();
    for _ in 0..2 * EPOCHS {
        auditor.verify_strict(&message, &signature).expect("it is good");
    }
    let mut bytes = 0;
    let mut seen = 0_u8;
    for (path, file) in &published.files.0 {
        if path.starts_with("tile/entries/") {
            bytes += file.len();
            seen ^= leaf_hash(file).0[0];
        }
    }
    let bare = start.elapsed();
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{checked} epochs, {bytes} bytes (checksum {seen}), on {cores} cores: {whole:.2?}");
    println!("{} bare verifications and hashing, on one: {bare:.2?}", 2 * EPOCHS);
    println!("ratio {ratio:.2}, at most {RATIO_MAX}");

    let world = World::of_two_epochs();
    let (bundle, trust) = (world.bundle(2, &world.honest()).to_bytes(), trust());
    let mut times: Vec<Duration> = (0..1_001)
        .map(|_| {
            let start = Instant::now();
            check(&bundle, &trust, &circumstances(None)).expect("believed");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!(
        "one bundle of {} bytes: {median:.2?} (median of {}), at most {BUNDLE_MAX:?}",
        bundle.len(),
        times.len()
    );
    if ratio <= RATIO_MAX && median <= BUNDLE_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
