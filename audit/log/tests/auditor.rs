//! An auditor over its folder and its witnesses: what it signs, and what no crash makes it sign twice.

mod stage;

use stage::world::{DAY_MS, NOW_MS, ORIGIN, circumstances, log, manifest, trust, witness};
use stage::{
    NOW_S, Scene, Witnesses, copy, countersigned, of, open, publish, scene, setup, submission,
};
use std::sync::Arc;
use strongroom_log::{
    Auditor, CONFIRMED_S_MAX, Folder, FolderError, Log, LogError, Submission, SubmitError, Witness,
    WitnessError,
};
use strongroom_manifest::ManifestError;
use strongroom_tlog::{
    NoteSignature,
    witness::{AddCheckpoint, Refusal},
};
use strongroom_verify::{Leaf, check, check_history};

#[test]
fn what_it_publishes_a_client_believes_and_a_verifier_reads_whole() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    for epoch in 1..=3 {
        publish(&mut auditor, &mut witnesses, &submission(epoch)).expect("publishes");
        assert_eq!(auditor.bundle().expect("reads"), None, "not counter-signed yet");
        let given = countersigned(&auditor, epoch);
        auditor.countersign(&given).expect("kept");
        let bundle = auditor.bundle().expect("reads").expect("a bundle");
        let believed = check(&bundle.to_bytes(), &trust(), &circumstances(None)).expect("believed");
        assert_eq!(believed.manifest().epoch, epoch);
    }
    let folder = auditor.log().folder();
    let signatures = folder.read("signatures/000.p/3", 1 << 16).expect("reads").expect("is there");
    let of = |epoch: u64| {
        let at = usize::try_from(epoch - 1).expect("small") * 128;
        signatures.get(at..at + 128).and_then(|bytes| bytes.try_into().ok())
    };
    let head = auditor.log().published().expect("reads").expect("served").checkpoint().head();
    let checked = check_history(folder, head, &trust(), of, |_| ()).expect("holds");
    assert_eq!(checked.len(), 3);
}

#[test]
fn a_change_of_custodians_travels_in_every_later_bundle() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    for (epoch, own, by) in [(1, [1, 2, 3], [1, 2]), (2, [4, 5, 6], [2, 3]), (3, [4, 5, 6], [4, 6])]
    {
        let submission = of(&manifest(epoch, &own), &by);
        publish(&mut auditor, &mut witnesses, &submission).expect("publishes");
    }
    let given = countersigned(&auditor, 3);
    auditor.countersign(&given).expect("kept");
    drop(auditor);
    // Also after a start, which follows the leaves again.
    let auditor = open(dir.path(), &mut witnesses).expect("opens");
    let bundle = auditor.bundle().expect("reads").expect("a bundle");
    assert_eq!(bundle.chain.len(), 1);
    check(&bundle.to_bytes(), &trust(), &circumstances(None)).expect("believed");
}

#[test]
fn while_an_epoch_waits_for_witnesses_the_one_before_is_served() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    for epoch in 1..=4 {
        auditor.submit(&submission(epoch), NOW_MS).expect("taken");
        if epoch > 1 {
            // The log is longer than what is published, and the path is for the latter.
            let bundle = auditor.bundle().expect("reads").expect("a bundle").to_bytes();
            let believed = check(&bundle, &trust(), &circumstances(None)).expect("believed");
            assert_eq!(believed.manifest().epoch, epoch - 1);
        }
        let lines = witnesses.cosign(&mut auditor).expect("cosigned");
        auditor.release(&lines, NOW_S).expect("released");
        let given = countersigned(&auditor, epoch);
        auditor.countersign(&given).expect("kept");
    }
    assert!(matches!(auditor.log().inclusion(0, 5), Err(LogError::Beyond { got: 5, size: 4 })));
}

