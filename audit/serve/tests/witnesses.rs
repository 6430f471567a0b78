//! Witnesses that are there, that are not, and that have seen more.

mod stage;

use stage::{
    Net, ask, copy, now_ms, operator, other_submission, request_of, submission, trust,
    world::{NAMESPACE, ORIGIN, log},
};
use std::{sync::Arc, time::Instant};
use strongroom_log::{Folder, Log};
use strongroom_publish::{PublishError, publish};
use strongroom_tlog::witness::{AddCheckpoint, latest_path};

#[test]
fn a_quorum_does_without_one_witness() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_witness(3);
    net.published(2).expect("two operators of three");
    net.start_witness(3);
    net.published(3).expect("and with the third, which catches up");
    let latest = ask("GET", &format!("{}/{}", net.witness_url(3), latest_path(ORIGIN)), None);
    assert!(latest.text().starts_with(&format!("{ORIGIN}\n3\n")), "{latest:?}");
    let metrics = net.get("/metrics").text();
    let counted = "witness_answers_total{witness=\"w3.example/a\",outcome=\"unreachable\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn without_a_quorum_nothing_leaves_and_the_keeper_finishes() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_witness(2);
    net.stop_witness(3);
    let refused = net.published(2).expect_err("one operator of three");
    let waits =
        matches!(&refused, PublishError::NotYet { status: 503, code, .. } if code == "witnesses");
    assert!(waits, "{refused}");
    let audit = format!("/namespaces/{NAMESPACE}/audits/2");
    assert_eq!(net.get(&audit).status, 404, "nothing was released");
    let checkpoint = net.get(&format!("/{NAMESPACE}/checkpoint")).text();
    assert!(checkpoint.starts_with(&format!("{ORIGIN}\n1\n")), "{checkpoint}");
    assert_eq!(net.get(&format!("/{NAMESPACE}/tile/entries/000.p/2")).status, 404);
    assert_eq!(net.get("/readyz").status, 503);
    assert!(net.get("/readyz").text().contains("waits for its quorum"));
    // What was released before is given out again, whoever is down.
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    assert_eq!(net.post(&audits, &request_of(&submission(1))).status, 200);
    // Another manifest does not take the epoch's place meanwhile.
    let other = net.post(&audits, &request_of(&other_submission(2)));
    assert_eq!(other.code(), (409, "published_before".to_owned()));
    net.start_witness(2);
    net.until("the keeper releases it", || net.get(&audit).status == 200);
    net.published(2).expect("goes on");
    net.until_ready();
}

#[test]
fn an_epoch_that_waits_is_released_after_a_restart() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    for at in 1..4 {
        net.stop_witness(at);
    }
    net.published(2).expect_err("no quorum");
    net.stop_auditor();
    for at in 1..4 {
        net.start_witness(at);
    }
    net.start_auditor().expect("starts");
    let audit = format!("/namespaces/{NAMESPACE}/audits/2");
    net.until("released", || net.get(&audit).status == 200);
    net.published(3).expect("goes on");
}

#[test]
fn an_old_copy_of_the_folder_publishes_nothing() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_auditor();
    copy(&net.path("auditor"), &net.path("old"));
    net.start_auditor().expect("starts");
    let second = net.published(2).expect("publishes").response;
    net.stop_auditor();
    std::fs::rename(net.path("auditor"), net.path("newer")).expect("moves");
    copy(&net.path("old"), &net.path("auditor"));

    net.start_auditor().expect("starts, to say what it has said");
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    let refused = net.post(&audits, &request_of(&other_submission(2)));
    assert_eq!(refused.code(), (503, "restored".to_owned()));
    assert!(refused.text().contains("old copy"), "{refused:?}");
    // Also when the witnesses that know better are gone by then.
    for at in 0..2 {
        net.stop_witness(at);
    }
    let refused = publish(&net.door(), &other_submission(2), &operator(), &trust(), now_ms());
    let refused = refused.expect_err("refused");
    assert!(
        matches!(&refused, PublishError::Refused { code, .. } if code == "restored"),
        "{refused}"
    );
    assert!(!refused.is_transient(), "it needs a person");
    assert_eq!(net.get(&format!("{audits}/2")).status, 404);
    assert_eq!(net.get(&format!("{audits}/1")).status, 200);
    assert_eq!(net.get("/readyz").status, 503);
    assert!(net.get("/metrics").text().contains("strongroom_auditor_restored 1"));
    net.stop_auditor();

    std::fs::remove_dir_all(net.path("auditor")).expect("removes");
    std::fs::rename(net.path("newer"), net.path("auditor")).expect("moves");
    for at in 0..2 {
        net.start_witness(at);
    }
    net.start_auditor().expect("starts");
    assert_eq!(net.published(2).expect("the newer folder goes on").response, second);
}

