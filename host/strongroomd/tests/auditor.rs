//! A real auditor, killed at any moment: one epoch has one signature, for ever.

mod site;

use site::{Site, trust, world::NAMESPACE};
use std::{
    collections::BTreeMap,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};
use strongroom_tlog::{Note, SignedCheckpoint, tiles::TileSource};
use strongroom_verify::{SIGNATURES_LEN, check_history};

/// How often the auditor is killed. The moments spread over a publication, which takes about 0.2 s.
const KILLS: u64 = 12;

#[test]
fn killed_at_any_moment_it_signs_each_epoch_once() {
    let mut site = Site::new();
    let (stop, epoch) = (AtomicBool::new(false), AtomicU64::new(1));
    // Everything that any process answered for an epoch.
    let mut seen: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let door = site.door();
    let operator = strongroom_tlog::SeedSigner::new(&[site::world::OPERATOR; 32]);
    let answers = thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut answers = Vec::new();
            while !stop.load(SeqCst) {
                let at = epoch.load(SeqCst);
                let submission = site::submission(at);
                match strongroom_publish::publish(
                    &door,
                    &submission,
                    &operator,
                    &trust(),
                    site::now_ms(),
                ) {
                    Ok(published) => {
                        answers.push((at, serde_json::to_vec(&published.response).expect("json")));
                        epoch.store(at + 1, SeqCst);
                    }
                    Err(error) => {
                        assert!(!error.is_contradiction(), "epoch {at}: {error}");
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            }
            answers
        });
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(180 + 37 * kill % 260));
            for (epoch, body) in answered(&site, epoch.load(SeqCst)) {
                let first = seen.entry(epoch).or_insert_with(|| body.clone());
                assert_eq!(*first, body, "epoch {epoch}");
            }
            site.kill_auditor();
            site.start_auditor();
        }
        let began = Instant::now();
        let last = epoch.load(SeqCst);
        while epoch.load(SeqCst) < last + 2 {
            assert!(began.elapsed() < Duration::from_secs(30), "it goes on\n{}", site.log());
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, SeqCst);
        publisher.join().expect("ends")
    });
    let last = answers.len() as u64;
    assert!(last > 2, "some epochs were published: {last}");
    for (epoch, body) in answers {
        assert_eq!(site.audit(epoch).as_ref(), Some(&body), "epoch {epoch}");
        if let Some(first) = seen.get(&epoch) {
            assert_eq!(*first, body, "epoch {epoch}");
        }
    }
    // And the whole history holds for who reads all of it.
    let (_, note) = site.get(&format!("/{NAMESPACE}/checkpoint")).expect("answers");
    let note = Note::parse(&note).expect("a note");
    let signed = SignedCheckpoint::verify(note, trust().log()).expect("signed");
    let head = signed.checkpoint().head();
    assert_eq!(head.size, last);
    let (_, signatures) =
        site.get(&format!("/{NAMESPACE}/signatures/000.p/{last}")).expect("answers");
    let of = |epoch: u64| {
        let at = usize::try_from(epoch - 1).expect("small") * SIGNATURES_LEN;
        signatures.get(at..at + SIGNATURES_LEN).and_then(|bytes| bytes.try_into().ok())
    };
    let checked = check_history(Served(&site), head, &trust(), of, |_| ()).expect("holds");
    assert_eq!(checked.len() as u64, last);
}

/// What the auditor has released so far, if it answers.
fn answered(site: &Site, up_to: u64) -> Vec<(u64, Vec<u8>)> {
    (1..=up_to).filter_map(|epoch| Some((epoch, site.audit(epoch)?))).collect()
}

struct Served<'a>(&'a Site);

impl TileSource for Served<'_> {
    type Error = &'static str;

    fn read(&self, path: &str, _: usize) -> Result<Vec<u8>, &'static str> {
        let got = self.0.get(&format!("/{NAMESPACE}/{path}"));
        got.filter(|(status, _)| *status == 200).map(|(_, body)| body).ok_or("not served")
    }
}

#[test]
fn killed_witnesses_forget_nothing() {
    let mut site = Site::new();
    site.published(1).expect("publishes");
    for round in 0..4 {
        site.kill_witness(round);
        site.start_witness(round);
        let began = Instant::now();
        while let Err(error) = site.published(2 + round as u64) {
            assert!(error.is_transient() && began.elapsed() < Duration::from_secs(20), "{error}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn strongroomd(words: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_strongroomd")).args(words).output().expect("it starts")
}

#[test]
fn a_check_opens_nothing_and_names_what_is_wrong() {
    let mut site = Site::new();
    site.kill_auditor();
    let config = site.path("auditor.toml");
    let words = ["auditor", "--config", config.to_str().expect("text"), "--check"];
    let good = strongroomd(&words);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let witness = site.path("w0.toml");
    let checked = strongroomd(&["witness", "--config", witness.to_str().expect("text"), "--check"]);
    assert_eq!(checked.status.code(), Some(0));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains(&site::world::witness(0).key().to_string()), "{said}");
    // Its folder is another process's: a second one does not start, and it is no mistake of the file.
    let second = strongroomd(&["witness", "--config", witness.to_str().expect("text")]);
    assert_eq!(second.status.code(), Some(1), "{}", String::from_utf8_lossy(&second.stderr));
    let text = std::fs::read_to_string(&config).expect("reads");
    let open = text.replace(
        &format!("[publish]\nlisten = \"{}\"", site.publish),
        "[publish]\nlisten = \"0.0.0.0:1\"",
    );
    std::fs::write(&config, open).expect("writes");
    let refused = strongroomd(&words);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("publish.tls"), "{said}");
}
