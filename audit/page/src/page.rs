//! The page as files, to be put beside the log that it shows.

use crate::{
    check::{EPOCHS_MAX, check, signed},
    files::needed,
    markup::{self, escape},
    report::{Facts, Outcome, Report},
    time::utc,
};
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use strongroom_tlog::tiles::TileSource;
use strongroom_verify::{Trust, TrustError};
use strongroom_wire::digest::sha256;

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const SHELL: &str = include_str!("../assets/index.html");

/// A line that a visitor runs, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it proves.
    pub what: String,
    /// As typed.
    pub line: String,
}

/// The check as WebAssembly: what `cargo xtask page` builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// The glue.
    pub js: Vec<u8>,
    /// The code.
    pub wasm: Vec<u8>,
}

impl Verifier {
    /// Reads what `cargo xtask page` left in a folder.
    ///
    /// # Errors
    /// What the system says; without it a page does not verify, and says so.
    pub fn from_folder(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            js: fs::read(folder.join("verify.js"))?,
            wasm: fs::read(folder.join("verify_bg.wasm"))?,
        })
    }
}

/// What a page is made of.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// The trust file that the page checks with and ships.
    pub trust: &'a [u8],
    /// What visitors can run themselves.
    pub commands: &'a [Command],
    /// The check; without it the page says that it verifies nothing.
    pub verifier: Option<&'a Verifier>,
    /// When the page is written, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Below the folder, in the order of their writing.
    pub files: Vec<String>,
    /// Epochs shown.
    pub epochs: u64,
}

/// Checks a log and writes its page into a folder: `index.html`, `trust.json`, `status/…`.
///
/// Whoever serves the folder serves `checkpoint`, `tile/…` and `signatures/…` in it, too. A crash
/// within leaves the old page or a new one whose scripts are newer than its text: the text is written
/// last, and each file is replaced whole.
///
/// # Errors
/// [`PageError`]; a log that does not hold gets no page.
pub fn write<S: TileSource>(
    folder: &Path,
    checkpoint: &[u8],
    source: &S,
    page: &Page<'_>,
) -> Result<Written, PageError> {
    let trust = Trust::parse(page.trust)?;
    let report = check(&trust, checkpoint, source, page.now_ms);
    let Some(facts) = report.proven() else {
        let why = report.stages().last().map(|stage| format!("{}: {}", stage.name, stage.text));
        return Err(PageError::NotVerified {
            outcome: report.outcome(),
            why: why.unwrap_or_default(),
        });
    };
    let mut all: Vec<(&str, &[u8])> =
        vec![("trust.json", page.trust), ("status/style.css", STYLE.as_bytes())];
    if let Some(verifier) = page.verifier {
        all.extend([
            ("status/verify_bg.wasm", verifier.wasm.as_slice()),
            ("status/verify.js", verifier.js.as_slice()),
            ("status/page.js", SCRIPT.as_bytes()),
        ]);
    }
    let html = html(facts, &trust, page);
    all.push(("index.html", html.as_bytes()));
    for (name, bytes) in &all {
        put(&folder.join(name), bytes)?;
    }
    let files = all.iter().map(|(name, _)| (*name).to_owned()).collect();
    Ok(Written { files, epochs: facts.checkpoint.size() })
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), PageError> {
    let failed = |source| PageError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let draft = path.with_extension("draft");
    fs::write(&draft, bytes).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}

