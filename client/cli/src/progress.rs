//! How far a long command is: a bar for people, JSON lines for programs.

use crate::{interrupt, voice::Voice};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use strongroom_backup::{Flow, Phase, Progress, Update};

/// Programs are told as often as a person would look.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Shows the reports of one command.
pub(crate) struct Shown {
    voice: Voice,
    bar: ProgressBar,
    told: Mutex<Option<(Phase, Instant)>>,
}

impl Shown {
    pub(crate) fn new(voice: Voice) -> Arc<Self> {
        let target = if voice.has_audience() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Arc::new(Self {
            voice,
            bar: ProgressBar::with_draw_target(None, target),
            told: Mutex::new(None),
        })
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&self, update: &Update) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            told.is_none_or(|(phase, at)| phase != update.phase || at.elapsed() >= TELL_EVERY);
        if is_due {
            *told = Some((update.phase, Instant::now()));
            let facts = serde_json::to_value(update).unwrap_or_else(|_| json!({}));
            self.voice.result("progress", "", facts);
        }
    }

    fn draw(&self, update: &Update) {
        let files = update.files_total.map_or_else(
            || format!("{} files", update.files_done),
            |total| format!("{} of {total} files", update.files_done),
        );
        match update.bytes_total {
            Some(total) => {
                self.bar.set_style(style(
                    "{prefix}  {bar:30} {bytes} of {total_bytes}, {msg}, {bytes_per_sec}, {eta} left",
                ));
                self.bar.set_length(total);
            }
            None => self.bar.set_style(style("{prefix}  {spinner} {bytes}, {msg}")),
        }
        self.bar.set_prefix(words(update.phase));
        self.bar.set_message(files);
        self.bar.set_position(update.bytes_done);
    }
}

impl Progress for Shown {
    fn update(&self, update: &Update) -> Flow {
        if self.voice.is_json() {
            self.tell(update);
        } else {
            self.draw(update);
        }
        if interrupt::is_cancelled() { Flow::Cancel } else { Flow::Continue }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

const fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Preparing => "preparing",
        Phase::BackingUp => "backing up",
        Phase::Comparing => "comparing",
        Phase::Restoring => "restoring",
        Phase::Finishing => "finishing",
        Phase::CheckingStructure => "checking structure",
        Phase::CheckingData => "checking data",
        _ => "working",
    }
}
