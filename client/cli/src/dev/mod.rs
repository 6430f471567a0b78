//! `strongroom dev`: a whole fleet on one machine, to try things, to break them and to test against.
//!
//! Everything listens on loopback and every key lies in one folder, so nothing here protects
//! anybody: the manifest says `software`, clients need development floors, and each start says it.

mod audit;
mod deployment;
mod error;
mod genesis;
mod http;
mod keys;
mod layout;
mod library;
mod processes;
mod records;
mod rotate;
mod setup;
mod status;
mod users;

pub use error::DevError;
pub use library::{Addresses, DevFleet, EraStart};

use crate::voice::Voice;
use clap::{Args, Subcommand};
use genesis::Why;
use layout::{Layout, Process, State, WITNESSES};
use processes::Programs;
use serde_json::json;
use status::{Census, Standing};
use std::{ffi::OsString, path::PathBuf, thread, time::Duration};
use strongroom_wire::caps::NODES_MAX;
use users::Pins;

const NODES_DEFAULT: u8 = 7;
/// An hour becomes a second.
const WAITS_DIVIDED_BY_DEFAULT: u64 = 3_600;
const STOP_PATIENCE: Duration = Duration::from_secs(8);
const FIRST_USER: &str = "alice";
const BANNER: &str = "\
********************************************************************************
*  INSECURE: a development fleet. All its keys lie in one folder of this       *
*  machine, waits are shortened, and nothing it holds is protected from you.   *
********************************************************************************";

/// What can be done with a development fleet.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Make a fleet and start it, or start the one in the folder again
    Up {
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
        /// Nodes of a new fleet [default: 7]
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=NODES_MAX as i64))]
        nodes: Option<u8>,
        /// By how much the waits of a new fleet are shortened [default: 3600]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        waits_divided_by: Option<u64>,
        /// First port of a new fleet [default: the first of a free range]
        #[arg(long, value_name = "PORT")]
        base_port: Option<u16>,
        /// Which programs
        #[command(flatten)]
        programs: ProgramsFolder,
    },
    /// Show what runs, what votes, and whether that is a quorum
    Status {
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
    },
    /// Kill nodes as a power failure would: host and vault at once
    Kill {
        /// The nodes
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<u8>,
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
    },
    /// Start nodes that are down; hold a cold start if the fleet cannot readmit them by itself
    Start {
        /// The nodes
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<u8>,
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
        /// Which programs
        #[command(flatten)]
        programs: ProgramsFolder,
    },
    /// Stop everything; the folder stays, and `up` starts it again
    Down {
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
    },
    /// Give the fleet its next manifest: published, logged and cosigned first, then a planned cold start
    Rotate {
        /// Hand over to new custodians
        #[arg(long)]
        custodians: bool,
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
        /// Which programs
        #[command(flatten)]
        programs: ProgramsFolder,
    },
    /// Record the deployment under the manifest of now, and write all that proves it into one directory
    Deployment {
        /// The directory; it must not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
        /// Which programs
        #[command(flatten)]
        programs: ProgramsFolder,
    },
    /// Users of the fleet
    #[command(subcommand)]
    User(UserCommand),
    /// Become a program in a session of its own
    #[command(hide = true)]
    Detached {
        /// The program
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user, who has a token and a profile from then on
    Add {
        /// The account
        name: String,
        /// Which fleet
        #[command(flatten)]
        folder: Folder,
    },
}

/// Where the fleet lies.
#[derive(Debug, Args)]
pub struct Folder {
    /// The fleet's folder
    #[arg(long = "dir", value_name = "DIR", default_value = "strongroom-dev")]
    dir: PathBuf,
}