#[test]
fn nothing_leaves_without_a_quorum_of_witnesses() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    auditor.submit(&submission(1), NOW_MS).expect("taken");
    let lines = witnesses.cosign(&mut auditor).expect("cosigned");
    // Two witnesses of one operator are one.
    let refused = auditor.release(&lines[..2], NOW_S).map(|_| ());
    assert!(matches!(refused, Err(SubmitError::Quorum(_))), "{refused:?}");
    let refused = auditor.release(&lines, NOW_S + 301).map(|_| ());
    assert!(matches!(refused, Err(SubmitError::Quorum(_))), "cosignatures of another hour");
    assert_eq!(auditor.response(1).expect("reads"), None);
    assert!(auditor.log().published().expect("reads").is_none());
    assert!(auditor.awaits_witnesses().expect("reads"));
    auditor.release(&lines[1..3], NOW_S).expect("two operators").expect("an epoch");
    assert!(!auditor.awaits_witnesses().expect("reads"));
}

#[test]
fn an_epoch_has_one_manifest_for_ever() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    let first = publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    let mut other = manifest(1, &[1, 2, 3]);
    other.fleets[0].nodes[0].site = "elsewhere".to_owned();
    let refused = auditor.submit(&of(&other, &[1, 2]), NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Equivocation { epoch: 1 })), "{refused:?}");
    // The same again is answered with the same.
    let again = publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    assert_eq!(again, first);
}

#[test]
fn a_gap_a_repeated_digest_and_a_weak_policy_are_refused_before_anything_is_written() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    let refused = auditor.submit(&submission(3), NOW_MS);
    let gap = ManifestError::Epoch { got: 3, expected: 2 };
    assert!(matches!(refused, Err(SubmitError::Manifest(error)) if error == gap));
    let repeated = Submission { epoch: 2, ..submission(1) };
    let refused = auditor.submit(&repeated, NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Epoch { got: 2, expected: 1 })), "{refused:?}");
    let unsigned = auditor.submit(&of(&manifest(2, &[1, 2, 3]), &[1]), NOW_MS);
    let short = ManifestError::Custodians { got: 1, needed: 2 };
    assert!(matches!(unsigned, Err(SubmitError::Manifest(error)) if error == short));
    let mut weak = manifest(2, &[1, 2, 3]);
    weak.policy.replace_ms = 0;
    let refused = auditor.submit(&of(&weak, &[1, 2]), NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Floor(_))), "{refused:?}");
    let spaced = Submission { manifest: submission(2).manifest + "\n", ..submission(2) };
    let refused = auditor.submit(&spaced, NOW_MS);
    let form = ManifestError::NotCanonical;
    assert!(matches!(refused, Err(SubmitError::Manifest(error)) if error == form));
    assert_eq!(auditor.log().head().size, 1);
    publish(&mut auditor, &mut witnesses, &submission(2)).expect("goes on");
}

#[test]
fn a_clock_that_went_back_makes_no_epoch_older_than_the_one_before() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    auditor.submit(&submission(2), NOW_MS - 300_000).expect("taken");
    let lines = witnesses.cosign(&mut auditor).expect("cosigned");
    let second = auditor.release(&lines, NOW_S).expect("released").expect("an epoch");
    assert_eq!(second.response().timestamp, NOW_MS);
}

