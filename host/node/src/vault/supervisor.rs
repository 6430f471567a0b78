//! Starts the vault again whenever it ended: each time as a new process, which the fleet takes in
//! as a new incarnation.

use super::process::{End, Surroundings, live};
use crate::{config::Config, keeper::Keeper, peers::Outgoing, relay::Relay, vitals::Vitals};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A process that lived this long ended for a reason of its own.
const LONG_LIFE: Duration = Duration::from_secs(30);

/// Watches over the vault's process.
pub(crate) struct Supervisor(Arc<Surroundings>);

impl Supervisor {
    pub(crate) fn new(
        config: Config,
        vitals: Arc<Vitals>,
        relay: Arc<Relay>,
        keeper: Keeper,
        outgoing: Outgoing,
    ) -> Self {
        Self(Arc::new(Surroundings { config, vitals, relay, keeper, outgoing }))
    }

    /// Returns when the node stops and its vault has ended.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        loop {
            let started = Instant::now();
            match live(&self.0, &mut stop).await {
                End::Stopped => return,
                End::Over(how) => {
                    if started.elapsed() > LONG_LIFE {
                        pause = PAUSE_MIN;
                    }
                    let retry_ms = pause.as_millis() as u64;
                    tracing::error!(%how, retry_ms, "the vault ended; a new process follows");
                    self.0.vitals.detach(Some(how));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
