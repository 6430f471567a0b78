//! What `run` refuses before it reads a single message.

mod support;

use std::fs;
use strongroom_manifest::{Hex, Protection};
use support::{Site, text};

#[test]
fn a_manifest_that_promises_hardware_is_refused() {
    let site = Site::new(5);
    for protection in [Protection::KeysOnly, Protection::KeysAndLogic] {
        let mut manifest = site.manifest();
        manifest.fleets[0].protection = protection;
        site.publish(&manifest, &[201, 202]);
        let said = site.run_refused(&site.vault_dir(1), 1, "dev");
        assert!(said.contains("`software` only"), "{said}");
    }
}

#[test]
fn a_manifest_without_enough_pinned_custodians_is_refused() {
    let site = Site::new(1);
    for signers in [&[][..], &[201], &[201, 201], &[201, 77], &[77, 78]] {
        site.publish(&site.manifest(), signers);
        let said = site.run_refused(&site.vault_dir(1), 1, "dev");
        assert!(said.contains("2 needed"), "{signers:?}: {said}");
    }
}

#[test]
fn custodians_that_only_the_manifest_names_are_not_believed() {
    let site = Site::new(1);
    let mut manifest = site.manifest();
    manifest.custodians.keys = vec![Hex(support::custodian(77).verifying_key().to_bytes())];
    manifest.custodians.threshold = 1;
    site.publish(&manifest, &[77]);
    let said = site.run_refused(&site.vault_dir(1), 1, "dev");
    assert!(said.contains("0 custodians signed"), "{said}");
}

#[test]
fn another_namespaces_manifest_is_refused() {
    let site = Site::new(1);
    let mut manifest = site.manifest();
    manifest.namespace = "other.encrypted_backups.fleet_keys.v1".to_owned();
    site.publish(&manifest, &[201, 202]);
    let said = site.run_refused(&site.vault_dir(1), 1, "dev");
    assert!(said.contains("namespace"), "{said}");
}

#[test]
fn custodians_hand_over_and_nobody_takes_over() {
    let site = Site::new(1);
    let by = |numbers: [u8; 2]| {
        let mut keys: Vec<_> =
            numbers.map(|n| Hex(support::custodian(n).verifying_key().to_bytes())).into();
        keys.sort();
        strongroom_manifest::Custodians { keys, threshold: 2 }
    };
    let (mut second, mut third) = (site.manifest(), site.manifest());
    (second.epoch, second.custodians) = (2, by([77, 78]));
    (third.epoch, third.custodians) = (3, by([77, 78]));
    site.publish(&third, &[77, 78]);
    // Without the change, with one that only the new ones signed, and with one that comes later.
    let dir = site.vault_dir(1);
    for link in [None, Some((&second, [77, 78])), Some((&third, [201, 202]))] {
        let links: Vec<_> = link.iter().map(|(m, by)| support::signed(m, by)).collect();
        site.chain(&links);
        site.run_refused(&dir, 1, "dev");
    }
    // With the change itself the manifest is admitted; what stops this vault is its node's number.
    site.chain(&[support::signed(&second, &[201, 202])]);
    let said = site.run_refused(&dir, 2, "dev");
    assert!(said.contains("the keys are node 1's"), "{said}");
}

#[test]
fn another_nodes_keys_are_refused() {
    let site = Site::new(2);
    site.publish(&site.manifest(), &[201, 202]);
    let said = site.run_refused(&site.vault_dir(2), 1, "dev");
    assert!(said.contains("node 2's"), "{said}");

    let mut manifest = site.manifest();
    manifest.fleets[0].nodes[0].identity_key = Hex([5; 32]);
    site.publish(&manifest, &[201, 202]);
    let said = site.run_refused(&site.vault_dir(1), 1, "dev");
    assert!(said.contains("another identity key"), "{said}");

    let mut manifest = site.manifest();
    manifest.fleets[0].nodes[0].link_key = Hex([5; 32]);
    site.publish(&manifest, &[201, 202]);
    let said = site.run_refused(&site.vault_dir(1), 1, "dev");
    assert!(said.contains("another link key"), "{said}");

    let mut manifest = site.manifest();
    manifest.fleets[0].nodes.remove(0);
    site.publish(&manifest, &[201, 202]);
    let said = site.run_refused(&site.vault_dir(1), 1, "dev");
    assert!(said.contains("has no node 1"), "{said}");
}

#[test]
fn another_fleets_secrets_are_refused() {
    let site = Site::new(1);
    let mut manifest = site.manifest();
    manifest.fleets[0].hpke_key.0[0] ^= 1;
    site.publish(&manifest, &[201, 202]);
    assert!(site.run_refused(&site.vault_dir(1), 1, "dev").contains("another HPKE key"));

    let mut manifest = site.manifest();
    manifest.fleets[0].keysets[0].server_key = Hex([4; 32]);
    site.publish(&manifest, &[201, 202]);
    assert!(site.run_refused(&site.vault_dir(1), 1, "dev").contains("other keysets"));

    let mut manifest = site.manifest();
    manifest.fleets[0].id = "prod".to_owned();
    site.publish(&manifest, &[201, 202]);
    assert!(site.run_refused(&site.vault_dir(1), 1, "prod").contains("secrets are fleet dev's"));
    assert!(site.run_refused(&site.vault_dir(1), 1, "dev").contains("no fleet named dev"));
}

#[test]
fn a_changed_manifest_is_refused() {
    let site = Site::new(1);
    site.publish(&site.manifest(), &[201, 202]);
    let path = site.root.path().join("manifest.json");
    let good = fs::read_to_string(&path).expect("read");
    for bad in [
        good.replace("\"epoch\":1", "\"epoch\":2"),
        good.replace("\"epoch\":1", "\"epoch\": 1"),
        good.replace("\"version\":1", "\"version\":1,\"extra\":0"),
        String::new(),
    ] {
        fs::write(&path, bad).expect("write");
        site.run_refused(&site.vault_dir(1), 1, "dev");
    }
}

#[test]
fn a_vault_without_pins_believes_nobody() {
    let site = Site::new(1);
    site.publish(&site.manifest(), &[201, 202]);
    let dir = site.vault_dir(1);
    fs::remove_file(dir.join("pins.json")).expect("remove");
    let said = site.run_refused(&dir, 1, "dev");
    assert!(said.contains("pin the custodians first"), "{said}");
    assert!(!said.contains(text(&dir.join("nothing"))));
}