#[test]
fn a_witness_answers_as_tlog_witness_demands() {
    let net = Net::new();
    let folder = Arc::new(Folder::open(&net.path("log")).expect("a folder"));
    let mut own = Log::open(folder, log(ORIGIN)).expect("a log");
    let url = format!("{}/add-checkpoint", net.witness_url(0));
    let add = |body: &[u8]| ask("POST", &url, Some(("text/plain", body)));
    let request = |own: &Log<_>, old: u64| {
        AddCheckpoint::new(old, own.consistency(old).expect("a proof"), own.signed())
            .expect("a request")
            .to_bytes()
    };
    let latest = format!("{}/{}", net.witness_url(0), latest_path(ORIGIN));
    assert_eq!(ask("GET", &latest, None).status, 404, "nothing cosigned yet");
    own.append(&[b"a".to_vec()]).expect("appends");
    let one = request(&own, 0);
    own.append(&[b"b".to_vec(), b"c".to_vec()]).expect("appends");
    let three = request(&own, 1);
    let good = add(&one);
    assert_eq!(good.status, 200, "{good:?}");
    assert!(good.text().starts_with("— w1.example/a "), "{good:?}");
    assert_eq!(good.text().lines().count(), 1);
    assert_eq!(add(&three).status, 200);
    let shown = ask("GET", &latest, None);
    assert_eq!((shown.status, shown.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(shown.text().starts_with(&format!("{ORIGIN}\n3\n")));

    let late = add(&one);
    assert_eq!((late.status, late.header("content-type")), (409, "text/x.tlog.size"));
    assert_eq!(late.text(), "3\n");
    assert_eq!(add(b"old x\n").status, 400);
    let mut forged = three.clone();
    let at = forged.len() - 10;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    assert_eq!(add(&forged).status, 403);

    let folder = Arc::new(Folder::open(&net.path("strange")).expect("a folder"));
    let strange = Log::open(folder, log("other.example/log")).expect("a log");
    assert_eq!(add(&request(&strange, 0)).status, 404);
    // Another history of the same log.
    let folder = Arc::new(Folder::open(&net.path("twin")).expect("a folder"));
    let mut twin = Log::open(folder, log(ORIGIN)).expect("a log");
    twin.append(&[b"x".to_vec(), b"y".to_vec(), b"z".to_vec()]).expect("appends");
    assert_eq!(add(&request(&twin, 3)).status, 422);
    twin.append(&[b"w".to_vec()]).expect("appends");
    assert_eq!(add(&request(&twin, 3)).status, 422);
    assert_eq!(add(&vec![b'x'; 100_000]).status, 413);
    assert_eq!(ask("GET", &url, None).status, 405);
    assert_eq!(ask("DELETE", &latest, None).status, 405);
    let outside = url.replace("/witness", "");
    assert_eq!(ask("POST", &outside, Some(("text/plain", &one))).status, 405);
    assert!(ask("GET", &latest, None).text().starts_with(&format!("{ORIGIN}\n3\n")));
}

#[test]
fn requests_in_flight_do_not_roll_a_witness_back() {
    let net = Net::new();
    let folder = Arc::new(Folder::open(&net.path("log")).expect("a folder"));
    let mut own = Log::open(folder, log(ORIGIN)).expect("a log");
    let url = format!("{}/add-checkpoint", net.witness_url(0));
    let mut requests = Vec::new();
    for size in 1..=8_u64 {
        own.append(&[vec![u8::try_from(size).expect("small")]]).expect("appends");
        for old in 0..size {
            let proof = own.consistency(old).expect("a proof");
            let request = AddCheckpoint::new(old, proof, own.signed()).expect("a request");
            requests.push((size, request.to_bytes()));
        }
    }
    // Whatever order they come in, sizes that were cosigned only grow from one look to the next.
    let answers: Vec<(u64, u16)> = std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|(size, body)| {
                let url = &url;
                scope.spawn(move || (*size, ask("POST", url, Some(("text/plain", body))).status))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
    });
    let cosigned = answers.iter().filter(|(_, status)| *status == 200).map(|(size, _)| *size);
    let largest = cosigned.max().expect("one at least");
    assert!(answers.iter().all(|(_, status)| [200, 409, 503].contains(status)), "{answers:?}");
    let latest = format!("{}/{}", net.witness_url(0), latest_path(ORIGIN));
    let shown = ask("GET", &latest, None).text();
    assert!(shown.starts_with(&format!("{ORIGIN}\n{largest}\n")), "{shown}, {answers:?}");
}

#[test]
fn a_witness_that_hangs_costs_its_patience_and_no_more() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_witness(3);
    // Takes connections and never answers.
    let address = net.witness_url(3);
    let address = address.trim_start_matches("http://").trim_end_matches("/witness").to_owned();
    let _deaf = std::net::TcpListener::bind(address).expect("listens");
    let began = Instant::now();
    net.published(2).expect("publishes");
    // The quorum is there at once; stragglers get half a second.
    assert!(began.elapsed().as_secs() < 3, "{:?}", began.elapsed());
}
