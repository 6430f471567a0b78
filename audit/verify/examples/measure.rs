//! Ten thousand epochs, and one bundle, against what they cannot do without.
//!
//! `cargo run --release -p strongroom-verify --example measure`. Exit codes: 0 both bounds are kept, 1 one
//! is not.

#[path = "../tests/world/published.rs"]
mod published;
#[path = "../tests/world/mod.rs"]
mod world;

use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use published::{Published, history, publish, run};
use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};
use strongroom_tlog::leaf_hash;
use strongroom_verify::check;
use world::{AUDITOR, World, circumstances, key, trust};

/// One slice: short enough that what else the machine does hits both workloads alike.
const SLICE: u64 = 1_000;
const SLICES: usize = 10;
/// Of ten thousand epochs each; the median of their ratios counts.
const ROUNDS: usize = 9;
/// Of the whole check to two bare strict verifications an epoch and hashing of the same bytes.
const RATIO_MAX: f64 = 1.5;
const BUNDLE_MAX: Duration = Duration::from_millis(1);

/// What is signed and what is hashed, without anything around it.
struct Bare {
    key: VerifyingKey,
    message: [u8; 100],
    signature: Signature,
    entries: Vec<Vec<u8>>,
}

impl Bare {
    fn run(&self) -> Duration {
        let start = Instant::now();
        for _ in 0..2 * SLICE {
            let message = black_box(&self.message);
            self.key.verify_strict(message, &self.signature).expect("it is good");
        }
        for entries in &self.entries {
            black_box(leaf_hash(black_box(entries)));
        }
        start.elapsed()
    }
}

fn whole(published: &Published) -> Duration {
    let start = Instant::now();
    let checked = run(published).expect("the history holds");
    let spent = start.elapsed();
    assert_eq!(checked.len() as u64, SLICE);
    spent
}

fn median<T: Copy>(mut of: Vec<T>, order: impl Fn(&T, &T) -> core::cmp::Ordering) -> T {
    of.sort_unstable_by(order);
    of[of.len() / 2]
}

fn main() -> ExitCode {
    let published = publish(&history(SLICE));
    let entries = published.files.0.iter().filter(|(path, _)| path.starts_with("tile/entries/"));
    let message = [7; 100];
    let bare = Bare {
        key: key(AUDITOR).verifying_key(),
        message,
        signature: key(AUDITOR).sign(&message),
        entries: entries.map(|(_, file)| file.clone()).collect(),
    };
    let bytes: usize = SLICES * bare.entries.iter().map(Vec::len).sum::<usize>();
    let mut ratios = Vec::new();
    let mut spent = Vec::new();
    for _ in 0..ROUNDS {
        let (mut of_whole, mut of_bare) = (Duration::ZERO, Duration::ZERO);
        // In turn, slice by slice: a neighbour that takes a core for a second takes it from both.
        for _ in 0..SLICES {
            of_whole += whole(&published);
            of_bare += bare.run();
        }
        ratios.push(of_whole.as_secs_f64() / of_bare.as_secs_f64());
        spent.push((of_whole, of_bare));
    }
    let ratio = median(ratios.clone(), f64::total_cmp);
    let (of_whole, of_bare) = median(spent, Ord::cmp);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let epochs = SLICES as u64 * SLICE;
    println!("{epochs} epochs, {bytes} bytes, on {cores} cores: {of_whole:.2?}");
    println!("{} bare verifications and hashing, on one: {of_bare:.2?}", 2 * epochs);
    println!("ratio {ratio:.2} (median of {ratios:.2?}), at most {RATIO_MAX}");

    let world = World::of_two_epochs();
    let (bundle, trust) = (world.bundle(2, &world.honest()).to_bytes(), trust());
    let times: Vec<Duration> = (0..1_001)
        .map(|_| {
            let start = Instant::now();
            check(&bundle, &trust, &circumstances(None)).expect("believed");
            start.elapsed()
        })
        .collect();
    let one = median(times, Ord::cmp);
    println!(
        "one bundle of {} bytes: {one:.2?} (median of 1001), at most {BUNDLE_MAX:?}",
        bundle.len()
    );
    if ratio <= RATIO_MAX && one <= BUNDLE_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
