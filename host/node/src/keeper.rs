//! The one thread that writes the vault's bytes to the disk.
//!
//! Several batches that wait are written in one go: they share one sync. A batch is acknowledged
//! after it is durable and not before, however long the disk refuses; a vault that waits for an
//! acknowledgement answers nobody, which is the right thing for a node whose disk is full.

use crate::{error::NodeError, vitals::Vitals};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use strongroom_store::{Loaded, Op, Store, StoreError};
use strongroom_wire::process::{PersistOp, ToVault};
use tokio::sync::{mpsc, oneshot};

/// Batches that wait for the disk before the vault's pipe waits.
const WAITING_MAX: usize = 256;
/// Operations that share one sync.
const OPS_MAX: usize = 4_096;
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Replaced salts are left behind in a file's free pages at most this long.
const REWRITE_AFTER: Duration = Duration::from_secs(30);

/// Where batches go. A trait, so that tests have a disk that refuses.
pub(crate) trait Disk: Send + 'static {
    /// Opens again, from what is durable, and reads all of it.
    fn open(&mut self) -> Result<Loaded, StoreError>;
    /// Makes the operations durable as a whole.
    fn apply(&mut self, ops: &[Op]) -> Result<(), StoreError>;
    /// Leaves behind what operations have removed.
    fn rewrite(&mut self) -> Result<(), StoreError>;
}

/// The store in a folder.
pub(crate) struct StoreDisk {
    dir: PathBuf,
    store: Option<Store>,
}

impl StoreDisk {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, store: None }
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => Store::open(&self.dir)?.0,
        };
        let result = act(&mut store);
        // A store that failed otherwise than by being full takes nothing more: the next batch opens
        // it again, from what is durable.
        if matches!(result, Ok(_) | Err(StoreError::DiskFull { .. })) {
            self.store = Some(store);
        }
        result
    }
}

impl Disk for StoreDisk {
    fn open(&mut self) -> Result<Loaded, StoreError> {
        self.store = None;
        let (store, loaded) = Store::open(&self.dir)?;
        self.store = Some(store);
        Ok(loaded)
    }

    fn apply(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.with(|store| store.apply(ops))
    }

    fn rewrite(&mut self) -> Result<(), StoreError> {
        self.with(Store::rewrite)
    }
}

/// One batch of the vault.
struct Batch {
    generation: u64,
    number: u64,
    ops: Vec<Op>,
    acknowledge: mpsc::Sender<ToVault>,
}

enum Order {
    Load(oneshot::Sender<Result<Loaded, StoreError>>),
    Persist(Batch),
}

/// The way to the disk's thread.
#[derive(Clone)]
pub(crate) struct Keeper {
    orders: mpsc::Sender<Order>,
    /// The process whose batches still matter.
    generation: Arc<AtomicU64>,
}

impl Keeper {
    /// Starts the thread. It ends when the last `Keeper` is gone and what waited is written.
    pub(crate) fn start(disk: impl Disk, vitals: Arc<Vitals>) -> Result<Self, NodeError> {
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        let generation = Arc::new(AtomicU64::new(0));
        let writer =
            Writer { disk, vitals, generation: Arc::clone(&generation), stale_since: None };
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|source| NodeError::System { what: "start the disk's thread", source })?;
        Ok(Self { orders, generation })
    }

    /// Gives up the batches of earlier processes, which nobody waits for, and reads what is durable.
    /// Returns the generation under which the next process's batches are given.
    pub(crate) async fn load(&self) -> Result<(u64, Loaded), String> {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let (reply, answer) = oneshot::channel();
        let gone = || "the disk's thread is gone".to_owned();
        let sent = self.orders.send(Order::Load(reply)).await;
        sent.map_err(|_| gone())?;
        let loaded = answer.await.map_err(|_| gone())?;
        loaded.map(|loaded| (generation, loaded)).map_err(|e| e.to_string())
    }

    /// Queues one batch; waits while the queue is full.
    pub(crate) async fn persist(
        &self,
        generation: u64,
        number: u64,
        ops: Vec<PersistOp>,
        acknowledge: mpsc::Sender<ToVault>,
    ) {
        let batch =
            Batch { generation, number, ops: ops.into_iter().map(to_op).collect(), acknowledge };
        // An error means that the thread is gone: then nothing is acknowledged any more.
        let _ = self.orders.send(Order::Persist(batch)).await;
    }
}

