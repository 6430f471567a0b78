//! Steps through a recorded trace: forwards, backwards, to a time, to the next deed, with the fleet as it
//! was at any of these moments.

use crate::{
    story,
    trace::{Entry, Kind, State, Tape},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// What a person may say.
pub const HELP: &str = "\
n [COUNT]    the next entry, or so many        b [COUNT]   back
t MS         to the first entry at that time   e NUMBER    to that entry
d            to the next deed                  x           to the next broken promise
f            the fleet, as it is here          / TEXT      to the next entry with this text
node N       only entries of this node         user N      only entries of this user
kind KIND    only entries of this kind: deed, host, vault, client, custodian, wire, state, broken
all          all entries again                 h           this help
q            the end";

/// Which entries are shown.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these nodes; of all, if empty.
    pub nodes: Vec<u8>,
    /// Of these users.
    pub users: Vec<usize>,
    /// Of these kinds.
    pub kinds: Vec<Kind>,
    /// Not before.
    pub from_ms: u64,
    /// Not after.
    pub to_ms: Option<u64>,
}

impl Filter {
    /// Whether an entry is shown. Broken promises are everybody's, and so are deeds, unless they were done
    /// to a single frame.
    pub fn shows(&self, entry: &Entry) -> bool {
        let common = matches!(entry.kind, Kind::Deed | Kind::Broken)
            && self.kinds.is_empty()
            && !story::is_of_a_frame(entry);
        let alone = self.nodes.is_empty() && self.users.is_empty();
        let node = entry.node.is_some_and(|node| self.nodes.contains(&node));
        let user = entry.user.is_some_and(|user| self.users.contains(&user));
        let kind = self.kinds.is_empty() || self.kinds.contains(&entry.kind);
        let time = entry.ms >= self.from_ms && self.to_ms.is_none_or(|to| entry.ms <= to);
        time && kind && (alone || node || user || common)
    }
}

/// A place in a trace.
#[derive(Debug)]
pub struct Stepper {
    tape: Tape,
    /// The next entry.
    at: usize,
    filter: Filter,
}

/// What a command asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Show this.
    Text(String),
    /// Go home.
    Quit,
}

impl Stepper {
    /// At the beginning.
    pub const fn new(tape: Tape, filter: Filter) -> Self {
        Self { tape, at: 0, filter }
    }

    /// What a trace is of.
    pub fn title(&self) -> String {
        let head = &self.tape.head;
        let only =
            head.only.as_ref().map_or(String::new(), |only| format!(", {} deeds", only.len()));
        format!(
            "seed {}: {} nodes, {} users{only}; {} entries, {} broken; h for help",
            head.seed, head.nodes, head.users, self.tape.end.entries, self.tape.end.broken
        )
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// If it says nothing that is known.
    pub fn command(&mut self, line: &str) -> Result<Said, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let text = match word {
            "" => self.forth(1),
            "n" => self.forth(count(rest)?),
            "b" => self.back(count(rest)?),
            "t" => {
                let ms = number(rest)?;
                self.go_to(|entry| entry.ms >= ms, 0)?
            }
            "e" => {
                let n = number(rest)?;
                self.go_to(|entry| entry.n >= n, 0)?
            }
            "d" => self.go_to(|entry| entry.kind == Kind::Deed, self.at)?,
            "x" => self.go_to(|entry| entry.kind == Kind::Broken, self.at)?,
            "/" if rest.is_empty() => return Err("expected a text behind /".to_owned()),
            "/" => self.go_to(|entry| entry.text.contains(rest), self.at)?,
            "f" => self.fleet(),
            "node" => {
                let node = number(rest)?;
                self.filter.nodes.push(u8::try_from(node).map_err(|_| format!("no node {node}"))?);
                self.shown()
            }
            "user" => {
                let user = number(rest)?;
                let user = usize::try_from(user).map_err(|_| format!("no user {user}"))?;
                self.filter.users.push(user);
                self.shown()
            }
            "kind" => {
                self.filter.kinds.push(kind(rest)?);
                self.shown()
            }
            "all" => {
                self.filter = Filter::default();
                self.shown()
            }
            "h" | "help" => HELP.to_owned(),
            "q" | "quit" => return Ok(Said::Quit),
            other => return Err(format!("expected a command, got {other:?}; h lists them")),
        };
        Ok(Said::Text(text))
    }

    fn forth(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            let rest = self.tape.entries.get(self.at..).unwrap_or_default();
            let Some(skip) = rest.iter().position(|entry| self.filter.shows(entry)) else {
                self.at = self.tape.entries.len();
                text.push_str("the end\n");
                break;
            };
            let _ = writeln!(text, "{}", numbered(&rest[skip]));
            self.at += skip + 1;
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// So many shown entries back; the one there is shown again.
    fn back(&mut self, count: usize) -> String {
        // The entry before the next is the one that was shown last.
        for _ in 0..count.saturating_add(1) {
            let before = self.tape.entries.get(..self.at).unwrap_or_default();
            match before.iter().rposition(|entry| self.filter.shows(entry)) {
                Some(at) => self.at = at,
                None => break,
            }
        }
        self.forth(1)
    }

    fn go_to(&mut self, to: impl Fn(&Entry) -> bool, from: usize) -> Result<String, String> {
        let rest = self.tape.entries.get(from..).unwrap_or_default();
        let found = rest.iter().position(|entry| to(entry) && self.filter.shows(entry));
        let skip = found.ok_or("nothing like it until the end of the trace")?;
        self.at = from + skip;
        Ok(self.forth(1))
    }

    fn shown(&self) -> String {
        let shown = self.tape.entries.iter().filter(|entry| self.filter.shows(entry)).count();
        format!("{shown} of {} entries are shown", self.tape.entries.len())
    }

    /// The last that was said of every process before the next entry.
    fn fleet(&self) -> String {
        let mut newest: BTreeMap<(u8, bool), &State> = BTreeMap::new();
        for entry in self.tape.entries.get(..self.at).unwrap_or_default() {
            if let (Some(node), Some(state)) = (entry.node, &entry.state) {
                newest.insert((node, entry.twin), state);
            }
        }
        if newest.is_empty() {
            return "nothing is known of any process here; only a trace written by --trace has states"
                .to_owned();
        }
        let mut text = "node   role       process  era  term  applied  voters".to_owned();
        for ((node, twin), state) in newest {
            let name = if twin { format!("{node} twin") } else { node.to_string() };
            let _ = write!(
                text,
                "\n{name:<7}{:<11}{:>7}{:>5}{:>6}{:>9}  {:?}",
                state.role, state.process, state.era, state.term, state.applied, state.voters
            );
        }
        text
    }
}

/// An entry as the stepper shows it.
pub fn numbered(entry: &Entry) -> String {
    format!("{:>7} {}", entry.n, story::line(entry))
}

/// A kind by its name.
///
/// # Errors
/// If there is none of this name.
pub fn kind(name: &str) -> Result<Kind, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|_| format!("expected a kind of entries, got {name:?}"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a number, got {text:?}"))
}

fn count(text: &str) -> Result<usize, String> {
    if text.is_empty() {
        Ok(1)
    } else {
        text.parse().map_err(|_| format!("expected a number, got {text:?}"))
    }
}
