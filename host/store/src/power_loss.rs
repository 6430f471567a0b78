//! Power is cut after every single write, with every kind of luck for what was not yet synced.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use crate::disk::{Disk, Fault};
use crate::engine::Engine;
use crate::{Entry, Loaded, Op, StoreError};

#[derive(Debug, Clone)]
enum Call {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

#[derive(Debug, Default)]
struct Platter {
    bytes: Vec<u8>,
    calls: Vec<Call>,
    /// Writes that still succeed; then the disk is full until somebody makes room.
    room: Option<usize>,
}

impl Platter {
    fn take(&mut self, call: Call) {
        match &call {
            Call::Write(at, data) => {
                let (at, end) = (*at as usize, *at as usize + data.len());
                self.bytes.resize(self.bytes.len().max(end), 0);
                self.bytes[at..end].copy_from_slice(data);
            }
            Call::SetLen(len) => self.bytes.resize(*len as usize, 0),
            Call::Sync => {}
        }
        self.calls.push(call);
    }
}

/// A disk in memory that several openings share.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Platter>>);

impl Memory {
    fn of(bytes: Vec<u8>) -> Memory {
        Memory(Arc::new(Mutex::new(Platter { bytes, ..Platter::default() })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Platter) -> T) -> T {
        act(&mut self.0.lock().expect("not poisoned"))
    }

    fn open(&self) -> Result<Engine, StoreError> {
        let path = PathBuf::from("memory");
        Engine::open(Disk { backend: self.clone(), fault: Fault::default(), path })
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|p| p.bytes.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        let read =
            |p: &mut Platter| p.bytes.get(at..at + out.len()).map(|b| out.copy_from_slice(b));
        self.with(read).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|p| p.take(Call::SetLen(len)));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|p| p.take(Call::Sync));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|p| {
            match &mut p.room {
                Some(0) => return Err(io::ErrorKind::StorageFull.into()),
                Some(left) => *left -= 1,
                None => {}
            }
            p.take(Call::Write(offset, data.to_vec()));
            Ok(())
        })
    }
}

fn entry(index: u64, fill: u8) -> Op {
    Op::PutEntry { index, entry: vec![fill; 1_200], salt: vec![fill ^ 0xff; 60] }
}

/// What a vault asks for in its life, every operation at least once.
fn batches() -> Vec<Vec<Op>> {
    let log = |range: std::ops::Range<u64>, fill| range.map(move |i| entry(i, fill));
    vec![
        vec![Op::PutMeta(vec![1; 100]), entry(1, 1)],
        [Op::PutMeta(vec![2; 100])].into_iter().chain(log(2..40, 2)).collect(),
        [Op::TruncateFrom { index: 30 }].into_iter().chain(log(30..34, 3)).collect(),
        vec![Op::PutSnapshot(vec![4; 300_000]), Op::PutSalts(vec![4; 9_000])],
        vec![Op::PutEntrySalt { index: 33, salt: vec![5; 60] }, Op::CompactBefore { index: 32 }],
        vec![Op::PutSnapshot(vec![6; 200_000]), Op::PutSalts(vec![6; 8_000]), entry(34, 6)],
        vec![Op::Clear, Op::PutMeta(vec![7; 100])],
        vec![entry(90, 8), Op::PutSnapshot(vec![8; 50_000])],
    ]
}

/// The state after each batch, by a model that has no disk.
fn states(batches: &[Vec<Op>]) -> Vec<Loaded> {
    let mut state = Loaded::default();
    let mut states = vec![state.clone()];
    for batch in batches {
        for op in batch.iter().cloned() {
            match op {
                Op::PutMeta(bytes) => state.meta = Some(bytes),
                Op::PutSnapshot(bytes) => state.snapshot = Some(bytes),
                Op::PutSalts(bytes) => state.salts = Some(bytes),
                Op::TruncateFrom { index } => state.entries.retain(|e| e.index < index),
                Op::CompactBefore { index } => state.entries.retain(|e| e.index >= index),
                Op::Clear => state = Loaded::default(),
                Op::PutEntry { index, entry, salt } => {
                    state.entries.retain(|e| e.index != index);
                    state.entries.push(Entry { index, entry, salt });
                    state.entries.sort_by_key(|e| e.index);
                }
                Op::PutEntrySalt { index, salt } => {
                    let found = state.entries.iter_mut().find(|e| e.index == index);
                    found.expect("there is one").salt = salt;
                }
            }
        }
        states.push(state.clone());
    }
    states
}

