//! An auditor, its operator and its four witnesses, each with a folder of its own.

#![allow(dead_code, reason = "each test file uses its part of this stage")]

#[path = "../../../verify/tests/world/mod.rs"]
pub(crate) mod world;

use ed25519_dalek::Signer as _;
use std::{path::Path, sync::Arc};
use strongroom_log::{
    Auditor, AuditorSetup, Countersigned, Folder, Submission, SubmitError, Witness,
};
use strongroom_manifest::{Floors, Manifest};
use strongroom_tlog::{NoteSignature, Policy, SeedSigner, SignedCheckpoint, witness::Answer};
use strongroom_verify::{AuditResponse, countersign_message};
use world::{
    AUDITOR, DAY_MS, NAMESPACE, NOW_MS, OPERATOR, ORIGIN, custodians, key, log, manifest, policy,
    signed, witness,
};

pub(crate) type TestAuditor = Auditor<SeedSigner, SeedSigner>;

pub(crate) const NOW_S: u64 = NOW_MS / 1_000;

pub(crate) fn setup() -> AuditorSetup<SeedSigner, SeedSigner> {
    AuditorSetup {
        namespace: NAMESPACE.to_owned(),
        custodians: custodians(&[1, 2, 3]),
        floors: Floors::PRODUCTION,
        operator_key: key(OPERATOR).verifying_key().to_bytes(),
        policy: Policy::parse(policy().as_bytes()).expect("a policy"),
        log_signer: log(ORIGIN),
        statement_signer: SeedSigner::new(&[AUDITOR; 32]),
        statement_not_before_ms: NOW_MS - 300 * DAY_MS,
        earlier_statement_keys: Vec::new(),
    }
}

/// Four witnesses, each with a folder of its own.
pub(crate) struct Witnesses(pub(crate) Vec<Witness<SeedSigner>>);

impl Witnesses {
    pub(crate) fn open(root: &Path) -> Self {
        let open = |at: usize| {
            let folder = Folder::open(&root.join(format!("w{at}"))).expect("a folder");
            let logs = vec![log(ORIGIN).key().clone()];
            Witness::open(Arc::new(folder), witness(at), logs).expect("a witness")
        };
        Self((0..4).map(open).collect())
    }

    pub(crate) fn latest(&self) -> Vec<Option<SignedCheckpoint>> {
        self.0.iter().map(|witness| witness.latest(ORIGIN).cloned()).collect()
    }

    /// What an auditor's server does with its witnesses, without the network.
    pub(crate) fn cosign(
        &mut self,
        auditor: &mut TestAuditor,
    ) -> Result<Vec<NoteSignature>, SubmitError> {
        let mut lines = Vec::new();
        for witness in &mut self.0 {
            let old = witness.latest(ORIGIN).map_or(0, |latest| latest.checkpoint().size());
            let request = auditor.request(old)?;
            let body = witness.add_checkpoint(&request.to_bytes(), NOW_S).expect("cosigns");
            match Answer::parse(200, body.as_bytes()).expect("an answer") {
                Answer::Cosigned(cosigned) => lines.extend(cosigned),
                other => panic!("{other:?}"),
            }
        }
        Ok(lines)
    }
}

pub(crate) fn open(root: &Path, witnesses: &mut Witnesses) -> Result<TestAuditor, SubmitError> {
    let folder = Arc::new(Folder::open(&root.join("auditor"))?);
    let mut auditor = Auditor::open(folder, setup())?;
    let lines = witnesses.cosign(&mut auditor)?;
    auditor.confirm(&lines, NOW_S, NOW_S)?;
    Ok(auditor)
}

pub(crate) fn submission(epoch: u64) -> Submission {
    of(&manifest(epoch, &[1, 2, 3]), &[1, 2])
}

pub(crate) fn of(manifest: &Manifest, by: &[u8]) -> Submission {
    let signed = signed(manifest, by);
    Submission { epoch: manifest.epoch, manifest: signed.manifest, signatures: signed.signatures }
}

/// Publishes an epoch, from the submission to the signature.
pub(crate) fn publish(
    auditor: &mut TestAuditor,
    witnesses: &mut Witnesses,
    submission: &Submission,
) -> Result<AuditResponse, SubmitError> {
    auditor.submit(submission, NOW_MS)?;
    let lines = witnesses.cosign(auditor)?;
    Ok(auditor.release(&lines, NOW_S)?.expect("an epoch").response().clone())
}

pub(crate) fn countersigned(auditor: &TestAuditor, epoch: u64) -> Countersigned {
    let released = auditor.response(epoch).expect("reads").expect("released");
    let leaf = auditor.log().entry(epoch - 1).expect("a leaf");
    let message = countersign_message(ORIGIN, &leaf, &released.response().signature.0);
    Countersigned { epoch, signature: key(OPERATOR).sign(&message).to_bytes() }
}

pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) witnesses: Witnesses,
}

pub(crate) fn scene() -> Scene {
    let dir = tempfile::tempdir().expect("a folder");
    let witnesses = Witnesses::open(dir.path());
    Scene { dir, witnesses }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}
