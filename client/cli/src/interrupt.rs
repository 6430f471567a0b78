//! Ctrl-C: stop soon, with the terminal as it was and the right exit code.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

static CANCELLED: AtomicBool = AtomicBool::new(false);
/// The terminal before a prompt hid what is typed.
static BEFORE_PROMPT: Mutex<Option<Termios>> = Mutex::new(None);

const CANCELLED_EXIT: i32 = 130;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Begins to listen. The second Ctrl-C, or one during a prompt, ends the program at once.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                let prompt = BEFORE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(before) = &prompt {
                    let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, before);
                    let _ = writeln!(std::io::stderr());
                }
                if prompt.is_some() || CANCELLED.swap(true, Relaxed) {
                    std::process::exit(CANCELLED_EXIT);
                }
            }
        });
    });
}

/// Whether the user wants to stop.
pub(crate) fn is_cancelled() -> bool {
    CANCELLED.load(Relaxed)
}

/// Ends when the user wants to stop.
pub(crate) async fn cancelled() {
    while !is_cancelled() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs a prompt that Ctrl-C may leave.
pub(crate) fn during_prompt<R>(prompt: impl FnOnce() -> R) -> R {
    let set = |value| *BEFORE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = value;
    set(tcgetattr(rustix::stdio::stdin()).ok());
    let result = prompt();
    set(None);
    result
}