/// What happened to the calls since the last sync.
#[derive(Debug, Clone, Copy)]
enum Luck {
    All,
    None,
    OnlyLast,
    AllButFirst,
    LastTorn,
    Coin(u64),
}

fn image(calls: &[Call], luck: Luck) -> Vec<u8> {
    let synced = calls.iter().rposition(|c| matches!(c, Call::Sync)).map_or(0, |i| i + 1);
    let mut platter = Platter::default();
    calls[..synced].iter().for_each(|c| platter.take(c.clone()));
    let open = &calls[synced..];
    let mut coin = match luck {
        Luck::Coin(seed) => seed,
        _ => 0,
    };
    for (number, call) in open.iter().enumerate() {
        let last = number + 1 == open.len();
        coin = coin.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lands = match luck {
            Luck::All | Luck::LastTorn => true,
            Luck::None => false,
            Luck::OnlyLast => last,
            Luck::AllButFirst => number > 0,
            Luck::Coin(_) => coin >> 63 == 0,
        };
        match (call, luck) {
            (Call::Write(at, data), Luck::LastTorn) if last => {
                platter.take(Call::Write(*at, data[..data.len() / 2].to_vec()));
            }
            (call, _) if lands => platter.take(call.clone()),
            _ => {}
        }
    }
    platter.bytes
}

#[test]
fn a_power_loss_at_any_write_leaves_the_old_batch_or_the_new_one() {
    let batches = batches();
    let states = states(&batches);
    let memory = Memory::default();
    let mut engine = memory.open().expect("a new file");
    engine.apply(&[]).expect("an empty batch");
    let mut ends = vec![memory.with(|p| p.calls.len())];
    for batch in &batches {
        engine.apply(batch).expect("room");
        ends.push(memory.with(|p| p.calls.len()));
    }
    let calls = memory.with(|p| p.calls.clone());
    let mut tried = 0;
    for cut in ends[0]..=*ends.last().expect("one") {
        let acknowledged = ends.iter().rposition(|end| *end <= cut).expect("the first");
        let coins = (0..4).map(|n| Luck::Coin(n * 7_919 + cut as u64));
        let fixed = [Luck::All, Luck::None, Luck::OnlyLast, Luck::AllButFirst, Luck::LastTorn];
        for luck in fixed.into_iter().chain(coins) {
            let engine = Memory::of(image(&calls[..cut], luck)).open();
            let loaded = engine.and_then(|e| e.load());
            let loaded = loaded.unwrap_or_else(|e| panic!("cut {cut} {luck:?}: {e}"));
            let next = states.get(acknowledged + 1);
            assert!(
                loaded == states[acknowledged] || Some(&loaded) == next,
                "cut {cut} {luck:?}: neither batch {acknowledged} nor the next",
            );
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried} crashes are too few to mean anything");
}

#[test]
fn a_disk_that_fills_at_any_write_keeps_its_state_and_takes_the_batch_later() {
    let batches = batches();
    let states = states(&batches);
    for room in 0.. {
        let memory = Memory::default();
        let mut engine = memory.open().expect("a new file");
        for batch in &batches[..5] {
            engine.apply(batch).expect("room");
        }
        memory.with(|p| p.room = Some(room));
        let result = engine.apply(&batches[5]);
        drop(engine);
        memory.with(|p| p.room = None);
        let mut engine = memory.open().expect("what was there");
        let loaded = engine.load().expect("what was there");
        match &result {
            Ok(()) => assert_eq!(loaded, states[6]),
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
                assert!(loaded == states[5] || loaded == states[6], "room for {room} writes");
            }
        }
        engine.apply(&batches[5]).expect("room again");
        assert_eq!(engine.load().expect("all"), states[6]);
        engine.apply(&batches[6]).expect("room again");
        assert_eq!(engine.load().expect("all"), states[7]);
        if result.is_ok() {
            assert!(room > 5, "the disk was never full");
            break;
        }
    }
}
