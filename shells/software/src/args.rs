//! The command line, read strictly: no option twice, none unknown, none without a value.
//!
//! Written by hand: an argument library would be more code inside the trusted process than
//! everything else in this crate.

use crate::failure::Failure;
use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

/// What `--help` prints.
pub const USAGE: &str = "\
strongroom-vault: the trusted process of one node (software body, development only)

  strongroom-vault init       --dir D --node N
  strongroom-vault fleet-keys --dir D --node-info F... --out DIR [--fleet NAME, default dev]
  strongroom-vault accept     --dir D --box F --fleet NAME
  strongroom-vault pin        --dir D --custodians F --namespace NAME
  strongroom-vault run        --dir D --node N --fleet NAME --manifest M --signatures S
                              --tick-ms T [--chain C] [--danger-clock-offset-ms X]
  strongroom-vault --help | --version

`run` speaks to its host on standard input and output; a host starts it, not a person.
Exit codes: 0 done, 1 the machine failed, 2 usage, 3 keys or manifest refused, 4 halted.
";

/// The options of one subcommand.
#[derive(Debug)]
pub struct Options(BTreeMap<String, Vec<String>>);

impl Options {
    /// Reads `--name value...` pairs; every name must be one of `known`.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn parse(words: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, Failure> {
        let mut options: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut current: Option<String> = None;
        for word in words {
            if let Some(name) = word.strip_prefix("--") {
                if !known.contains(&name) {
                    return Err(Failure::Usage(format!(
                        "unknown option --{name}, expected one of --{}",
                        known.join(", --")
                    )));
                }
                options.entry(name.to_owned()).or_default();
                current = Some(name.to_owned());
            } else {
                let values = current.as_ref().and_then(|name| options.get_mut(name));
                let Some(values) = values else {
                    return Err(Failure::Usage(format!("unexpected word `{word}`")));
                };
                values.push(word);
            }
        }
        Ok(Self(options))
    }

    /// All values of an option that may have several.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one value of an option, if the option is there.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an option with no or with several values, or of another type.
    pub fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(values) = self.0.get(name) else {
            return Ok(None);
        };
        let [value] = values.as_slice() else {
            let got = values.len();
            return Err(Failure::Usage(format!("--{name} has {got} values, expected one")));
        };
        value
            .parse()
            .map(Some)
            .map_err(|_| Failure::Usage(format!("--{name} `{value}` is not a value of its kind")))
    }

    /// The one value of an option that must be there.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn required<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::Usage(format!("--{name} is missing")))
    }

    /// A path that must be there.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        self.required(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        let words = line.split_whitespace().map(str::to_owned);
        Options::parse(words, &["dir", "node", "node-info"])
    }

    #[test]
    fn several_values_follow_one_name_or_its_repetition() {
        let options = parse("--node-info a b --dir d --node-info c").expect("parse");
        assert_eq!(options.all("node-info"), ["a", "b", "c"]);
        assert_eq!(options.required::<String>("dir").expect("dir"), "d");
    }

    #[test]
    fn what_is_unknown_doubled_missing_or_of_another_kind_is_refused() {
        assert!(parse("--dri d").is_err());
        assert!(parse("stray --dir d").is_err());
        let twice = parse("--dir a --dir b").expect("parse");
        assert!(twice.required::<String>("dir").is_err());
        let options = parse("--node 300 --dir").expect("parse");
        assert!(options.required::<u8>("node").is_err());
        assert!(options.required::<String>("dir").is_err());
        assert!(options.required::<String>("node-info").is_err());
    }
}
