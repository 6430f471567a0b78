//! Keys, notes, checkpoints and cosignatures: one form, and every other one is refused.

mod world;

use proptest::prelude::*;
use strongroom_tlog::{
    Checkpoint, CheckpointError, CosignatureError, EMPTY_ROOT, KeyError, LogKey, Note, NoteError,
    NoteSignature, NoteSigner, SeedSigner, SignError, SignedCheckpoint, TreeHead, WitnessKey,
    WitnessSigner, cosign, verify_cosignature,
    witness::{AddCheckpoint, KnownLog},
};

const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const HEAD: TreeHead = TreeHead { size: 7, root: EMPTY_ROOT };

#[test]
fn notes_of_the_specification_verify() {
    let Some(folder) = world::vectors("c2sp-notes") else { return };
    for name in ["signed-note-example", "peterneumann"] {
        let vkey =
            String::from_utf8(world::read(folder.join(format!("{name}.vkey")))).expect("text");
        let key = LogKey::from_vkey(vkey.trim_end()).expect("a key");
        assert_eq!(key.to_string(), vkey.trim_end());
        let bytes = world::read(folder.join(format!("{name}.note")));
        let note = Note::parse(&bytes).expect("a note");
        assert_eq!(note.to_bytes(), bytes);
        note.verify(std::slice::from_ref(&key)).expect("verifies");
        let changed = String::from_utf8(bytes).expect("text").replacen('t', "T", 1);
        let changed = Note::parse(changed.as_bytes()).expect("a note");
        let refused = changed.verify(&[key]);
        assert!(matches!(refused, Err(NoteError::FalseSignature { .. })), "{refused:?}");
    }
}

#[test]
fn a_vkey_has_one_form() {
    let key = LogKey::from_vkey(FOO).expect("reads");
    assert_eq!((key.name(), key.id()), ("example.com/foo", 0x530d_903a));
    assert_eq!(key.to_string(), FOO);
    let error = |vkey: &str| LogKey::from_vkey(vkey).expect_err(vkey);
    assert_eq!(error("example.com/foo"), KeyError::Parts);
    assert_eq!(error("example.com/foo+530d903a"), KeyError::Parts);
    let material = "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    for id in ["530D903A", "530d903", "0530d903a", " 530d903a", "0x530d90", "530d903b", ""] {
        let refused = LogKey::from_vkey(&format!("example.com/foo+{id}+{material}"));
        let expected = matches!(refused, Err(KeyError::Id { .. }));
        assert!(expected, "{id}: {refused:?}");
    }
    for name in ["", "example.com foo", "example.com/\u{a0}foo", "a\u{1}", "a\nb"] {
        let refused = LogKey::from_vkey(&format!("{name}+530d903a+{material}"));
        assert!(matches!(refused, Err(KeyError::Name(_))), "{name:?}");
    }
    for end in [" ", "\n", "=", "A", "AAAA"] {
        assert_eq!(error(&format!("{FOO}{end}")), KeyError::Material, "{end:?}");
    }
    assert_eq!(
        WitnessKey::from_vkey(FOO),
        Err(KeyError::Type { got: 1, expected: 4 }),
        "a log's key is no witness's"
    );
}

#[test]
fn a_key_of_small_order_or_in_a_second_encoding_is_no_key() {
    let mut identity = [0; 32];
    identity[0] = 1;
    // y = p + 3 encodes the point with y = 3, if there is one; y = p + 1 the identity.
    let second = |low: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        bytes
    };
    assert_eq!(LogKey::new("x", &identity), Err(KeyError::Point));
    assert_eq!(LogKey::new("x", &[0; 32]), Err(KeyError::Point));
    let mut points = 0;
    for low in 0xed..=0xff {
        assert_eq!(LogKey::new("x", &second(low)), Err(KeyError::Point), "{low:#x}");
        let mut canonical = [0; 32];
        canonical[0] = low - 0xed;
        points += usize::from(LogKey::new("x", &canonical).is_ok());
    }
    assert!(points > 0, "some of these points exist, and are keys in their one encoding");
}

