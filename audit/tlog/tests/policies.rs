//! Policies: the language of tlog-policy, and how cosignatures are counted.

mod world;

use proptest::prelude::*;
use strongroom_tlog::{
    EMPTY_ROOT, LogKey, LogSigner, Note, NoteError, Policy, SeedSigner, SignedCheckpoint, TreeHead,
    WitnessKey, WitnessSigner,
    policy::{PolicyFault, QuorumError, Vouched},
};

const ORIGIN: &str = "log.example";
const HEAD: TreeHead = TreeHead { size: 7, root: EMPTY_ROOT };

fn log_line() -> String {
    format!("log {}\n", world::log_signer(ORIGIN).key())
}

fn witness_line(name: &str, n: u8) -> String {
    format!("witness {name} {}\n", world::witness_signer(n).key())
}

/// The example of the specification: two of the X and any of the Y.
fn example() -> String {
    let xs: String = (1..=3).map(|n| witness_line(&format!("X{n}"), n)).collect();
    let ys: String = (1..=3).map(|n| witness_line(&format!("Y{n}"), 3 + n)).collect();
    format!(
        "{}\n{xs}group X-witnesses 2 X1 X2 X3\n\n{ys}group Y-witnesses any Y1 Y2 Y3\n\n\
         group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        log_line()
    )
}

