//! Any bytes in any order: nothing panics, nothing is delivered that was not sent.

mod support;

use proptest::prelude::*;
use support::{Pair, halted, links, messages, replica, ups};

#[derive(Debug, Clone)]
enum Step {
    /// Say something from A (or B), keeping the frames in the host's hands.
    Say { a: bool, length: usize },
    /// Deliver any frame that ever existed to either end.
    Deliver { a: bool, which: prop::sample::Index },
    /// Deliver it damaged.
    Damage { a: bool, which: prop::sample::Index, at: prop::sample::Index, bits: u8 },
    /// Deliver it cut.
    Cut { a: bool, which: prop::sample::Index, at: prop::sample::Index },
    /// Deliver bytes.
    Bytes { a: bool, bytes: Vec<u8> },
    /// Let time pass.
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        2 => (any::<bool>(), prop_oneof![0..100_usize, 60_000..150_000_usize])
            .prop_map(|(a, length)| Step::Say { a, length }),
        8 => (any::<bool>(), which()).prop_map(|(a, which)| Step::Deliver { a, which }),
        1 => (any::<bool>(), which(), which(), 1..=255_u8)
            .prop_map(|(a, which, at, bits)| Step::Damage { a, which, at, bits }),
        1 => (any::<bool>(), which(), which()).prop_map(|(a, which, at)| Step::Cut { a, which, at }),
        1 => (any::<bool>(), 0..4_u8, prop::collection::vec(any::<u8>(), 0..1_300))
            .prop_map(|(a, kind, mut bytes)| { bytes.insert(0, kind); Step::Bytes { a, bytes } }),
        1 => (0..3_000_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived(kind in 0..5_u8, bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut fresh = Pair::new(links(1, 1), links(2, 1));
        fresh.a.tick(0);
        let frame = [&[kind][..], &bytes].concat();
        prop_assert!(fresh.give_a(&frame).is_empty());
        prop_assert!(fresh.give_b(&frame).is_empty());
    }

    #[test]
    fn a_host_can_only_lose_frames(steps in prop::collection::vec(step(), 1..80)) {
        let mut pair = Pair::up();
        let mut kept = [pair.to_a.clone(), pair.to_b.clone()].concat();
        let (mut said_a, mut said_b) = (Vec::new(), Vec::new());
        let (mut got_a, mut got_b) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            let (to_a, frame) = match step {
                Step::Say { a, length } => {
                    let mut message = vec![0; length];
                    message.splice(..0, (number as u64).to_be_bytes());
                    kept.extend(if a {
                        pair.a.send(replica(2, 1), &message)
                    } else {
                        pair.b.send(replica(1, 1), &message)
                    });
                    if a { said_a.push(message) } else { said_b.push(message) }
                    continue;
                }
                Step::Wait { ms } => {
                    pair.now_ms += ms;
                    let mut events = pair.a.tick(pair.now_ms);
                    events.extend(pair.b.tick(pair.now_ms));
                    kept.extend(support::frames(&events, 1));
                    kept.extend(support::frames(&events, 2));
                    continue;
                }
                Step::Deliver { a, which } => (a, which.get(&kept).clone()),
                Step::Damage { a, which, at, bits } => {
                    let mut frame = which.get(&kept).clone();
                    let at = at.index(frame.len());
                    frame[at] ^= bits;
                    (a, frame)
                }
                Step::Cut { a, which, at } => {
                    let frame = which.get(&kept);
                    (a, frame[..at.index(frame.len())].to_vec())
                }
                Step::Bytes { a, bytes } => (a, bytes),
            };
            let events = if to_a { pair.give_a(&frame) } else { pair.give_b(&frame) };
            prop_assert!(!halted(&events) && ups(&events).is_empty());
            if to_a { got_a.extend(messages(&events)) } else { got_b.extend(messages(&events)) }
        }
        // What arrived is a subsequence of what was said: in order, once, unchanged.
        for (said, got) in [(said_a, got_b), (said_b, got_a)] {
            let mut rest = said.iter();
            prop_assert!(got.iter().all(|g| rest.any(|s| s == g)));
        }
        prop_assert!(pair.talks());
    }
}
