//! A failed run, told so that a person can follow it.

use crate::{
    acts::Act,
    oracle::Broken,
    shrink::Shrunk,
    trace::{Entry, Kind, Tape},
};
use std::fmt::Write as _;

/// Lines that a story has at most; of a longer one, the last are told, and frames are left out.
const LINES_MAX: usize = 400;
/// Deeds that fit a line to run again.
const NAMED_MAX: usize = 200;

/// Tells what a shrunk run was, how it went and how to see it again.
pub fn tell(shrunk: &Shrunk) -> String {
    let mut text = String::new();
    let (before, after) = shrunk.deeds;
    let report = &shrunk.run.report;
    let shortest = if shrunk.minimal {
        "without any of them it does not break"
    } else {
        "time was up: some of them may not matter"
    };
    let _ = writeln!(
        text,
        "seed {}, shrunk: {after} of {before} deeds, {} runs; {shortest}\n",
        report.seed, shrunk.runs
    );
    for line in lines(&shrunk.run.tape) {
        let _ = writeln!(text, "{line}");
    }
    for Broken { invariant, checker, story } in &report.broken {
        let _ = writeln!(text, "\n{invariant}/{checker} broken at {} ms", report.virtual_ms);
        let _ = writeln!(text, "  {story}");
    }
    let only: Vec<String> = shrunk.plan.only.iter().flatten().map(ToString::to_string).collect();
    let again = if only.len() <= NAMED_MAX {
        format!("strongroom-sim --seed {} --only {}", report.seed, only.join(","))
    } else {
        format!("--save-shrunk FILE keeps these {} deeds, strongroom-sim replay FILE", only.len())
    };
    let _ = writeln!(text, "\n  again:  {again}");
    let _ = writeln!(text, "  digest: {}", shrunk.run.tape.end.digest);
    text
}

/// The lines of a trace that a story has.
pub fn lines(tape: &Tape) -> Vec<String> {
    let mut told: Vec<&Entry> = tape.entries.iter().filter(|entry| is_told(entry)).collect();
    if told.len() > LINES_MAX {
        told.retain(|entry| !is_of_a_frame(entry));
    }
    let left_out = told.len().saturating_sub(LINES_MAX);
    let mut lines = Vec::new();
    if left_out > 0 {
        lines.push(format!("{:>9}    ({left_out} lines before; --trace FILE keeps all)", ""));
    }
    lines.extend(told[left_out..].iter().map(|entry| line(entry)));
    lines
}

/// One entry in one line: when, of whom, what.
pub fn line(entry: &Entry) -> String {
    let mark = match entry.kind {
        Kind::Deed => "!",
        Kind::Broken => "X",
        Kind::Host | Kind::Custodian => ">",
        Kind::Vault => ":",
        Kind::Client => "?",
        Kind::Wire => "-",
        Kind::State => "=",
    };
    format!("{:>6} ms  {mark} {}", entry.ms, entry.text)
}

/// Vaults say much. What turns a story is who leads, what starts, who comes back and who stops.
fn is_told(entry: &Entry) -> bool {
    const TURNS: [&str; 5] = ["Role(Leader)", "halts", "Started", "Welcomed", "Role(Frozen)"];
    match entry.kind {
        Kind::Deed => !entry.text.starts_with("TakePart"),
        Kind::Host => entry.ms > 1 || !entry.text.contains(" boots "),
        Kind::Client | Kind::Custodian => true,
        Kind::Vault => entry.ms > 1 && TURNS.iter().any(|turn| entry.text.contains(turn)),
        Kind::Wire | Kind::State | Kind::Broken => false,
    }
}

/// Whether the adversary did this to a single frame, which it does all the time.
pub(crate) fn is_of_a_frame(entry: &Entry) -> bool {
    let act = entry.text.split(':').next().unwrap_or_default();
    entry.kind == Kind::Deed && Act::ON_FRAMES.iter().any(|on_frame| on_frame.name() == act)
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, lines};
    use crate::trace::{End, Entry, Head, Kind, Tape};

    #[test]
    fn a_long_story_says_what_it_leaves_out() {
        let entry = |n: usize| Entry {
            n: n as u64,
            ms: 2,
            kind: Kind::Host,
            text: format!("event {n}"),
            ..Entry::default()
        };
        let tape = |count: usize| Tape {
            head: Head { format: String::new(), seed: 1, nodes: 7, users: 1, only: None },
            entries: (0..count).map(entry).collect(),
            end: End { entries: count as u64, digest: String::new(), broken: 0 },
        };
        assert_eq!(lines(&tape(LINES_MAX)).len(), LINES_MAX);
        let long = lines(&tape(LINES_MAX + 7));
        assert_eq!(long.len(), LINES_MAX + 1);
        assert!(long[0].contains("7 lines before"), "{}", long[0]);
        assert!(long[1].ends_with("event 7"), "{}", long[1]);
    }
}
