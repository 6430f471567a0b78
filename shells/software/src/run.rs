//! `run`: the vault itself. The only module that knows `trusted/vault`.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use strongroom_shell_software::{
    admit::{Admitted, Claim, admit},
    args::Options,
    failure::Failure,
    files::Lock,
    harden::{self, Measure},
    hardware::Software,
    pump::{Engine, pump},
};
use strongroom_vault::{BootError, Setup, Vault};
use strongroom_wire::process::{ToHost, ToVault};

/// What `run` may be given.
pub(crate) const OPTIONS: [&str; 8] = [
    "dir",
    "node",
    "fleet",
    "manifest",
    "signatures",
    "chain",
    "tick-ms",
    "danger-clock-offset-ms",
];

/// Checks everything, closes the sandbox, and serves standard input until it ends.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let dir = options.path("dir")?;
    let node: u8 = options.required("node")?;
    let fleet: String = options.required("fleet")?;
    let manifest: PathBuf = options.path("manifest")?;
    let signatures: PathBuf = options.path("signatures")?;
    let chain: Option<PathBuf> = options.optional("chain")?;
    let tick_ms: u64 = options.required("tick-ms")?;
    let offset_ms: i64 = options.optional("danger-clock-offset-ms")?.unwrap_or(0);
    if !(5..=10_000).contains(&tick_ms) {
        return Err(Failure::Usage(format!("--tick-ms {tick_ms}, expected 5 to 10000")));
    }
    let mut measures = harden::before_keys();
    let _alone = Lock::take(&dir)?;
    let admitted = admit(Claim {
        dir: &dir,
        node,
        fleet: &fleet,
        manifest: &manifest,
        signatures: &signatures,
        chain: chain.as_deref(),
    })?;
    measures.extend(harden::before_messages(&dir));
    let mut events = say(&measures);
    events.extend(clock_events(&admitted, offset_ms));
    let Admitted { node_keys, fleet_secrets, manifest } = admitted;
    let hardware = Software::new(&dir, node_keys, fleet_secrets, offset_ms);
    let setup = Setup { node, fleet, manifest, tick_ms };
    let vault = Vault::new(setup, hardware).map_err(|e| match e {
        BootError::Hardware(e) => Failure::Machine(e.to_string()),
        e => Failure::Refused(e.to_string()),
    })?;
    let mut engine = Body { vault, events };
    // Twice in a tick of consensus, so that an election's ticks are not late by a whole one.
    let tick = Duration::from_millis(tick_ms.div_ceil(2));
    pump(&mut engine, std::io::stdin(), std::io::stdout(), tick)
}

/// The vault, and what its body has to say to the host before it.
struct Body {
    vault: Vault<Software>,
    events: Vec<String>,
}

impl Engine for Body {
    fn step(&mut self, input: ToVault) -> Vec<ToHost> {
        self.vault.step(input)
    }

    fn tick(&mut self) -> Vec<ToHost> {
        let events = self.events.drain(..).map(|text| ToHost::Event { text });
        let mut messages: Vec<ToHost> = events.collect();
        messages.extend(self.vault.tick());
        messages
    }

    fn flush(&mut self) -> Vec<ToHost> {
        self.vault.flush()
    }

    fn halted(&self) -> Option<(u16, &'static str)> {
        self.vault.halted()
    }
}

/// Writes the measures to the log, and returns those that are not in force as events for the host.
fn say(measures: &[Measure]) -> Vec<String> {
    let mut events = Vec::new();
    for measure in measures {
        eprintln!("strongroom-vault: hardening {measure}");
        if measure.missing.is_some() {
            events.push(format!("hardening {measure}"));
        }
    }
    events
}

/// What an operator should know of time before the first answer.
fn clock_events(admitted: &Admitted, offset_ms: i64) -> Vec<String> {
    let mut events = Vec::new();
    if offset_ms != 0 {
        events.push(format!("DANGER: the wall clock is moved by {offset_ms} ms"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let manifest = &admitted.manifest;
    if now < manifest.not_before_ms || now > manifest.not_after_ms {
        events.push("the manifest is not valid now: clients refuse it".to_owned());
    }
    for event in &events {
        eprintln!("strongroom-vault: {event}");
    }
    events
}
