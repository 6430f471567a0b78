//! A vault folder with everything that `run` needs, made by the program itself.

#![allow(dead_code)]

use ed25519_dalek::{Signer, SigningKey};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, ManifestSignatures, Node, Policy, Protection, Role,
    SignedManifest, SlotRange, TicketKey, manifest_statement, to_canonical_json,
};
use strongroom_shell_software::node_keys::NodeInfo;
use strongroom_wire::digest::sha256;

pub(crate) const NAMESPACE: &str = "dev.encrypted_backups.fleet_keys.v1";

/// What `fleet-keys` prints.
#[derive(serde::Deserialize)]
pub(crate) struct FleetInfo {
    pub(crate) hpke_key: Hex<1216>,
    pub(crate) keysets: Vec<Keyset>,
}

pub(crate) fn vault(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom-vault"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

pub(crate) fn good(words: &[&str]) -> String {
    let output = vault(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Exit code and what was said of it.
pub(crate) fn bad(words: &[&str]) -> (i32, String) {
    let output = vault(words);
    assert!(output.stdout.is_empty(), "{words:?} printed to the host");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("an exit code"), said)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

pub(crate) fn custodian(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Custodians 201, 202 and 203, of whom two must sign.
pub(crate) fn custodians() -> Custodians {
    let mut keys: Vec<_> =
        [201, 202, 203].map(|n| Hex(custodian(n).verifying_key().to_bytes())).into();
    keys.sort();
    Custodians { keys, threshold: 2 }
}

/// A manifest with the signatures of these custodians.
pub(crate) fn signed(manifest: &Manifest, signers: &[u8]) -> SignedManifest {
    let bytes = to_canonical_json(manifest);
    let statement = manifest_statement(&sha256(&bytes));
    let mut signatures = ManifestSignatures::default();
    for number in signers {
        let key = custodian(*number);
        signatures.push(key.verifying_key().to_bytes(), key.sign(&statement).to_bytes());
    }
    SignedManifest { manifest: String::from_utf8(bytes).expect("text"), signatures }
}

pub(crate) struct Site {
    pub(crate) root: tempfile::TempDir,
    pub(crate) nodes: Vec<NodeInfo>,
    pub(crate) fleet: FleetInfo,
}

impl Site {
    /// Nodes 1 to `count` with keys, fleet secrets and pins.
    pub(crate) fn new(count: u8) -> Self {
        let root = tempfile::tempdir().expect("dir");
        let at = |name: &str| root.path().join(name);
        let mut nodes = Vec::new();
        let mut infos = Vec::new();
        for node in 1..=count {
            let dir = at(&format!("vault-{node}"));
            let line = good(&["init", "--dir", text(&dir), "--node", &node.to_string()]);
            nodes.push(serde_json::from_str(&line).expect("node info"));
            let info = at(&format!("node-{node}.json"));
            fs::write(&info, line).expect("write");
            infos.push(info);
        }
        let (first, out) = (at("vault-1"), at("boxes"));
        let mut words = vec!["fleet-keys", "--dir", text(&first), "--out", text(&out)];
        words.push("--node-info");
        words.extend(infos.iter().map(|path| text(path)));
        let fleet = serde_json::from_str(&good(&words)).expect("fleet info");
        for node in 2..=count {
            let (dir, sealed) = (at(&format!("vault-{node}")), out.join(format!("box-{node}.bin")));
            let words = ["accept", "--dir", text(&dir), "--box", text(&sealed)];
            good(&[&words[..], &["--fleet", "dev"]].concat());
        }
        let pins = at("custodians.json");
        fs::write(&pins, serde_json::to_vec(&custodians()).expect("json")).expect("write");
        for node in 1..=count {
            let dir = at(&format!("vault-{node}"));
            let words = ["pin", "--dir", text(&dir), "--custodians", text(&pins)];
            good(&[&words[..], &["--namespace", NAMESPACE]].concat());
        }
        let site = Self { root, nodes, fleet };
        site.chain(&[]);
        site
    }

    pub(crate) fn vault_dir(&self, node: u8) -> PathBuf {
        self.root.path().join(format!("vault-{node}"))
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let mut policy = Policy::standard().with_waits_divided_by(3_600);
        policy.compact_ms = 3_600_000;
        let node = |info: &NodeInfo| Node {
            evidence: String::new(),
            id: info.node,
            identity_key: info.identity_key,
            link_key: info.link_key,
            roles: vec![Role::Vault],
            site: format!("site-{}", info.node),
        };
        Manifest {
            custodians: custodians(),
            epoch: 1,
            fleets: vec![Fleet {
                hpke_key: self.fleet.hpke_key,
                id: "dev".to_owned(),
                keysets: self.fleet.keysets.clone(),
                measurement: String::new(),
                nodes: self.nodes.iter().map(node).collect(),
                protection: Protection::Software,
                rollback_tolerance: 0,
                slots: SlotRange::ALL,
            }],
            namespace: NAMESPACE.to_owned(),
            not_after_ms: 4_000_000_000_000,
            not_before_ms: 1_000_000_000_000,
            policy,
            ticket_keys: vec![TicketKey {
                app: "dev".to_owned(),
                key: Hex(custodian(99).verifying_key().to_bytes()),
            }],
            version: 1,
        }
    }

    /// Writes a manifest and the signatures of these custodians.
    pub(crate) fn publish(&self, manifest: &Manifest, signers: &[u8]) {
        let signed = signed(manifest, signers);
        fs::write(self.root.path().join("manifest.json"), signed.manifest).expect("write");
        let signatures = serde_json::to_vec(&signed.signatures).expect("json");
        fs::write(self.root.path().join("manifest.sig.json"), signatures).expect("write");
    }

    /// Writes the changes of custodians.
    pub(crate) fn chain(&self, links: &[SignedManifest]) {
        let links = serde_json::to_vec(links).expect("json");
        fs::write(self.root.path().join("manifest.chain.json"), links).expect("write");
    }

    /// The command line that runs the vault in `dir` as `node` of `fleet`.
    pub(crate) fn run_words(&self, dir: &Path, node: u8, fleet: &str) -> Vec<String> {
        let at = |name: &str| text(&self.root.path().join(name)).to_owned();
        let words = [
            "run".to_owned(),
            "--dir".to_owned(),
            text(dir).to_owned(),
            "--node".to_owned(),
            node.to_string(),
            "--fleet".to_owned(),
            fleet.to_owned(),
            "--manifest".to_owned(),
            at("manifest.json"),
            "--signatures".to_owned(),
            at("manifest.sig.json"),
            "--chain".to_owned(),
            at("manifest.chain.json"),
            "--tick-ms".to_owned(),
            "30".to_owned(),
        ];
        words.into()
    }

    pub(crate) fn run_refused(&self, dir: &Path, node: u8, fleet: &str) -> String {
        let words = self.run_words(dir, node, fleet);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, said) = bad(&words);
        assert_eq!(code, 3, "{said}");
        said
    }
}