fn to_op(op: PersistOp) -> Op {
    match op {
        PersistOp::Meta { bytes } => Op::PutMeta(bytes.0),
        PersistOp::Entry { index, entry, salt } => {
            Op::PutEntry { index, entry: entry.0, salt: salt.0 }
        }
        PersistOp::EntrySalt { index, salt } => Op::PutEntrySalt { index, salt: salt.0 },
        PersistOp::TruncateFrom { index } => Op::TruncateFrom { index },
        PersistOp::CompactBefore { index } => Op::CompactBefore { index },
        PersistOp::Snapshot { bytes } => Op::PutSnapshot(bytes.0),
        PersistOp::Salts { bytes } => Op::PutSalts(bytes.0),
        PersistOp::Clear {} => Op::Clear,
    }
}

struct Writer<D> {
    disk: D,
    vitals: Arc<Vitals>,
    generation: Arc<AtomicU64>,
    /// Since when the file may hold salts that were replaced.
    stale_since: Option<Instant>,
}

impl<D: Disk> Writer<D> {
    fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.blocking_recv() {
            let mut order = Some(order);
            while let Some(now) = order.take() {
                order = match now {
                    Order::Load(reply) => {
                        let loaded = self.disk.open();
                        self.vitals.disk(loaded.as_ref().err().map(ToString::to_string));
                        let _ = reply.send(loaded);
                        None
                    }
                    Order::Persist(first) => self.persist(first, &mut orders),
                };
            }
            self.rewrite_when_due(orders.is_empty());
        }
    }

    /// Writes a batch and those behind it; returns the order that ended the row.
    fn persist(&mut self, first: Batch, orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
        let mut rest = None;
        let mut ops = Vec::new();
        let mut row = Vec::new();
        let mut take = |batch: Batch, row: &mut Vec<_>| {
            ops.extend(batch.ops);
            row.push((batch.generation, batch.number, batch.acknowledge));
            ops.len() < OPS_MAX
        };
        let mut has_room = take(first, &mut row);
        while has_room && rest.is_none() {
            match orders.try_recv() {
                Ok(Order::Persist(batch)) => has_room = take(batch, &mut row),
                Ok(load) => rest = Some(load),
                Err(_) => break,
            }
        }
        let generation = row.first().map_or(0, |(generation, _, _)| *generation);
        if self.write(generation, &ops) {
            let salts = ops.iter().any(|op| matches!(op, Op::PutSalts(_)));
            if salts && self.stale_since.is_none() {
                self.stale_since = Some(Instant::now());
            }
            for (_, number, acknowledge) in row {
                // An error means that the process is gone, and with it who waits.
                let _ = acknowledge.blocking_send(ToVault::Persisted { number });
            }
        }
        rest
    }

    /// Tries until the operations are durable, or until their process is gone. True if durable.
    fn write(&mut self, generation: u64, ops: &[Op]) -> bool {
        let mut pause = RETRY_MIN;
        let started = Instant::now();
        loop {
            match self.disk.apply(ops) {
                Ok(()) => {
                    if started.elapsed() > RETRY_MIN && pause > RETRY_MIN {
                        tracing::info!("the disk takes bytes again");
                    }
                    self.vitals.disk(None);
                    let metrics = &self.vitals.metrics;
                    metrics.persist_batches.increment(1);
                    metrics.persist_seconds.record(started.elapsed().as_secs_f64());
                    return true;
                }
                Err(error) => {
                    tracing::error!(%error, retry_ms = pause.as_millis() as u64, "nothing is acknowledged: the disk refused a batch");
                    self.vitals.metrics.persist_failures.increment(1);
                    self.vitals.disk(Some(error.to_string()));
                }
            }
            if self.generation.load(Ordering::SeqCst) != generation {
                return false;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn rewrite_when_due(&mut self, is_idle: bool) {
        let Some(since) = self.stale_since else {
            return;
        };
        if !is_idle && since.elapsed() < REWRITE_AFTER {
            return;
        }
        match self.disk.rewrite() {
            Ok(()) => self.stale_since = None,
            // Salts that were replaced are sealed under a key that is gone; trying again later is
            // enough.
            Err(error) => tracing::warn!(%error, "replaced salts are still in the store's file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use std::sync::Mutex;
    use strongroom_wire::codec::Blob;

    /// A disk that refuses while it is told to, and remembers what it took.
    #[derive(Clone, Default)]
    struct Stubborn(Arc<Mutex<StubbornState>>);

    #[derive(Default)]
    struct StubbornState {
        refusing: bool,
        applied: Vec<usize>,
        rewrites: usize,
    }

    impl Disk for Stubborn {
        fn open(&mut self) -> Result<Loaded, StoreError> {
            Ok(Loaded::default())
        }

        fn apply(&mut self, ops: &[Op]) -> Result<(), StoreError> {
            let mut state = self.0.lock().expect("lock");
            if state.refusing {
                return Err(StoreError::DiskFull { path: "full".into() });
            }
            state.applied.push(ops.len());
            Ok(())
        }

        fn rewrite(&mut self) -> Result<(), StoreError> {
            self.0.lock().expect("lock").rewrites += 1;
            Ok(())
        }
    }

    fn entry(index: u64) -> PersistOp {
        PersistOp::Entry { index, entry: Blob(vec![1]), salt: Blob(vec![2]) }
    }

    fn start(disk: &Stubborn) -> (Keeper, Arc<Vitals>) {
        let metrics = Metrics::new(1).expect("metrics");
        let vitals = Arc::new(Vitals::new(1, "dev", metrics));
        let keeper = Keeper::start(disk.clone(), Arc::clone(&vitals)).expect("keeper");
        (keeper, vitals)
    }

    #[tokio::test]
    async fn a_batch_that_the_disk_refuses_is_never_acknowledged() {
        let disk = Stubborn::default();
        let (keeper, vitals) = start(&disk);
        let (generation, _) = keeper.load().await.expect("load");
        disk.0.lock().expect("lock").refusing = true;
        let (acknowledge, mut acknowledged) = mpsc::channel(8);
        for number in 1..=3 {
            let ops = vec![entry(number)];
            keeper.persist(generation, number, ops, acknowledge.clone()).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(acknowledged.try_recv().is_err());
        let report = serde_json::to_value(vitals.report()).expect("json");
        assert!(report["host"]["disk_fault"].is_string(), "{report}");

        disk.0.lock().expect("lock").refusing = false;
        for number in 1..=3 {
            assert_eq!(acknowledged.recv().await, Some(ToVault::Persisted { number }));
        }
        let report = serde_json::to_value(vitals.report()).expect("json");
        assert!(report["host"]["disk_fault"].is_null(), "{report}");
    }

    #[tokio::test]
    async fn a_dead_processs_batch_does_not_hold_up_the_next_process() {
        let disk = Stubborn::default();
        let (keeper, _) = start(&disk);
        let (generation, _) = keeper.load().await.expect("load");
        disk.0.lock().expect("lock").refusing = true;
        let (acknowledge, mut acknowledged) = mpsc::channel(8);
        keeper.persist(generation, 1, vec![entry(1)], acknowledge).await;
        let loaded = tokio::time::timeout(Duration::from_secs(5), keeper.load()).await;
        let (next, _) = loaded.expect("not stuck").expect("load");
        assert!(next > generation);
        assert_eq!(acknowledged.recv().await, None);
    }

    #[tokio::test]
    async fn batches_that_wait_share_one_write_and_replaced_salts_are_left_behind() {
        let disk = Stubborn::default();
        let (keeper, _) = start(&disk);
        let (generation, _) = keeper.load().await.expect("load");
        disk.0.lock().expect("lock").refusing = true;
        let (acknowledge, mut acknowledged) = mpsc::channel(64);
        for number in 1..=20 {
            let salts = PersistOp::Salts { bytes: Blob(vec![9]) };
            let ops = vec![entry(number), salts];
            keeper.persist(generation, number, ops, acknowledge.clone()).await;
        }
        disk.0.lock().expect("lock").refusing = false;
        for number in 1..=20 {
            assert_eq!(acknowledged.recv().await, Some(ToVault::Persisted { number }));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let state = disk.0.lock().expect("lock");
        assert_eq!(state.applied.iter().sum::<usize>(), 40);
        assert!(state.applied.len() <= 3, "{:?}", state.applied);
        assert!(state.rewrites >= 1);
    }
}
