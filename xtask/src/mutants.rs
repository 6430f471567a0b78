//! `cargo xtask mutants`: each deliberate bug of `proof/mutants.toml`, and the seed that finds it.
//!
//! A proof is worth what its checks can see. Each mutant is compiled in alone, behind a feature of
//! the crate that it breaks, and the simulator must find it. First the same seeds run without any
//! mutant: if those fail, a kill proves nothing.

use crate::args::MutantOptions;
use crate::listed;
use crate::process::{self, Failure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const SIMULATOR: &str = "strongroom-sim";
/// Where mutants are built, so that nobody's build directory ever holds one.
const TARGET: &str = "mutants";

/// One deliberate bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// The package whose feature it is.
    pub(crate) package: String,
    /// What it breaks, in words.
    pub(crate) what: String,
}

impl Mutant {
    pub(crate) fn feature(&self) -> String {
        format!("danger_mutant_{}", self.name)
    }
}

/// What became of one.
struct Fate {
    mutant: Mutant,
    /// The invariant and its checker, the story, and how many seeds ran until then.
    killed: Option<(String, String, u64)>,
    seconds: f64,
}

pub(crate) fn run(root: &Path, options: &MutantOptions) -> Result<(), Failure> {
    let catalogue = catalogue(root).map_err(Failure::check)?;
    if options.list {
        for mutant in &catalogue {
            println!("{:<32} {}", mutant.name, mutant.what);
        }
        return Ok(());
    }
    let chosen: Vec<Mutant> = catalogue
        .into_iter()
        .filter(|mutant| options.only.is_empty() || options.only.contains(&mutant.name))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::check("no such mutant; --list names them"));
    }
    let began = Instant::now();
    if !options.skip_baseline {
        eprintln!("first {} seeds without a mutant", options.seeds);
        let binary = build(root, None).map_err(Failure::check)?;
        if let (Some((invariant, story)), ran) =
            seeds(root, &binary, options.seeds).map_err(Failure::check)?
        {
            return Err(Failure::check(format!(
                "without a mutant {invariant} broke within {ran} seeds: {story}\n  hint: no kill \
                 proves anything before that is mended"
            )));
        }
    }
    let mut fates = Vec::new();
    for (at, mutant) in chosen.iter().enumerate() {
        let fate = fate(root, mutant, options.seeds).map_err(Failure::check)?;
        eprintln!("{:>3} of {}  {}", at + 1, chosen.len(), told(&fate));
        fates.push(fate);
    }
    report(&fates, options, began)
}

fn fate(root: &Path, mutant: &Mutant, count: u64) -> Result<Fate, String> {
    let began = Instant::now();
    let binary = build(root, Some(mutant))?;
    let (found, ran) = seeds(root, &binary, count)?;
    let killed = found.map(|(invariant, story)| (invariant, story, ran));
    Ok(Fate { mutant: mutant.clone(), killed, seconds: began.elapsed().as_secs_f64() })
}

/// Builds the simulator with one mutant, or with none, and puts it aside under its own name.
fn build(root: &Path, mutant: Option<&Mutant>) -> Result<PathBuf, String> {
    let target = process::target_dir(root).join(TARGET);
    let mut command = Command::new(process::cargo());
    command
        .args(["build", "--quiet", "--package", SIMULATOR, "--bin", SIMULATOR, "--target-dir"])
        .arg(&target)
        .current_dir(root);
    if let Some(mutant) = mutant {
        command.args(["--features", &format!("{}/{}", mutant.package, mutant.feature())]);
    }
    let status = command.status().map_err(|e| format!("cargo build: {e}"))?;
    if !status.success() {
        return Err("the simulator does not build with this mutant".to_owned());
    }
    Ok(target.join("debug").join(SIMULATOR))
}

type Broken = (String, String);