/// Stops the auditor after each of its durable steps, starts it again, and publishes what was asked.
#[test]
fn a_crash_at_any_step_leaves_one_statement_for_the_epoch() {
    let mut steps = 0;
    loop {
        let Scene { dir, mut witnesses } = scene();
        let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
        publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
        auditor.log().folder().danger_crash_after(steps);
        let before = publish(&mut auditor, &mut witnesses, &submission(2));
        drop(auditor);

        let mut auditor = open(dir.path(), &mut witnesses).expect("opens after a crash");
        let resumed = auditor.log().head().size;
        // From the intent's rename on, the third of the first three steps, the epoch has its leaf.
        assert_eq!(resumed, if steps < 2 { 1 } else { 2 }, "step {steps}");
        let finished = before.is_ok();
        // A minute later; what the crash left behind keeps its own time.
        if let Err(error) = &before {
            assert!(error.to_string().contains("stopped by a test"), "step {steps}: {error}");
        }
        auditor.submit(&submission(2), NOW_MS + 60_000).expect("goes on");
        let lines = witnesses.cosign(&mut auditor).expect("cosigned");
        let after = auditor.release(&lines, NOW_S).expect("released").expect("an epoch");
        if resumed == 2 {
            assert_eq!(after.response().timestamp, NOW_MS, "step {steps}: the intent's time");
        }
        if let Ok(before) = before {
            assert_eq!(*after.response(), before, "step {steps}: two statements for one epoch");
        }
        assert_eq!(auditor.log().head().size, 2);
        let leaf = auditor.log().entry(1).expect("a leaf");
        let stated = after.response().statement().expect("suite 1").to_bytes();
        assert!(leaf.windows(stated.len()).any(|part| part == stated), "step {steps}");
        if finished {
            // Intent, entries, tile, signed head, checkpoint, response: each has three.
            assert_eq!(steps, 18);
            return;
        }
        steps += 1;
    }
}

#[test]
fn an_old_copy_of_its_folder_signs_nothing() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    drop(auditor);
    let old = dir.path().join("old");
    copy(&dir.path().join("auditor"), &old);
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(2)).expect("publishes");
    drop(auditor);

    let folder = Arc::new(Folder::open(&old).expect("a folder"));
    let mut restored = Auditor::open(folder, setup()).expect("opens");
    let mut other = manifest(2, &[1, 2, 3]);
    other.fleets[0].nodes[0].site = "elsewhere".to_owned();
    let other = of(&other, &[1, 2]);
    let refused = restored.submit(&other, NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Unconfirmed)), "{refused:?}");
    // Who carries the question may lie about the witness's size: the witness does not.
    let request = restored.request(1).expect("a request").to_bytes();
    let refused = witnesses.0[0].add_checkpoint(&request, NOW_S);
    let conflict = matches!(refused, Err(WitnessError::Refused(Refusal::Conflict { size: 2, .. })));
    assert!(conflict, "{refused:?}");
    let refused = restored.confirm(&[], NOW_S, NOW_S);
    assert!(matches!(refused, Err(SubmitError::Quorum(_))), "{refused:?}");
    let refused = witnesses.cosign(&mut restored).map(|_| ());
    assert!(matches!(refused, Err(SubmitError::Restored { got: 1, witnessed: 2 })), "{refused:?}");
    let refused = restored.submit(&other, NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Unconfirmed)), "{refused:?}");
    // What it may still say is what it has said.
    let again = restored.release(&[], NOW_S).expect("cosigned before").expect("an epoch");
    assert_eq!(again.response().epoch, 1);
    let refused = restored.confirm(&witnesses_lines(&restored), NOW_S + 1, NOW_S + 1);
    assert!(matches!(refused, Err(SubmitError::Quorum(_))), "a replay: {refused:?}");
}

/// The cosignatures that lie in an auditor's folder.
fn witnesses_lines(auditor: &stage::TestAuditor) -> Vec<NoteSignature> {
    let published = auditor.log().published().expect("reads").expect("served");
    published.note().signatures().to_vec()
}

#[test]
fn a_confirmation_grows_old() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    let late_ms = NOW_MS + 1_000 * (CONFIRMED_S_MAX + 1);
    let refused = auditor.submit(&submission(1), late_ms);
    assert!(matches!(refused, Err(SubmitError::Unconfirmed)), "a machine that slept: {refused:?}");
    let refused = auditor.submit(&submission(1), NOW_MS + 100 * 365 * DAY_MS);
    assert!(matches!(refused, Err(SubmitError::Unconfirmed)), "a clock that is wrong: {refused:?}");
    auditor.submit(&submission(1), NOW_MS).expect("taken");
}