fn html(facts: &Facts, trust: &Trust, page: &Page<'_>) -> String {
    let commands: String = page
        .commands
        .iter()
        .map(|command| {
            format!(
                "<li><p>{}</p><pre tabindex=\"0\"><code>{}</code></pre></li>",
                escape(&command.what),
                escape(&command.line)
            )
        })
        .collect();
    let script = match page.verifier {
        Some(_) => "<script type=\"module\" src=\"status/page.js\"></script>",
        None => "",
    };
    let pending = match page.verifier {
        Some(_) => {
            "This page checks the log with your browser, if JavaScript and WebAssembly may run. So far \
             nothing was checked: what you read below is the auditor’s word."
        }
        None => {
            "This page was written without its check: it verifies nothing. What you read below is the \
             auditor’s word; the commands at the end check it."
        }
    };
    let digest = hex::encode(sha256(page.trust));
    fill(
        SHELL,
        &[
            ("NAMESPACE", &escape(&trust.file().namespace)),
            ("ORIGIN", &escape(trust.origin())),
            ("EPOCHS", &facts.checkpoint.size().to_string()),
            ("WRITTEN", &utc(page.now_ms)),
            ("PENDING", pending),
            ("TRUST_SHA256", &digest),
            ("FLEETS", &markup::fleets(&facts.manifest)),
            ("CHECKPOINT", &markup::checkpoint(facts, None)),
            ("HISTORY", &markup::history(&facts.epochs)),
            ("COMMANDS", &commands),
            ("SCRIPT", script),
        ],
    )
}

/// Puts values into the places of a template, in one pass: a value that looks like a place stays text.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut parts = template.split("{{");
    out.extend(parts.next());
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        out.push_str(value.unwrap_or_default());
        out.push_str(rest);
    }
    out
}

/// What the check tells the page's script.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// [`Outcome::name`].
    pub outcome: &'static str,
    /// For people.
    pub verdict: String,
    /// Epochs checked, zero unless verified.
    pub epochs: u64,
    /// The sections of the page as the log has them; empty unless verified.
    pub fleets: String,
    /// See `fleets`.
    pub checkpoint: String,
    /// See `fleets`.
    pub history: String,
}

impl Told {
    /// A report, as the page shows it. `trust` says whose trust file was used.
    pub fn of(report: &Report, trust: &str, now_ms: u64) -> Self {
        let facts = report.proven();
        let section = |make: &dyn Fn(&Facts) -> String| facts.map(make).unwrap_or_default();
        Self {
            outcome: report.outcome().name(),
            verdict: markup::verdict(report, trust, now_ms),
            epochs: facts.map_or(0, |facts| facts.checkpoint.size()),
            fleets: section(&|facts| markup::fleets(&facts.manifest)),
            checkpoint: section(&|facts| markup::checkpoint(facts, Some(now_ms))),
            history: section(&|facts| markup::history(&facts.epochs)),
        }
    }
}

/// The files to ask the log's host for, once its checkpoint was read: only a size that the log of the
/// trust file signed makes a browser fetch.
///
/// # Errors
/// The report to show: there is nothing to check then.
pub fn paths(trust: &Trust, checkpoint: &[u8]) -> Result<Vec<String>, Box<Report>> {
    let signed = signed(trust, checkpoint).map_err(|stopped| Box::new(Report::stopped(stopped)))?;
    let size = signed.checkpoint().size();
    let absent = || Box::new(Report::unchecked("log", format!("more than {EPOCHS_MAX} epochs")));
    needed(size).ok_or_else(absent)
}

/// Why no page was written.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The log does not hold.
    #[error("no page was written: the log is not verified ({}): {why}", outcome.name())]
    NotVerified {
        /// How the check ended.
        outcome: Outcome,
        /// The step that does not hold.
        why: String,
    },
    /// The system says no.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_place_stays_text() {
        let filled = fill("a{{X}}b{{Y}}c", &[("X", "{{Y}}"), ("Y", "y")]);
        assert_eq!(filled, "a{{Y}}byc");
    }

    #[test]
    fn every_place_of_the_page_has_a_value_and_no_script_or_style_stands_in_it() {
        let names: Vec<&str> =
            SHELL.split("{{").skip(1).filter_map(|part| part.split("}}").next()).collect();
        assert_eq!(names.len(), SHELL.matches("}}").count());
        for forbidden in ["style=", "onclick", "<style", "http://", "https://", "javascript:"] {
            assert!(!SHELL.contains(forbidden), "{forbidden}");
        }
    }
}