/// Where the other programs lie.
#[derive(Debug, Args)]
pub struct ProgramsFolder {
    /// Folder of strongroomd and strongroom-vault [default: beside this program]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

impl DevCommand {
    /// The folder that the command changes, if it does.
    fn folder(&self) -> Option<&Folder> {
        match self {
            Self::Up { folder, .. }
            | Self::Start { folder, .. }
            | Self::Down { folder }
            | Self::Rotate { folder, .. }
            | Self::Deployment { folder, .. }
            | Self::User(UserCommand::Add { folder, .. }) => Some(folder),
            // What breaks a fleet breaks it also while others work on it.
            Self::Status { .. } | Self::Kill { .. } | Self::Detached { .. } => None,
        }
    }
}

impl Folder {
    fn layout(&self) -> Result<Layout, DevError> {
        Layout::new(&self.dir)
    }
}

/// Does what was asked. With `json` each thing that is said is one JSON object a line.
///
/// # Errors
/// [`DevError`].
pub fn run(command: DevCommand, json: bool) -> Result<(), DevError> {
    let voice = Voice::new(json);
    // Two at once would start one process twice, and forget one of them.
    let _held = command.folder().map(|folder| folder.layout()?.hold()).transpose()?;
    match command {
        DevCommand::Up { folder, nodes, waits_divided_by, base_port, programs } => {
            let layout = folder.layout()?;
            let programs = Programs::find(programs.programs.as_deref())?;
            let wish = Wish { nodes, waits_divided_by, base_port };
            up(&layout, &wish, &programs, voice)
        }
        DevCommand::Status { folder } => status::status(&folder.layout()?, voice),
        DevCommand::Kill { nodes, folder } => kill(&folder.layout()?, &nodes, voice),
        DevCommand::Start { nodes, folder, programs } => {
            let programs = Programs::find(programs.programs.as_deref())?;
            start(&folder.layout()?, &nodes, &programs, voice)
        }
        DevCommand::Rotate { custodians, folder, programs } => {
            let programs = Programs::find(programs.programs.as_deref())?;
            rotate::rotate(&folder.layout()?, custodians, &programs, voice)
        }
        DevCommand::Deployment { out, folder, programs } => {
            let programs = Programs::find(programs.programs.as_deref())?;
            deployment::write(&folder.layout()?, &out, &programs, voice)
        }
        DevCommand::Down { folder } => down(&folder.layout()?, voice),
        DevCommand::User(UserCommand::Add { name, folder }) => {
            let layout = folder.layout()?;
            let home = users::add(&layout, &layout.load()?, &name, Pins::Trust)?;
            let sentence = format!("export STRONGROOM_HOME={}", home.display());
            voice.result("user_added", &sentence, json!({"home": home}));
            Ok(())
        }
        DevCommand::Detached { program, arguments } => {
            Err(processes::become_detached(&program, &arguments))
        }
    }
}

/// Says something that only people need.
fn tell(voice: Voice, text: &str) {
    if !voice.is_json() {
        voice.result("", text, serde_json::Value::Null);
    }
}

/// What a new fleet shall be, as far as the command says.
struct Wish {
    nodes: Option<u8>,
    waits_divided_by: Option<u64>,
    base_port: Option<u16>,
}

impl Wish {
    fn check_against(&self, state: &State) -> Result<(), DevError> {
        let differs = self.nodes.is_some_and(|nodes| nodes != state.nodes)
            || self.base_port.is_some_and(|port| port != state.base_port)
            || self.waits_divided_by.is_some_and(|divisor| divisor != state.waits_divided_by);
        if differs {
            let what = format!(
                "the fleet in this folder has {} nodes, ports from {} and waits divided by {}",
                state.nodes, state.base_port, state.waits_divided_by
            );
            return Err(DevError::usage(what)
                .hint("leave these options out, or make another fleet with --dir"));
        }
        Ok(())
    }