#[test]
fn an_epoch_is_released_before_the_next_is_taken() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    auditor.submit(&submission(1), NOW_MS).expect("taken");
    let refused = auditor.submit(&submission(2), NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Unreleased { epoch: 1 })), "{refused:?}");
    let lines = witnesses.cosign(&mut auditor).expect("cosigned");
    // Stopped when the checkpoint is out and the signature is not.
    auditor.log().folder().danger_crash_after(3);
    auditor.release(&lines, NOW_S).map(|_| ()).expect_err("stopped");
    drop(auditor);
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    assert!(auditor.log().published().expect("reads").is_some());
    let refused = auditor.submit(&submission(2), NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Unreleased { epoch: 1 })), "{refused:?}");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("goes on");
    publish(&mut auditor, &mut witnesses, &submission(2)).expect("goes on");
}

#[test]
fn an_intent_that_somebody_wrote_is_not_believed() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    // What an honest intent for epoch 2 looks like.
    let honest = {
        let other = tempfile::tempdir().expect("a folder");
        copy(&dir.path().join("auditor"), other.path());
        let mut witnesses = Witnesses(Vec::new());
        core::mem::swap(&mut witnesses.0, &mut Witnesses::open(&dir.path().join("more")).0);
        let folder = Arc::new(Folder::open(other.path()).expect("a folder"));
        let mut twin = Auditor::open(folder, setup()).expect("opens");
        let lines = witnesses.cosign(&mut twin).expect("cosigned");
        twin.confirm(&lines, NOW_S, NOW_S).expect("confirmed");
        twin.submit(&submission(2), NOW_MS).expect("taken");
        Leaf::parse(ORIGIN, &twin.log().entry(1).expect("a leaf")).expect("a leaf")
    };
    drop(auditor);
    type Forge = fn(&mut Leaf);
    let forgeries: [Forge; 6] = [
        |leaf| leaf.statement.epoch = 3,
        |leaf| leaf.statement.digest[0] ^= 1,
        |leaf| leaf.statement.namespace.push('x'),
        |leaf| leaf.previous[0] ^= 1,
        |leaf| leaf.statement.timestamp_ms = 1,
        |leaf| leaf.signatures = Default::default(),
    ];
    for forge in forgeries {
        let mut leaf = honest.clone();
        forge(&mut leaf);
        let bytes = leaf.to_bytes(ORIGIN).expect("a leaf");
        std::fs::write(dir.path().join("auditor/intent"), bytes).expect("writes");
        let auditor = open(dir.path(), &mut witnesses).expect("opens");
        assert_eq!(auditor.log().head().size, 1, "{:?}", leaf.statement);
    }
    for damaged in [&b""[..], b"x", &[0; 100]] {
        std::fs::write(dir.path().join("auditor/intent"), damaged).expect("writes");
        let auditor = open(dir.path(), &mut witnesses).expect("opens");
        assert_eq!(auditor.log().head().size, 1);
    }
    let bytes = honest.to_bytes(ORIGIN).expect("a leaf");
    std::fs::write(dir.path().join("auditor/intent"), bytes).expect("writes");
    let auditor = open(dir.path(), &mut witnesses).expect("opens");
    assert_eq!(auditor.log().head().size, 2, "the honest one is finished");
}

#[test]
fn what_can_be_made_again_stops_nobody_when_it_rots() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    let first = publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    for file in ["checkpoint", "responses/1.json"] {
        std::fs::write(dir.path().join("auditor").join(file), b"rotten").expect("writes");
        let mut lines = witnesses.cosign(&mut auditor).expect("cosigned");
        // A witness that sends rubbish under another's name changes nothing either.
        let mut bytes = lines[2].to_line().into_bytes();
        let at = bytes.len() - 20;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let line = String::from_utf8(bytes).expect("text");
        lines.insert(0, NoteSignature::parse(line.trim_end()).expect("a line"));
        let again = auditor.release(&lines, NOW_S).expect("released").expect("an epoch");
        assert_eq!(*again.response(), first);
    }
}

