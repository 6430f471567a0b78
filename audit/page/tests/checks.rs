//! What a check says of good logs and of each way to spoil one.

mod stage;

use stage::world::{DAY_MS, ORIGIN, log};
use stage::{
    Disk, Site, bytes_of, careless, epochs, foreign, manifest, now_ms, pins, site, without,
};
use strongroom_log::{Folder, Log};
use strongroom_page::{Files, Outcome, Page, PageError, Report, Told, check, paths};
use strongroom_tlog::tiles::TileSource as _;
use strongroom_verify::{Leaf, Trust};

fn report_at(site: &Site, now_ms: u64) -> Report {
    let trust = Trust::new(pins()).expect("pins");
    check(&trust, &site.checkpoint(), &Disk(site.path()), now_ms)
}

fn report(site: &Site) -> Report {
    report_at(site, now_ms())
}

/// The outcome, and the step that did not hold.
fn ended(report: &Report) -> (Outcome, Option<&'static str>) {
    let broken = report.stages().iter().find(|stage| !stage.holds);
    assert_eq!(broken.is_none(), report.outcome() == Outcome::Verified);
    assert_eq!(report.proven().is_some(), report.outcome() == Outcome::Verified);
    let told = Told::of(report, "x", now_ms());
    assert_eq!(told.verdict.contains("Verified in this browser"), broken.is_none());
    (report.outcome(), broken.map(|stage| stage.name))
}

#[test]
fn a_good_log_is_verified_step_by_step() {
    let report = report(&site(&epochs()));
    assert_eq!(ended(&report), (Outcome::Verified, None), "{:?}", report.stages());
    let names: Vec<_> = report.stages().iter().map(|stage| stage.name).collect();
    assert_eq!(names, ["log", "witnesses", "history", "validity"]);
    let facts = report.proven().expect("facts");
    assert_eq!(facts.epochs.len(), 3);
    assert_eq!(facts.manifest.fleets, epochs()[2].fleets);
    assert_eq!(facts.manifest.epoch, 3);
    assert_eq!(facts.witnesses.len(), 4);
}

#[test]
fn what_a_browser_is_told_to_fetch_is_enough_and_all_is_needed() {
    let site = site(&epochs());
    let trust = Trust::new(pins()).expect("pins");
    let wanted = paths(&trust, &site.checkpoint()).expect("paths");
    let fetch = |without: Option<&str>| {
        let mut files = Files::default();
        for path in wanted.iter().filter(|path| Some(path.as_str()) != without) {
            files.put(path, Disk(site.path()).read(path, 0).expect("is there"));
        }
        check(&trust, &site.checkpoint(), &files, now_ms())
    };
    assert_eq!(fetch(None).outcome(), Outcome::Verified);
    for path in wanted.iter().filter(|path| *path != "signatures/000.p/2") {
        assert_eq!(ended(&fetch(Some(path))), (Outcome::Unchecked, Some("history")), "{path}");
    }
}

#[test]
fn a_checkpoint_that_the_pinned_log_did_not_sign_makes_nobody_fetch() {
    let trust = Trust::new(pins()).expect("pins");
    for checkpoint in [foreign(), b"nonsense".to_vec(), Vec::new()] {
        let refused = paths(&trust, &checkpoint).expect_err("refused");
        assert_eq!(ended(&refused), (Outcome::Refused, Some("log")));
    }
}

#[test]
fn a_tampered_entry_is_not_what_the_root_leads_to() {
    let site = site(&epochs());
    site.spoil("tile/entries/000.p/3", 3_000);
    assert_eq!(ended(&report(&site)), (Outcome::Unchecked, Some("history")));
}

#[test]
fn a_flipped_bit_in_any_signature_is_refused() {
    let site = site(&epochs());
    for at in [0, 127, 128 + 64, 3 * 128 - 1] {
        site.spoil("signatures/000.p/3", at);
        assert_eq!(ended(&report(&site)), (Outcome::Refused, Some("history")), "byte {at}");
        site.spoil("signatures/000.p/3", at);
    }
    assert_eq!(report(&site).outcome(), Outcome::Verified);
}

