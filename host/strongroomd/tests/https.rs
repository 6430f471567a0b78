//! As in production: TLS between the auditor and its witnesses, and certificates at the publishers' door.

mod front;
mod site;

use front::{Ca, ca, front, issued};
use site::{
    Site, submission, trust,
    world::{NAMESPACE, OPERATOR, ORIGIN, deployed},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};
use strongroom_verify::{Bundle, Event};
use strongroom_wire::digest::sha256;

/// A site where nobody speaks plainly with another machine, and who may publish there.
struct Guarded {
    site: Site,
    strangers: Ca,
}

impl Guarded {
    fn new() -> Self {
        let (servers, publishers) = (ca(), ca());
        let site = Site::made(|site| {
            let put = |name: &str, text: &str| fs::write(site.path(name), text).expect("writes");
            put("servers.pem", &servers.pem());
            put("publishers.pem", &publishers.pem());
            let (door, own) = issued(&servers, "localhost");
            put("door.pem", &door.pem());
            put("door.key", &own.serialize_pem());
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(site.path("door.key"), mode).expect("a mode");
            let tls = "[publish.tls]\ncertificate_file = \"door.pem\"\nkey_file = \"door.key\"\n\
                       client_ca_file = \"publishers.pem\"\n";
            let urls = site.witness_addresses().into_iter().map(|to| front(&servers, to)).collect();
            site.behind(urls, tls.to_owned(), site.path("servers.pem"));
        });
        let (own, secret) = issued(&publishers, "operator");
        let put = |name: &str, text: &[u8]| fs::write(site.path(name), text).expect("writes");
        put("me.pem", own.pem().as_bytes());
        put("me.key", secret.serialize_pem().as_bytes());
        put("trust.json", &serde_json::to_vec(trust().file()).expect("json"));
        Self { site, strangers: ca() }
    }

    fn manifest(&self, epoch: u64) {
        let submission = submission(epoch);
        let signatures = serde_json::to_vec(&submission.signatures).expect("json");
        fs::write(self.site.path("manifest.json"), &submission.manifest).expect("writes");
        fs::write(self.site.path("signatures.json"), signatures).expect("writes");
    }

    fn operator_key(&self, seed: u8) {
        let path = self.site.path("operator.key");
        fs::write(&path, hex::encode([seed; 32])).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// Runs a command at the door; `{name}` is a file of the site.
    fn run(&self, words: &[&str]) -> Output {
        let port = self.site.publish.port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroomd"));
        command.arg(words[0]).args(["--auditor", &format!("https://localhost:{port}")]);
        for word in &words[1..] {
            match word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => command.arg(self.site.path(name)),
                None => command.arg(word),
            };
        }
        command.output().expect("it starts")
    }

    fn publish(&self, certificate: &str) -> Output {
        self.run(
            &[
                &["publish", "--certificate", certificate][..],
                &["--key", "{me.key}", "--ca", "{servers.pem}", "--trust", "{trust.json}"],
                &["--manifest", "{manifest.json}", "--signatures", "{signatures.json}"],
                &["--operator-key-file", "{operator.key}", "--bundle", "{bundle.json}"],
            ]
            .concat(),
        )
    }

    fn record(&self, event: &Event) -> Output {
        fs::write(self.site.path("event.json"), event.to_json()).expect("writes");
        self.run(
            &[
                &["record", "--certificate", "{me.pem}", "--key", "{me.key}"][..],
                &["--ca", "{servers.pem}", "--trust", "{trust.json}", "--event", "{event.json}"],
            ]
            .concat(),
        )
    }
}

#[track_caller]
fn ends(output: &Output, code: i32, text: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(text), "{said}");
}

fn deployment(epoch: u64) -> Event {
    deployed(epoch, sha256(submission(epoch).manifest.as_bytes()), OPERATOR, site::now_ms())
}

#[test]
fn an_operator_publishes_and_records_through_certificates_and_witnesses_are_asked_through_tls() {
    let guarded = Guarded::new();
    guarded.manifest(1);
    // Another key than the pinned one is seen before anything is sent.
    guarded.operator_key(99);
    ends(&guarded.publish("{me.pem}"), 2, "nothing was sent");
    assert_eq!(guarded.site.audit(1), None);
    guarded.operator_key(OPERATOR);
    for _ in 0..2 {
        // The second finds all of it done.
        ends(&guarded.publish("{me.pem}"), 0, "published: epoch 1");
        let bundle = fs::read(guarded.site.path("bundle.json")).expect("a bundle");
        assert_eq!(Bundle::parse(&bundle).expect("reads").audit.epoch, 1);
    }
    let event = deployment(1);
    for _ in 0..2 {
        ends(&guarded.record(&event), 0, &format!("recorded: event 0 of {ORIGIN}/events"));
    }
    ends(&guarded.record(&deployment(2)), 1, "not_released");
    let checkpoint = guarded.site.get(&format!("/{NAMESPACE}/events/checkpoint")).expect("answers");
    assert_eq!(checkpoint.0, 200);
}

#[test]
fn who_has_no_good_certificate_gets_nowhere() {
    let guarded = Guarded::new();
    guarded.manifest(1);
    guarded.operator_key(OPERATOR);
    let (own, secret) = issued(&guarded.strangers, "operator");
    fs::write(guarded.site.path("stranger.pem"), own.pem()).expect("writes");
    fs::write(guarded.site.path("me.key"), secret.serialize_pem()).expect("writes");
    ends(&guarded.publish("{stranger.pem}"), 1, "run the same again");
    ends(&guarded.publish("{me.key}"), 2, "expected a certificate");
    let words = ["record", "--trust", "{trust.json}", "--event", "{event.json}"];
    fs::write(guarded.site.path("event.json"), deployment(1).to_json()).expect("writes");
    ends(&guarded.run(&words), 2, "https needs a client certificate");
    ends(&guarded.run(&[&words[..], &["--certificate", "{me.pem}"]].concat()), 2, "--key");
    assert_eq!(guarded.site.audit(1), None);
}
