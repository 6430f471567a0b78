//! Inputs to begin with.

use crate::pieces::join;
use std::collections::BTreeSet;
use strongroom_record::Entry;
use strongroom_sim::{
    Plan,
    runner::run_plan,
    trace::{self, Detail, Tape},
};
use strongroom_wire::{caps, relay};

/// Every hexadecimal string and every JSON text in the specification's vectors.
pub(crate) fn vectors() -> Vec<Vec<u8>> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/spec/vectors");
    let mut found = BTreeSet::new();
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("the vectors").filter_map(Result::ok).collect();
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let text = std::fs::read(file.path()).expect("a readable file");
        collect(&serde_json::from_slice(&text).expect("JSON"), &mut found);
    }
    found.into_iter().collect()
}

fn collect(value: &serde_json::Value, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        serde_json::Value::String(text) => match hex::decode(text) {
            Ok(bytes) if !bytes.is_empty() => drop(found.insert(bytes)),
            _ => drop(found.insert(text.clone().into_bytes())),
        },
        serde_json::Value::Array(all) => all.iter().for_each(|v| collect(v, found)),
        serde_json::Value::Object(all) => all.values().for_each(|v| collect(v, found)),
        _ => {}
    }
}

/// Padded entries.
pub(crate) fn entries() -> Vec<Vec<u8>> {
    let read = |bytes: Vec<u8>| strongroom_wire::codec::decode::<Entry>(&bytes, 1 << 16).ok();
    vectors().into_iter().filter_map(read).filter_map(|entry| entry.to_bytes().ok()).collect()
}

pub(crate) fn relay() -> Vec<Vec<u8>> {
    let refusals = (1..=6).map(|code| vec![code]);
    let answer = vec![0; 1 + caps::RESPONSE_FRAME_LEN];
    let request = vec![7; relay::RELAY_REQUEST_LEN];
    refusals.chain([answer, request]).collect()
}

pub(crate) fn opaque() -> Vec<Vec<u8>> {
    let sizes = [
        caps::opaque::REGISTRATION_REQUEST_LEN,
        caps::opaque::REGISTRATION_UPLOAD_LEN,
        caps::opaque::KE1_LEN,
    ];
    vectors().into_iter().filter(|bytes| sizes.contains(&bytes.len())).collect()
}

pub(crate) fn texts() -> Vec<Vec<u8>> {
    let texts =
        ["alice@example.com", "correct horse", "ＡＬＩＣＥ", "naïve", "👩\u{200d}🚀", " ", "ß"];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// How a fleet begins, and a trace of nothing.
pub(crate) fn traces() -> Vec<Vec<u8>> {
    let plan = Plan { ends_ms: 3, ..Plan::of(1) };
    let begun = run_plan(&plan, Detail::Story).tape;
    let nothing = run_plan(&plan, Detail::Off).tape;
    let written = |tape: &Tape| {
        let mut bytes = Vec::new();
        trace::write(&mut bytes, tape).expect("memory");
        bytes
    };
    [written(&begun), written(&nothing)].to_vec()
}

/// States with their salts, as the vectors give them.
pub(crate) fn states() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/spec/vectors/state.json");
    let text = std::fs::read(path).expect("the vectors of states");
    let file: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let part = |case: &serde_json::Value, name: &str| hex::decode(case.get(name)?.as_str()?).ok();
    let cases = file.get("cases").and_then(serde_json::Value::as_array).into_iter().flatten();
    cases.filter_map(|case| Some(join([part(case, "state")?, part(case, "salts")?]))).collect()
}

/// Registrations, guesses, successes, replacements, cold starts.
pub(crate) fn histories() -> Vec<Vec<u8>> {
    let register = [[0, 1, 1, 0, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0, 0, 9]];
    let guess = |ke1: u8| [[2, 1, ke1, 1, 1, 0, 0, 0], [5, 1, ke1, 0, 1, 0, 0, 0]];
    let success = |ke1: u8| [[2, 1, ke1, 1, 1, 0, 0, 0], [6, 1, ke1, 0, 1, 0, 0, 9]];
    let wait = [8, 0, 0, 0, 120, 0, 0, 0];
    let era = [9, 0, 1, 24, 1, 0, 0, 0];
    let mut one: Vec<[u8; 8]> = register.to_vec();
    for ke1 in 1..12 {
        one.extend(guess(ke1));
        one.push(wait);
    }
    let mut two = register.to_vec();
    two.extend(guess(1));
    two.extend(success(2));
    two.push(era);
    two.extend(register);
    two.push(wait);
    two.extend(success(3));
    two.push([7, 1, 3, 7, 1, 0, 0, 9]);
    vec![join(&one), join(&two)]
}

/// Events of every kind, one with something inside that reads.
pub(crate) fn events() -> Vec<Vec<u8>> {
    let record = format!(
        r#"{{"ceremony_sha256":"{0}","epoch":1,"evidence_sha256":"{0}","fleet":"one","kind":"deployment","manifest_sha256":"{0}","measurement":"","signatures":[{{"key":"{0}","signature":"{0}{0}"}}],"time_ms":1}}"#,
        "07".repeat(32)
    );
    let carried = |kind: &str, field: &str, bytes: &[u8]| {
        let inside = hex::encode(bytes);
        match kind {
            "position" => format!(
                r#"{{"epoch":1,"fleet":"one","kind":"position","node":1,"{field}":"{inside}","signatures":[],"time_ms":1}}"#
            ),
            _ => format!(
                r#"{{"epoch":1,"fleet":"one","kind":"restart","reason":"x","signatures":[],"{field}":"{inside}","time_ms":1}}"#
            ),
        }
    };
    let mut all = vec![record];
    for bytes in vectors() {
        if strongroom_wire::start::SignedPosition::from_bytes(&bytes).is_ok() {
            all.push(carried("position", "position", &bytes));
        }
        if strongroom_wire::start::SignedStart::from_bytes(&bytes).is_ok() {
            all.push(carried("restart", "start", &bytes));
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// Outcomes of every kind, one or two in an input.
pub(crate) fn outcomes() -> Vec<Vec<u8>> {
    use strongroom_wire::{codec, response::Outcome};
    let all: Vec<Vec<u8>> = vectors()
        .into_iter()
        .filter(|bytes| codec::decode::<Outcome>(bytes, 4_096).is_ok())
        .chain(responses())
        .collect();
    all.iter().flat_map(|first| [join([first]), join([first, first])]).collect()
}

fn responses() -> impl Iterator<Item = Vec<u8>> {
    use strongroom_wire::{codec, response::Response};
    vectors()
        .into_iter()
        .filter_map(|bytes| codec::decode::<Response>(&bytes, 4_096).ok())
        .map(|response| codec::encode(&response.outcome))
}
