//! Disks that rot, fill up or fail under a running auditor.

mod stage;

use stage::{Net, world::NAMESPACE};
use std::fs;
use strongroom_audit_server::ServeError;
use strongroom_publish::PublishError;

fn rot(net: &Net, path: &str) -> Vec<u8> {
    let file = net.path("auditor").join(path);
    let good = fs::read(&file).expect("a file");
    let mut bad = good.clone();
    let at = bad.len() / 2;
    bad[at] ^= 1;
    fs::write(&file, bad).expect("writes");
    good
}

#[test]
fn a_file_that_rots_while_it_is_served_is_not_served() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.published(2).expect("publishes");
    // What was read once is served from memory, and was good then.
    net.stop_auditor();
    net.start_auditor().expect("starts");
    net.until_ready();
    for path in ["tile/entries/000.p/1", "tile/0/000.p/2", "signatures/000.p/2"] {
        let good = rot(&net, path);
        let heard = net.get(&format!("/{NAMESPACE}/{path}"));
        assert_eq!(heard.code().0, 500, "{path}");
        let root = net.path("auditor").display().to_string();
        assert!(!heard.text().contains(&root), "the auditor's folders are nobody's: {heard:?}");
        assert_eq!(heard.header("cache-control"), "no-store", "{path}");
        fs::write(net.path("auditor").join(path), good).expect("writes");
        assert_eq!(net.get(&format!("/{NAMESPACE}/{path}")).status, 200, "{path}, mended");
    }
}

#[test]
fn an_auditor_does_not_start_over_a_rotten_log() {
    let mut net = Net::running();
    net.published(1).expect("publishes");
    net.stop_auditor();
    for path in ["tile/entries/000.p/1", "tile/0/000.p/1", "signed"] {
        let good = rot(&net, path);
        let refused = net.start_auditor().expect_err(path);
        assert!(matches!(refused, ServeError::Auditor(_)), "{path}: {refused}");
        assert!(!refused.is_configuration());
        fs::write(net.path("auditor").join(path), good).expect("writes");
    }
    net.start_auditor().expect("mended");
    net.published(2).expect("goes on");
}

#[test]
fn a_disk_that_takes_nothing_costs_one_answer_and_no_restart() {
    let net = Net::running();
    net.published(1).expect("publishes");
    // What a full disk does to each durable step: the draft cannot be written.
    let drafts = [
        ".intent.draft",
        "tile/entries/000.p/.3.draft",
        "tile/0/000.p/.4.draft",
        ".signed.draft",
        ".checkpoint.draft",
        "responses/.7.json.draft",
    ];
    for (epoch, draft) in (2..).zip(drafts) {
        let blocked = net.path("auditor").join(draft);
        fs::create_dir(&blocked).expect("blocks");
        let refused = net.published(epoch).expect_err(draft);
        let is_told = matches!(
            &refused,
            PublishError::Refused { status: 500, .. } | PublishError::NotYet { .. }
        );
        assert!(is_told, "{draft}: {refused}");
        let audit = |epoch: u64| net.get(&format!("/namespaces/{NAMESPACE}/audits/{epoch}")).status;
        assert_eq!((audit(epoch - 1), audit(epoch)), (200, 404), "{draft}");
        fs::remove_dir(&blocked).expect("unblocks");
        net.until("goes on", || net.published(epoch).is_ok());
    }
}