fn parse(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn fault(text: &str) -> PolicyFault {
    match Policy::parse(text.as_bytes()) {
        Err(error) => error.fault,
        Ok(_) => panic!("not refused:\n{text}"),
    }
}

fn checkpoint(witnesses: &[(u8, u64)]) -> SignedCheckpoint {
    let mut signed = world::signed(ORIGIN, HEAD);
    for (n, timestamp) in witnesses {
        let line = world::cosigned(&signed, *n, *timestamp);
        signed.add_cosignature(line, world::witness_signer(*n).key()).expect("adds");
    }
    signed
}

fn names(vouched: Result<Vec<Vouched>, QuorumError>) -> Result<Vec<String>, (usize, usize)> {
    match vouched {
        Ok(vouched) => Ok(vouched.into_iter().map(|one| one.name).collect()),
        Err(QuorumError::Quorum { got, needed, .. }) => Err((got, needed)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_specification_s_example_counts_as_it_says() {
    let policy = parse(&example());
    let check = |witnesses: &[u8]| {
        let at: Vec<_> = witnesses.iter().map(|n| (*n, 10)).collect();
        names(policy.check(&checkpoint(&at), |_| true))
    };
    assert_eq!(check(&[]), Err((0, 2)));
    assert_eq!(check(&[1, 2, 3]), Err((1, 2)), "no Y");
    assert_eq!(check(&[1, 4, 5, 6]), Err((1, 2)), "one X");
    assert_eq!(check(&[1, 3, 5]), Ok(["X1", "X3", "Y2"].map(str::to_owned).into()));
    assert_eq!(check(&[7, 8, 9]), Err((0, 2)), "strangers");
}

#[test]
fn who_is_outside_the_quorum_neither_counts_nor_is_missed() {
    let witnesses: String =
        [("a", 1), ("b", 2), ("c", 3)].map(|(w, n)| witness_line(w, n)).concat();
    let policy = parse(&format!("{witnesses}group g 1 a\ngroup h 1 b\nquorum g\n"));
    let vouched = names(policy.check(&checkpoint(&[(1, 10), (2, 10), (3, 10)]), |_| true));
    assert_eq!(vouched, Ok(vec!["a".to_owned()]));
    match policy.check(&checkpoint(&[(2, 10), (3, 10)]), |_| true) {
        Err(QuorumError::Quorum { got: 0, needed: 1, absent, refused, .. }) => {
            assert_eq!((absent, refused), (vec!["a".to_owned()], Vec::new()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_time_that_is_not_accepted_does_not_count() {
    let policy = parse(&example());
    let signed = checkpoint(&[(1, 10), (2, 20), (4, 30)]);
    let vouched = policy.check(&signed, |_| true).expect("enough");
    let expected =
        Vouched { name: "X2".to_owned(), key_name: "witness.example/w2".to_owned(), timestamp: 20 };
    assert_eq!(vouched[1], expected);
    match policy.check(&signed, |timestamp| timestamp >= 20) {
        Err(QuorumError::Quorum { quorum, got, needed, absent, refused }) => {
            assert_eq!((quorum.as_str(), got, needed), ("X-and-Y", 1, 2));
            assert_eq!(absent, ["X3", "Y2", "Y3"]);
            assert_eq!(refused, [("X1".to_owned(), 10), ("Y1".to_owned(), 30)][..1]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_cosignatures_of_one_witness_the_newest_accepted_counts_once() {
    let policy = parse(&format!(
        "{}{}group both all a b\nquorum both\n",
        witness_line("a", 1),
        witness_line("b", 2)
    ));
    let signed = world::signed(ORIGIN, HEAD);
    let lines: String = [10, 30, 20].map(|at| world::cosigned(&signed, 1, at).to_line()).concat();
    let bytes = [signed.to_bytes(), lines.into_bytes()].concat();
    let note = Note::parse(&bytes).expect("a note");
    let twice = SignedCheckpoint::verify(note, signed.signer()).expect("signed");
    assert_eq!(names(policy.check(&twice, |_| true)), Err((1, 2)), "one witness is one");
    let alone = parse(&format!("{}quorum a\n", witness_line("a", 1)));
    let newest = |accept: fn(u64) -> bool| alone.check(&twice, accept).map(|v| v[0].timestamp);
    assert_eq!(newest(|_| true), Ok(30));
    assert_eq!(newest(|at| at < 30), Ok(20));
    let Err(QuorumError::Quorum { got, needed, refused, .. }) = newest(|_| false) else {
        panic!("accepted")
    };
    assert_eq!((got, needed, refused), (0, 1, vec![("a".to_owned(), 30)]));
}

#[test]
fn a_false_cosignature_refuses_the_note_whether_it_is_needed_or_not() {
    let policy = parse(&format!("{}{}quorum a\n", witness_line("a", 1), witness_line("b", 2)));
    let signed = checkpoint(&[(1, 10)]);
    let other = world::signed(ORIGIN, TreeHead { size: 8, ..HEAD });
    for n in [1, 2] {
        let foreign = world::cosigned(&other, n, 10).to_line();
        let bytes = [signed.to_bytes(), foreign.into_bytes()].concat();
        let note = Note::parse(&bytes).expect("a note");
        let signed = SignedCheckpoint::verify(note, signed.signer()).expect("signed");
        let refused = policy.check(&signed, |_| true);
        let is_false = matches!(refused, Err(QuorumError::Note(NoteError::FalseSignature { .. })));
        assert!(is_false, "{refused:?}");
    }
}

#[test]
fn a_log_that_the_policy_does_not_list_is_refused() {
    let other = LogKey::new(ORIGIN, world::witness_signer(9).key().public()).expect("a key");
    let policy = parse(&format!("log {other}\nquorum none\n"));
    let signed = checkpoint(&[]);
    assert!(matches!(policy.check(&signed, |_| true), Err(QuorumError::Log { .. })));
    assert!(policy.signed(signed.note().clone()).is_err());
    let policy = parse(&format!("{}quorum none\n", log_line()));
    assert_eq!(policy.check(&signed, |_| true), Ok(Vec::new()));
    assert_eq!(policy.signed(signed.note().clone()), Ok(signed.clone()));
    // An empty list leaves the choice of the log to the caller.
    let policy = parse("quorum none\n");
    assert_eq!(policy.check(&signed, |_| true), Ok(Vec::new()));
    assert!(policy.signed(signed.note().clone()).is_err(), "but there it names none");
}

#[test]
fn spaces_comments_urls_and_octets_are_read() {
    let (a, b) = (witness_line("a", 1), witness_line("b", 2));
    let text = format!(
        "# comment \u{1F512}\n\t \n  log\t{}  https://log.example/ \n{}{}\t#x\ngroup \t g  2 a  b\t\nquorum g\n# end\n",
        world::log_signer(ORIGIN).key(),
        a.replace('\n', " https://witness.example\n"),
        b
    );
    let policy = parse(&text);
    assert_eq!(policy.logs()[0].url(), Some(b"https://log.example/".as_slice()));
    assert_eq!(policy.logs()[0].key(), world::log_signer(ORIGIN).key());
    assert_eq!(policy.witnesses()[0].url(), Some(b"https://witness.example".as_slice()));
    assert_eq!(policy.witnesses()[1].url(), None);
    assert_eq!(policy.witnesses()[1].key(), world::witness_signer(2).key());
    assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy.clone()));

    // K and the Kelvin sign are two names, and a name need not be text.
    let mut bytes = witness_line("K", 1).into_bytes();
    bytes.extend(witness_line("\u{212a}", 2).into_bytes());
    let key = world::witness_signer(3).key().to_string();
    bytes.extend([b"witness \xff\xfe ", key.as_bytes(), b"\n"].concat());
    bytes.extend(b"group g 3 K \xe2\x84\xaa \xff\xfe\nquorum g\n");
    let policy = Policy::parse(&bytes).expect("reads");
    assert_eq!(policy.witnesses()[2].name(), b"\xff\xfe");
    assert_eq!(policy.to_bytes(), bytes);
}

#[test]
fn every_rule_of_the_language_refuses() {
    let (a, b, c) = (witness_line("a", 1), witness_line("b", 2), witness_line("c", 3));
    let log = log_line();
    assert_eq!(fault(""), PolicyFault::NoQuorum);
    assert_eq!(fault(&a), PolicyFault::NoQuorum);
    for cut in ["quorum none", "quorum none\n# end", "quorum none\n "] {
        assert_eq!(fault(cut), PolicyFault::NotTerminated, "{cut:?}");
    }
    assert_eq!(fault("quorum none\n\nquorum none\n"), PolicyFault::QuorumTwice);
    assert_eq!(fault("quorum a\n"), PolicyFault::Unknown("a".to_owned()));
    assert_eq!(fault(&format!("quorum a\n{a}")), PolicyFault::Unknown("a".to_owned()));
    assert_eq!(fault("quorum\n"), PolicyFault::Items("quorum <name>"));
    assert!(matches!(fault("quorum none none\n"), PolicyFault::Items(_)));
    assert_eq!(fault("Quorum none\n"), PolicyFault::Keyword("Quorum".to_owned()));
    assert_eq!(fault("quorum none\r\n"), PolicyFault::Octet { got: b'\r' });
    assert_eq!(fault("quorum none # \u{7f}\n"), PolicyFault::Octet { got: 0x7f });
    assert_eq!(fault("#\0\nquorum none\n"), PolicyFault::Octet { got: 0 });
    // Whitespace is space and tab only: a no-break space belongs to the word.
    assert!(matches!(fault("quorum\u{a0}none\n"), PolicyFault::Keyword(_)));

    assert!(matches!(fault(&format!("{log}{log}")), PolicyFault::KeyTwice { .. }));
    assert!(matches!(fault("log\n"), PolicyFault::Items(_)));
    assert!(matches!(fault("log x\n"), PolicyFault::Key(_)));
    assert!(matches!(fault(&log.replace('\n', " url more\n")), PolicyFault::Items(_)));
    let wrong = format!("log {}\n", world::witness_signer(1).key());
    assert!(matches!(fault(&wrong), PolicyFault::Key(_)), "a witness's key is no log's");
    let wrong = format!("witness w {}\n", world::log_signer(ORIGIN).key());
    assert!(matches!(fault(&wrong), PolicyFault::Key(_)));

    assert!(matches!(
        fault(&format!("{a}{}", witness_line("a2", 1))),
        PolicyFault::KeyTwice { .. }
    ));
    let renamed = WitnessKey::new("z", world::witness_signer(1).key().public());
    let renamed = format!("{a}witness a2 {}\n", renamed.expect("a key"));
    assert!(matches!(fault(&renamed), PolicyFault::KeyTwice { .. }), "by key, not by name");
    assert_eq!(fault(&format!("{a}{}", witness_line("a", 2))), PolicyFault::NameTwice("a".into()));
    assert_eq!(fault(&witness_line("none", 1)), PolicyFault::NameTwice("none".into()));

    let group = |line: &str| fault(&format!("{a}{b}{c}{line}"));
    assert!(matches!(group("group g 1\n"), PolicyFault::Items(_)));
    assert_eq!(group("group a 1 b\n"), PolicyFault::NameTwice("a".to_owned()));
    assert_eq!(group("group none 1 b\n"), PolicyFault::NameTwice("none".to_owned()));
    assert_eq!(group("group g 1 d\n"), PolicyFault::Unknown("d".to_owned()));
    assert_eq!(group("group g 1 g\n"), PolicyFault::Unknown("g".to_owned()));
    assert_eq!(group("group g 1 none\n"), PolicyFault::Unknown("none".to_owned()));
    assert_eq!(group("group g 1 a a\n"), PolicyFault::MemberTwice("a".to_owned()));
    assert_eq!(group("group g 1 a b\ngroup h 1 b c\n"), PolicyFault::MemberTwice("b".to_owned()));
    for bad in ["0", "4", "01", "+1", "-1", "ALL", "1.0", "18446744073709551617"] {
        let refused = group(&format!("group g {bad} a b c\n"));
        assert_eq!(refused, PolicyFault::Threshold { got: bad.to_owned(), members: 3 });
    }
    let error = Policy::parse(format!("{a}\n\nquorum b\n").as_bytes()).expect_err("refused");
    assert_eq!(error.line, 4);
}

/// Signature lines could not tell these keys apart: one's cosignature would be the other's false
/// one. An id has 32 bits, and two such seeds were found among the first 110,000.
#[test]
fn two_keys_with_one_name_and_id_are_refused() {
    let witness = |n: u32| {
        let seed = [n.to_be_bytes().as_slice(), &[0; 28]].concat().try_into().expect("32 bytes");
        WitnessSigner::new("w", SeedSigner::new(&seed)).expect("a name").key().clone()
    };
    let (first, second) = (witness(88_939), witness(106_782));
    assert_eq!(first.id(), second.id());
    assert_ne!(first.public(), second.public());
    let text = format!("witness a {first}\nwitness b {second}\n");
    assert!(matches!(fault(&text), PolicyFault::KeyTwice { .. }));
}

#[test]
fn a_policy_has_limits_and_more_than_the_specification_asks() {
    let witness = |n: u16| {
        let seed = [n.to_be_bytes().as_slice(), &[9; 30]].concat().try_into().expect("32 bytes");
        WitnessSigner::new("w", SeedSigner::new(&seed)).expect("a name").key().to_string()
    };
    let log = |n: u16| {
        let seed = [n.to_be_bytes().as_slice(), &[8; 30]].concat().try_into().expect("32 bytes");
        LogSigner::new("l", SeedSigner::new(&seed)).expect("a name").key().to_string()
    };
    let file = |logs: u16, witnesses: u16, groups: u16| {
        let logs: String = (0..logs).map(|n| format!("log {}\n", log(n))).collect();
        let witnesses: String =
            (0..witnesses).map(|n| format!("witness w{n} {}\n", witness(n))).collect();
        let groups: String = (0..groups).map(|n| format!("group g{n} 1 w{n}\n")).collect();
        format!("{logs}{witnesses}{groups}quorum none\n")
    };
    assert!(Policy::parse(file(32, 64, 64).as_bytes()).is_ok());
    assert_eq!(fault(&file(33, 0, 0)), PolicyFault::TooMany { what: "logs", cap: 32 });
    assert_eq!(fault(&file(0, 65, 0)), PolicyFault::TooMany { what: "witnesses", cap: 64 });
    let nested = file(0, 64, 64).replace("quorum none", "group h 1 g0\nquorum none");
    assert_eq!(fault(&nested), PolicyFault::TooMany { what: "groups", cap: 64 });
    let long = format!("#{}\nquorum none\n", "x".repeat(65_536));
    assert_eq!(fault(&long), PolicyFault::TooLong { got: 65_550, cap: 65_536 });
}

proptest! {
    #[test]
    fn noise_is_no_policy(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Policy::parse(&bytes).is_err());
    }

    #[test]
    fn a_damaged_policy_is_refused_or_prints_to_one_that_reads_alike(
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut bytes = example().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = octet;
        if let Ok(policy) = Policy::parse(&bytes) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy));
        }
    }

    /// Against a second way of counting: a group is met by its members, from the leaves up.
    #[test]
    fn quorums_count_as_their_definition_says(seen in prop::collection::vec(any::<bool>(), 6)) {
        let policy = parse(&example());
        let at: Vec<_> = (1..=6).zip(&seen).filter(|(_, seen)| **seen).map(|(n, _)| (n, 5)).collect();
        let x = seen[..3].iter().filter(|seen| **seen).count() >= 2;
        let y = seen[3..].iter().any(|seen| *seen);
        let result = names(policy.check(&checkpoint(&at), |_| true));
        match result {
            Ok(names) => prop_assert!(x && y && names.len() == at.len()),
            Err(counts) => prop_assert_eq!(counts, (usize::from(x) + usize::from(y), 2)),
        }
    }
}
