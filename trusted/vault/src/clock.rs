//! Agreed vault time: the median of the nodes' clocks, so that no host moves it alone.

use std::collections::BTreeMap;

/// A clock that was not heard for this long is not counted.
const FRESH_MS: u64 = 10_000;

/// The nodes' clocks as this vault last heard them.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// By node: its wall clock, and this vault's monotonic clock when it was heard.
    heard: BTreeMap<u8, (u64, u64)>,
}

impl Clocks {
    pub(crate) fn hear(&mut self, node: u8, wall_ms: u64, monotonic_ms: u64) {
        self.heard.insert(node, (wall_ms, monotonic_ms));
    }

    /// Of at least `quorum` fresh clocks, this node's own included, the latest that a majority has
    /// reached: with all nodes heard, their median.
    ///
    /// Among any majority one clock is honest as long as a minority lies, so this is never ahead of
    /// every honest clock, *whichever* of them a host lets this vault hear. It may be behind: a
    /// delay adds no attempt. Fewer clocks give no time: a leader that cannot hear a majority serves
    /// nobody anyway.
    pub(crate) fn median(&self, own_ms: u64, monotonic_ms: u64, quorum: usize) -> Option<u64> {
        let mut clocks: Vec<u64> = self
            .heard
            .values()
            .filter_map(|(wall, at)| {
                let age = monotonic_ms.saturating_sub(*at);
                (age <= FRESH_MS).then(|| wall.saturating_add(age))
            })
            .chain([own_ms])
            .collect();
        clocks.sort_unstable();
        clocks.get(clocks.len().checked_sub(quorum)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(offsets: &[i64]) -> Clocks {
        let mut clocks = Clocks::default();
        for (node, offset) in (2..).zip(offsets) {
            clocks.hear(node, 1_000_000_u64.saturating_add_signed(*offset), 0);
        }
        clocks
    }

    #[test]
    fn a_minority_of_lying_clocks_moves_nothing() {
        let far = 400_000_000;
        assert_eq!(heard(&[0, 1, 2, far, far, far]).median(1_000_000, 0, 4), Some(1_000_002));
        assert_eq!(heard(&[0, 1, 2, -far, -far, -far]).median(1_000_000, 0, 4), Some(1_000_000));
    }

    #[test]
    fn a_minority_moves_nothing_forward_even_if_hardly_anybody_else_is_heard() {
        let far = 400_000_000;
        assert_eq!(heard(&[far, far, far]).median(1_000_000, 0, 4), Some(1_000_000));
        assert_eq!(heard(&[5, far, far, far]).median(1_000_000, 0, 4), Some(1_000_005));
    }

    #[test]
    fn too_few_clocks_give_no_time() {
        assert_eq!(heard(&[0, 0]).median(1_000_000, 0, 4), None);
        assert_eq!(heard(&[0, 0, 0, 0]).median(1_000_000, FRESH_MS + 1, 4), None);
    }

    #[test]
    fn a_heard_clock_goes_on() {
        assert_eq!(heard(&[0, 0, 0]).median(1_005_000, 5_000, 4), Some(1_005_000));
    }
}
