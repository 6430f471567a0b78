//! Key files and the subcommands that make them.

mod support;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};
use support::{Site, bad, good, text};

#[test]
fn key_files_are_for_their_owner_alone_and_never_overwritten() {
    let site = Site::new(2);
    for node in [1, 2] {
        let dir = site.vault_dir(node);
        let mode = |path: &std::path::Path| fs::metadata(path).expect("stat").mode() & 0o7777;
        assert_eq!(mode(&dir), 0o700);
        for file in ["node.keys", "fleet.keys", "pins.json"] {
            assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
        }
    }
    let dir = site.vault_dir(1);
    let before = fs::read(dir.join("node.keys")).expect("read");
    let (code, said) = bad(&["init", "--dir", text(&dir), "--node", "1"]);
    assert_eq!(code, 3);
    assert!(said.contains("never overwritten"), "{said}");
    assert_eq!(fs::read(dir.join("node.keys")).expect("read"), before);
}

#[test]
fn what_is_printed_holds_no_secret() {
    let root = tempfile::tempdir().expect("dir");
    let dir = root.path().join("vault");
    let line = good(&["init", "--dir", text(&dir), "--node", "9"]);
    let keys = fs::read_to_string(dir.join("node.keys")).expect("read");
    for secret in keys.lines().filter_map(|line| line.split(' ').nth(1)) {
        assert!(secret.len() < 64 || !line.contains(secret));
    }
    assert!(line.starts_with("{\"node\":9,\"identity_key\":\""), "{line}");
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let site = Site::new(1);
    site.publish(&site.manifest(), &[201, 202]);
    let dir = site.vault_dir(1);
    for file in ["node.keys", "fleet.keys"] {
        let path = dir.join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let said = site.run_refused(&dir, 1, "dev");
        assert!(said.contains(file) && said.contains("0640"), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("chmod");
    assert!(site.run_refused(&dir, 1, "dev").contains("0755"));
}

#[test]
fn a_box_for_another_node_is_refused() {
    let site = Site::new(3);
    let dir = site.root.path().join("vault-4");
    good(&["init", "--dir", text(&dir), "--node", "4"]);
    let sealed = site.root.path().join("boxes/box-3.bin");
    let words = ["accept", "--dir", text(&dir), "--box", text(&sealed)];
    let (code, said) = bad(&[&words[..], &["--fleet", "dev"]].concat());
    assert_eq!(code, 3);
    assert!(said.contains("not sealed to node 4"), "{said}");
}

#[test]
fn pins_do_not_change() {
    let site = Site::new(1);
    let dir = site.vault_dir(1);
    let other = site.root.path().join("other.json");
    let key = "11".repeat(32);
    fs::write(&other, format!("{{\"keys\":[\"{key}\"],\"threshold\":1}}")).expect("write");
    let words = ["pin", "--dir", text(&dir), "--custodians", text(&other)];
    let (code, said) = bad(&[&words[..], &["--namespace", support::NAMESPACE]].concat());
    assert_eq!(code, 3);
    assert!(said.contains("pins other custodians"), "{said}");
}

#[test]
fn a_wrong_command_line_is_usage() {
    for words in [
        &["frobnicate"][..],
        &["init", "--dir"],
        &["init", "--node", "1"],
        &["init", "--dir", "x", "--node", "1", "--force", "yes"],
        &["run", "--dir", "x", "--node", "1"],
    ] {
        assert_eq!(bad(words).0, 2, "{words:?}");
    }
    assert!(good(&["--version"]).starts_with("strongroom-vault "));
}
