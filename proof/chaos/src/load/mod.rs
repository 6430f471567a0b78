//! People at the gateway, all the while: honest ones, newcomers, guessers, and a steady question
//! whose only purpose is to be answered.

mod device;
mod guesser;
mod honest;
mod probe;

use crate::{Trouble, fleet::Fleet, network::End, record::Book};
use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use device::Door;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use strongroom_cli::dev::DevFleet;
use strongroom_manifest::{Manifest, Verified};

/// How many of each there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) honest: u32,
    pub(crate) twins: u32,
    pub(crate) guessers: u32,
    /// Accounts that are enrolled one after the other.
    pub(crate) newcomers: u32,
    pub(crate) probes_per_second: u32,
}

impl Crowd {
    /// What two cores bear beside seven nodes.
    pub(crate) const MODEST: Self =
        Self { honest: 8, twins: 1, guessers: 4, newcomers: 300, probes_per_second: 40 };
}

/// What all people of a run share.
pub(crate) struct Shared {
    pub(crate) book: Book,
    pub(crate) stopping: AtomicBool,
    /// Custodians started an era after the first: each costs every account a part of its year.
    pub(crate) cold_starts: AtomicU64,
    next_name: AtomicU64,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            book: Book::new(),
            stopping: AtomicBool::new(false),
            cold_starts: AtomicU64::new(0),
            next_name: AtomicU64::new(1),
        })
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// A number for one attempt or registration.
    fn name(&self) -> u64 {
        self.next_name.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits a while, or until the run stops.
    async fn pause(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while !self.is_stopping() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50).min(time)).await;
        }
    }
}

/// The people of one run.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<Result<(), Trouble>>>,
}

type Person = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Load {
    /// Adds the accounts; before the gateway starts, so that it reads its file once.
    pub(crate) fn invite(
        files: &DevFleet,
        shared: &Arc<Shared>,
        crowd: Crowd,
        seed: u64,
    ) -> Result<Invited, Trouble> {
        let manifest = read_manifest(files)?;
        let mut people = Invited { persons: Vec::new() };
        let mut client = 0;
        let mut door = |name: String| -> Result<Door, Trouble> {
            client += 1;
            let home = files.add_user(&name)?;
            let token = home.join("token");
            let token = fs::read_to_string(&token).map_err(|e| Trouble::io("read", &token, &e))?;
            Ok(Door {
                client,
                account: name,
                token: token.trim().to_owned(),
                gateway: format!("http://127.0.0.1:{}", files.gateway_port()),
                manifest: manifest.clone(),
                shared: Arc::clone(shared),
                dice: dice(seed, client),
            })
        };
        for number in 0..crowd.honest {
            people.add(honest::honest(door(format!("honest-{number}"))?));
        }
        for number in 0..crowd.twins {
            people.add(honest::twins(door(format!("twins-{number}"))?));
        }
        for number in 0..crowd.guessers {
            let accounts = (0..6).map(|one| door(format!("guessed-{number}-{one}")));
            people.add(guesser::guesser(accounts.collect::<Result<_, _>>()?));
        }
        let newcomers = (0..crowd.newcomers).map(|number| door(format!("newcomer-{number}")));
        people.add(honest::newcomers(newcomers.collect::<Result<_, _>>()?));
        if crowd.probes_per_second > 0 {
            let askers = (0..4).map(|number| door(format!("probe-{number}")));
            let every = Duration::from_secs(1) / crowd.probes_per_second;
            people.add(probe::probes(dice(seed, 0), askers.collect::<Result<_, _>>()?, every));
        }
        Ok(people)
    }

    /// Lets them in. They stand at the gateway, as an app's users seem to.
    pub(crate) fn begin(
        fleet: &Arc<Fleet>,
        shared: &Arc<Shared>,
        people: Invited,
    ) -> Result<Self, Trouble> {
        let fleet = Arc::clone(fleet);
        let everybody = move || {
            fleet.network().at(End::Gateway, move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|e| Trouble::new(format!("no runtime: {e}")))?;
                runtime.block_on(async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for person in people.persons {
                        tasks.spawn(person);
                    }
                    while let Some(done) = tasks.join_next().await {
                        done.map_err(|e| Trouble::new(format!("a client died: {e}")))?;
                    }
                    Ok(())
                })
            })
        };
        let thread = thread::Builder::new()
            .name("load".to_owned())
            .spawn(everybody)
            .map_err(|e| Trouble::new(format!("no thread: {e}")))?;
        Ok(Self { shared: Arc::clone(shared), thread: Some(thread) })
    }

    /// Asks everybody to come to an end, and waits: each recovers once more before it goes.
    pub(crate) fn end(&mut self) -> Result<(), Trouble> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(Trouble::new("the clients' thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// People with accounts and tokens.
pub(crate) struct Invited {
    persons: Vec<Person>,
}

impl Invited {
    fn add(&mut self, person: impl Future<Output = ()> + Send + 'static) {
        self.persons.push(Box::pin(person));
    }
}

fn read_manifest(files: &DevFleet) -> Result<Arc<Verified<Manifest>>, Trouble> {
    let path = files.manifest();
    let bytes = fs::read(&path).map_err(|e| Trouble::io("read", &path, &e))?;
    let pin: [u8; 32] = Sha256::digest(&bytes).into();
    let manifest = Verified::pinned(&bytes, &pin);
    let manifest = manifest.map_err(|e| Trouble::new(format!("{}: {e}", path.display())))?;
    Ok(Arc::new(manifest))
}

fn dice(seed: u64, client: u32) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    let (first, rest) = bytes.split_at_mut(8);
    first.copy_from_slice(&seed.to_le_bytes());
    for (place, byte) in rest.iter_mut().zip(client.to_le_bytes()) {
        *place = byte;
    }
    ChaCha20Rng::from_seed(bytes)
}
