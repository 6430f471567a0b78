//! Answers that are ready: what everybody asks for costs no disk and waits for nobody.

use crate::http::Kept;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};
use strongroom_log::{Answer, Auditor};
use strongroom_tlog::NoteSigner;

/// Bytes of files that are kept. A bundle of entries may have 16 MiB.
const KEPT_LEN_MAX: usize = 64 * 1_024 * 1_024;
/// From here on an answer never changes.
const FOREVER_S: u32 = 31_536_000;

/// An answer as everybody may see it. What a disk said names folders; that is for the auditor's own log.
pub(crate) fn shown(path: &str, answer: Answer) -> Kept {
    if answer.status < 500 {
        return answer.into();
    }
    let detail = String::from_utf8_lossy(&answer.body).into_owned();
    tracing::error!(path, detail, "a file cannot be served");
    let what = "what lies here is damaged or cannot be read".to_owned();
    Answer::problem(500, "auditor", what).into()
}

/// Both kinds of answers.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    /// Those that change with each epoch or cosignature, made anew by whoever changes something.
    fresh: BTreeMap<String, Kept>,
    /// Those that never change, as far as they fit.
    files: BTreeMap<String, Kept>,
    order: VecDeque<String>,
    len: usize,
}

impl Shelf {
    /// Makes the answers that may have changed. The caller keeps the auditor from changing meanwhile.
    pub(crate) fn renew<S: NoteSigner, A: NoteSigner>(
        &self,
        auditor: &Auditor<S, A>,
        namespace: &str,
    ) {
        let paths = [
            "/info".to_owned(),
            "/namespaces".to_owned(),
            format!("/namespaces/{namespace}"),
            format!("/namespaces/{namespace}/last-verified-epoch"),
            format!("/{namespace}/checkpoint"),
            format!("/{namespace}/bundle"),
        ];
        let made = paths.into_iter().map(|path| {
            let kept = shown(&path, auditor.get(&path));
            (path, kept)
        });
        let made: Vec<_> = made.collect();
        self.inside().fresh.extend(made);
    }

    /// Shows one answer that may change.
    pub(crate) fn show(&self, path: &str, answer: Answer) {
        let kept = shown(path, answer);
        self.inside().fresh.insert(path.to_owned(), kept);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Kept> {
        let inside = self.inside();
        inside.fresh.get(path).or_else(|| inside.files.get(path)).cloned()
    }

    /// Keeps an answer that never changes, in the place of the oldest ones if need be.
    pub(crate) fn keep(&self, path: &str, kept: &Kept) {
        if kept.status != 200 || kept.max_age_s < FOREVER_S || kept.body.len() > KEPT_LEN_MAX / 2 {
            return;
        }
        let mut inside = self.inside();
        if inside.files.contains_key(path) {
            return;
        }
        inside.len = inside.len.saturating_add(kept.body.len());
        inside.files.insert(path.to_owned(), kept.clone());
        inside.order.push_back(path.to_owned());
        while inside.len > KEPT_LEN_MAX {
            let Some(oldest) = inside.order.pop_front() else { break };
            let dropped = inside.files.remove(&oldest).map_or(0, |kept| kept.body.len());
            inside.len = inside.len.saturating_sub(dropped);
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Whatever panicked in here left whole answers: each is put in by one statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
