//! The event log of a running auditor.

mod stage;

use stage::{
    Net, copy, deployment, now_ms, trust,
    world::{NAMESPACE, OPERATOR, ORIGIN},
};
use std::{
    collections::BTreeSet,
    fs, thread,
    time::{Duration, Instant},
};
use strongroom_publish::PublishError;
use strongroom_tlog::{LogKey, Note, SignedCheckpoint};
use strongroom_verify::{Event, events_origin};

const CHECKPOINT: &str = "events/checkpoint";

fn path(below: &str) -> String {
    format!("/{NAMESPACE}/{below}")
}

/// Size of the event log as everybody reads it, once a quorum of the pins is seen to stand under it.
fn published_size(net: &Net) -> u64 {
    let heard = net.get(&path(CHECKPOINT));
    assert_eq!(heard.status, 200, "{heard:?}");
    let pins = trust();
    let key = LogKey::new(&events_origin(ORIGIN), pins.log().public()).expect("a key");
    let note = Note::parse(&heard.body).expect("a note");
    let signed = SignedCheckpoint::verify(note, &key).expect("signed");
    pins.policy().check(&signed, pins.is_fresh_at(now_ms())).expect("a quorum");
    signed.checkpoint().size()
}

#[track_caller]
fn is_refused(done: Result<u64, PublishError>, expected: (u16, &str), why: &str) {
    let error = done.expect_err("recorded");
    let (PublishError::Refused { status, code, detail }
    | PublishError::NotYet { status, code, detail }) = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*status, code.as_str()), expected, "{detail}");
    assert!(detail.contains(why), "{detail}");
}

#[test]
fn an_event_is_recorded_once_and_only_of_what_is_released() {
    let net = Net::running();
    net.published(1).expect("publishes");
    let first = deployment(1, OPERATOR);
    for _ in 0..2 {
        assert_eq!(net.recorded(&first).expect("recorded"), 0);
    }
    is_refused(net.recorded(&deployment(2, OPERATOR)), (409, "not_released"), "epoch 2");
    net.published(2).expect("publishes");
    is_refused(net.recorded(&deployment(2, 99)), (400, "event_refused"), "signs no event");
    assert_eq!(net.recorded(&deployment(2, OPERATOR)).expect("recorded"), 1);
    // The same fleet and epoch with another time is another event.
    let Event::Deployment(mut again) = deployment(2, 99) else { panic!("a deployment") };
    again.time_ms += 1;
    again.signatures.clear();
    is_refused(net.recorded(&Event::Deployment(again)), (400, "event_refused"), "0 signatures");
    assert_eq!(published_size(&net), 2);
}

#[test]
fn everybody_reads_what_a_quorum_has_cosigned_and_nothing_else() {
    let mut net = Net::running();
    net.until_ready();
    assert_eq!(published_size(&net), 0, "that nothing happened is cosigned, too");
    net.published(1).expect("publishes");
    let first = deployment(1, OPERATOR);
    net.recorded(&first).expect("recorded");
    let entries = net.get(&path("events/tile/entries/000.p/1"));
    assert_eq!(entries.status, 200);
    assert!(entries.text().contains(&String::from_utf8(first.to_json()).expect("text")));
    assert!(entries.header("cache-control").contains("immutable"), "{entries:?}");
    assert!(!net.get(&path(CHECKPOINT)).header("cache-control").contains("immutable"));
    net.published(2).expect("publishes");
    for at in [2, 3] {
        net.stop_witness(at);
    }
    let second = deployment(2, OPERATOR);
    is_refused(net.recorded(&second), (503, "witnesses"), "");
    for file in ["tile/entries/000.p/2", "tile/0/000.p/2", "signed", "../signed", "checkpoint/"] {
        let heard = net.get(&path(&format!("events/{file}")));
        assert_eq!(heard.status, 404, "{file}: {heard:?}");
    }
    assert_eq!(published_size(&net), 1);
    // The witnesses come back, and nobody sends it again.
    for at in [2, 3] {
        net.start_witness(at);
    }
    net.until("published", || published_size(&net) == 2);
    assert_eq!(net.recorded(&second).expect("is there"), 1);
}

#[test]
fn an_event_that_is_published_is_found_while_everybody_is_down() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    let first = deployment(1, OPERATOR);
    net.recorded(&first).expect("recorded");
    for at in 0..4 {
        net.stop_witness(at);
    }
    assert_eq!(net.recorded(&first).expect("is there"), 0);
}

#[test]
fn two_who_record_at_once_both_find_their_event() {
    let net = Net::running();
    for epoch in 1..=4 {
        net.published(epoch).expect("publishes");
    }
    // Rising epochs of one fleet: whoever is late is refused, and nobody is told another's place.
    let places: Vec<_> = thread::scope(|scope| {
        let ask = |epoch| net.recorded(&deployment(epoch, OPERATOR)).ok();
        let asked: Vec<_> =
            [1, 2, 3, 4, 4, 4].map(|epoch| scope.spawn(move || (epoch, ask(epoch)))).into();
        asked.into_iter().map(|one| one.join().expect("ends")).collect()
    });
    let of_the_last: BTreeSet<_> = places.iter().filter(|one| one.0 == 4).collect();
    assert_eq!(of_the_last.len(), 1, "the same event has one place: {places:?}");
    let recorded: BTreeSet<_> = places.iter().filter_map(|one| one.1).collect();
    assert_eq!(recorded.len() as u64, published_size(&net), "{places:?}");
}

