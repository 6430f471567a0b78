//! `auditor.toml`. Paths are relative to the file that holds them.

use crate::{
    ask::WitnessAddress,
    error::ServeError,
    files::{self, AnySigner},
    tls::TlsConfig,
};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use strongroom_log::{AuditorSetup, EventLogSetup};
use strongroom_manifest::{Custodians, Floors, Hex};
use strongroom_tlog::{LogSigner, Policy, WitnessKey};
use strongroom_verify::{AuditorKey, Trust, TrustFile, events_origin};

/// Addresses that are no namespace.
const RESERVED: [&str; 5] = ["info", "livez", "metrics", "namespaces", "readyz"];

/// Everything that one auditor is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where everybody reads; plain HTTP, behind whatever terminates TLS.
    pub listen: SocketAddr,
    /// Where it keeps its log. Never restored from a copy.
    pub folder: PathBuf,
    /// Where it keeps the event log beside it. Never restored, either. Without it there is none.
    pub events_folder: Option<PathBuf>,
    /// The one namespace.
    pub namespace: String,
    /// The log's name: `<this auditor's host>/<namespace>`.
    pub origin: String,
    /// JSON `{"keys": […], "threshold": n}`: the genesis custodians.
    pub custodians: PathBuf,
    /// Below these it signs nothing.
    pub floors: FloorsName,
    /// 64 hexadecimal digits: whose counter-signature it keeps.
    pub operator_key: Hex<32>,
    /// A tlog-policy with this log and its witnesses, as devices pin it.
    pub policy: PathBuf,
    /// 64 hexadecimal digits: the seed that signs checkpoints. Mode 600.
    pub log_key_file: PathBuf,
    /// 64 hexadecimal digits: the seed that signs statements. Mode 600.
    pub statement_key_file: PathBuf,
    /// From when on that key signs, milliseconds since the Unix epoch; devices pin it, too.
    pub statement_not_before_ms: u64,
    /// 64 hexadecimal digits each: keys that signed statements before this one. What they signed stays.
    #[serde(default)]
    pub earlier_statement_keys: Vec<Hex<32>>,
    /// How often the witnesses are asked when nothing is published: cosignatures stay younger than
    /// this.
    #[serde(default = "refresh_s")]
    pub refresh_s: u64,
    /// How soon they are asked again when they were too few.
    #[serde(default = "retry_s")]
    pub retry_s: u64,
    /// Where the policy's witnesses are.
    #[serde(default)]
    pub witnesses: Vec<WitnessConfig>,
    /// Where operators publish. Without it nothing new is published.
    pub publish: Option<PublishConfig>,
}

/// What an auditor demands of fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FloorsName {
    /// What clients demand.
    Production,
    /// Anything that is a manifest. No client of a released app believes it.
    Development,
}

/// One witness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its key, as in the policy.
    pub vkey: String,
    /// Its submission prefix: https, or http on loopback.
    pub url: String,
    /// How long it may take.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

/// Where operators publish.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// The address; without `tls` on loopback only.
    pub listen: SocketAddr,
    /// Who is let in.
    pub tls: Option<TlsConfig>,
}

fn refresh_s() -> u64 {
    3_600
}

fn retry_s() -> u64 {
    15
}

fn timeout_ms() -> u64 {
    10_000
}

/// What the configuration names, read.
pub(crate) struct Loaded {
    pub(crate) setup: AuditorSetup<AnySigner, AnySigner>,
    pub(crate) witnesses: Vec<WitnessAddress>,
}

