//! Cloudflare's `plexi`, unmodified, against this auditor. Runs if `STRONGROOM_PLEXI` names the binary:
//!
//! ```text
//! cargo install plexi-cli --version 0.1.2 --locked --root DIR     # needs protoc
//! STRONGROOM_PLEXI=DIR/bin/plexi cargo test -p strongroomd --test plexi
//! ```

mod site;

use site::{
    Site,
    world::{AUDITOR, NAMESPACE, key},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    process::Command,
    thread,
};

/// The binary, or nothing and a word about it.
fn plexi() -> Option<String> {
    let named = std::env::var("STRONGROOM_PLEXI").ok().filter(|path| !path.is_empty());
    if named.is_none() {
        eprintln!("skipped: STRONGROOM_PLEXI names no plexi binary");
    }
    named
}

/// What it prints. It exits with 0 whether a signature verifies or not, so nobody reads that.
fn said(plexi: &str, base: SocketAddr, words: &[&str]) -> String {
    let output = Command::new(plexi)
        .args(words)
        .args(["--remote-url", &format!("http://{base}"), "--namespace", NAMESPACE])
        .output()
        .expect("plexi starts");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}\n{err}")
}

const GOOD: &str = "Signature verification: success";

#[test]
fn plexi_reads_this_auditor() {
    let Some(plexi) = plexi() else { return };
    let site = Site::new();
    for epoch in 1..=3 {
        site.published(epoch).expect("publishes");
    }
    let listed = said(&plexi, site.public, &["ls", "--long"]);
    assert!(listed.contains(NAMESPACE), "{listed}");
    let pinned = hex::encode(key(AUDITOR).verifying_key().to_bytes());
    for epoch in ["1", "2", "3"] {
        let found = said(&plexi, site.public, &["audit", "--long", "--epoch", epoch]);
        assert!(found.contains(GOOD), "{found}");
        assert!(found.contains(&format!("Epoch height          : {epoch}")), "{found}");
        let words = ["audit", "--long", "--epoch", epoch, "--verifying-key", &pinned];
        let found = said(&plexi, site.public, &words);
        assert!(found.contains(GOOD), "with the pinned key: {found}");
    }
    let latest = said(&plexi, site.public, &["audit", "--long"]);
    assert!(latest.contains(GOOD) && latest.contains("Epoch height          : 3"), "{latest}");
}

#[test]
fn plexi_refuses_what_was_tampered_with() {
    let Some(plexi) = plexi() else { return };
    let site = Site::new();
    site.published(1).expect("publishes");
    let other = hex::encode(key(99).verifying_key().to_bytes());
    let words = ["audit", "--long", "--epoch", "1", "--verifying-key", &other];
    let found = said(&plexi, site.public, &words);
    assert!(!found.contains(GOOD) && found.contains("failed"), "another key: {found}");
    // A network that changes one digit of the digest on the way.
    let audit: serde_json::Value =
        serde_json::from_slice(&site.audit(1).expect("answers")).expect("json");
    let digest = audit["digest"].as_str().expect("digits").to_owned();
    let first = if digest.starts_with('0') { "1" } else { "0" };
    let changed = format!("{first}{}", &digest[1..]);
    let liar = tampering(site.public, digest, changed);
    let found = said(&plexi, liar, &["audit", "--long", "--epoch", "1"]);
    assert!(!found.contains(GOOD) && found.contains("failed"), "another digest: {found}");
}

/// A proxy that puts one text in the place of another of the same length, in every answer about an audit.
fn tampering(to: SocketAddr, from_text: String, to_text: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut request = Vec::new();
            let mut part = [0; 4_096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match client.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(len) => request.extend_from_slice(&part[..len]),
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
            let url = format!("http://{to}{path}");
            let Ok(mut answer) = ureq::get(&url).call() else { continue };
            let mut body = answer.body_mut().read_to_string().unwrap_or_default();
            if path.contains("/audits/") {
                body = body.replace(&from_text, &to_text);
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n",
                body.len()
            );
            let _ =
                client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes()));
        }
    });
    address
}
