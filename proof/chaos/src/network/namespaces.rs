//! A network namespace for each host and one for the gateway, around one bridge.
//!
//! All of it lives inside namespaces of this program alone (`unshare`): whatever happens to it, no
//! interface, mount or process of a run is left behind.

use super::{End, Weather, rewrite, set_peers, set_urls};
use crate::Trouble;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fmt::Write as _,
    fs::File,
    io::Write as _,
    os::fd::AsFd as _,
    process::{Command, Stdio},
    thread,
};
use strongroom_cli::dev::DevFleet;

/// Words that tell this program that it runs inside of its namespaces already.
const INSIDE: &str = "STRONGROOM_CHAOS_INSIDE";
const BRIDGE: &str = "chaos";
/// The last byte of this program's own address; nodes have their numbers.
const OWN: u8 = 254;
const GATEWAY: u8 = 250;
/// What a slow link carries. Beats, heartbeats and frames queue up before it, for up to `DELAY`.
const SLOW: [&str; 7] = ["tbf", "rate", "3mbit", "burst", "16kb", "latency", "400ms"];

/// Whether this run may have namespaces.
pub(crate) enum Permission {
    /// It stands in its own.
    Inside,
    /// It may: become this command first.
    Granted(Command),
    /// It may not, and why.
    Denied(String),
}

/// Finds out by trying.
pub(crate) fn permission() -> Permission {
    if std::env::var_os(INSIDE).is_some() {
        return Permission::Inside;
    }
    let is_root = rustix::process::geteuid().is_root();
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        command
    };
    let probe = "mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip netns add a && \
                 ip link add chaosp type bridge && ip link add v type veth peer name eth0 netns a \
                 && ip netns exec a nft add table inet a";
    let tried = unshare().args(["sh", "-c", probe]).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => {
            let mut command = unshare();
            match std::env::current_exe() {
                Ok(own) => command.arg(own),
                Err(e) => return Permission::Denied(format!("this program is not found: {e}")),
            };
            command.args(std::env::args_os().skip(1)).env(INSIDE, "1");
            Permission::Granted(command)
        }
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            Permission::Denied(words.lines().last().unwrap_or("unshare failed").to_owned())
        }
        Err(e) => Permission::Denied(format!("unshare (util-linux) cannot be run: {e}")),
    }
}

/// The address of an end.
pub(super) fn address(end: End) -> String {
    format!("10.77.0.{}", number(end))
}

fn number(end: End) -> u8 {
    match end {
        End::Node(node) => node,
        End::Gateway => GATEWAY,
    }
}

fn name(end: End) -> String {
    match end {
        End::Node(node) => format!("node-{node}"),
        End::Gateway => "gateway".to_owned(),
    }
}

/// The namespaces of one run.
pub(crate) struct Namespaces {
    ends: Vec<End>,
}

impl Namespaces {
    pub(super) fn lay(fleet: &DevFleet) -> Result<Self, Trouble> {
        let ends: Vec<End> = fleet.nodes().map(End::Node).chain([End::Gateway]).collect();
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
        std::fs::create_dir_all("/run/netns")
            .map_err(|e| Trouble::io("make", "/run/netns".as_ref(), &e))?;
        run("ip", &["link", "set", "lo", "up"])?;
        run("ip", &["link", "add", BRIDGE, "type", "bridge"])?;
        run("ip", &["addr", "add", &format!("10.77.0.{OWN}/24"), "dev", BRIDGE])?;
        run("ip", &["link", "set", BRIDGE, "up"])?;
        let network = Self { ends };
        for end in network.ends.iter().copied() {
            network.add(end)?;
        }
        network.configure(fleet)?;
        Ok(network)
    }

