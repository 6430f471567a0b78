//! The page in a real browser: what a visitor is told of a good log, and of each way to spoil one.
//!
//! Needs Chromium and what `cargo xtask page` builds. Where one is missing a test says so and ends;
//! with `STRONGROOM_PAGE_REQUIRED` set, as `cargo xtask page` sets it, it fails.

mod chromium;
mod stage;

use chromium::{Browser, browser};
use stage::{Site, bytes_of, careless, epochs, foreign, pins, site, without};
use strongroom_manifest::Hex;

/// What the visitor reads first: its outcome, and its text.
fn visited(browser: &Browser, site: &Site) -> (String, String) {
    let page = browser.visit(&site.path(), "/");
    chromium::verdict(&page)
}

/// A good site with its page, and a browser.
fn scene() -> Option<(Browser, Site)> {
    let browser = browser()?;
    let site = site(&epochs());
    site.write_page(Some(&browser.verifier));
    Some((browser, site))
}

#[test]
fn a_good_log_is_verified_in_the_browser() {
    let Some((browser, site)) = scene() else { return };
    let (outcome, text) = visited(&browser, &site);
    assert_eq!(outcome, "verified", "{text}");
    assert!(text.contains("Verified in this browser: all 3 epochs"), "{text}");
    browser.pictures(&site.path(), "verified");
}

#[test]
fn every_way_to_spoil_a_log_is_told_and_none_reads_verified() {
    let Some((browser, site)) = scene() else { return };
    let good = site.checkpoint();
    let refuse = |expected: &str, part: &str| {
        let (outcome, text) = visited(&browser, &site);
        assert_eq!(outcome, expected, "{text}");
        assert!(text.contains(part) && !text.contains("Verified in this browser"), "{text}");
    };
    site.spoil("tile/entries/000.p/3", 3_000);
    refuse("unchecked", "tile/entries/000.p/3");
    site.spoil("tile/entries/000.p/3", 3_000);

    site.spoil("signatures/000.p/3", 130);
    refuse("refused", "epoch 2: the auditor's signature as served is false");
    browser.pictures(&site.path(), "refused");
    site.spoil("signatures/000.p/3", 130);

    site.replace("checkpoint", &without(&good, &["w2.example/a", "w3.example/a"]));
    refuse("refused", "1 of the 2 needed");
    site.replace("checkpoint", &foreign());
    refuse("refused", "not signed by any of");
    std::fs::remove_file(site.path().join("checkpoint")).expect("removes");
    refuse("unchecked", "checkpoint could not be fetched");
    site.replace("checkpoint", &good);
    assert_eq!(visited(&browser, &site).0, "verified");
}

#[test]
fn a_contradiction_is_called_one() {
    let Some((browser, site)) = scene() else { return };
    careless(&site, &[b"no leaf".to_vec(), b"no leaf".to_vec(), b"no leaf".to_vec()]);
    let (outcome, text) = visited(&browser, &site);
    assert_eq!(outcome, "contradiction", "{text}");
    assert!(text.contains("breaks its own rules"), "{text}");
}

#[test]
fn a_text_that_was_changed_on_the_page_is_found_and_replaced() {
    let Some((browser, site)) = scene() else { return };
    let path = site.path().join("index.html");
    let html = std::fs::read_to_string(&path).expect("a page");
    std::fs::write(&path, html.replace(">elsewhere<", ">nowhere<")).expect("writes");
    let page = browser.visit(&site.path(), "/");
    let (outcome, text) = chromium::verdict(&page);
    assert_eq!(outcome, "altered", "{text}");
    assert!(page.contains(">elsewhere<") && !page.contains(">nowhere<"));
}

#[test]
fn a_broken_check_leaves_the_page_unverified() {
    let Some((browser, site)) = scene() else { return };
    site.spoil("status/verify_bg.wasm", 1);
    let (outcome, text) = visited(&browser, &site);
    assert_eq!(outcome, "unchecked", "{text}");
    std::fs::remove_file(site.path().join("status/page.js")).expect("removes");
    let (outcome, text) = visited(&browser, &site);
    assert_eq!(outcome, "none", "{text}");
    assert!(text.contains("Not verified in this browser"), "{text}");
}

/// A page of the same host that picks a file in the visitor's place.
fn picking(trust: &str) -> String {
    format!(
        "<!doctype html><iframe id=f src='index.html' width=900 height=900></iframe><pre id=verdict></pre>\
         <script type=module>\
         const frame = document.getElementById('f');\
         const inner = () => frame.contentDocument?.getElementById('verdict');\
         const settled = async (not) => {{ for (;;) {{ const v = inner();\
           if (v && !['none', 'running'].includes(v.dataset.outcome) && v.textContent !== not) return v;\
           await new Promise((r) => setTimeout(r, 20)); }} }};\
         const first = (await settled('')).textContent;\
         const bytes = await (await fetch('{trust}')).arrayBuffer();\
         const moved = new frame.contentWindow.DataTransfer();\
         moved.items.add(new frame.contentWindow.File([bytes], 'mine.json'));\
         const picker = frame.contentDocument.getElementById('trust-file');\
         picker.files = moved.files; picker.dispatchEvent(new frame.contentWindow.Event('change'));\
         const v = await settled(first);\
         const own = document.getElementById('verdict');\
         own.dataset.outcome = v.dataset.outcome; own.textContent = v.textContent;\
         </script>"
    )
}

#[test]
fn a_visitors_own_trust_file_is_what_counts() {
    let Some((browser, site)) = scene() else { return };
    site.replace("pick.html", picking("own.json").as_bytes());
    site.replace("own.json", &bytes_of(&pins()));
    let (outcome, text) = chromium::verdict(&browser.visit(&site.path(), "/pick.html"));
    assert_eq!(outcome, "verified", "{text}");
    assert!(text.contains("your own trust file mine.json"), "{text}");

    // Of another operator: every epoch's counter-signature is false then.
    let mut other = pins();
    other.operator_key = Hex(stage::world::key(77).verifying_key().to_bytes());
    site.replace("own.json", &bytes_of(&other));
    let (outcome, text) = chromium::verdict(&browser.visit(&site.path(), "/pick.html"));
    assert_eq!(outcome, "refused", "{text}");
    assert!(text.contains("epoch 1: the operator's signature"), "{text}");

    site.replace("own.json", b"{}");
    let (outcome, text) = chromium::verdict(&browser.visit(&site.path(), "/pick.html"));
    assert_eq!(outcome, "unchecked", "{text}");
    assert!(text.contains("not a trust file"), "{text}");
}
