//! `strongroom-model`: visits every state of the model, or finds the shortest way to a broken promise.

use stateright::{Checker as _, HasDiscoveries, Model as _};
use std::{process::ExitCode, time::Instant};
use strongroom_model::{Bounds, Fleet, Mutant};

const HELP: &str = "strongroom-model [--config NAME] [--deep] [--mutant NAME] [--json]

  --config NAME   one configuration; without it, all small ones
  --deep          the large configurations, too
  --mutant NAME   leave a rule out: the promises must notice
  --list          configurations and mutants

exit codes: 0 every promise holds, 1 one is broken, 2 usage";

/// Name, bounds, and whether it is large.
const CONFIGS: [(&str, Bounds, bool); 11] = [
    ("elections", within(3, 2), false),
    ("three-terms", within(3, 3), false),
    ("five", within(5, 2), false),
    ("restarts", Bounds { boots: 1, ..within(3, 2) }, false),
    ("two-restarts", Bounds { boots: 2, ..within(3, 2) }, false),
    ("forks", Bounds { boots: 1, forks: true, ..within(3, 2) }, false),
    ("starts", Bounds { starts: 1, ..within(3, 1) }, false),
    ("power-loss", Bounds { boots: 1, starts: 1, ..within(3, 1) }, false),
    ("forked-loss", Bounds { boots: 1, starts: 1, forks: true, ..within(3, 1) }, false),
    ("five-restart", Bounds { boots: 1, ..within(5, 2) }, true),
    ("five-loss", Bounds { starts: 1, ..within(5, 1) }, false),
];

/// Nodes and terms alone.
const fn within(nodes: usize, terms: u8) -> Bounds {
    Bounds { nodes, terms, charges: 1, boots: 0, starts: 0, forks: false }
}

struct Options {
    config: Option<String>,
    deep: bool,
    mutant: Option<Mutant>,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { config: None, deep: false, mutant: None, json: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} takes a name"));
        match arg.as_str() {
            "--config" => options.config = Some(value()?),
            "--deep" => options.deep = true,
            "--json" => options.json = true,
            "--mutant" => {
                let name = value()?;
                let found = Mutant::ALL.iter().find(|(known, _)| *known == name);
                options.mutant = Some(found.ok_or_else(|| format!("no mutant {name}"))?.1);
            }
            "--list" => {
                CONFIGS.iter().for_each(|(name, bounds, _)| println!("{name:<22} {bounds:?}"));
                Mutant::ALL.iter().for_each(|(name, what)| println!("{name:<22} {what:?}"));
                std::process::exit(0);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let chosen = CONFIGS.iter().filter(|(name, _, large)| match &options.config {
        Some(wanted) => name == wanted,
        None => options.deep || !large,
    });
    let mut runs = 0;
    let mut broken = false;
    for (name, bounds, _) in chosen {
        runs += 1;
        broken |= !holds(
            name,
            Fleet { bounds: *bounds, mutant: options.mutant, renames: options.mutant.is_none() },
            &options,
        );
    }
    if runs == 0 {
        eprintln!("error: no such configuration; --list names them");
        return ExitCode::from(2);
    }
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn holds(name: &str, fleet: Fleet, options: &Options) -> bool {
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = fleet.checker().threads(threads);
    let until =
        if fleet.mutant.is_some() { HasDiscoveries::AnyFailures } else { HasDiscoveries::All };
    let checker = checker.finish_when(until).spawn_bfs().join();
    let seconds = began.elapsed().as_secs_f64();
    let discoveries = checker.discoveries();
    let mut broken: Vec<&str> = Vec::new();
    for property in fleet.properties() {
        let found = discoveries.contains_key(property.name);
        let wanted = property.expectation == stateright::Expectation::Sometimes;
        // A run that ended at a broken promise has not looked for everything else.
        if found != wanted && !(wanted && fleet.mutant.is_some()) {
            broken.push(property.name);
        }
    }
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    if options.json {
        println!(
            "{{\"config\":\"{name}\",\"states\":{states},\"depth\":{depth},\
             \"seconds\":{seconds:.1},\"broken\":{broken:?}}}"
        );
    } else {
        println!("{name}: {states} states to depth {depth} in {seconds:.1} s");
    }
    for property in &broken {
        println!("  broken: {property}");
        if let Some(path) = discoveries.get(property) {
            for step in path.clone().into_actions() {
                println!("    {step:?}");
            }
        }
    }
    broken.is_empty()
}