impl Loaded {
    /// The event log under the same pins: the log's key signs it, under a name of its own.
    pub(crate) fn events(self, config: &Config) -> Result<EventLogSetup<AnySigner>, ServeError> {
        let signer =
            LogSigner::new(&events_origin(&config.origin), files::signer(&config.log_key_file)?);
        Ok(EventLogSetup {
            manifest_log: config.origin.clone(),
            operator_key: config.operator_key.0,
            policy: self.setup.policy,
            log_signer: signer.map_err(|error| ServeError::Setting(format!("origin: {error}")))?,
        })
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`ServeError`] naming the file or setting.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let mut config: Self = files::toml(path)?;
        for named in [
            &mut config.folder,
            &mut config.custodians,
            &mut config.policy,
            &mut config.log_key_file,
            &mut config.statement_key_file,
        ] {
            files::anchor(path, named);
        }
        if let Some(events) = config.events_folder.as_mut() {
            files::anchor(path, events);
        }
        if let Some(tls) = config.publish.as_mut().and_then(|publish| publish.tls.as_mut()) {
            tls.anchor(path);
        }
        config.look_at()?;
        Ok(config)
    }

    /// Reads what the configuration names, and opens nothing.
    ///
    /// # Errors
    /// [`ServeError`] naming the file or setting.
    pub fn check(&self) -> Result<(), ServeError> {
        self.look_at()?;
        if let Some(tls) = self.publish.as_ref().and_then(|publish| publish.tls.as_ref()) {
            crate::tls::Doorkeeper::new(tls)?;
        }
        self.loaded().map(drop)
    }

    /// Refuses what cannot work, before any other file is read.
    pub(crate) fn look_at(&self) -> Result<(), ServeError> {
        let refuse = |what: String| Err(ServeError::Setting(what));
        let namespace = &self.namespace;
        let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_');
        if namespace.is_empty() || namespace.starts_with('.') || !namespace.chars().all(plain) {
            return refuse(format!(
                "namespace: {namespace:?}, expected letters, digits and . - _: it stands in addresses"
            ));
        }
        if RESERVED.contains(&namespace.as_str()) {
            return refuse(format!("namespace: {namespace} is an address of the auditor itself"));
        }
        let host = self.origin.strip_suffix(namespace.as_str()).and_then(|h| h.strip_suffix('/'));
        if host.is_none_or(str::is_empty) {
            let got = &self.origin;
            return refuse(format!("origin: {got:?}, expected <host>/{namespace}"));
        }
        if self.refresh_s == 0 || self.retry_s == 0 {
            return refuse("refresh_s and retry_s must be above 0".to_owned());
        }
        if let Some(PublishConfig { listen, tls: None }) = &self.publish
            && !listen.ip().is_loopback()
        {
            return refuse(format!(
                "publish.listen: {listen} is reached from other machines, which takes [publish.tls]; \
                 plain only on loopback"
            ));
        }
        Ok(())
    }

    /// Reads custodians, policy and keys, and checks that they fit together as a device's pins would.
    pub(crate) fn loaded(&self) -> Result<Loaded, ServeError> {
        let custodians: Custodians = files::json(&self.custodians)?;
        let log_signer = LogSigner::new(&self.origin, files::signer(&self.log_key_file)?)
            .map_err(|error| ServeError::Setting(format!("origin: {error}")))?;
        let statement_signer = files::signer(&self.statement_key_file)?;
        let text = files::read_text(&self.policy)?;
        let content = |what: String| ServeError::Content { path: self.policy.clone(), what };
        // What no device could pin is not worth signing for: one log, a quorum, no key in two places.
        let trust = Trust::new(TrustFile {
            auditor_keys: vec![AuditorKey {
                not_before_ms: self.statement_not_before_ms,
                public_key: Hex(statement_signer.public()),
            }],
            built_ms: 0,
            cosignature_max_age_ms: 0,
            custodians: custodians.clone(),
            namespace: self.namespace.clone(),
            operator_key: self.operator_key,
            policy: text.clone(),
        });
        let trust = trust.map_err(|error| ServeError::Setting(error.to_string()))?;
        if trust.log() != log_signer.key() {
            let (got, expected) = (trust.log(), log_signer.key());
            return Err(content(format!("its log is {got}, this auditor's is {expected}")));
        }
        let policy = Policy::parse(text.as_bytes()).map_err(|e| content(e.to_string()))?;
        let setup = AuditorSetup {
            namespace: self.namespace.clone(),
            custodians,
            floors: match self.floors {
                FloorsName::Production => Floors::PRODUCTION,
                FloorsName::Development => Floors::DANGER_DEVELOPMENT,
            },
            operator_key: self.operator_key.0,
            policy,
            log_signer,
            statement_signer,
            statement_not_before_ms: self.statement_not_before_ms,
            earlier_statement_keys: self.earlier_statement_keys.iter().map(|key| key.0).collect(),
        };
        let witnesses = self.addresses(&setup.policy)?;
        Ok(Loaded { setup, witnesses })
    }

    /// Where each of the policy's witnesses is: as this file says, or the policy.
    fn addresses(&self, policy: &Policy) -> Result<Vec<WitnessAddress>, ServeError> {
        let wrong = ServeError::Setting;
        let mut given: Vec<(WitnessKey, &WitnessConfig)> = Vec::new();
        for one in &self.witnesses {
            let key = WitnessKey::from_vkey(&one.vkey)
                .map_err(|error| wrong(format!("witnesses: {}: {error}", one.vkey)))?;
            if !policy.witnesses().iter().any(|known| *known.key() == key) {
                return Err(wrong(format!("witnesses: {key} is not in the policy")));
            }
            if given.iter().any(|(other, _)| *other == key) {
                return Err(wrong(format!("witnesses: {key} stands there twice")));
            }
            given.push((key, one));
        }
        let mut addresses = Vec::new();
        for known in policy.witnesses() {
            let key = known.key().clone();
            let own = given.iter().find(|(given, _)| *given == key).map(|(_, one)| *one);
            let url = known.url().map(String::from_utf8_lossy);
            let (url, ms) = match (own, url.as_deref()) {
                (Some(one), _) => (one.url.as_str(), one.timeout_ms),
                (None, Some(url)) => (url, timeout_ms()),
                (None, None) => {
                    return Err(wrong(format!(
                        "witnesses: {key} of the policy has no url, here or there"
                    )));
                }
            };
            addresses.push(WitnessAddress::new(key, url, Duration::from_millis(ms))?);
        }
        Ok(addresses)
    }
}