#[test]
fn readers_a_recorder_and_a_publisher_never_wait_for_each_other_for_ever() {
    let net = Net::running();
    net.published(1).expect("publishes");
    net.recorded(&deployment(1, OPERATOR)).expect("recorded");
    let end = Instant::now() + Duration::from_secs(5);
    thread::scope(|scope| {
        for file in ["events/tile/0/000.p/1", "events/tile/entries/000.p/2", CHECKPOINT, "bundle"] {
            let net = &net;
            scope.spawn(move || {
                while Instant::now() < end {
                    net.get(&path(file));
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < end {
                net.recorded(&deployment(1, OPERATOR)).expect("is there");
                is_refused(net.recorded(&deployment(1, 99)), (400, "event_refused"), "");
            }
        });
        let mut epoch = 1;
        while Instant::now() < end {
            epoch += 1;
            net.published(epoch).expect("publishes");
            let index = net.recorded(&deployment(epoch, OPERATOR)).expect("recorded");
            assert_eq!(index, epoch - 1);
        }
    });
    assert!(Instant::now() < end + Duration::from_secs(30), "somebody waited");
}

#[test]
fn a_restart_reads_the_event_log_again() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.recorded(&deployment(1, OPERATOR)).expect("recorded");
    net.stop_auditor();
    net.start_auditor().expect("starts");
    assert_eq!(published_size(&net), 1);
    assert_eq!(net.recorded(&deployment(1, OPERATOR)).expect("is there"), 0);
    net.stop_auditor();
    let file = net.path("events/tile/entries/000.p/1");
    let mut rotten = fs::read(&file).expect("a file");
    rotten[40] ^= 1;
    fs::write(&file, &rotten).expect("writes");
    // Manifests go on without it, and whoever watches is told.
    net.start_auditor().expect("starts");
    net.published(2).expect("publishes");
    assert_eq!(net.get(&path(CHECKPOINT)).code(), (500, "auditor".to_owned()));
    assert_eq!(net.get("/readyz").status, 503);
    is_refused(net.recorded(&deployment(2, OPERATOR)), (503, "auditor"), "damaged");
    rotten[40] ^= 1;
    fs::write(&file, rotten).expect("writes");
    assert_eq!(net.recorded(&deployment(2, OPERATOR)).expect("recorded"), 1);
}

#[test]
fn who_is_refused_again_and_again_keeps_nobody_from_the_witnesses() {
    let mut net = Net::new();
    net.more = "refresh_s = 2\nretry_s = 2\nevents_folder = \"events\"\n".to_owned();
    net.start_auditor().expect("starts");
    net.published(1).expect("publishes");
    let confirmed = || {
        let text = net.get("/metrics").text();
        let name = "strongroom_auditor_confirmed_timestamp_seconds ";
        let value = text.lines().find_map(|line| line.strip_prefix(name)).expect("the gauge");
        value.parse::<f64>().expect("a number")
    };
    let before = confirmed();
    let began = Instant::now();
    while confirmed() < before + 3.0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the witnesses are asked no more");
        is_refused(net.recorded(&deployment(1, 99)), (400, "event_refused"), "");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_folder_that_was_put_back_records_nothing() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_auditor();
    copy(&net.path("events"), &net.path("old"));
    net.start_auditor().expect("starts");
    net.recorded(&deployment(1, OPERATOR)).expect("recorded");
    net.stop_auditor();
    fs::rename(net.path("events"), net.path("lost")).expect("moves");
    copy(&net.path("old"), &net.path("events"));
    net.start_auditor().expect("starts");
    net.until("noticed", || net.get("/metrics").text().contains("strongroom_auditor_restored 1"));
    is_refused(net.recorded(&deployment(1, OPERATOR)), (503, "restored"), "old copy");
    assert_eq!(net.get("/readyz").status, 503);
    // Whoever restores one folder is not believed about the other.
    assert!(net.published(2).is_err());
}

#[test]
fn a_disk_that_takes_no_event_costs_one_answer() {
    let net = Net::running();
    net.published(1).expect("publishes");
    let tiles = net.path("events/tile");
    fs::write(&tiles, "a file where a folder should be").expect("writes");
    is_refused(net.recorded(&deployment(1, OPERATOR)), (500, "auditor"), "");
    fs::remove_file(&tiles).expect("removes");
    assert_eq!(net.recorded(&deployment(1, OPERATOR)).expect("recorded"), 0);
    net.published(2).expect("manifests go on");
}

#[test]
fn what_is_no_event_is_refused_and_so_is_everybody_on_the_public_address() {
    let net = Net::running();
    let events = format!("/namespaces/{NAMESPACE}/events");
    assert_eq!(net.post(&events, "{}").code(), (400, "malformed".to_owned()));
    assert_eq!(net.post(&events, &"x".repeat(60_000)).code().0, 413);
    let public = format!("http://{}{events}", net.public);
    let heard = stage::ask("POST", &public, Some(("application/json", b"{}")));
    assert_eq!(heard.code().0, 405);
    // A position is its node's: the fleet's own signature is inside, and this is none.
    let text = format!(
        "{{\"epoch\":1,\"fleet\":\"one\",\"kind\":\"position\",\"node\":1,\"position\":\"00\",\
         \"signatures\":[],\"time_ms\":{}}}",
        now_ms()
    );
    net.published(1).expect("publishes");
    assert_eq!(net.post(&events, &text).code(), (400, "event_refused".to_owned()));
    assert_eq!(published_size(&net), 0);
}

#[test]
fn an_auditor_without_an_event_log_has_none() {
    let mut net = Net::new();
    net.more = "refresh_s = 3600\nretry_s = 1\n".to_owned();
    net.start_auditor().expect("starts");
    net.published(1).expect("publishes");
    net.until_ready();
    assert_eq!(net.get(&path(CHECKPOINT)).status, 404);
    is_refused(net.recorded(&deployment(1, OPERATOR)), (404, "not_found"), "");
}
