//! A deployment directory with everything in it, and whoever signed that. Needs `stage` and `making` of the
//! log's tests at the crate's root.

#![allow(dead_code, reason = "each test file uses its part of this")]

use crate::{
    making::{self, EVENTS, deployment, keyed, open_events, position, restart, send, witnesses},
    stage::{
        Scene, countersigned, of, open, publish, scene,
        world::{NOW_MS, trust_file},
    },
};
use std::path::{Path, PathBuf};
use strongroom_deployment::{Directory, Papers, WriteError, Written, write_deployment};
use strongroom_manifest::Floors;
use strongroom_page::Command;
use strongroom_verify::{Event, TrustFile};

pub(crate) const CEREMONY: &[u8] = b"what was said and done\n";

/// Two epochs, deployed each, with the events of a fleet's life between; and the second's directory.
pub(crate) struct Deployed {
    pub(crate) scene: Scene,
    pub(crate) bundles: Vec<Vec<u8>>,
}

impl Deployed {
    pub(crate) fn root(&self) -> &Path {
        self.scene.dir.path()
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.root().join("deployment")
    }

    pub(crate) fn write(
        &self,
        place: &Path,
        change: impl FnOnce(&mut Papers<'_>),
    ) -> Result<Written, WriteError> {
        let trust = pins(&trust_file());
        let commands = [Command {
            what: "The whole of it".to_owned(),
            line: "strongroom verify fleet .".to_owned(),
        }];
        let mut papers = Papers {
            fleet: "one",
            trust: &trust,
            bundle: self.bundles.last().expect("a bundle"),
            ceremony: CEREMONY,
            evidence: b"",
            commands: &commands,
            verifier: None,
            floors: &Floors::PRODUCTION,
            now_ms: NOW_MS,
        };
        change(&mut papers);
        let (log, events) =
            (Directory::at(&self.root().join("auditor")), Directory::at(&self.root().join(EVENTS)));
        write_deployment(place, &log, &events, &papers)
    }
}

/// A trust file as JSON, by the type's own order of fields.
pub(crate) fn pins(file: &TrustFile) -> Vec<u8> {
    let key = &file.auditor_keys[0];
    let list: Vec<String> = file.custodians.keys.iter().map(|key| format!("\"{key:?}\"")).collect();
    format!(
        "{{\"auditor_keys\":[{{\"not_before_ms\":{},\"public_key\":\"{:?}\"}}],\"built_ms\":{},\
         \"cosignature_max_age_ms\":{},\"custodians\":{{\"keys\":[{}],\"threshold\":{}}},\
         \"namespace\":\"{}\",\"operator_key\":\"{:?}\",\"policy\":\"{}\"}}\n",
        key.not_before_ms,
        key.public_key,
        file.built_ms,
        file.cosignature_max_age_ms,
        list.join(","),
        file.custodians.threshold,
        file.namespace,
        file.operator_key,
        file.policy.replace('\n', "\\n"),
    )
    .into_bytes()
}

pub(crate) fn deployed() -> Deployed {
    let mut scene = scene();
    let root = scene.dir.path().to_owned();
    let mut auditor = open(&root, &mut scene.witnesses).expect("opens");
    let mut own = witnesses(&root);
    let mut bundles = Vec::new();
    let mut events: Option<making::TestEvents> = None;
    for epoch in 1..=2 {
        publish(&mut auditor, &mut scene.witnesses, &of(&keyed(epoch), &[1, 2]))
            .expect("publishes");
        let given = countersigned(&auditor, epoch);
        auditor.countersign(&given).expect("kept");
        bundles.push(auditor.bundle().expect("reads").expect("a bundle").to_bytes());
        let events =
            events.get_or_insert_with(|| open_events(&root, &mut own, &auditor).expect("opens"));
        let life: Vec<Event> = match epoch {
            1 => vec![deployment(1), restart(1, 1), position(1, 3, 1, 40), position(1, 3, 1, 39)],
            _ => vec![deployment(2)],
        };
        for event in life {
            send(events, &mut own, &auditor, &event).expect("takes");
        }
    }
    Deployed { scene, bundles }
}

pub(crate) fn written() -> (Deployed, PathBuf) {
    let deployed = deployed();
    let place = deployed.place();
    deployed.write(&place, |_| ()).expect("writes");
    (deployed, place)
}
