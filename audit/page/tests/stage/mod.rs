//! A log that an auditor published just now, by the clock of this machine: a browser has no other.

#![allow(dead_code, reason = "each test file uses its part of this stage")]

#[path = "../../../verify/tests/world/mod.rs"]
pub(crate) mod world;

use ed25519_dalek::Signer as _;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_log::{Auditor, AuditorSetup, Countersigned, Folder, Log, Submission, Witness};
use strongroom_manifest::{Floors, Manifest};
use strongroom_page::{Command, Page, Verifier, Written};
use strongroom_tlog::{
    NoteSignature, Policy, SeedSigner, SignedCheckpoint,
    tiles::TileSource,
    witness::{AddCheckpoint, Answer},
};
use strongroom_verify::{TrustFile, countersign_message};
use world::{
    AUDITOR, DAY_MS, NAMESPACE, OPERATOR, ORIGIN, custodians, key, log, policy, signed, trust_file,
    witness,
};

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a number")
}

/// The pins of this stage: of an app that was built a month ago.
pub(crate) fn pins() -> TrustFile {
    let mut file = trust_file();
    file.built_ms = now_ms() - 30 * DAY_MS;
    file.auditor_keys[0].not_before_ms = now_ms() - 300 * DAY_MS;
    file
}

pub(crate) fn bytes_of(pins: &TrustFile) -> Vec<u8> {
    // The tests of this crate need no JSON of their own: the pins are written by hand.
    let key = &pins.auditor_keys[0];
    let custodians: Vec<String> =
        pins.custodians.keys.iter().map(|key| format!("\"{key:?}\"")).collect();
    format!(
        "{{\"auditor_keys\":[{{\"not_before_ms\":{},\"public_key\":\"{:?}\"}}],\"built_ms\":{},\
         \"cosignature_max_age_ms\":{},\"custodians\":{{\"keys\":[{}],\"threshold\":{}}},\
         \"namespace\":\"{}\",\"operator_key\":\"{:?}\",\"policy\":\"{}\"}}\n",
        key.not_before_ms,
        key.public_key,
        pins.built_ms,
        pins.cosignature_max_age_ms,
        custodians.join(","),
        pins.custodians.threshold,
        pins.namespace,
        pins.operator_key,
        pins.policy.replace('\n', "\\n"),
    )
    .into_bytes()
}

pub(crate) fn manifest(epoch: u64) -> Manifest {
    let mut manifest = world::manifest(epoch, &[1, 2, 3]);
    // Of one moment, whenever each is made: a later epoch is not valid from earlier.
    static BEGUN_MS: LazyLock<u64> = LazyLock::new(now_ms);
    manifest.not_before_ms = *BEGUN_MS - 400 * DAY_MS + epoch;
    manifest.not_after_ms = *BEGUN_MS + 90 * DAY_MS;
    manifest
}

/// Three epochs: the first, one without a change, and one with changes of every kind.
pub(crate) fn epochs() -> Vec<Manifest> {
    let mut third = manifest(3);
    third.fleets[0].nodes[2].site = "elsewhere".to_owned();
    third.fleets[0].nodes[4].identity_key.0[0] ^= 0x80;
    third.custodians.threshold = 3;
    third.policy.year = 30;
    vec![manifest(1), manifest(2), third]
}

/// A folder as an auditor has it, with all that its host serves.
pub(crate) struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("auditor")
    }

    pub(crate) fn checkpoint(&self) -> Vec<u8> {
        std::fs::read(self.path().join("checkpoint")).expect("a checkpoint")
    }

    /// Changes one byte of a file.
    pub(crate) fn spoil(&self, file: &str, at: usize) {
        let path = self.path().join(file);
        let mut bytes = std::fs::read(&path).expect("a file");
        bytes[at] ^= 1;
        std::fs::write(path, bytes).expect("writes");
    }

    pub(crate) fn replace(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(file), bytes).expect("writes");
    }

    pub(crate) fn write_page(&self, verifier: Option<&Verifier>) -> Written {
        let pins = bytes_of(&pins());
        let commands = [Command {
            what: "The whole history, from the first epoch".to_owned(),
            line: "strongroom verify --trust trust.json".to_owned(),
        }];
        let page = Page { trust: &pins, commands: &commands, verifier, now_ms: now_ms() };
        let (path, checkpoint) = (self.path(), self.checkpoint());
        strongroom_page::write(&path, &checkpoint, &Disk(path.clone()), &page).expect("a page")
    }
}

/// Files below a folder, as a web server reads them.
pub(crate) struct Disk(pub(crate) PathBuf);

impl TileSource for Disk {
    type Error = std::io::Error;

    fn read(&self, path: &str, _len_max: usize) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(path))
    }
}

