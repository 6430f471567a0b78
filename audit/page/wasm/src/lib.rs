//! The status page's check, for a browser (spec §25.3).
//!
//! * **What it is.** Four functions that a page's script calls; each hands bytes to `strongroom-page` and
//!   text back.
//! * **What it may assume.** Nothing of the bytes; the clock is the browser's.
//! * **What it must never do.** Decide anything itself, fetch anything, or remember anything.

use serde_json::to_string;
use strongroom_page::{Report, Told};
use strongroom_verify::Trust;
use wasm_bindgen::prelude::wasm_bindgen;

/// Files of a log, as the page's script fetched them.
#[wasm_bindgen]
#[derive(Default)]
pub struct Files(strongroom_page::Files);

#[wasm_bindgen]
impl Files {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file by its path below the log's prefix.
    pub fn put(&mut self, path: &str, bytes: Vec<u8>) {
        self.0.put(path, bytes);
    }
}

/// The files to fetch: a list of paths in JSON. An empty one where the check will say why.
#[wasm_bindgen]
pub fn paths(trust: &[u8], checkpoint: &[u8]) -> String {
    let trust = Trust::parse(trust).ok();
    let paths = trust.and_then(|trust| strongroom_page::paths(&trust, checkpoint).ok());
    to_string(&paths.unwrap_or_default()).unwrap_or_default()
}

/// Checks a log. `whose` says in a few words whose trust file it is.
#[wasm_bindgen]
pub fn check(trust: &[u8], checkpoint: &[u8], files: &Files, whose: &str, now_ms: f64) -> String {
    let now_ms = clock(now_ms);
    let report = match Trust::parse(trust) {
        Ok(trust) => strongroom_page::check(&trust, checkpoint, &files.0, now_ms),
        Err(error) => Report::unchecked("trust", error.to_string()),
    };
    tell(&report, whose, now_ms)
}

/// What the page shows when there is nothing to check.
#[wasm_bindgen]
pub fn failure(step: &str, why: &str, whose: &str, now_ms: f64) -> String {
    let step = if step == "trust" { "trust" } else { "log" };
    tell(&Report::unchecked(step, why.to_owned()), whose, clock(now_ms))
}

fn tell(report: &Report, whose: &str, now_ms: u64) -> String {
    // Numbers, strings and structures always serialise.
    to_string(&Told::of(report, whose, now_ms)).unwrap_or_default()
}

/// Milliseconds since the Unix epoch; a clock that says less says nothing.
fn clock(now_ms: f64) -> u64 {
    // Saturates, and is exact below 2^53.
    now_ms as u64
}
