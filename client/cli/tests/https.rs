//! https towards gateways and logs, under the certificates that the system trusts.

#[path = "../../../host/strongroomd/tests/front/mod.rs"]
mod front;
mod ledger;
mod stage;

use front::{ca, front};
use ledger::{Ledger, Manner, history, serve};
use stage::{Ran, Stage, strongroom};
use std::{fs, net::SocketAddr, path::Path};

fn address_of(url: &str) -> SocketAddr {
    url.strip_prefix("http://").expect("plain").parse().expect("an address")
}

/// Runs a command on a machine that trusts one authority.
fn trusting(roots: &Path, words: &[&str]) -> Ran {
    let mut command = strongroom();
    command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
    Ran::of(command.args(words).output().expect("run"))
}

#[test]
fn a_log_is_verified_over_https_from_who_the_system_trusts() {
    let (ledger, known, stranger) = (Ledger::new(), ca(), ca());
    let folder = ledger.export("log", &history(3));
    let dir = tempfile::tempdir().expect("dir");
    fs::write(dir.path().join("known"), known.pem()).expect("writes");
    let plain = address_of(&serve(&folder, Manner::Serve));
    let trust = ledger.path("trust.json").display().to_string();
    let verify = |url: &str| {
        trusting(&dir.path().join("known"), &["verify", "--trust", &trust, "--log", url])
    };
    let ran = verify(&front(&known, plain)).succeeds();
    assert!(ran.out.contains("Verified: epochs 1 to 3"), "{ran:?}");
    // Whoever stands between with a certificate of their own is not asked for a single file.
    let ran = verify(&front(&stranger, plain));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("checkpoint could not be read"), "{ran:?}");
}

#[test]
fn a_gateway_is_spoken_with_over_https_and_a_strangers_hears_nothing() {
    let (stage, known, stranger) = (Stage::enrolled(), ca(), ca());
    stage.phone("new");
    let profile = stage.path("new").join("profile.toml");
    let text = fs::read_to_string(&profile).expect("profile");
    let line = text.lines().find(|line| line.starts_with("gateway = ")).expect("the gateway");
    let plain = address_of(line.trim_start_matches("gateway = \"").trim_end_matches('"'));
    let (password, home) = (stage.path("password"), stage.path("new").display().to_string());
    fs::write(&password, "correct horse\n").expect("writes");
    let password = password.display().to_string();
    let roots = stage.path("known.pem");
    fs::write(&roots, known.pem()).expect("writes");
    let recover = |url: String| {
        fs::write(&profile, text.replace(line, &format!("gateway = \"{url}\""))).expect("writes");
        trusting(
            &roots,
            &["--home", &home, "--timeout", "3", "recover", "--password-file", &password],
        )
    };
    stage.gateway.fates(&[]);
    let ran = recover(front(&stranger, plain));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("cost: none"), "{ran:?}");
    assert_eq!(stage.gateway.verbs(), [] as [&str; 0]);
    recover(front(&known, plain)).succeeds();
}
