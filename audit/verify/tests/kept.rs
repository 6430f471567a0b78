//! A verifier goes on from where it was, under the pins that it had, and nowhere else.

#[path = "world/published.rs"]
mod published;
mod world;

use proptest::prelude::*;
use published::{Files, Published, history, publish};
use strongroom_tlog::tiles::VerifiedTiles;
use strongroom_verify::{
    Fault, History, HistoryError, KeptError, KeptHead, Trust, continue_history,
};
use world::{ORIGIN, World, manifest, signed, trust, trust_file};

fn go_on(published: &Published, kept: Option<&KeptHead>) -> Result<History, HistoryError<String>> {
    let tiles: VerifiedTiles<&Files> =
        VerifiedTiles::open(&published.files, published.head).expect("opens");
    let signatures =
        |epoch: u64| published.signatures.get(usize::try_from(epoch - 1).expect("small")).copied();
    continue_history(&tiles, kept, &trust(), signatures, |_| ())
}

fn kept(world: &World) -> KeptHead {
    let history = go_on(&publish(world), None).expect("holds");
    let signed = world.checkpoint(&world.honest(), ORIGIN);
    KeptHead::of(&history, &signed, &trust()).expect("a head")
}

#[test]
fn it_goes_on_at_every_size_and_checks_only_what_is_new() {
    for (before, after) in
        [(1, 1), (1, 2), (255, 256), (256, 256), (256, 257), (257, 515), (512, 513)]
    {
        let read = KeptHead::parse(&kept(&history(before)).to_bytes(), &trust()).expect("reads");
        let checked = go_on(&publish(&history(after)), Some(&read)).expect("holds");
        let epochs: Vec<u64> = checked.epochs.iter().map(|epoch| epoch.epoch).collect();
        assert_eq!(epochs, (before + 1..=after).collect::<Vec<_>>(), "{before} to {after}");
        let (_, last) = checked.last.expect("a last one");
        assert_eq!(last.epoch, after);
    }
}

#[test]
fn the_custodians_in_force_go_on_with_it() {
    let mut world = history(1);
    world.publish(&signed(&manifest(2, &[4, 5, 6]), &[1, 2]));
    let head = kept(&world);
    let mut good = World { leaves: world.leaves.clone() };
    good.publish(&signed(&manifest(3, &[4, 5, 6]), &[5, 6]));
    let counted = go_on(&publish(&good), Some(&head)).expect("holds").epochs[0].custodians;
    assert_eq!((counted.signed, counted.needed, counted.listed), (2, 2, 3));
    world.publish(&signed(&manifest(3, &[4, 5, 6]), &[1, 2]));
    let broken = go_on(&publish(&world), Some(&head));
    let is_caught =
        matches!(broken, Err(HistoryError::Contradiction { epoch: 3, fault: Fault::Manifest(_) }));
    assert!(is_caught, "{broken:?}");
}

#[test]
fn another_tree_and_a_smaller_one_are_told_apart() {
    let head = kept(&history(3));
    let behind = go_on(&publish(&history(2)), Some(&head));
    assert!(matches!(behind, Err(HistoryError::Behind { got: 2, kept: 3 })), "{behind:?}");
    for grown in [3, 4, 300] {
        let mut other = history(2);
        for epoch in 3..=grown {
            let mut moved = manifest(epoch, &[1, 2, 3]);
            moved.fleets[0].nodes[0].site = "elsewhere".to_owned();
            other.publish(&signed(&moved, &[1, 3]));
        }
        let split = go_on(&publish(&other), Some(&head));
        assert!(matches!(split, Err(HistoryError::OtherTree { .. })), "{split:?}");
    }
}

#[test]
fn what_is_withheld_hides_no_contradiction_after_it() {
    let mut world = history(2);
    world.publish(&signed(&manifest(3, &[7, 8, 9]), &[7, 8, 9]));
    let mut published = publish(&world);
    published.signatures.clear();
    let found = go_on(&published, None);
    assert!(matches!(found, Err(HistoryError::Contradiction { epoch: 3, .. })), "{found:?}");
}

#[test]
fn a_head_of_other_pins_or_with_other_contents_is_refused() {
    let head = kept(&history(2));
    let text = String::from_utf8(head.to_bytes()).expect("text");
    let mut file = trust_file();
    file.built_ms += 1;
    let other = Trust::new(file).expect("pins");
    let refused = KeptHead::parse(text.as_bytes(), &other).map(|_| ());
    assert!(matches!(refused, Err(KeptError::OtherTrust { .. })), "{refused:?}");
    let edited = |from: &str, to: &str| {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text);
        KeptHead::parse(edited.as_bytes(), &trust()).map(|_| ()).expect_err("refuses")
    };
    assert_eq!(edited("\"size\":2", "\"size\":3"), KeptError::Contents);
    assert_eq!(edited("\"epoch\":2", "\"epoch\":3"), KeptError::Contents);
    assert!(matches!(edited("\"version\":1", "\"version\":2"), KeptError::Version { got: 2, .. }));
    assert!(matches!(
        edited("auditor.example/", "other.example/"),
        KeptError::Origin { .. } | KeptError::Checkpoint(_)
    ));
    assert!(matches!(edited("\"epoch\"", "\"e\""), KeptError::Malformed { .. }));
    assert!(matches!(edited("\"epoch\"", "\"epoch\":1,\"epoch\""), KeptError::Malformed { .. }));
    let long = KeptHead::parse(&vec![b' '; 131_073], &trust()).map(|_| ());
    assert_eq!(long, Err(KeptError::TooLong { got: 131_073, cap: 131_072 }));
    // A manifest that the tree does not hold passes the file's own checks, and is found at the tree.
    let digest = "\"manifest_sha256\":\"";
    let at = text.find(digest).expect("a digest") + digest.len();
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    let changed = [&text[..at], digit, &text[at + 1..]].concat();
    let changed = KeptHead::parse(changed.as_bytes(), &trust()).expect("reads");
    let found = go_on(&publish(&history(3)), Some(&changed));
    assert!(matches!(found, Err(HistoryError::KeptLeaf)), "{found:?}");
}

proptest! {
    #[test]
    fn noise_is_no_head(bytes in proptest::collection::vec(any::<u8>(), 0..1_024)) {
        prop_assert!(KeptHead::parse(&bytes, &trust()).is_err());
    }
}