    fn new_state(&self, layout: &Layout) -> Result<State, DevError> {
        let nodes = self.nodes.unwrap_or(NODES_DEFAULT);
        let base_port = match self.base_port {
            Some(port) => {
                layout::check_base_port(port, nodes)?;
                port
            }
            None => layout::free_base_port(nodes, layout.root())?,
        };
        let divisor = self.waits_divided_by.unwrap_or(WAITS_DIVIDED_BY_DEFAULT);
        Ok(State::new(nodes, base_port, divisor))
    }
}

fn up(layout: &Layout, wish: &Wish, programs: &Programs, voice: Voice) -> Result<(), DevError> {
    let is_new = !layout.state_file().exists();
    let state = if is_new {
        let state = wish.new_state(layout)?;
        tell(voice, &format!("making {} nodes and their keys", state.nodes));
        setup::create(layout, &state, programs)?;
        state
    } else {
        let state = layout.load()?;
        wish.check_against(&state)?;
        state
    };
    // Also after a crash between the folder and its first user.
    if !users::knows(layout, FIRST_USER)? {
        users::add(layout, &state, FIRST_USER, Pins::Trust)?;
    }
    let nodes: Vec<u8> = state.node_ids().collect();
    for process in state.audit_processes() {
        start_process(layout, process, programs)?;
    }
    for node in &nodes {
        start_process(layout, Process::Node(*node), programs)?;
    }
    start_process(layout, Process::Gateway, programs)?;
    let published = audit::publish(layout, &state, layout, voice);
    published.map_err(|error| match rotate::is_under_way(layout) {
        true => error.hint("a rotation was interrupted: `strongroom dev rotate` finishes it"),
        false => error,
    })?;
    genesis::start_if_needed(layout, &state, programs, &nodes, Why::Outage, voice)?;
    genesis::wait_until_ready(layout, &state, &nodes)?;
    records::bring(layout, &state, voice);
    say_up(layout, &state, voice);
    Ok(())
}

fn say_up(layout: &Layout, state: &State, voice: Voice) {
    let home = layout.user(FIRST_USER);
    voice.result(
        "up",
        BANNER,
        json!({
            "insecure": true,
            "dir": layout.root(),
            "nodes": state.nodes,
            "gateway": state.gateway_url(),
            "auditor": state.auditor_url(),
            "home": home,
        }),
    );
    let dir = layout.root().display();
    tell(
        voice,
        &format!(
            "{} nodes, the gateway {}, the auditor {} and {WITNESSES} witnesses are ready. Next:\n\n  export STRONGROOM_HOME={}\n  strongroom \
         enroll\n  strongroom recover\n  strongroom verify\n  strongroom dev status --dir {dir}\n  strongroom dev kill 2 5 \
         --dir {dir}\n  strongroom dev down --dir {dir}\n",
            state.nodes,
            state.gateway_url(),
            state.auditor_url(),
            home.display(),
        ),
    );
}

/// Starts a process unless it runs.
fn start_process(layout: &Layout, process: Process, programs: &Programs) -> Result<bool, DevError> {
    let files = layout.files(process);
    if processes::running(&files).is_some() {
        return Ok(false);
    }
    programs.start(process, &files)?;
    Ok(true)
}

fn check_nodes(state: &State, nodes: &[u8]) -> Result<(), DevError> {
    match nodes.iter().find(|node| !(1..=state.nodes).contains(node)) {
        None => Ok(()),
        Some(node) => Err(DevError::usage(format!(
            "there is no node {node}: this fleet has nodes 1 to {}",
            state.nodes
        ))),
    }
}

fn kill(layout: &Layout, nodes: &[u8], voice: Voice) -> Result<(), DevError> {
    let state = layout.load()?;
    check_nodes(&state, nodes)?;
    for node in nodes {
        let did = processes::kill(&layout.files(Process::Node(*node)))?;
        let sentence = if did {
            format!("node {node} ({}) is dead", keys::site(*node))
        } else {
            format!("node {node} did not run")
        };
        voice.result("killed", &sentence, json!({"node": node, "ran": did}));
    }
    say_census(layout, &state, voice);
    Ok(())
}

/// How many are left, and what that means.
fn say_census(layout: &Layout, state: &State, voice: Voice) {
    let census = Census::of(state, &status::look_at_all(layout, state));
    let meaning = match census.standing() {
        Standing::Quorum => "the fleet goes on",
        Standing::NeedsStart => "NO QUORUM: nothing is answered until custodians start it again",
        Standing::TooFew => "NO QUORUM: nothing is answered until more nodes are started",
    };
    voice.result(
        "census",
        &format!(
            "{} of {} nodes run, {} vote, {} are needed: {meaning}",
            census.running, state.nodes, census.voting, census.majority
        ),
        json!({
            "running": census.running,
            "voting": census.voting,
            "majority": census.majority,
            "quorum": census.standing() == Standing::Quorum,
        }),
    );
}

fn start(layout: &Layout, nodes: &[u8], programs: &Programs, voice: Voice) -> Result<(), DevError> {
    let state = layout.load()?;
    check_nodes(&state, nodes)?;
    if rotate::is_under_way(layout) {
        let hint = "a rotation was interrupted: `strongroom dev rotate` finishes it. If its manifest is \
                    published already, no client uses the fleet before that";
        voice.note("rotation", hint);
    }
    for node in nodes {
        let did = start_process(layout, Process::Node(*node), programs)?;
        let sentence = if did {
            format!("node {node} ({}) starts", keys::site(*node))
        } else {
            format!("node {node} runs already")
        };
        voice.result("started", &sentence, json!({"node": node, "did": did}));
    }
    let was_cold = genesis::start_if_needed(layout, &state, programs, nodes, Why::Outage, voice)?;
    let views = status::look_at_all(layout, &state);
    if !was_cold && Census::of(&state, &views).standing() != Standing::Quorum {
        say_census(layout, &state, voice);
        return Ok(());
    }
    // After `down` it is down as well, and without it nobody could tell that nodes are up.
    for process in state.audit_processes().chain([Process::Gateway]) {
        start_process(layout, process, programs)?;
    }
    genesis::wait_until_ready(layout, &state, nodes)?;
    records::bring(layout, &state, voice);
    say_census(layout, &state, voice);
    Ok(())
}

fn down(layout: &Layout, voice: Voice) -> Result<(), DevError> {
    let state = layout.load()?;
    // The gateway first: it would only report what is being stopped.
    processes::stop(&layout.files(Process::Gateway), STOP_PATIENCE)?;
    stop_nodes(layout, &state)?;
    // The auditor before those that it asks.
    for process in state.audit_processes().collect::<Vec<_>>().into_iter().rev() {
        processes::stop(&layout.files(process), STOP_PATIENCE)?;
    }
    let sentence = format!(
        "all is down; `strongroom dev up --dir {dir}` starts it again by a cold start, and removing \
         {dir} forgets it",
        dir = layout.root().display()
    );
    voice.result("down", &sentence, json!({"dir": layout.root()}));
    Ok(())
}

/// Stops all nodes at once.
fn stop_nodes(layout: &Layout, state: &State) -> Result<(), DevError> {
    thread::scope(|scope| {
        let stops: Vec<_> = state
            .node_ids()
            .map(|node| {
                let files = layout.files(Process::Node(node));
                scope.spawn(move || processes::stop(&files, STOP_PATIENCE))
            })
            .collect();
        stops.into_iter().try_for_each(|stop| {
            let died = Err(DevError::failed("the command failed"));
            stop.join().unwrap_or(died).map(drop)
        })
    })
}
