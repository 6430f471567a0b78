//! What is said: sentences for people, one JSON object a line for programs.
//!
//! Results go to standard output; notes, warnings, errors and bars to standard error.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};

/// Speaks one of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    json: bool,
}

impl Voice {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Whether somebody watches.
    pub(crate) fn has_audience(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// A result: text for people, facts for programs.
    pub(crate) fn result(self, message_type: &str, text: &str, facts: Value) {
        let line = if self.json { line(message_type, facts) } else { text.trim_end().to_owned() };
        if !line.is_empty() {
            // A closed pipe is the reader's choice, not our failure.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    /// Something to know before or beside a result.
    pub(crate) fn note(self, message_type: &str, text: &str) {
        let line =
            if self.json { line(message_type, json!({"message": text})) } else { text.to_owned() };
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Something that is not as it should be.
    pub(crate) fn warn(self, text: &str) {
        let text = if self.json { text.to_owned() } else { format!("warning: {text}") };
        self.note("warning", &text);
    }

    /// An error: what happened, what it cost, what next.
    pub(crate) fn fail(self, failure: &Failure) {
        let mut text = if self.json {
            line("error", failure.facts())
        } else {
            format!("error: {}", failure.message)
        };
        if !self.json {
            let cost = failure.cost.as_ref().map(|cost| ("cost", cost.text.clone()));
            let hint = failure.hint.as_ref().map(|hint| ("hint", hint.clone()));
            for (what, line) in cost.into_iter().chain(hint) {
                text.push_str(&format!("\n  {what}: {line}"));
            }
        }
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// One object with its type first in name.
fn line(message_type: &str, facts: Value) -> String {
    let mut line = json!({"message_type": message_type});
    if let (Some(line), Value::Object(facts)) = (line.as_object_mut(), facts) {
        line.extend(facts);
    }
    line.to_string()
}
