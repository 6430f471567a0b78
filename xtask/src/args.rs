//! The command line, parsed by hand: five verbs do not justify a dependency that everybody builds.

/// What `cargo xtask help` prints.
pub(crate) const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only STAGE]... [--keep-going] [--list] [--seeds N]
             everything that CI runs, in order; stops at the first stage that fails
  tidy [--fix]
             the house rules; --fix rewrites trusted/DEPENDENCIES.txt and the figures in README.md
  setup      install what the tests need from the package registries
  demo [ARGS]
             build the binaries and show one recovery, start to end
  sim --seed N | --seeds N [ARGS]
             run the simulator: one seed, or N of them; sim step FILE, sim replay FILE: a kept run
  chaos [--scenario NAME] [--seconds N] [ARGS]
             seven nodes as real processes, broken while people use them; `chaos --help` says how
  model [--config NAME] [--deep] [--mutant NAME]
             visit every state of the model of incarnations and cold starts
  mutants [--only NAME]... [--seeds N] [--list] [--skip-baseline]
             compile deliberate bugs in, one at a time, and see the simulator find each (300)
  fuzz [--seconds N] [--stable] [TARGET]...
             fuzz every target, or these, N seconds each (10); with coverage where a nightly
             compiler and cargo-fuzz are installed, without it elsewhere and with --stable
  dudect [--samples N] [--seconds S] [--seed N] [--json] [ARGS]
             time a vault as its host can, and compare what must look alike; `dudect --help` says how
  page       build the status page's check for browsers, and test the page in one; needs some
             minutes the first time, and is no stage of test
  measurement
             build strongroom-vault in two places as docs/reproducible-build.md says, and compare
  plexi      build Cloudflare's auditing tool, and let it check a real auditor; needs some minutes the
             first time, and is no stage of test
  coverage [--html] [--json]
             which lines of trusted/ the tests, the simulator and the fuzz corpus reach; each other
             line is explained in proof/coverage.toml
  help       this text

exit codes: 0 ok, 1 a check failed, 2 usage, 3 not available in this tree";

/// One parsed invocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`USAGE`].
    Help,
    /// Run the stages.
    Test(TestOptions),
    /// Name the stages.
    ListStages,
    /// Check the house rules.
    Tidy {
        /// Rewrite the generated figures instead of complaining about them.
        fix: bool,
    },
    /// Install what tests need.
    Setup,
    /// Build and run the demo.
    Demo(Vec<String>),
    /// Run the simulator with these arguments.
    Sim(Vec<String>),
    /// Visit every state of the model.
    Model(Vec<String>),
    /// Break a fleet of real processes.
    Chaos(Vec<String>),
    /// See every deliberate bug found.
    Mutants(MutantOptions),
    /// Fuzz.
    Fuzz(FuzzOptions),
    /// Build the page's check and look at the page.
    Page,
    /// Let Cloudflare's tool check an auditor.
    Plexi,
    /// Build the vault twice and compare.
    Measurement,
    /// Measure what a host's clock tells.
    Dudect(Vec<String>),
    /// Measure what the tests reach.
    Coverage(CoverageOptions),
}

/// Options of `test`.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct TestOptions {
    /// Run only these stages, and what they need.
    pub(crate) only: Vec<String>,
    /// Run later stages after one has failed; the exit code still says so.
    pub(crate) keep_going: bool,
    /// How many simulator seeds; `None` means the default of the stage.
    pub(crate) seeds: Option<u64>,
}

/// Options of `fuzz`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FuzzOptions {
    /// For each target.
    pub(crate) seconds: u64,
    /// Without coverage, even where it could be had.
    pub(crate) stable: bool,
    /// Which; none means all.
    pub(crate) targets: Vec<String>,
}

/// Options of `coverage`.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct CoverageOptions {
    /// Also write pages to look at.
    pub(crate) html: bool,
    /// Also write the figures for a program.
    pub(crate) json: bool,
}

/// Options of `mutants`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MutantOptions {
    /// These alone.
    pub(crate) only: Vec<String>,
    /// How many each may outlive.
    pub(crate) seeds: u64,
    /// Name them.
    pub(crate) list: bool,
    /// Do not first see the seeds pass without a mutant.
    pub(crate) skip_baseline: bool,
}