/// Runs seeds until one breaks a promise: which, and how many seeds ran.
fn seeds(root: &Path, binary: &Path, count: u64) -> Result<(Option<Broken>, u64), String> {
    let output = Command::new(binary)
        .args(["--seeds", &count.to_string(), "--stop", "--json", "--shrink-seconds", "0"])
        .current_dir(root)
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    let ran = String::from_utf8_lossy(&output.stdout).lines().count() as u64;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let broken = said.lines().find_map(broken_in);
    match (output.status.code(), &broken) {
        (Some(0), None) | (Some(1), Some(_)) => Ok((broken, ran)),
        (code, _) => Err(format!("the simulator ended with {code:?}: {said}")),
    }
}

/// Reads `seed 5: INV-2/majority-holds broken: story`: the checker stays beside its invariant.
fn broken_in(line: &str) -> Option<Broken> {
    let (seed, rest) = line.split_once(": ")?;
    let (invariant, story) = rest.split_once(" broken: ")?;
    seed.starts_with("seed ").then(|| (invariant.to_owned(), story.to_owned()))
}

fn told(fate: &Fate) -> String {
    let Fate { mutant, killed, seconds } = fate;
    match killed {
        Some((invariant, story, ran)) => {
            let story: String = story.chars().take(90).collect();
            format!("{:<34} {invariant:<26} {ran:>4} seeds {seconds:>4.0} s  {story}", mutant.name)
        }
        None => format!("{:<34} SURVIVED after {seconds:.0} s: {}", mutant.name, mutant.what),
    }
}

fn report(fates: &[Fate], options: &MutantOptions, began: Instant) -> Result<(), Failure> {
    let survivors: Vec<&str> = fates
        .iter()
        .filter(|fate| fate.killed.is_none())
        .map(|fate| fate.mutant.name.as_str())
        .collect();
    for fate in fates {
        println!("{}", told(fate));
    }
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for (invariant, ..) in fates.iter().filter_map(|fate| fate.killed.as_ref()) {
        *by.entry(invariant).or_default() += 1;
    }
    let by: Vec<String> =
        by.iter().map(|(invariant, count)| format!("{invariant} {count}")).collect();
    println!(
        "{} of {} mutants killed within {} seeds, in {:.0} s; by {}",
        fates.len() - survivors.len(),
        fates.len(),
        options.seeds,
        began.elapsed().as_secs_f64(),
        by.join(", ")
    );
    if survivors.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!("survived: {}", survivors.join(", "))))
}

/// Reads `proof/mutants.toml`: `name`, `crate` and `what` of each `[[mutant]]`.
pub(crate) fn catalogue(root: &Path) -> Result<Vec<Mutant>, String> {
    let path = root.join("proof/mutants.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&text)
}

/// The catalogue's text, read.
pub(crate) fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let read = |entry: &str| {
        Ok(Mutant {
            name: listed::field(entry, "name")?,
            package: listed::field(entry, "crate")?,
            what: listed::field(entry, "what")?,
        })
    };
    listed::entries(text, "mutant").into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{broken_in, parse};

    #[test]
    fn a_catalogue_is_read() {
        let text = "# words\n\n[[mutant]]\nname = \"one\"\ncrate = \"a\"\nwhat = \"breaks it\"\n";
        let mutants = parse(text).expect("a catalogue");
        assert_eq!(mutants.len(), 1);
        assert_eq!(mutants[0].feature(), "danger_mutant_one");
        assert!(parse("[[mutant]]\nname = \"one\"\n").is_err());
    }

    #[test]
    fn what_broke_is_read_from_what_the_simulator_says() {
        let line = "seed 17: INV-2/majority-holds broken: answer of index 9: 3 of 4 holders";
        let (invariant, story) = broken_in(line).expect("a broken promise");
        assert_eq!(
            (invariant.as_str(), story.as_str()),
            ("INV-2/majority-holds", "answer of index 9: 3 of 4 holders")
        );
        assert_eq!(broken_in("simulated 3 seeds in 1 s: 4 events"), None);
    }
}