#[test]
fn a_seed_signs_as_it_does_elsewhere() {
    let Some(folder) = world::vectors("c2sp-notes") else { return };
    let note = Note::parse(&world::read(folder.join("peterneumann.note"))).expect("a note");
    // The seed stands in the documentation of golang.org/x/mod/sumdb/note.
    let seed = world::hash("gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=").0;
    let signature = SeedSigner::new(&seed).sign(note.text().as_bytes()).expect("signs");
    assert_eq!(note.signatures()[0].bytes(), signature);
}

#[test]
fn every_line_of_a_known_key_must_verify() {
    let signed = world::signed("log.example", HEAD);
    let key = signed.signer().clone();
    let text = signed.note().text().to_owned();
    let good = signed.note().signatures()[0].to_line();
    let bad = world::signed("log.example", TreeHead { size: 8, ..HEAD });
    let bad = bad.note().signatures()[0].to_line();
    let stranger = LogKey::from_vkey(FOO).expect("a key");
    let verify = |lines: &[&str], key: &LogKey| {
        let note = Note::parse(format!("{text}\n{}", lines.concat()).as_bytes()).expect("a note");
        SignedCheckpoint::verify(note, key).map(|signed| signed.checkpoint().size())
    };
    assert_eq!(verify(&[&good], &key), Ok(7));
    assert_eq!(verify(&[&good, &good], &key), Ok(7));
    // The library looks at the first line of a key only; both orders must be refused.
    for lines in [[&*good, &bad], [&bad, &good]] {
        let refused = verify(&lines, &key);
        let is_false =
            matches!(refused, Err(CheckpointError::Note(NoteError::FalseSignature { .. })));
        assert!(is_false, "{refused:?}");
    }
    let refused = verify(&[&good, &bad], &stranger);
    assert!(
        matches!(refused, Err(CheckpointError::Note(NoteError::NotSigned { .. }))),
        "{refused:?}"
    );
    // Name or id alone make no known key.
    let renamed = bad.replace("log.example", "log.example2");
    assert_eq!(verify(&[&good, &renamed], &key), Ok(7));
}

#[test]
fn another_log_s_checkpoint_is_refused_though_the_key_signed_it() {
    let key = world::log_signer("log.example").key().clone();
    let other = LogKey::new("other.example", key.public()).expect("a name");
    let signed = world::signed("log.example", HEAD);
    let refused = SignedCheckpoint::verify_of(signed.note().clone(), "other.example", &[key]);
    assert!(matches!(refused, Err(CheckpointError::Origin { .. })), "{refused:?}");
    let refused = SignedCheckpoint::verify(signed.note().clone(), &other);
    assert!(matches!(refused, Err(CheckpointError::Note(NoteError::NotSigned { .. }))));
    let checkpoint = Checkpoint::new("other.example", 1, EMPTY_ROOT).expect("an origin");
    let refused = SignedCheckpoint::sign(checkpoint, &world::log_signer("log.example"));
    assert!(matches!(refused, Err(SignError::Text(_))), "{refused:?}");
}

