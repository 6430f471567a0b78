//! `strongroom-fuzz`: the fuzz targets on the stable toolchain.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use strongroom_fuzz::{Found, TARGETS, Target, corpus_dir, find, run, short_run};

const HELP: &str = "strongroom-fuzz list
strongroom-fuzz run [TARGET…] [--seconds N] [--seed N] [--json]   N seconds for each target
strongroom-fuzz replay TARGET FILE                               run one input again
strongroom-fuzz seeds TARGET DIR                                 write what to begin with
strongroom-fuzz write-corpus                                     keep the seeds that are accepted

exit codes: 0 nothing found, 1 a property was broken, 2 usage";

struct Options {
    targets: Vec<&'static Target>,
    seconds: u64,
    seed: u64,
    json: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["list"] => list(),
        ["run", rest @ ..] => options(rest).and_then(|options| run_all(&options)),
        ["replay", name, file] => replay(name, Path::new(file)),
        ["seeds", name, dir] => {
            target(name).and_then(|target| write_seeds(target, Path::new(dir))).map(|_| true)
        }
        ["write-corpus"] => write_corpus(),
        ["--help" | "-h" | "help"] => {
            println!("{HELP}");
            Ok(true)
        }
        _ => Err("no such command".to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn target(name: &str) -> Result<&'static Target, String> {
    find(name).ok_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        format!("no target {name}; there are {}", names.join(", "))
    })
}

fn options(words: &[&str]) -> Result<Options, String> {
    let mut options = Options { targets: Vec::new(), seconds: 10, seed: 1, json: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or(format!("{word} takes a number"))?;
            text.parse::<u64>().map_err(|_| format!("{word} takes a number, got {text}"))
        };
        match *word {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--json" => options.json = true,
            name => options.targets.push(target(name)?),
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.iter().collect();
    }
    Ok(options)
}

fn list() -> Result<bool, String> {
    for target in TARGETS {
        println!("{:<10} {}", target.name, target.what);
    }
    Ok(true)
}

fn run_all(options: &Options) -> Result<bool, String> {
    std::panic::set_hook(Box::new(|_| {}));
    let at_most = Duration::from_secs(options.seconds);
    let mut clean = true;
    for target in &options.targets {
        let found = short_run(target, options.seed, u64::MAX, at_most);
        clean &= found.crash.is_none();
        tell(&found, options)?;
    }
    Ok(clean)
}

fn tell(found: &Found, options: &Options) -> Result<(), String> {
    let kept = found.crash.as_ref().map(|(input, _)| keep(found.target, input)).transpose()?;
    if options.json {
        let line = serde_json::json!({
            "target": found.target, "runs": found.runs, "accepted": found.accepted,
            "seeds": found.seeds, "crash": kept,
            "story": found.crash.as_ref().map(|(_, story)| story),
        });
        println!("{line}");
        return Ok(());
    }
    println!(
        "{:<10} {:>9} inputs from {:>4} seeds, {:>8} accepted",
        found.target, found.runs, found.seeds, found.accepted
    );
    if let (Some((_, story)), Some(path)) = (&found.crash, kept) {
        println!("  broken: {story}");
        println!("  hint: strongroom-fuzz replay {} {}", found.target, path.display());
    }
    Ok(())
}

/// Writes a crashing input where the caller stands.
fn keep(target: &str, input: &[u8]) -> Result<PathBuf, String> {
    let path = PathBuf::from(format!("crash-{target}"));
    std::fs::write(&path, input).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}

fn replay(name: &str, file: &Path) -> Result<bool, String> {
    let target = target(name)?;
    let input = std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    run(target.name, &input);
    println!("{name}: {} bytes, no property broken", input.len());
    Ok(true)
}

fn write_corpus() -> Result<bool, String> {
    // The vault's seed is a recorded run of the code as it is: kept, it would only grow old.
    for target in TARGETS.iter().filter(|target| target.name != "vault") {
        let count = write_seeds(target, &corpus_dir(target.name))?;
        println!("{:<10} {count} seeds", target.name);
    }
    Ok(true)
}

fn write_seeds(target: &Target, dir: &Path) -> Result<usize, String> {
    let fail = |e: std::io::Error| format!("cannot write to {}: {e}", dir.display());
    std::fs::create_dir_all(dir).map_err(fail)?;
    let accepted = (target.seeds)().into_iter().filter(|seed| (target.run)(seed));
    let mut count = 0;
    for seed in accepted {
        count += 1;
        std::fs::write(dir.join(format!("seed-{count:03}")), seed).map_err(fail)?;
    }
    Ok(count)
}
