//! Both ends of add-checkpoint: transcripts of another witness, and each refusal in its order.

mod world;

use proptest::prelude::*;
use strongroom_tlog::{
    CheckpointError, EMPTY_ROOT, Hash, LogKey, NoteError, TreeHead,
    merkle::{ProofError, Tree, prove_consistency},
    witness::{
        ADD_CHECKPOINT_PATH, AddCheckpoint, Answer, AnswerError, KnownLog, Refusal, RequestError,
        cosigned_body, latest_path,
    },
};

/// Runs the requests of a transcript in their order; returns the statuses.
fn replay(text: &str, log: &KnownLog) -> Vec<u16> {
    let (mut last, mut statuses) = (None, Vec::new());
    for exchange in text.split("POST http://").skip(1) {
        let mut parts = exchange.split("```");
        let (_, body, then) = (parts.next(), parts.next(), parts.next());
        let body = body.expect("a body").trim_start_matches('\n');
        let mut lines = then.expect("a status").lines().filter(|line| !line.is_empty());
        let status: u16 = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP "))
            .expect("HTTP")
            .parse()
            .expect("a status");
        let assertion = lines.nth(1).expect("an assertion");
        let decided =
            AddCheckpoint::parse(body.as_bytes()).map_err(Refusal::from).and_then(|request| {
                assert_eq!(request.to_bytes(), body.as_bytes());
                request.decide(Some(log), last)
            });
        match decided {
            Ok(consistent) => {
                assert_eq!(status, 200, "{body}");
                last = Some(consistent.head());
            }
            Err(refusal) => {
                // The transcripts are older than C2SP's v1.0: there an unknown log was a 403.
                let expected = if assertion.contains("unknown log") { 404 } else { status };
                assert_eq!(refusal.status(), expected, "{refusal}\n{body}");
                if let Some(expected) = assertion.strip_prefix("body == ") {
                    let expected: String = serde_json::from_str(expected).expect("a string");
                    assert_eq!(refusal.body(), expected);
                    assert_eq!(refusal.content_type(), "text/x.tlog.size");
                }
            }
        }
        statuses.push(status);
    }
    statuses
}

#[test]
fn transcripts_of_another_witness_end_alike() {
    let Some(folder) = world::vectors("witness-protocol") else { return };
    let text = String::from_utf8(world::read(folder.join("litewitness.txt"))).expect("text");
    let public = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
    let public = hex::decode(public).expect("hex").try_into().expect("32 bytes");
    let origin =
        "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
    let log = KnownLog::new(LogKey::new(origin, &public).expect("a key"));
    // The transcript's false signature is one whose base64 has bits that decode to nothing. Here
    // that is no signature line, and a 400; the nearest one that is gets the 403.
    let loose = "awfAB8WVrx6gx=";
    let request = text.split("```").find(|body| body.contains(loose)).expect("a request");
    let refused = AddCheckpoint::parse(request.trim_start().as_bytes()).map_err(Refusal::from);
    assert_eq!(refused.expect_err("refused").status(), 400);
    let text = text.replace(loose, "awfAB8WVrx6gw=");
    assert_eq!(replay(&text, &log), [200, 403, 403, 422, 422, 200, 409, 200, 409]);

    let text = String::from_utf8(world::read(folder.join("sumdb.txt"))).expect("text");
    let vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let key = LogKey::from_vkey(vkey).expect("a key");
    let log = KnownLog::with_keys("go.sum database tree", vec![key]);
    assert_eq!(replay(&text, &log), [200]);
}

const ORIGIN: &str = "auditor.example/ns";

struct Scene {
    tree: Tree,
    log: KnownLog,
}

impl Scene {
    fn new() -> Self {
        let key = world::log_signer(ORIGIN).key().clone();
        Self { tree: world::tree(300), log: KnownLog::new(key) }
    }

    fn head(&self, size: u64) -> TreeHead {
        self.tree.head_at(size).expect("a size")
    }

    fn request(&self, old: u64, new: TreeHead) -> AddCheckpoint {
        let proof = prove_consistency(&self.tree, old.min(new.size), new.size).expect("a proof");
        AddCheckpoint::new(old, proof, &world::signed(ORIGIN, new)).expect("a request")
    }

    fn decide(&self, request: &AddCheckpoint, last: Option<u64>) -> Result<TreeHead, Refusal> {
        let last = last.map(|size| self.head(size));
        request.decide(Some(&self.log), last).map(|consistent| consistent.head())
    }
}

