//! A question every few milliseconds, whether or not the last one was answered: how the fleet's
//! silence is measured. A client that waited for its answer would ask seldom when it matters.

use super::device::Door;
use chacha20::{ChaCha20Rng, rand_core::Rng as _};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::MissedTickBehavior};

/// Questions that wait for their answers at once.
const WAITING_MAX: usize = 400;

pub(super) async fn probes(mut dice: ChaCha20Rng, doors: Vec<Door>, every: Duration) {
    let mut askers: Vec<_> = doors.into_iter().filter_map(Door::open).map(Arc::new).collect();
    let Some(shared) = askers.first().map(|device| Arc::clone(&device.shared)) else { return };
    let places = Arc::new(Semaphore::new(WAITING_MAX));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut under_way = tokio::task::JoinSet::new();
    while !shared.is_stopping() {
        ticks.tick().await;
        while under_way.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        askers.rotate_left(1);
        let Some(asker) = askers.first().cloned() else { return };
        let mut seed = [0; 32];
        dice.fill_bytes(&mut seed);
        under_way.spawn(async move {
            asker.budget(seed).await;
            drop(place);
        });
    }
    while under_way.join_next().await.is_some() {}
}
