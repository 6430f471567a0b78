//! Seven hosts, seven vaults and a gateway as real processes, and what can be done to them.

use crate::{
    Trouble,
    health::{self, Health},
    layer::{Injected, Layer, Switches},
    network::{End, Network, Weather},
    processes::{Processes, Signal},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use strongroom_cli::dev::DevFleet;

pub(crate) const NODES: u8 = 7;
const LOOK: Duration = Duration::from_millis(600);
const CEREMONY: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(50);

/// What of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Host,
    Vault,
    Both,
}

struct Node {
    disk: PathBuf,
    switches: Switches,
}

/// The fleet of one run. Its processes end with it.
pub(crate) struct Fleet {
    files: DevFleet,
    network: Network,
    layer: Layer,
    programs: PathBuf,
    nodes: BTreeMap<u8, Node>,
    processes: Processes,
}

impl Fleet {
    /// Makes everything and starts nothing.
    pub(crate) fn lay(
        folder: &Path,
        programs: &Path,
        namespaces: bool,
        waits_divided_by: u64,
    ) -> Result<Self, Trouble> {
        let layer = Layer::build(folder)?;
        let root = folder.join("fleet");
        let files = DevFleet::create(&root, programs, NODES, waits_divided_by)?;
        let network = Network::lay(&files, namespaces)?;
        let mut nodes = BTreeMap::new();
        for node in files.nodes() {
            let disk = files.node_dir(node).join("data");
            let switches = Switches::create(files.node_dir(node).join("switches"))?;
            let wrapper = files.node_dir(node).join("vault-with-faults");
            layer.wrapper(&wrapper, &programs.join("strongroom-vault"), &switches, &disk)?;
            crate::network::rewrite(&files.node_config(node), |table| {
                table.insert("vault_binary".to_owned(), wrapper.to_str()?.into());
                Some(())
            })?;
            nodes.insert(node, Node { disk, switches });
        }
        let programs = programs.to_path_buf();
        Ok(Self { files, network, layer, programs, nodes, processes: Processes::default() })
    }

