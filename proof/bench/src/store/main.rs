//! Measures what a host's log store has to do: append a batch of sealed entries and one small meta
//! record, durably, while old entries are dropped and a snapshot is written now and then.
//!
//! `store [DIR] [SECONDS]` prints one table. The first rows are the limit: an append and an
//! `fdatasync` of the same bytes, with nothing that could find them again.

use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(feature = "fjall")]
mod fjall_engine;
#[cfg(feature = "raft-engine")]
mod raft_engine_engine;
mod raw;
#[cfg(feature = "redb")]
mod redb_engine;

const ENTRY: usize = 1_200;
const SALT: usize = 60;
const META: usize = 100;
const SNAPSHOT: usize = 32 << 20;
/// Entries between compactions, and how many of them stay.
const COMPACT_EVERY: u64 = 16_384;
const KEEP: u64 = 1_024;

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// One entry as the vault hands it over.
pub struct Entry {
    pub index: u64,
    pub entry: Vec<u8>,
    pub salt: Vec<u8>,
}

/// A candidate. Every call is durable when it returns.
pub trait Engine {
    fn append(&mut self, entries: &[Entry], meta: &[u8]) -> Fallible<()>;
    fn compact(&mut self, before: u64, snapshot: &[u8]) -> Fallible<()>;
}

type Open = fn(&Path) -> Fallible<Box<dyn Engine>>;

fn candidates() -> Vec<(&'static str, Open)> {
    vec![
        ("raw append+fdatasync (limit)", |d| Ok(Box::new(raw::Raw::open(d, false)?))),
        ("raw preallocated+fdatasync (limit)", |d| Ok(Box::new(raw::Raw::open(d, true)?))),
        #[cfg(feature = "redb")]
        ("redb 4, 2PC + quick repair", |d| Ok(Box::new(redb_engine::Redb::open(d, true)?))),
        #[cfg(feature = "redb")]
        ("redb 4, 1PC", |d| Ok(Box::new(redb_engine::Redb::open(d, false)?))),
        #[cfg(feature = "fjall")]
        ("fjall 3, SyncData", |d| Ok(Box::new(fjall_engine::Fjall::open(d)?))),
        #[cfg(feature = "raft-engine")]
        ("raft-engine 0.4, sync", |d| Ok(Box::new(raft_engine_engine::RaftEngine::open(d)?))),
    ]
}

/// Bytes that do not compress, like what a vault seals.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

struct Measured {
    appends: Vec<Duration>,
    compactions: Vec<Duration>,
    entries_per_s: f64,
    disk_mib: f64,
    reopen: Duration,
}

fn measure(open: Open, dir: &Path, batch: u64, seconds: u64) -> Fallible<Measured> {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir)?;
    let mut engine = open(dir)?;
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let snapshot = noise.bytes(SNAPSHOT);
    let (mut index, mut compacted) = (0_u64, 0_u64);
    let (mut appends, mut compactions) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut spent = Duration::ZERO;
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut entries = Vec::new();
        for _ in 0..batch {
            index += 1;
            entries.push(Entry { index, entry: noise.bytes(ENTRY), salt: noise.bytes(SALT) });
        }
        let meta = noise.bytes(META);
        let begun = Instant::now();
        engine.append(&entries, &meta)?;
        appends.push(begun.elapsed());
        if index >= compacted + COMPACT_EVERY {
            compacted = index;
            let begun = Instant::now();
            engine.compact(index - KEEP, &snapshot)?;
            compactions.push(begun.elapsed());
        }
    }
    appends.iter().for_each(|d| spent += *d);
    let entries_per_s = index as f64 / spent.as_secs_f64();
    // A crash, as far as one process can show it: nothing is closed.
    std::mem::forget(engine);
    let disk_mib = size(dir)? as f64 / f64::from(1 << 20);
    appends.sort();
    compactions.sort();
    Ok(Measured { appends, compactions, entries_per_s, disk_mib, reopen: Duration::ZERO })
}

fn size(dir: &Path) -> Fallible<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { size(&entry.path())? } else { meta.blocks() * 512 };
    }
    Ok(total)
}

fn reopen(open: Open, dir: &Path) -> Fallible<Duration> {
    let begun = Instant::now();
    let engine = open(dir)?;
    let took = begun.elapsed();
    drop(engine);
    Ok(took)
}

fn at(sorted: &[Duration], per_mille: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * per_mille / 1_000).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
}

fn main() -> Fallible<()> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "./bench-store".into());
    let seconds = args.next().map_or(Ok(4), |s| s.parse())?;
    if let Some(index) = args.next() {
        // The child that reopens after the parent "crashed": locks of the dead are gone by then.
        let (_, open) = candidates()[index.parse::<usize>()?];
        println!("{}", reopen(open, Path::new(&dir))?.as_secs_f64());
        return Ok(());
    }
    println!(
        "entries of {ENTRY} B + salt {SALT} B, meta {META} B, one durable batch at a time, {seconds} s each;"
    );
    println!(
        "every {COMPACT_EVERY} entries: drop all but {KEEP} and write a snapshot of {} MiB\n",
        SNAPSHOT >> 20
    );
    println!(
        "| store | batch | p50 ms | p99 ms | max ms | entries/s | of limit | compaction p50/max ms | disk MiB | reopen ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for batch in [1, 64] {
        let mut limit = None;
        for (number, (name, open)) in candidates().into_iter().enumerate() {
            run(&dir, seconds, number, name, open, batch, &mut limit)?;
        }
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn run(
    dir: &str,
    seconds: u64,
    number: usize,
    name: &str,
    open: Open,
    batch: u64,
    limit: &mut Option<f64>,
) -> Fallible<()> {
    let place = format!("{dir}/{number}-{batch}");
    let measured = measure(open, Path::new(&place), batch, seconds)?;
    // Reopened by a child, from a copy: no lock, no warm memory of ours.
    let exe = std::env::current_exe()?;
    let copy = format!("{place}-copy");
    std::process::Command::new("cp").args(["-a", &place, &copy]).status()?;
    let child = std::process::Command::new(exe).args([&copy, "0", &number.to_string()]).output()?;
    let reopen =
        String::from_utf8(child.stdout)?.trim().parse::<f64>().map(Duration::from_secs_f64);
    let measured = Measured { reopen: reopen.unwrap_or_default(), ..measured };
    let limit = *limit.get_or_insert(measured.entries_per_s);
    println!(
        "| {name} | {batch} | {:.2} | {:.2} | {:.1} | {:.0} | {:.2} | {:.0} / {:.0} | {:.0} | {:.0} |",
        at(&measured.appends, 500),
        at(&measured.appends, 990),
        at(&measured.appends, 1_000),
        measured.entries_per_s,
        measured.entries_per_s / limit,
        at(&measured.compactions, 500),
        at(&measured.compactions, 1_000),
        measured.disk_mib,
        measured.reopen.as_secs_f64() * 1e3,
    );
    std::fs::remove_dir_all(&place)?;
    std::fs::remove_dir_all(&copy)?;
    Ok(())
}