#[test]
fn a_log_that_grows_is_followed_and_answers_are_read() {
    let scene = Scene::new();
    assert_eq!(ADD_CHECKPOINT_PATH, "add-checkpoint");
    let mut last = None;
    for size in [0, 0, 1, 1, 2, 255, 256, 257, 300, 300] {
        let head = scene.head(size);
        let request = scene.request(last.unwrap_or(0), head);
        assert_eq!(request.origin(), ORIGIN);
        assert_eq!(request.old_size(), last.unwrap_or(0));
        assert_eq!(scene.decide(&request, last), Ok(head));
        last = Some(size);
    }
    let mut signed = world::signed(ORIGIN, scene.head(300));
    let lines = [world::cosigned(&signed, 1, 10), world::cosigned(&signed, 2, 11)];
    let body = cosigned_body(&lines);
    assert_eq!(Answer::parse(200, body.as_bytes()), Ok(Answer::Cosigned(lines.to_vec())));
    let key = world::witness_signer(2).key().clone();
    assert!(signed.add_cosignature(lines[0].clone(), &key).is_err(), "another witness's line");
    assert_eq!(signed.add_cosignature(lines[1].clone(), &key), Ok(11));
}

#[test]
fn every_refusal_has_its_status() {
    let scene = Scene::new();
    let good = scene.request(10, scene.head(20));
    let status = |refused: Result<TreeHead, Refusal>| refused.expect_err("refused").status();

    assert_eq!(good.decide(None, None).expect_err("unknown").status(), 404);
    let other = KnownLog::with_keys("other.example", vec![world::log_signer(ORIGIN).key().clone()]);
    let refused = good.decide(Some(&other), None).expect_err("unknown");
    assert!(matches!(refused, Refusal::UnknownOrigin { .. }));

    let stranger = LogKey::new(ORIGIN, world::witness_signer(9).key().public()).expect("a key");
    let refused = good.decide(Some(&KnownLog::new(stranger)), None).expect_err("not signed");
    assert_eq!(refused.status(), 403);
    assert!(matches!(
        refused,
        Refusal::Signature(CheckpointError::Note(NoteError::NotSigned { .. }))
    ));
    let forged = String::from_utf8(good.to_bytes()).expect("text").replace("\n20\n", "\n21\n");
    let forged = AddCheckpoint::parse(forged.as_bytes()).expect("reads");
    assert_eq!(status(scene.decide(&forged, Some(10))), 403, "a false signature");

    assert_eq!(status(scene.decide(&scene.request(21, scene.head(20)), Some(21))), 400);
    let refused = scene.decide(&good, Some(15)).expect_err("conflict");
    assert_eq!((refused.status(), refused.body().as_str()), (409, "15\n"));
    let stands = Answer::parse(409, refused.body().as_bytes());
    assert_eq!(stands, Ok(Answer::Conflict { size: 15 }));
    let refused = scene.decide(&good, None).expect_err("conflict");
    assert_eq!(refused.body(), "0\n");

    let false_root = TreeHead { root: Hash([7; 32]), ..scene.head(20) };
    let fork =
        AddCheckpoint::new(20, Vec::new(), &world::signed(ORIGIN, false_root)).expect("reads");
    let refused = scene.decide(&fork, Some(20)).expect_err("fork");
    assert!(matches!(refused, Refusal::Fork { size: 20, .. }));
    assert_eq!(refused.status(), 422);
    let empty = TreeHead { size: 0, root: Hash([7; 32]) };
    let empty = AddCheckpoint::new(0, Vec::new(), &world::signed(ORIGIN, empty)).expect("reads");
    let refused = scene.decide(&empty, None).expect_err("no such root");
    assert!(matches!(refused, Refusal::EmptyRoot { .. }));
    assert_eq!((refused.status(), refused.content_type()), (422, "text/plain; charset=utf-8"));

    let with_proof = |old, size, proof| {
        let signed = world::signed(ORIGIN, scene.head(size));
        AddCheckpoint::new(old, proof, &signed).expect("a request")
    };
    let proof = prove_consistency(&scene.tree, 10, 20).expect("a proof");
    let mut reordered = proof.clone();
    reordered.reverse();
    let longer = [proof.as_slice(), &[EMPTY_ROOT]].concat();
    for (old, size, proof) in [
        (10, 20, Vec::new()),
        (10, 20, reordered),
        (10, 20, longer),
        (10, 20, proof[1..].to_vec()),
        (0, 20, proof.clone()),
        (0, 0, vec![EMPTY_ROOT]),
        (20, 20, vec![EMPTY_ROOT]),
    ] {
        let refused = scene.decide(&with_proof(old, size, proof), Some(old)).expect_err("no proof");
        assert_eq!(refused.status(), 422);
        assert!(matches!(refused, Refusal::Proof(ProofError::Consistency { .. })), "{refused}");
    }
}