#[test]
fn a_note_has_one_form_and_a_size() {
    let good = world::signed("log.example", HEAD).to_bytes();
    let text = String::from_utf8(good.clone()).expect("text");
    let malformed = [
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text} "),
        text.replace("\n\n", "\n"),
        text.replace("— ", "- "),
        text.replace("— ", "—  "),
        text.replace("log.example ", "log+example "),
        text.replacen('\n', "\r\n", 1),
        text.replacen("log", "l\tg", 1),
        text.replace("— log", "— l\u{1}g"),
        String::new(),
        "\n\n".to_owned(),
    ];
    for bad in malformed {
        assert_eq!(Note::parse(bad.as_bytes()), Err(NoteError::Malformed), "{bad:?}");
    }
    let line = text.lines().last().expect("a line");
    assert!(NoteSignature::parse(line).is_ok());
    for bad in [line.replace("— log", "— l\u{1}g"), format!("{line}\n"), format!(" {line}")] {
        assert_eq!(NoteSignature::parse(&bad), Err(NoteError::Malformed), "{bad:?}");
    }
    let with_0xff = [good.as_slice(), &[0xff]].concat();
    assert_eq!(Note::parse(&with_0xff), Err(NoteError::Malformed));
    for end in 0..good.len() {
        assert!(Note::parse(&good[..end]).is_err(), "cut at {end}");
    }
    let (head, _) = text.split_once("—").expect("a line");
    let lines = |count: usize| format!("{head}{}", format!("{line}\n").repeat(count));
    assert!(Note::parse(lines(64).as_bytes()).is_ok());
    assert_eq!(
        Note::parse(lines(65).as_bytes()),
        Err(NoteError::TooManySignatures { got: 65, cap: 64 })
    );
    let padded = |len: usize| format!("{}{text}", "x\n".repeat((len - text.len()) / 2));
    let full = padded(65_536 - (text.len() % 2));
    assert!(Note::parse(full.as_bytes()).is_ok());
    let refused = Note::parse(format!("xx\n{full}").as_bytes());
    assert!(matches!(refused, Err(NoteError::TooLong { cap: 65_536, .. })), "{refused:?}");
}

#[test]
fn a_checkpoint_has_three_lines() {
    let good = format!("log.example\n7\n{EMPTY_ROOT}\n");
    assert_eq!(Checkpoint::parse(&good).expect("reads").to_text(), good);
    assert!(Checkpoint::parse(&good.replace("log.example", "go.sum database tree")).is_ok());
    assert!(Checkpoint::parse(&good.replace("\n7\n", "\n18446744073709551615\n")).is_ok());
    assert_eq!(Checkpoint::parse(&format!("{good}extension\n")), Err(CheckpointError::Extension));
    let bad = [
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}\nx\n"),
        format!("\n{good}"),
        good.replace("\n7\n", "\n07\n"),
        good.replace("\n7\n", "\n+7\n"),
        good.replace("\n7\n", "\n7 \n"),
        good.replace("\n7\n", "\n-7\n"),
        good.replace("\n7\n", "\n18446744073709551616\n"),
        good.replace("\n7\n", "\n\n"),
        good.replace("=\n", "\n"),
        good.replace("=\n", "==\n"),
        good.replace("log.example", ""),
        good.replace('\n', "\r\n"),
        String::new(),
    ];
    for bad in bad {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
    for origin in ["", "a\nb", "a\u{7}"] {
        assert!(Checkpoint::new(origin, 0, EMPTY_ROOT).is_err(), "{origin:?}");
    }
}

#[test]
fn a_cosignature_is_over_its_time_and_the_whole_checkpoint() {
    let mut signed = world::signed("log.example", HEAD);
    let line = world::cosigned(&signed, 1, 1_679_315_147);
    let key = world::witness_signer(1).key().clone();
    // Made by hand, as tlog-cosignature writes it down.
    let message = format!("cosignature/v1\ntime 1679315147\nlog.example\n7\n{EMPTY_ROOT}\n");
    let (time, signature) = line.bytes().split_at(8);
    assert_eq!(time, 1_679_315_147_u64.to_be_bytes());
    assert!(key.verifies(message.as_bytes(), signature));

    assert_eq!(verify_cosignature(signed.checkpoint(), &line, &key), Ok(1_679_315_147));
    let other = world::signed("log.example", TreeHead { size: 8, ..HEAD });
    let refused = verify_cosignature(other.checkpoint(), &line, &key);
    assert!(matches!(refused, Err(CosignatureError::Note(NoteError::FalseSignature { .. }))));
    let stranger = world::witness_signer(2).key().clone();
    let refused = verify_cosignature(signed.checkpoint(), &line, &stranger);
    assert!(matches!(refused, Err(CosignatureError::Key { .. })));

    assert_eq!(signed.add_cosignature(line.clone(), &key), Ok(1_679_315_147));
    let later = world::cosigned(&signed, 1, 1_700_000_000);
    assert_eq!(signed.add_cosignature(later.clone(), &key), Ok(1_700_000_000));
    assert_eq!(signed.note().signatures().len(), 2, "the newer one replaces");
    assert_eq!(signed.note().signatures()[1], later);
    let before = signed.clone();
    assert!(signed.add_cosignature(world::cosigned(&other, 1, 5), &key).is_err());
    assert_eq!(signed, before);
}