#[test]
fn a_twin_elsewhere_gets_no_cosignature() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    let other = tempfile::tempdir().expect("a folder");
    let folder = Arc::new(Folder::open(other.path()).expect("a folder"));
    let mut twin = Auditor::open(folder, setup()).expect("opens");
    let refused = witnesses.cosign(&mut twin).map(|_| ());
    assert!(matches!(refused, Err(SubmitError::Restored { got: 0, witnessed: 1 })), "{refused:?}");
    let refused = twin.submit(&submission(1), NOW_MS);
    assert!(matches!(refused, Err(SubmitError::Unconfirmed)), "{refused:?}");
}

#[test]
fn a_rotten_tile_is_found_before_anything_is_signed() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    drop(auditor);
    for path in ["tile/entries/000.p/1", "tile/0/000.p/1"] {
        let file = dir.path().join("auditor").join(path);
        let good = std::fs::read(&file).expect("a tile");
        let mut rotten = good.clone();
        rotten[20] ^= 1;
        std::fs::write(&file, rotten).expect("writes");
        let refused = open(dir.path(), &mut witnesses).map(|_| ());
        assert!(matches!(refused, Err(SubmitError::Log(LogError::Tiles(_)))), "{refused:?}");
        std::fs::write(&file, good).expect("writes");
    }
    open(dir.path(), &mut witnesses).expect("mended");
}

#[test]
fn two_publishers_cannot_have_one_folder() {
    let Scene { dir, mut witnesses } = scene();
    let first = open(dir.path(), &mut witnesses).expect("opens");
    let second = open(dir.path(), &mut witnesses).map(|_| ());
    let locked = matches!(second, Err(SubmitError::Folder(FolderError::Locked { .. })));
    assert!(locked, "{second:?}");
    drop(first);
    open(dir.path(), &mut witnesses).expect("free again");
}

#[test]
fn a_disk_that_failed_once_is_read_again_before_more_is_signed() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Arc::new(Folder::open(dir.path()).expect("a folder"));
    let mut one = Log::open(Arc::clone(&folder), log(ORIGIN)).expect("a log");
    folder.danger_crash_after(2);
    let failed = one.append(&[b"first".to_vec()]).map(|_| ());
    assert!(matches!(failed, Err(LogError::Folder(FolderError::Crashed))), "{failed:?}");
    folder.danger_crash_after(u32::MAX);
    let refused = one.append(&[b"second".to_vec()]).map(|_| ());
    assert!(matches!(refused, Err(LogError::Unsure)), "{refused:?}");
    drop(one);
    let mut one = Log::open(folder, log(ORIGIN)).expect("a log");
    one.append(&[b"second".to_vec()]).expect("appends");
    assert_eq!(one.entry(0).expect("an entry"), b"second");
}

#[test]
fn a_log_grows_across_tiles_and_opens_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Arc::new(Folder::open(dir.path()).expect("a folder"));
    let mut one = Log::open(Arc::clone(&folder), log(ORIGIN)).expect("a log");
    let entry = |n: u64| format!("entry {n}").into_bytes();
    for batch in [0..1, 1..200, 200..256, 256..257, 257..700] {
        let entries: Vec<Vec<u8>> = batch.map(entry).collect();
        one.append(&entries).expect("appends");
    }
    let head = one.head();
    drop(one);
    let one = Log::open(folder, log(ORIGIN)).expect("opens");
    assert_eq!((one.head(), head.size), (head, 700));
    for index in [0, 199, 255, 256, 257, 699] {
        assert_eq!(one.entry(index).expect("an entry"), entry(index));
    }
    assert!(matches!(one.entry(700), Err(LogError::Tiles(_))));
    assert!(matches!(one.inclusion(700, 700), Err(LogError::Beyond { got: 700, size: 700 })));
}