pub(crate) fn site(manifests: &[Manifest]) -> Site {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Arc::new(Folder::open(&dir.path().join("auditor")).expect("a folder"));
    let mut auditor = Auditor::open(folder, setup()).expect("an auditor");
    let mut witnesses = witnesses(dir.path());
    let cosign = |auditor: &mut TestAuditor, witnesses: &mut Vec<TestWitness>| {
        let asked: Vec<AddCheckpoint> = witnesses
            .iter()
            .map(|witness| {
                let old = witness.latest(ORIGIN).map_or(0, |latest| latest.checkpoint().size());
                auditor.request(old).expect("a request")
            })
            .collect();
        cosigned(witnesses, &asked)
    };
    let now_s = now_ms() / 1_000;
    let lines = cosign(&mut auditor, &mut witnesses);
    auditor.confirm(&lines, now_s - 60, now_s).expect("confirms");
    auditor.release(&lines, now_s).expect("releases the empty log");
    for manifest in manifests {
        let signed = signed(manifest, &[1, 2, 3]);
        let epoch = manifest.epoch;
        let submission =
            Submission { epoch, manifest: signed.manifest, signatures: signed.signatures };
        auditor.submit(&submission, now_ms()).expect("takes");
        let lines = cosign(&mut auditor, &mut witnesses);
        let released = auditor.release(&lines, now_ms() / 1_000).expect("releases");
        let audit = released.expect("an epoch").response().signature.0;
        let leaf = auditor.log().entry(epoch - 1).expect("a leaf");
        let message = countersign_message(ORIGIN, &leaf, &audit);
        let signature = key(OPERATOR).sign(&message).to_bytes();
        auditor.countersign(&Countersigned { epoch, signature }).expect("takes");
    }
    Site { dir }
}

type TestAuditor = Auditor<SeedSigner, SeedSigner>;
type TestWitness = Witness<SeedSigner>;

fn setup() -> AuditorSetup<SeedSigner, SeedSigner> {
    AuditorSetup {
        namespace: NAMESPACE.to_owned(),
        custodians: custodians(&[1, 2, 3]),
        floors: Floors::PRODUCTION,
        operator_key: key(OPERATOR).verifying_key().to_bytes(),
        policy: Policy::parse(policy().as_bytes()).expect("a policy"),
        log_signer: log(ORIGIN),
        statement_signer: SeedSigner::new(&[AUDITOR; 32]),
        statement_not_before_ms: now_ms() - 300 * DAY_MS,
        earlier_statement_keys: Vec::new(),
    }
}

fn witnesses(root: &Path) -> Vec<TestWitness> {
    let open = |at: usize| {
        let folder = Folder::open(&root.join(format!("w{at}"))).expect("a folder");
        let logs = vec![log(ORIGIN).key().clone()];
        Witness::open(Arc::new(folder), witness(at), logs).expect("a witness")
    };
    (0..4).map(open).collect()
}

fn cosigned(witnesses: &mut [TestWitness], asked: &[AddCheckpoint]) -> Vec<NoteSignature> {
    let mut lines = Vec::new();
    for (witness, request) in witnesses.iter_mut().zip(asked) {
        let body = witness.add_checkpoint(&request.to_bytes(), now_ms() / 1_000).expect("cosigns");
        match Answer::parse(200, body.as_bytes()).expect("an answer") {
            Answer::Cosigned(cosigned) => lines.extend(cosigned),
            other => panic!("{other:?}"),
        }
    }
    lines
}

/// What an auditor that looks at nothing would publish: any entries, signed and cosigned all the same.
pub(crate) fn careless(site: &Site, entries: &[Vec<u8>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("auditor");
    let mut log =
        Log::open(Arc::new(Folder::open(&at).expect("a folder")), log(ORIGIN)).expect("a log");
    let signed = log.append(entries).expect("appends").clone();
    let mut cosigned_by = signed.clone();
    let mut witnesses = witnesses(folder.path());
    let asked: Vec<AddCheckpoint> = witnesses
        .iter()
        .map(|_| AddCheckpoint::new(0, Vec::new(), &signed).expect("a request"))
        .collect();
    let lines = cosigned(&mut witnesses, &asked);
    for line in lines {
        let by = (0..4).find(|by| line.names(witness(*by).key())).expect("a witness");
        cosigned_by.add_cosignature(line, witness(by).key()).expect("good");
    }
    log.publish(&cosigned_by).expect("publishes");
    for file in ["checkpoint", "tile/entries/000.p/3", "tile/0/000.p/3"] {
        let bytes = std::fs::read(at.join(file)).expect("a file");
        std::fs::write(site.path().join(file), bytes).expect("writes");
    }
}

/// The same checkpoint with fewer lines.
pub(crate) fn without(checkpoint: &[u8], names: &[&str]) -> Vec<u8> {
    let text = String::from_utf8(checkpoint.to_vec()).expect("text");
    let keep = |line: &&str| !names.iter().any(|name| line.starts_with(&format!("— {name} ")));
    let lines: Vec<&str> = text.lines().filter(keep).collect();
    (lines.join("\n") + "\n").into_bytes()
}

/// A checkpoint of another log, good by its own key.
pub(crate) fn foreign() -> Vec<u8> {
    let other = log("elsewhere.example/log");
    let head = strongroom_tlog::merkle::Tree::default().head();
    let checkpoint =
        strongroom_tlog::Checkpoint::new("elsewhere.example/log", 3, head.root).expect("one");
    SignedCheckpoint::sign(checkpoint, &other).expect("signs").to_bytes()
}