#[test]
fn a_cosignature_s_time_and_length_have_limits() {
    let signed = world::signed("log.example", HEAD);
    let witness = world::witness_signer(1);
    let request = AddCheckpoint::new(0, Vec::new(), &signed).expect("a request");
    let known = KnownLog::new(signed.signer().clone());
    let consistent = request.decide(Some(&known), None).expect("first contact");
    for bad in [0, 1 << 63, u64::MAX] {
        let refused = cosign(&consistent, &witness, bad);
        assert!(matches!(refused, Err(SignError::Timestamp { .. })), "{bad}");
    }
    assert!(cosign(&consistent, &witness, (1 << 63) - 1).is_ok());

    // A witness that signs such a time all the same.
    let forge = |timestamp: u64, cut: usize| {
        let text = signed.note().text();
        let message = format!("cosignature/v1\ntime {timestamp}\n{text}");
        let signature = SeedSigner::new(&[101; 32]).sign(message.as_bytes()).expect("signs");
        let id = witness.key().id().to_be_bytes();
        let bytes = [id.as_slice(), &timestamp.to_be_bytes(), &signature, &[0; 1]].concat();
        let bytes = &bytes[..bytes.len() - cut];
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let line = format!("— {} {}", witness.key().name(), STANDARD.encode(bytes));
        NoteSignature::parse(&line).expect("a line")
    };
    let verify = |line| verify_cosignature(signed.checkpoint(), &line, witness.key());
    assert_eq!(verify(forge(9, 1)), Ok(9));
    assert_eq!(verify(forge(9, 0)), Err(CosignatureError::Length { got: 73 }));
    assert_eq!(verify(forge(9, 2)), Err(CosignatureError::Length { got: 71 }));
    assert_eq!(verify(forge(9, 70)), Err(CosignatureError::Length { got: 3 }));
    let refused = verify(forge(1 << 63, 1));
    assert!(matches!(refused, Err(CosignatureError::Timestamp { .. })), "{refused:?}");
    assert_eq!(verify(forge(0, 1)), Ok(0), "the caller's question");
    let refused = signed.clone().add_cosignature(forge(0, 1), witness.key());
    assert!(matches!(refused, Err(CosignatureError::Timestamp { got: 0, .. })), "{refused:?}");
}

#[test]
fn a_device_that_signs_falsely_is_found_out() {
    struct Faulty;
    impl NoteSigner for Faulty {
        fn public(&self) -> [u8; 32] {
            SeedSigner::new(&[3; 32]).public()
        }
        fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
            let mut signature = SeedSigner::new(&[3; 32]).sign(message)?;
            signature[40] ^= 1;
            Ok(signature)
        }
    }
    let witness = WitnessSigner::new("witness.example", Faulty).expect("a name");
    let signed = world::signed("log.example", HEAD);
    let request = AddCheckpoint::new(0, Vec::new(), &signed).expect("a request");
    let known = KnownLog::new(signed.signer().clone());
    let consistent = request.decide(Some(&known), None).expect("first contact");
    let refused = cosign(&consistent, &witness, 1);
    assert_eq!(refused, Err(SignError::False { name: "witness.example".to_owned() }));
}

proptest! {
    #[test]
    fn noise_is_no_note_key_or_line(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Note::parse(&bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(NoteSignature::parse(&text).is_err());
        prop_assert!(LogKey::from_vkey(&text).is_err());
        prop_assert!(Checkpoint::parse(&text).is_err());
    }

    #[test]
    fn a_damaged_checkpoint_never_verifies(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let signed = world::signed("log.example", HEAD);
        let mut bytes = signed.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_bytes(), bytes);
            prop_assert!(SignedCheckpoint::verify(note, signed.signer()).is_err());
        }
    }
}