#[test]
fn a_checkpoint_whose_signature_or_root_changed_is_refused() {
    let site = site(&epochs());
    let good = site.checkpoint();
    let text = String::from_utf8(good.clone()).expect("text");
    site.replace("checkpoint", text.replacen("\n3\n", "\n2\n", 1).as_bytes());
    assert_eq!(ended(&report(&site)), (Outcome::Refused, Some("log")));
    site.replace("checkpoint", &foreign());
    assert_eq!(ended(&report(&site)), (Outcome::Refused, Some("log")));
    site.replace("checkpoint", &good);
    assert_eq!(report(&site).outcome(), Outcome::Verified);
}

#[test]
fn one_witness_short_of_the_quorum_is_refused() {
    let site = site(&epochs());
    let good = site.checkpoint();
    // Two of three operators are needed, and the first has two witnesses.
    site.replace("checkpoint", &without(&good, &["w2.example/a"]));
    assert_eq!(report(&site).outcome(), Outcome::Verified);
    site.replace("checkpoint", &without(&good, &["w2.example/a", "w3.example/a"]));
    assert_eq!(ended(&report(&site)), (Outcome::Refused, Some("witnesses")));
}

#[test]
fn witnesses_who_have_been_silent_for_days_are_too_few() {
    let site = site(&epochs());
    let later = now_ms() + 3 * DAY_MS + 60_000;
    assert_eq!(ended(&report_at(&site, later)), (Outcome::Refused, Some("witnesses")));
    // And a clock that is behind theirs believes nobody either.
    assert_eq!(ended(&report_at(&site, now_ms() - DAY_MS)), (Outcome::Refused, Some("witnesses")));
}

#[test]
fn a_manifest_out_of_its_time_is_refused() {
    let mut short = manifest(1);
    short.not_after_ms = now_ms() + DAY_MS;
    let site = site(&[short]);
    assert_eq!(report(&site).outcome(), Outcome::Verified);
    let later = now_ms() + DAY_MS + 60_000;
    assert_eq!(ended(&report_at(&site, later)), (Outcome::Refused, Some("validity")));
}

#[test]
fn an_epoch_that_breaks_a_rule_under_a_signed_root_is_a_contradiction() {
    let site = site(&epochs());
    let folder = Folder::open(&site.path()).expect("a folder");
    let good = Log::open(std::sync::Arc::new(folder), log(ORIGIN)).expect("a log");
    let mut entries: Vec<Vec<u8>> =
        good.entries().expect("entries").into_iter().map(|(_, entry)| entry).collect();
    drop(good);
    let mut leaf = Leaf::parse(ORIGIN, &entries[1]).expect("a leaf");
    leaf.previous[0] ^= 1;
    entries[1] = leaf.to_bytes(ORIGIN).expect("bytes");
    careless(&site, &entries);
    assert_eq!(ended(&report(&site)), (Outcome::Contradiction, Some("history")));
}

#[test]
fn an_epoch_without_its_counter_signature_is_no_accusation() {
    let site = site(&epochs());
    std::fs::remove_file(site.path().join("signatures/000.p/3")).expect("removes");
    let report = report(&site);
    assert_eq!(ended(&report), (Outcome::Unchecked, Some("history")));
    let said = &report.stages().last().expect("a stage").text;
    assert_eq!(said, "the signatures of epoch 3 were not served");
}

#[test]
fn an_empty_log_says_nothing() {
    assert_eq!(ended(&report(&site(&[]))), (Outcome::Unchecked, Some("log")));
}

#[test]
fn no_page_is_written_of_a_log_that_does_not_hold() {
    let site = site(&epochs());
    site.spoil("signatures/000.p/3", 0);
    let pins = bytes_of(&pins());
    let page = Page { trust: &pins, commands: &[], verifier: None, now_ms: now_ms() };
    let folder = tempfile::tempdir().expect("a folder");
    let written =
        strongroom_page::write(folder.path(), &site.checkpoint(), &Disk(site.path()), &page);
    match written {
        Err(PageError::NotVerified { outcome: Outcome::Refused, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_page_without_its_check_says_that_it_verifies_nothing() {
    let site = site(&epochs());
    let written = site.write_page(None);
    assert_eq!(written.files, ["trust.json", "status/style.css", "index.html"]);
    assert_eq!(written.epochs, 3);
    let html = std::fs::read_to_string(site.path().join("index.html")).expect("a page");
    assert!(html.contains("Not verified in this browser") && html.contains("it verifies nothing"));
    assert!(!html.contains("<script") && !html.contains("{{"), "{html}");
    for told in ["elsewhere", "policy year", "custodians threshold", "identity_key"] {
        assert!(html.contains(told), "{told}");
    }
}
