//! What auditors, logs, witnesses and operators send: an error, or a value with one encoding.

use strongroom_manifest::Floors;
use strongroom_tlog::{
    Checkpoint, LogKey, LogProof, Note, NoteSignature, Policy, WitnessKey,
    tiles::{Tile, decode_bundle, encode_bundle},
    witness::{AddCheckpoint, Answer},
};
use strongroom_verify::{
    Bundle, Circumstances, Event, EventOrder, Leaf, Statement, Trust, check, events_origin,
};

const ORIGIN: &str = "auditor.example/org.example.encrypted_backups.fleet_keys.v1";

/// A bundle under pins that nobody holds the keys of, and the parts of one.
pub(crate) fn bundle(bytes: &[u8]) -> bool {
    let mut accepted = false;
    if let Ok(bundle) = Bundle::parse(bytes) {
        let again = Bundle::parse(&bundle.to_bytes()).expect("what was read can be read again");
        assert_eq!(again, bundle);
        accepted = true;
    }
    if let Some(statement) = Statement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes, "two encodings of one statement");
        accepted = true;
    }
    if let Some(leaf) = Leaf::parse(ORIGIN, bytes) {
        assert_eq!(leaf.to_bytes(ORIGIN).as_deref(), Some(bytes), "two encodings of one leaf");
        accepted = true;
    }
    if let Ok(trust) = Trust::parse(bytes) {
        assert!(trust.policy().needs_witnesses());
        let at = Circumstances {
            now_ms: 1_800_000_000_000,
            seen: None,
            fleet: "eu-1",
            floors: &Floors::DANGER_DEVELOPMENT,
            slot: &[0; 32],
        };
        assert!(check(bytes, &trust, &at).is_err(), "a trust file was believed as a bundle");
        accepted = true;
    }
    accepted
}

/// An event, and its leaf.
pub(crate) fn event(bytes: &[u8]) -> bool {
    let origin = events_origin(ORIGIN);
    let Ok(event) = Event::parse(bytes) else {
        // A leaf whose JSON does not read is none either.
        let Ok(event) = Event::from_leaf(&origin, bytes) else { return false };
        assert_eq!(event.to_leaf(&origin), bytes, "two encodings of one leaf");
        return true;
    };
    assert_eq!(event.to_json(), bytes, "two encodings of one event");
    assert_eq!(Event::from_leaf(&origin, &event.to_leaf(&origin)).as_ref(), Ok(&event));
    // Nobody's keys are in the noise, and whatever it carries must not stop a reader.
    let _ = EventOrder::default().take(&event);
    true
}

/// Everything that C2SP writes down.
pub(crate) fn tlog(bytes: &[u8]) -> bool {
    let mut accepted = false;
    let mut same = |written: Option<Vec<u8>>, what: &str| {
        if let Some(written) = written {
            assert_eq!(written, bytes, "two encodings of one {what}");
            accepted = true;
        }
    };
    same(Note::parse(bytes).ok().map(|note| note.to_bytes()), "note");
    same(LogProof::parse(bytes).ok().map(|proof| proof.to_bytes()), "proof");
    same(AddCheckpoint::parse(bytes).ok().map(|request| request.to_bytes()), "request");
    for width in [1, 2, 256] {
        let entries = decode_bundle(bytes, width).ok();
        same(entries.map(|entries| encode_bundle(&entries).expect("encodes")), "entry bundle");
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        let text_of = |text: String| Some(text.into_bytes());
        same(Checkpoint::parse(text).ok().and_then(|read| text_of(read.to_text())), "checkpoint");
        same(LogKey::from_vkey(text).ok().and_then(|key| text_of(key.to_string())), "vkey");
        same(WitnessKey::from_vkey(text).ok().and_then(|key| text_of(key.to_string())), "vkey");
        same(Tile::parse(text).ok().and_then(|tile| text_of(tile.path())), "tile");
        let line = NoteSignature::parse(text.trim_end_matches('\n')).ok();
        accepted |= line.is_some();
    }
    if let Ok(policy) = Policy::parse(bytes) {
        let again = Policy::parse(&policy.to_bytes()).expect("what was read can be read again");
        assert_eq!(again, policy);
        accepted = true;
    }
    // Of a refusal any body is read; of an answer only what the protocol allows.
    let _ = Answer::parse(422, bytes);
    accepted |= [200, 409].into_iter().any(|status| Answer::parse(status, bytes).is_ok());
    accepted
}