#[test]
fn a_forked_log_is_not_cosigned() {
    let scene = Scene::new();
    let fork: Tree = (0..300)
        .map(|index| strongroom_tlog::leaf_hash(&world::entry(index + u64::from(index == 4))))
        .collect();
    let head = fork.head();
    let proof = prove_consistency(&fork, 10, 300).expect("a proof");
    let request = AddCheckpoint::new(10, proof, &world::signed(ORIGIN, head)).expect("a request");
    assert_eq!(scene.decide(&request, Some(10)).expect_err("a fork").status(), 422);
    assert_eq!(
        request.decide(Some(&scene.log), Some(fork.head_at(10).expect("a size"))).map(|c| c.head()),
        Ok(head)
    );
}

#[test]
fn the_latest_checkpoint_is_found_by_the_origin_s_digest() {
    assert_eq!(
        latest_path("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/checkpoint"
    );
}

#[test]
fn a_request_has_one_form_and_a_size() {
    let scene = Scene::new();
    let good = scene.request(10, scene.head(20));
    let text = String::from_utf8(good.to_bytes()).expect("text");
    assert_eq!(AddCheckpoint::parse(text.as_bytes()).as_ref(), Ok(&good));
    for (from, to) in [
        ("old 10", "old 010"),
        ("old 10", "old +10"),
        ("old 10", "old  10"),
        ("old 10", "old 10 "),
        ("old 10", "Old 10"),
        ("old 10", ""),
        ("old 10\n", "old 10\r\n"),
        ("old 10\n", "old 10\n\n"),
        ("=\n\n", "=\n"),
        ("=\n\n", "\n\n"),
        ("=\n\n", "= \n\n"),
        ("\n20\n", "\n020\n"),
        ("\n20\n", "\n20\n20\n"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        let refused = AddCheckpoint::parse(bad.as_bytes());
        assert!(refused.is_err(), "{bad}");
        assert_eq!(refused.map_err(Refusal::from).expect_err("refused").status(), 400);
    }
    for end in 0..text.len() {
        assert!(AddCheckpoint::parse(&text.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    assert!(AddCheckpoint::parse(format!("{text}\n").as_bytes()).is_err());
    let signed = world::signed(ORIGIN, scene.head(20));
    assert!(AddCheckpoint::new(10, vec![EMPTY_ROOT; 63], &signed).is_ok());
    assert!(AddCheckpoint::new(10, vec![EMPTY_ROOT; 64], &signed).is_err());
    let long = AddCheckpoint::parse(&vec![b'o'; 69_633]);
    assert_eq!(long, Err(RequestError::TooLong { got: 69_633, cap: 69_632 }));
    assert!(matches!(AddCheckpoint::parse(&vec![b'o'; 69_632]), Err(RequestError::Line(_))));
}

#[test]
fn an_answer_has_one_form() {
    let signed = world::signed(ORIGIN, TreeHead::EMPTY);
    let line = world::cosigned(&signed, 1, 10).to_line();
    for bad in [
        String::new(),
        "\n".to_owned(),
        line.trim_end().to_owned(),
        format!("{line}\n"),
        format!("\n{line}"),
        format!("{line}x"),
    ] {
        assert!(
            matches!(Answer::parse(200, bad.as_bytes()), Err(AnswerError::Lines(_))),
            "{bad:?}"
        );
    }
    assert!(Answer::parse(200, line.repeat(64).as_bytes()).is_ok());
    assert!(Answer::parse(200, line.repeat(65).as_bytes()).is_err());
    for bad in ["", "5", "5\n\n", "05\n", "+5\n", "5\r\n", "five\n", "18446744073709551616\n"] {
        assert_eq!(Answer::parse(409, bad.as_bytes()), Err(AnswerError::Size), "{bad:?}");
    }
    let refused = Answer::parse(422, b"bad\x1b[31m proof\n");
    let reason = "bad[31m proof".to_owned();
    assert_eq!(refused, Ok(Answer::Refused { status: 422, reason }));
    let long = Answer::parse(500, &[b'x'; 70_000]);
    assert!(matches!(long, Err(AnswerError::TooLong { .. })));
}

proptest! {
    #[test]
    fn noise_is_no_request_and_no_cosignature(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(AddCheckpoint::parse(&bytes).is_err());
        prop_assert!(Answer::parse(200, &bytes).is_err());
        let _ = Answer::parse(500, &bytes);
    }

    #[test]
    fn a_damaged_request_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let scene = Scene::new();
        let mut bytes = scene.request(10, scene.head(20)).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(request) = AddCheckpoint::parse(&bytes) {
            prop_assert_eq!(request.to_bytes(), bytes);
            prop_assert!(scene.decide(&request, Some(10)).is_err());
        }
    }
}
