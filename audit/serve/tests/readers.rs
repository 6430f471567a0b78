//! Witnesses that read every leaf before they cosign.

mod stage;

use stage::{
    Net, ask,
    world::{DAY_MS, NAMESPACE, NOW_MS, ORIGIN, World, bytes_of, log, manifest, signed, witness},
};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};
use strongroom_log::{Folder, Log};
use strongroom_tlog::{
    LogProof,
    witness::{AddCheckpoint, latest_path},
};
use strongroom_verify::Bundle;

const READER: usize = 1;

#[test]
fn a_reader_cosigns_what_is_published_once_it_has_read_it() {
    let mut net = Net::new();
    net.more = "refresh_s = 1\nretry_s = 1\n".to_owned();
    net.stop_witness(READER);
    net.start_reader(READER, &format!("http://{}/{NAMESPACE}", net.public));
    net.start_auditor().expect("starts");
    let latest = format!("{}/{}", net.witness_url(READER), latest_path(ORIGIN));
    for epoch in 1..=3 {
        // Its voice is not needed for the release: until then there is nothing for it to read.
        net.published(epoch).expect("publishes");
        let begins = format!("{ORIGIN}\n{epoch}\n");
        net.until("the reader cosigns", || ask("GET", &latest, None).text().starts_with(&begins));
    }
    // Devices that want its word find it in the bundle.
    net.until("its line is in the bundle", || {
        let bundle = net.get(&format!("/{NAMESPACE}/bundle")).body;
        let bundle = Bundle::parse(&bundle).expect("a bundle");
        let proof = LogProof::parse(bundle.proof.as_bytes()).expect("a proof");
        let own = witness(READER);
        proof.note().signatures().iter().any(|line| line.names(own.key()))
    });
}

#[test]
fn a_reader_that_cannot_read_does_not_cosign_and_accuses_nobody() {
    let mut net = Net::new();
    net.stop_witness(READER);
    let nobody = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address");
    net.start_reader(READER, &format!("http://{nobody}"));
    let dir = tempfile::tempdir().expect("a folder");
    let answer = ask_for(&net, dir.path(), &[leaf(1, [1, 2])]);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("could not be looked at"), "{answer:?}");
}

#[test]
fn a_reader_cosigns_no_tree_with_a_leaf_that_breaks_a_rule() {
    let good = [leaf(1, [1, 2]), leaf(2, [2, 3])];
    for (leaves, expected) in [
        // Nobody in force signed the second; it skips one; nobody pinned signed the first.
        (vec![leaf(1, [1, 2]), leaf(2, [7, 8])], Some("epoch 2")),
        (vec![leaf(1, [1, 2]), leaf(3, [1, 2])], Some("epoch 2")),
        (vec![leaf(1, [7, 8])], Some("epoch 1")),
        (good.to_vec(), None),
    ] {
        let mut net = Net::new();
        net.stop_witness(READER);
        let dir = tempfile::tempdir().expect("a folder");
        net.start_reader(READER, &serve(dir.path().to_owned()));
        let answer = ask_for(&net, dir.path(), &leaves);
        match expected {
            Some(epoch) => {
                assert_eq!(answer.status, 422, "{answer:?}");
                assert!(answer.text().contains(epoch), "{answer:?}");
                let latest = format!("{}/{}", net.witness_url(READER), latest_path(ORIGIN));
                assert_eq!(ask("GET", &latest, None).status, 404, "nothing was kept");
            }
            None => assert_eq!(answer.status, 200, "{answer:?}"),
        }
    }
}

/// A manifest of an epoch and who signed it.
fn leaf(epoch: u64, by: [u8; 2]) -> (u64, [u8; 2]) {
    (epoch, by)
}

/// Logs whatever it is given, under the log's own key, and asks the reader for its line.
fn ask_for(net: &Net, dir: &Path, leaves: &[(u64, [u8; 2])]) -> stage::Heard {
    let mut world = World::default();
    for (epoch, by) in leaves {
        let manifest = manifest(*epoch, &[1, 2, 3]);
        world.publish_as(&signed(&manifest, by), *epoch, NOW_MS - 10 * DAY_MS);
    }
    let entries: Vec<Vec<u8>> = world.leaves.iter().map(bytes_of).collect();
    let folder = Arc::new(Folder::open(dir).expect("a folder"));
    let mut log = Log::open(folder, log(ORIGIN)).expect("a log");
    log.append(&entries).expect("appends");
    let request = AddCheckpoint::new(0, Vec::new(), log.signed()).expect("a request");
    let url = format!("{}/add-checkpoint", net.witness_url(READER));
    ask("POST", &url, Some(("text/plain; charset=utf-8", &request.to_bytes())))
}

/// The files of a folder, as any server of static files gives them.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let path =
                text.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let (status, body) = match std::fs::read(root.join(path)) {
                Ok(body) => (200, body),
                Err(_) => (404, Vec::new()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = socket.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}