/// Parses the arguments after `cargo xtask`.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err("no command given".to_owned());
    };
    match verb.as_str() {
        "help" | "--help" | "-h" => Ok(Command::Help),
        "test" | "ci" => parse_test(rest),
        "tidy" => match rest {
            [] => Ok(Command::Tidy { fix: false }),
            [flag] if flag == "--fix" => Ok(Command::Tidy { fix: true }),
            _ => Err(format!("tidy takes only --fix, got {rest:?}")),
        },
        "setup" if rest.is_empty() => Ok(Command::Setup),
        "setup" => Err(format!("setup takes no argument, got {rest:?}")),
        "page" if rest.is_empty() => Ok(Command::Page),
        "page" => Err(format!("page takes no argument, got {rest:?}")),
        "plexi" if rest.is_empty() => Ok(Command::Plexi),
        "plexi" => Err(format!("plexi takes no argument, got {rest:?}")),
        "measurement" if rest.is_empty() => Ok(Command::Measurement),
        "measurement" => Err(format!("measurement takes no argument, got {rest:?}")),
        "demo" => Ok(Command::Demo(rest.to_vec())),
        "sim" if rest.is_empty() => Err("sim needs --seed N or --seeds N".to_owned()),
        "sim" => Ok(Command::Sim(rest.to_vec())),
        "model" => Ok(Command::Model(rest.to_vec())),
        "chaos" => Ok(Command::Chaos(rest.to_vec())),
        "dudect" => Ok(Command::Dudect(rest.to_vec())),
        "fuzz" => parse_fuzz(rest),
        "mutants" => parse_mutants(rest),
        "coverage" => parse_coverage(rest),
        other => Err(format!("no such command: {other}")),
    }
}

fn parse_coverage(rest: &[String]) -> Result<Command, String> {
    let mut options = CoverageOptions::default();
    for word in rest {
        match word.as_str() {
            "--html" => options.html = true,
            "--json" => options.json = true,
            other => return Err(format!("coverage takes no {other}")),
        }
    }
    Ok(Command::Coverage(options))
}

fn parse_mutants(rest: &[String]) -> Result<Command, String> {
    let mut options =
        MutantOptions { only: Vec::new(), seeds: 300, list: false, skip_baseline: false };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} takes a value"));
        match word.as_str() {
            "--list" => options.list = true,
            "--skip-baseline" => options.skip_baseline = true,
            "--only" => options.only.push(value()?.clone()),
            "--seeds" => {
                let text = value()?;
                options.seeds =
                    text.parse().map_err(|_| format!("--seeds takes a number, got {text}"))?;
            }
            other => return Err(format!("mutants takes no {other}")),
        }
    }
    Ok(Command::Mutants(options))
}

fn parse_fuzz(rest: &[String]) -> Result<Command, String> {
    let mut options = FuzzOptions { seconds: 10, stable: false, targets: Vec::new() };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--stable" => options.stable = true,
            "--seconds" => {
                let value = words.next().ok_or("--seconds takes a number")?;
                options.seconds =
                    value.parse().map_err(|_| format!("--seconds takes a number, got {value}"))?;
            }
            flag if flag.starts_with('-') => return Err(format!("fuzz takes no {flag}")),
            target => options.targets.push(target.to_owned()),
        }
    }
    Ok(Command::Fuzz(options))
}

fn parse_test(rest: &[String]) -> Result<Command, String> {
    let mut options = TestOptions::default();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => return Ok(Command::ListStages),
            "--keep-going" => options.keep_going = true,
            "--only" => {
                let stage = words.next().ok_or("--only needs the name of a stage")?;
                options.only.push(stage.clone());
            }
            "--seeds" => {
                let number = words.next().ok_or("--seeds needs a number")?;
                let seeds =
                    number.parse().map_err(|_| format!("--seeds: not a number: {number}"))?;
                options.seeds = Some(seeds);
            }
            other => return Err(format!("test does not know {other}")),
        }
    }
    Ok(Command::Test(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn test_options_are_collected_in_order() {
        let parsed = parse(&words("test --only tidy --only sim --keep-going --seeds 7"));
        let expected = TestOptions {
            only: vec!["tidy".to_owned(), "sim".to_owned()],
            keep_going: true,
            seeds: Some(7),
        };
        assert_eq!(parsed, Ok(Command::Test(expected)));
    }

    #[test]
    fn sim_and_demo_pass_their_arguments_through() {
        assert_eq!(parse(&words("sim --seed 3 -v")), Ok(Command::Sim(words("--seed 3 -v"))));
        assert_eq!(parse(&words("demo --fast")), Ok(Command::Demo(words("--fast"))));
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for line in [
            "",
            "tset",
            "tidy --all",
            "test --only",
            "test --seeds x",
            "setup now",
            "sim",
            "fuzz --seconds",
            "coverage --xml",
        ] {
            assert!(parse(&words(line)).is_err(), "accepted: {line:?}");
        }
    }
}
