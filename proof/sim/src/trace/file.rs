//! A trace as a file: a head, an entry a line, an end.

use super::{End, Entry, Head};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{self, BufRead, Read as _, Write},
};

/// The format that is written, and the only one that is read.
pub const FORMAT: &str = "strongroom-sim-trace/1";
/// Longest line that is read.
pub const LINE_MAX: u64 = 1 << 16;
/// Most entries that are read: a run has some hundred thousand.
const ENTRIES_MAX: u64 = 20_000_000;

/// A whole trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tape {
    /// What was run.
    pub head: Head,
    /// What happened.
    pub entries: Vec<Entry>,
    /// What came of it.
    pub end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    end: End,
}

/// Why a file is no trace.
#[derive(Debug)]
pub enum ReadError {
    /// It cannot be read.
    Io(io::Error),
    /// A line, from 1, is not what it has to be.
    Line {
        /// Which.
        number: u64,
        /// What was expected, and what is there.
        problem: String,
    },
    /// It ends before its end.
    Cut {
        /// So many entries were read.
        entries: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the trace cannot be read: {error}"),
            Self::Line { number, problem } => write!(f, "line {number} of the trace: {problem}"),
            Self::Cut { entries } => write!(
                f,
                "the trace is cut off after {entries} entries: its last line is missing; record it again"
            ),
        }
    }
}

impl std::error::Error for ReadError {}

/// Writes a whole trace.
///
/// # Errors
/// What the writer says.
pub fn write(out: &mut impl Write, tape: &Tape) -> io::Result<()> {
    let line = |out: &mut dyn Write, json: serde_json::Result<String>| {
        writeln!(out, "{}", json.map_err(io::Error::other)?)
    };
    line(out, serde_json::to_string(&tape.head))?;
    for entry in &tape.entries {
        line(out, serde_json::to_string(entry))?;
    }
    line(out, serde_json::to_string(&Last { end: tape.end.clone() }))?;
    out.flush()
}

/// Reads a whole trace, or says what is wrong with it.
///
/// # Errors
/// See [`ReadError`].
pub fn read(input: impl BufRead) -> Result<Tape, ReadError> {
    let mut lines = Lines { input, number: 0 };
    let head: Head = match lines.next()? {
        Some(line) => lines.parse(&line)?,
        None => return Err(ReadError::Cut { entries: 0 }),
    };
    if head.format != FORMAT {
        return Err(lines.problem(format!("expected {FORMAT}, got {:?}", head.format)));
    }
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(line) = lines.next()? {
        let count = entries.len() as u64;
        if line.starts_with("{\"end\"") {
            let Last { end } = lines.parse(&line)?;
            if end.entries != count {
                return Err(lines.problem(format!("expected {} entries, got {count}", end.entries)));
            }
            if lines.next()?.is_some() {
                return Err(lines.problem("expected nothing behind the end".to_owned()));
            }
            return Ok(Tape { head, entries, end });
        }
        if count == ENTRIES_MAX {
            return Err(lines.problem(format!("expected at most {ENTRIES_MAX} entries")));
        }
        let entry: Entry = lines.parse(&line)?;
        if entry.n != count {
            return Err(lines.problem(format!("expected entry {count}, got {}", entry.n)));
        }
        if entries.last().is_some_and(|before| before.ms > entry.ms) {
            return Err(lines.problem(format!("time runs back to {} ms", entry.ms)));
        }
        entries.push(entry);
    }
    Err(ReadError::Cut { entries: entries.len() as u64 })
}

struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<String>, ReadError> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.input).take(LINE_MAX + 1);
        limited.read_until(b'\n', &mut bytes).map_err(ReadError::Io)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() != Some(&b'\n') {
            return Err(match bytes.len() as u64 > LINE_MAX {
                true => self.problem(format!("expected at most {LINE_MAX} bytes, got more")),
                false => self.problem("expected a whole line, got a cut one".to_owned()),
            });
        }
        bytes.pop();
        String::from_utf8(bytes).map(Some).map_err(|error| self.problem(error.to_string()))
    }

    fn parse<'a, T: Deserialize<'a>>(&self, line: &'a str) -> Result<T, ReadError> {
        serde_json::from_str(line).map_err(|error| self.problem(error.to_string()))
    }

    const fn problem(&self, problem: String) -> ReadError {
        ReadError::Line { number: self.number, problem }
    }
}