#[test]
fn a_witness_keeps_what_it_cosigned_across_a_crash() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    auditor.submit(&submission(2), NOW_MS).expect("taken");
    let request = auditor.request(1).expect("a request").to_bytes();
    drop(witnesses);
    for steps in 0..4 {
        let folder = Arc::new(Folder::open(&dir.path().join("w0")).expect("a folder"));
        let logs = vec![log(ORIGIN).key().clone()];
        let mut one = Witness::open(Arc::clone(&folder), witness(0), logs).expect("a witness");
        folder.danger_crash_after(steps);
        let answer = one.add_checkpoint(&request, NOW_S);
        let latest = one.latest(ORIGIN).expect("one").checkpoint().size();
        match answer {
            // Nothing was said, so nothing needs to be remembered; if the disk has it, no harm.
            Err(WitnessError::Folder(FolderError::Crashed)) => assert_eq!(latest, 1),
            Err(WitnessError::Refused(Refusal::Conflict { size: 2, .. })) => assert_eq!(latest, 2),
            other => panic!("step {steps}: {other:?}"),
        }
    }
    let witnesses = Witnesses::open(dir.path());
    let latest = witnesses.0[0].latest(ORIGIN).expect("one");
    assert_eq!(latest.checkpoint().size(), 2);
}

#[test]
fn paths_stay_below_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).expect("a folder");
    for path in ["", "/etc/passwd", "../up", "a/../b", "a//b", ".lock", "a/.b.draft", "a\\b", "a\0"]
    {
        let refused = folder.write(path, b"x");
        assert!(matches!(refused, Err(FolderError::Path { .. })), "{path:?}");
        assert!(folder.read(path, 10).is_err(), "{path:?}");
    }
    folder.write("tile/entries/000.p/1", b"x").expect("writes");
    let refused = folder.read("tile/entries/000.p/1", 0);
    assert!(matches!(refused, Err(FolderError::TooLong { cap: 0, .. })));
}

#[test]
fn counter_signatures_in_another_order_make_the_same_files() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    for epoch in 1..=3 {
        publish(&mut auditor, &mut witnesses, &submission(epoch)).expect("publishes");
    }
    let file = |auditor: &stage::TestAuditor, width: u64| {
        let path = format!("signatures/000.p/{width}");
        auditor.log().folder().read(&path, 1 << 16).expect("reads")
    };
    for epoch in [3, 2] {
        let given = countersigned(&auditor, epoch);
        auditor.countersign(&given).expect("kept");
        assert_eq!(file(&auditor, epoch), None, "epoch 1 is not there");
    }
    let given = countersigned(&auditor, 1);
    auditor.countersign(&given).expect("kept");
    let whole = file(&auditor, 3).expect("is there");
    assert_eq!(whole.len(), 3 * 128);
    for width in [1, 2] {
        let part = file(&auditor, width).expect("is there");
        assert!(whole.starts_with(&part), "{width}");
    }
    auditor.countersign(&given).expect("again");
    assert_eq!(file(&auditor, 3), Some(whole));
}

#[test]
fn a_witness_follows_the_logs_that_it_knows() {
    let Scene { dir, mut witnesses } = scene();
    let folder = Arc::new(Folder::open(&dir.path().join("other")).expect("a folder"));
    let other = Log::open(folder, log("other.example/log")).expect("a log");
    let request = AddCheckpoint::new(0, Vec::new(), other.signed()).expect("a request");
    let refused = witnesses.0[0].add_checkpoint(&request.to_bytes(), NOW_S);
    let unknown = matches!(refused, Err(WitnessError::Refused(Refusal::UnknownOrigin { .. })));
    assert!(unknown, "{refused:?}");
}
