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
const ROUNDS: u32 = 5;
/// Of the whole check to two bare strict verifications an epoch and hashing of the same bytes.
const RATIO_MAX: f64 = 1.5;
const BUNDLE_MAX: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let published = publish(&history(EPOCHS));
    let entries = published.files.0.iter().filter(|(path, _)| path.starts_with("tile/entries/"));
    let entries: Vec<&Vec<u8>> = entries.map(|(_, file)| file).collect();
    let message = [7; 100];
    let (auditor, signature) = (key(AUDITOR).verifying_key(), key(AUDITOR).sign(&message));
    // In turn, and the fastest of each: what else the machine does slows either.
    let (mut whole, mut bare) = (Duration::MAX, Duration::MAX);
    let mut seen = 0_u8;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let checked = run(&published).expect("the history holds");
        whole = whole.min(start.elapsed());
        assert_eq!(checked.len() as u64, EPOCHS);

        let start = Instant::now();
        for _ in 0..2 * EPOCHS {
            auditor.verify_strict(&message, &signature).expect("it is good");
        }
        seen = entries.iter().fold(seen, |seen, file| seen ^ leaf_hash(file).0[0]);
        bare = bare.min(start.elapsed());
    }
    let bytes: usize = entries.iter().map(|file| file.len()).sum();
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{EPOCHS} epochs, {bytes} bytes (checksum {seen}), on {cores} cores: {whole:.2?}");
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
