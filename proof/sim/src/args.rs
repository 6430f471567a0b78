//! What the simulator is asked for.

use clap::{Parser, Subcommand};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};
use strongroom_sim::{acts::Deed, step, step::Filter};

/// A fleet in one thread, one seed, virtual time; the host is the adversary.
#[derive(Debug, Parser)]
#[command(
    name = "strongroom-sim",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 every promise kept, 1 one was broken (replay: another run), 2 usage."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) seeds: Seeds,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Step through a trace, forwards and backwards; commands come from the terminal or a pipe.
    Step(Step),
    /// Run again what a trace is of, and compare to the byte.
    Replay {
        /// A trace.
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Seeds {
    /// One seed.
    #[arg(long, conflicts_with_all = ["seeds", "from", "stop"])]
    pub(crate) seed: Option<u64>,
    /// So many seeds.
    #[arg(long, default_value_t = 200)]
    pub(crate) seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    pub(crate) from: u64,
    /// Threads; as many as there are cores, if not said.
    #[arg(long)]
    jobs: Option<usize>,
    /// End at the first seed that breaks a promise.
    #[arg(long)]
    pub(crate) stop: bool,
    /// A line a seed, for machines.
    #[arg(long)]
    pub(crate) json: bool,
    /// Longest time to shrink the first failure; 0 for not at all. [default: 120, with --trace 0]
    #[arg(long, value_name = "SECONDS")]
    shrink_seconds: Option<u64>,
    /// Write all that happens in the shrunk run to a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_shrunk: Option<PathBuf>,
    /// Only these deeds of the seed, as a shrunk story names them: `Crash:3,LoseFrame:17`.
    #[arg(long, requires = "seed", value_name = "DEEDS")]
    only: Option<String>,
    /// Write all that happens in the seed to a file.
    #[arg(long, requires = "seed", value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Tell all that happens in the seed.
    #[arg(long, requires = "seed")]
    story: bool,
}

impl Seeds {
    pub(crate) fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or_else(cores)
    }

    pub(crate) const fn wants_detail(&self) -> bool {
        self.only.is_some() || self.trace.is_some() || self.story
    }

    pub(crate) const fn shrink_for(&self) -> Option<Duration> {
        match (self.shrink_seconds, &self.trace) {
            (Some(0), _) | (None, Some(_)) => None,
            (Some(seconds), _) => Some(Duration::from_secs(seconds)),
            (None, None) => Some(Duration::from_secs(120)),
        }
    }

    pub(crate) fn only(&self) -> Result<Option<BTreeSet<Deed>>, String> {
        let parse = |only: &String| {
            only.split(',').filter(|deed| !deed.is_empty()).map(str::parse).collect()
        };
        self.only.as_ref().map(parse).transpose()
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Step {
    /// A trace.
    pub(crate) file: PathBuf,
    /// Only entries of this node.
    #[arg(long)]
    node: Vec<u8>,
    /// Only entries of this user's slot.
    #[arg(long)]
    user: Vec<usize>,
    /// Only entries of this kind.
    #[arg(long)]
    kind: Vec<String>,
    /// Not before this time, in virtual milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    from: u64,
    /// Not after.
    #[arg(long, value_name = "MS")]
    to: Option<u64>,
    /// List them all, instead of waiting for commands.
    #[arg(long)]
    pub(crate) list: bool,
    /// The same as JSON, an entry a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Step {
    pub(crate) fn filter(&self) -> Result<Filter, String> {
        Ok(Filter {
            nodes: self.node.clone(),
            users: self.user.clone(),
            kinds: self.kind.iter().map(|kind| step::kind(kind)).collect::<Result<_, _>>()?,
            from_ms: self.from,
            to_ms: self.to,
        })
    }
}