    pub(crate) fn files(&self) -> &DevFleet {
        &self.files
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn ids(&self) -> Vec<u8> {
        self.nodes.keys().copied().collect()
    }

    /// Starts everything and holds the first ceremony.
    pub(crate) fn up(&self) -> Result<(), Trouble> {
        self.ids().into_iter().try_for_each(|node| self.start(node))?;
        let gateway = self.files.gateway_config();
        let words = [Path::new("gateway"), Path::new("--config"), &gateway];
        self.spawn(End::Gateway, &words, &[])?;
        self.ceremony()?;
        self.settle(Duration::from_secs(30)).map(drop)
    }

    fn spawn(
        &self,
        end: End,
        words: &[&Path],
        environment: &[(&'static str, PathBuf)],
    ) -> Result<(), Trouble> {
        let log = match end {
            End::Gateway => self.files.gateway_config().with_extension("log"),
            End::Node(node) => self.files.node_config(node).with_extension("log"),
        };
        let program = self.programs.join("strongroomd");
        let start = || self.processes.start(end, &program, words, environment, &log);
        self.network.at(end, start)
    }

    /// Starts a node that is down.
    pub(crate) fn start(&self, node: u8) -> Result<(), Trouble> {
        let config = self.files.node_config(node);
        let words = [Path::new("node"), Path::new("--config"), &config];
        let environment = match self.nodes.get(&node) {
            Some(one) => self.layer.environment(&one.switches, &one.disk).to_vec(),
            None => Vec::new(),
        };
        self.spawn(End::Node(node), &words, &environment)
    }

    /// Kills at once, as a crash or a power failure would. The host starts a killed vault again.
    pub(crate) fn kill(&self, node: u8, part: Part) -> Result<(), Trouble> {
        self.processes.signal(node, part, Signal::KILL)?;
        if part != Part::Vault {
            self.processes.bury(node)?;
        }
        Ok(())
    }

    /// Stops a process without ending it: it is hung, and its connections stand.
    pub(crate) fn hang(&self, node: u8, part: Part) -> Result<(), Trouble> {
        self.processes.signal(node, part, Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn wake(&self, node: u8, part: Part) -> Result<(), Trouble> {
        self.processes.signal(node, part, Signal::CONT)
    }

    pub(crate) fn is_running(&self, node: u8) -> bool {
        self.processes.is_running(node)
    }

    pub(crate) fn weather(&self, weather: &Weather) -> Result<(), Trouble> {
        self.network.set(weather)
    }

    /// A node's switches of clock and disk.
    pub(crate) fn switches(&self, node: u8) -> Result<&Switches, Trouble> {
        let found = self.nodes.get(&node).map(|node| &node.switches);
        found.ok_or_else(|| Trouble::new(format!("there is no node {node}")))
    }

    /// A node's disk.
    pub(crate) fn disk(&self, node: u8) -> Result<&Path, Trouble> {
        let found = self.nodes.get(&node).map(|node| node.disk.as_path());
        found.ok_or_else(|| Trouble::new(format!("there is no node {node}")))
    }

    /// What the layer has injected, over all nodes.
    pub(crate) fn injected(&self) -> Injected {
        let mut sum = Injected::default();
        for node in self.nodes.values() {
            sum += node.switches.injected();
        }
        sum
    }

    /// Copies a stopped node's disk aside.
    pub(crate) fn keep_disk(&self, node: u8) -> Result<PathBuf, Trouble> {
        let disk = self.disk(node)?;
        let kept = disk.with_file_name("data-old");
        copy(disk, &kept)?;
        Ok(kept)
    }

    /// Gives a stopped node another disk: an older one, or an empty one.
    pub(crate) fn swap_disk(&self, node: u8, kept: Option<&Path>) -> Result<(), Trouble> {
        let disk = self.disk(node)?;
        let entries = fs::read_dir(disk).map_err(|e| Trouble::io("read", disk, &e))?;
        for entry in entries.flatten() {
            fs::remove_file(entry.path()).map_err(|e| Trouble::io("remove", &entry.path(), &e))?;
        }
        kept.map_or(Ok(()), |kept| copy(kept, disk))
    }

    /// What the nodes say now; nothing of those that are silent.
    pub(crate) fn look(&self) -> BTreeMap<u8, Health> {
        let looks = thread::scope(|scope| {
            let looks: Vec<_> = self
                .ids()
                .into_iter()
                .map(|node| {
                    let base = self.network.http(&self.files, node);
                    scope.spawn(move || (node, health::ask(&base, LOOK)))
                })
                .collect();
            looks.into_iter().filter_map(|look| look.join().ok()).collect::<Vec<_>>()
        });
        looks.into_iter().filter_map(|(node, health)| Some((node, health?))).collect()
    }

    /// Who leads, waiting for it for a while.
    pub(crate) fn leader(&self) -> Result<u8, Trouble> {
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            let looks = self.look();
            let leaders = looks.iter().filter_map(|(node, health)| Some((health.leads()?, *node)));
            if let Some((_, node)) = leaders.max() {
                return Ok(node);
            }
            thread::sleep(PAUSE);
        }
        Err(Trouble::new("nobody leads for 15 s"))
    }

    /// Waits until every node votes and could serve; says how long that took.
    pub(crate) fn settle(&self, patience: Duration) -> Result<Duration, Trouble> {
        let began = Instant::now();
        loop {
            let looks = self.look();
            let good = |health: &Health| health.ready && health.votes();
            let all_vote = |health: &Health| {
                health.vault.as_ref().is_some_and(|v| v.voters.len() == usize::from(NODES))
            };
            if looks.len() == usize::from(NODES) && looks.values().all(|h| good(h) && all_vote(h)) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > patience {
                return Err(Trouble::new(format!(
                    "the fleet is not whole after {} s: {}",
                    patience.as_secs(),
                    self.describe(&looks)
                )));
            }
            thread::sleep(PAUSE);
        }
    }

    fn describe(&self, looks: &BTreeMap<u8, Health>) -> String {
        let words = self.ids().into_iter().map(|node| match looks.get(&node) {
            None => format!("node {node} is silent"),
            Some(health) => {
                let role = health.vault.as_ref().map_or("no vault", |vault| vault.role.as_str());
                let why = health.why_not.as_deref().unwrap_or("ready");
                let end = health.host.vault_last_end.as_deref().unwrap_or("none ended");
                format!("node {node}: {role}, {why}; vaults: {end}")
            }
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// Starts an era with the custodians of the fleet's folder. Returns the era.
    pub(crate) fn ceremony(&self) -> Result<u64, Trouble> {
        let end = Instant::now() + Duration::from_secs(20);
        let expected = usize::from(NODES);
        while self.look().values().filter(|health| health.vault.is_some()).count() < expected {
            if Instant::now() > end {
                return Err(Trouble::new("not all vaults speak before the ceremony"));
            }
            thread::sleep(PAUSE);
        }
        let asked = self
            .at_each(&self.ids(), |url| health::post(&format!("{url}/v1/position"), &[], CEREMONY));
        let given: Vec<(u8, Vec<u8>)> =
            asked.into_iter().filter_map(|(node, got)| Some((node, got.ok()?))).collect();
        let start = self.files.sign_start(&given)?;
        let told = self.at_each(&start.nodes, |url| {
            health::post(&format!("{url}/v1/start"), &start.bytes, CEREMONY)
        });
        let refusals: Vec<String> = told
            .iter()
            .filter_map(|(node, told)| Some(format!("node {node}: {}", told.as_ref().err()?)))
            .collect();
        if told.len() - refusals.len() < self.files.majority() {
            return Err(Trouble::new(format!("too few nodes follow: {}", refusals.join("; "))));
        }
        // Whoever gave a position and is not named is frozen until it begins anew.
        for node in self.ids().into_iter().filter(|node| !start.nodes.contains(node)) {
            self.kill(node, Part::Both)?;
            self.start(node)?;
        }
        Ok(start.era)
    }

    fn at_each(
        &self,
        nodes: &[u8],
        act: impl Fn(String) -> Result<Vec<u8>, String> + Sync,
    ) -> Vec<(u8, Result<Vec<u8>, String>)> {
        let act = &act;
        thread::scope(|scope| {
            let each: Vec<_> = nodes
                .iter()
                .map(|node| {
                    let url =
                        format!("http://127.0.0.1:{}", self.files.addresses(*node).admin_port);
                    let end = End::Node(*node);
                    let inside = move || Ok(act(url));
                    (*node, scope.spawn(move || self.network.at(end, inside)))
                })
                .collect();
            let panicked = || Err("the thread panicked".to_owned());
            each.into_iter()
                .map(|(node, thread)| match thread.join() {
                    Ok(Ok(told)) => (node, told),
                    Ok(Err(trouble)) => (node, Err(trouble.to_string())),
                    Err(_) => (node, panicked()),
                })
                .collect()
        })
    }
}

/// Copies the files of a folder of files.
fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(to).map_err(|e| Trouble::io("make", to, &e))?;
    let entries = fs::read_dir(from).map_err(|e| Trouble::io("read", from, &e))?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(|e| Trouble::io("copy to", &target, &e))?;
    }
    Ok(())
}