    fn add(&self, end: End) -> Result<(), Trouble> {
        let (space, outer) = (name(end), format!("c{}", number(end)));
        run("ip", &["netns", "add", &space])?;
        let pair = ["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &space];
        run("ip", &pair)?;
        run("ip", &["link", "set", &outer, "master", BRIDGE])?;
        run("ip", &["link", "set", &outer, "up"])?;
        let inside = |words: &[&str]| run("ip", &[&["-n", &space], words].concat());
        inside(&["link", "set", "lo", "up"])?;
        inside(&["addr", "add", &format!("{}/24", address(end)), "dev", "eth0"])?;
        inside(&["link", "set", "eth0", "up"])?;
        self.rules(end, &Weather::default())
    }

    fn configure(&self, fleet: &DevFleet) -> Result<(), Trouble> {
        let peer =
            |node: u8| format!("{}:{}", address(End::Node(node)), fleet.addresses(node).peer_port);
        let http =
            |node: u8| format!("{}:{}", address(End::Node(node)), fleet.addresses(node).http_port);
        for node in fleet.nodes() {
            rewrite(&fleet.node_config(node), |table| {
                table.insert("peer_listen".to_owned(), peer(node).into());
                table.insert("http_listen".to_owned(), http(node).into());
                set_peers(table, peer)
            })?;
        }
        rewrite(&fleet.gateway_config(), |table| set_urls(table, |n| format!("http://{}", http(n))))
    }

    pub(super) fn set(&self, weather: &Weather) -> Result<(), Trouble> {
        self.ends.iter().try_for_each(|end| {
            self.rules(*end, weather)?;
            self.delay(*end, weather)
        })
    }

    /// Packets are dropped where they arrive, so that one way is one way.
    fn rules(&self, end: End, weather: &Weather) -> Result<(), Trouble> {
        let mut script = "table inet chaos {}\ndelete table inet chaos\ntable inet chaos {\n\
                          chain arrivals { type filter hook input priority 0;\n"
            .to_owned();
        for (from, _) in weather.cut.iter().filter(|(_, to)| *to == end) {
            let _ = writeln!(script, "ip saddr {} drop", address(*from));
        }
        if weather.loss_percent > 0 {
            // This program looks at the nodes from outside of their weather.
            let _ = writeln!(
                script,
                "ip saddr != 10.77.0.{OWN} iifname \"eth0\" numgen random mod 100 < {} drop",
                weather.loss_percent
            );
        }
        script.push_str("}\n}\n");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &name(end), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Trouble::missing(format!("`ip`: {e}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(script.as_bytes());
        }
        let output = child.wait_with_output().map_err(|e| Trouble::new(e.to_string()))?;
        check("nft", output.status.success(), &output.stderr)
    }

    fn delay(&self, end: End, weather: &Weather) -> Result<(), Trouble> {
        let End::Node(node) = end else { return Ok(()) };
        let space = name(end);
        let root = ["-n", &space, "qdisc"];
        if weather.slow.contains(&node) {
            let words = [&root[..], &["replace", "dev", "eth0", "root"], &SLOW].concat();
            return run("tc", &words);
        }
        // There may be none to remove.
        let words = [&root[..], &["del", "dev", "eth0", "root"]].concat();
        let _ = Command::new("tc").args(words).stderr(Stdio::null()).status();
        Ok(())
    }

    pub(super) fn at<T: Send>(
        &self,
        end: End,
        act: impl FnOnce() -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
        let path = format!("/run/netns/{}", name(end));
        let space = File::open(&path).map_err(|e| Trouble::io("open", path.as_ref(), &e))?;
        // A namespace belongs to a thread: this one has no other work.
        let done = thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(|e| Trouble::new(format!("cannot enter {path}: {e}")))?;
                act()
            });
            inside.join()
        });
        done.unwrap_or_else(|_| Err(Trouble::new("what was done in a namespace panicked")))
    }
}

fn run(program: &str, words: &[&str]) -> Result<(), Trouble> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|e| Trouble::missing(format!("`{program}`: {e}")))?;
    check(&format!("{program} {}", words.join(" ")), output.status.success(), &output.stderr)
}

fn check(what: &str, success: bool, words: &[u8]) -> Result<(), Trouble> {
    if success {
        return Ok(());
    }
    Err(Trouble::new(format!("{what}: {}", String::from_utf8_lossy(words).trim())))
}
