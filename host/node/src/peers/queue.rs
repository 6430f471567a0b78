//! The frames that wait for one peer, bounded by their bytes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// One whole snapshot in frames (64 MiB) and the traffic beside it. A lower cap would lose a
/// frame of every large snapshot, each time it is sent.
const BYTES_MAX: usize = 80 * 1_024 * 1_024;
/// What a frame costs beside its bytes.
const OVERHEAD: usize = 64;

#[derive(Default)]
struct State {
    is_open: bool,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// Frames in order. Closed while there is no connection: what was meant for a dead connection is
/// old when the next one comes, and the links repeat what matters.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame; false if it was dropped.
    pub(super) fn push(&self, frame: Vec<u8>) -> bool {
        let mut state = self.state();
        let cost = frame.len() + OVERHEAD;
        if !state.is_open || state.bytes + cost > BYTES_MAX {
            return false;
        }
        state.bytes += cost;
        state.frames.push_back(frame);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// The next frame, once there is one.
    pub(super) async fn next(&self) -> Vec<u8> {
        loop {
            let arrived = self.arrived.notified();
            if let Some(frame) = self.try_next() {
                return frame;
            }
            arrived.await;
        }
    }

    /// The next frame, if there is one.
    pub(super) fn try_next(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        let frame = state.frames.pop_front()?;
        state.bytes -= frame.len() + OVERHEAD;
        Some(frame)
    }

    /// Opens, empty.
    pub(super) fn open(&self) {
        *self.state() = State { is_open: true, ..State::default() };
    }

    /// Closes and drops what waits.
    pub(super) fn close(&self) {
        *self.state() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_closed_queue_drops_and_does_not_wait() {
        let queue = Queue::default();
        assert!(!queue.push(vec![1]));
        queue.open();
        let mut taken = 0;
        while queue.push(vec![0; 65_535]) {
            taken += 1;
        }
        assert!((1_200..1_300).contains(&taken), "{taken}");
        assert!(queue.try_next().is_some());
        assert!(queue.push(vec![0; 65_535]));
        queue.close();
        assert!(queue.try_next().is_none());
    }

    #[tokio::test]
    async fn frames_come_out_in_order() {
        let queue = Queue::default();
        queue.open();
        for number in 0..3 {
            assert!(queue.push(vec![number]));
        }
        for number in 0..3 {
            assert_eq!(queue.next().await, [number]);
        }
    }
}
