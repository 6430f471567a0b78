//! `gateway.toml`. Paths are relative to the file that holds them.

use crate::error::GatewayError;
use serde::Deserialize;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// More than any sensible configuration, secret or user list has.
pub(crate) const FILE_LEN_MAX: u64 = 1024 * 1024;

/// Everything that one gateway is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; plain HTTP, behind whatever terminates TLS.
    pub listen: SocketAddr,
    /// The app whose users come here, as the manifest's ticket key names it.
    pub app: String,
    /// The fleet.
    pub fleet: String,
    /// The manifest.
    pub manifest: PathBuf,
    /// The manifest's SHA-256, in hexadecimal digits. Exactly one of this and `signatures`.
    pub pin: Option<String>,
    /// Custodians' signatures beside the manifest; needs `custodians`.
    pub signatures: Option<PathBuf>,
    /// JSON `{"keys": […], "threshold": n}`: whose signatures count.
    pub custodians: Option<PathBuf>,
    /// 64 hexadecimal digits: the Ed25519 seed that signs tickets. Mode 600.
    pub ticket_key_file: PathBuf,
    /// Where the auditor serves the validation bundle, `http://HOST[:PORT]/NAMESPACE/bundle`. Without it
    /// only clients that pin a manifest can be served.
    pub bundle_url: Option<String>,
    /// How often it is asked for a newer one.
    #[serde(default = "bundle_poll_ms")]
    pub bundle_poll_ms: u64,
    /// The nodes' HTTP addresses.
    pub nodes: Vec<NodeConfig>,
    /// Who says who a user is.
    pub auth: AuthConfig,
    /// How much one caller may ask.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How long one node may take before another is asked as well.
    #[serde(default = "hedge_ms")]
    pub hedge_ms: u64,
    /// How long all nodes together may take.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
    /// How often nodes are asked whether they are ready.
    #[serde(default = "poll_ms")]
    pub poll_ms: u64,
    /// Proxies whose `X-Forwarded-For` is believed. Without them a gateway behind a load balancer
    /// would take all callers for one.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
}

/// One node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its number in the manifest.
    pub node: u8,
    /// `http://host:port`. Frames and tickets are sealed end to end, so no TLS is needed here.
    pub url: String,
}

/// Who says who a user is.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum AuthConfig {
    /// The app's issuer, by signed tokens.
    Jwt(JwtConfig),
    /// Development: a file of accounts and digests of their tokens.
    Users {
        /// TOML: `[[users]] account, token_sha256`.
        users_file: PathBuf,
    },
}

/// Signed tokens of an issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// The only `iss` that is accepted.
    pub issuer: String,
    /// The `aud` that must be named.
    pub audience: String,
    /// The issuer's keys, from a file. Exactly one of this and `jwks_url`.
    pub jwks_file: Option<PathBuf>,
    /// The issuer's keys, from its address: https, or http on loopback.
    pub jwks_url: Option<String>,
    /// The claim that holds the account.
    #[serde(default = "account_claim")]
    pub account_claim: String,
    /// The algorithms that are accepted.
    pub algorithms: Vec<JwtAlgorithm>,
}

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum JwtAlgorithm {
    /// HMAC-SHA-256 with a secret shared with the issuer.
    HS256,
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// Ed25519.
    EdDSA,
}

/// How much one caller may ask. Attempts are counted by the fleet; these only keep the door free.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests of one account.
    pub per_account_per_minute: u32,
    /// Requests of one address (IPv6: one /64), signed in or not.
    pub per_address_per_minute: u32,
    /// Requests at nodes at one time.
    pub in_flight_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { per_account_per_minute: 60, per_address_per_minute: 300, in_flight_max: 256 }
    }
}

fn hedge_ms() -> u64 {
    300
}

fn deadline_ms() -> u64 {
    10_000
}

fn poll_ms() -> u64 {
    1_000
}

fn bundle_poll_ms() -> u64 {
    30_000
}

fn account_claim() -> String {
    "sub".to_owned()
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`GatewayError`] naming the file or setting.
    pub fn load(path: &Path) -> Result<Self, GatewayError> {
        let text = read_text(path)?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|e| GatewayError::Content { path: path.to_owned(), what: e.to_string() })?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.resolve(base);
        config.check()?;
        Ok(config)
    }

    fn resolve(&mut self, base: &Path) {
        let anchor = |path: &mut PathBuf| *path = base.join(&*path);
        anchor(&mut self.manifest);
        anchor(&mut self.ticket_key_file);
        self.signatures.iter_mut().for_each(anchor);
        self.custodians.iter_mut().for_each(anchor);
        match &mut self.auth {
            AuthConfig::Jwt(jwt) => jwt.jwks_file.iter_mut().for_each(anchor),
            AuthConfig::Users { users_file } => anchor(users_file),
        }
    }

    /// Refuses what cannot work, before anything is opened.
    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        let refuse = |what: &str| Err(GatewayError::Setting(what.to_owned()));
        match self {
            _ if self.nodes.is_empty() => refuse("nodes: at least one is needed"),
            _ if self.limits.per_account_per_minute == 0
                || self.limits.per_address_per_minute == 0
                || self.limits.in_flight_max == 0 =>
            {
                refuse("limits: 0 would let nobody in")
            }
            _ if self.hedge_ms == 0 || self.poll_ms == 0 || self.bundle_poll_ms == 0 => {
                refuse("hedge_ms, poll_ms and bundle_poll_ms must be above 0")
            }
            _ if self.deadline_ms <= self.hedge_ms => {
                refuse("deadline_ms must be above hedge_ms, or no second node is ever asked")
            }
            _ if self.pin.is_some() == self.signatures.is_some() => {
                refuse("give either pin, or signatures and custodians")
            }
            _ if self.signatures.is_some() != self.custodians.is_some() => {
                refuse("signatures count only with the custodians who made them: give both")
            }
            _ => Ok(()),
        }
    }
}

/// Reads a text file of bounded size.
pub(crate) fn read_text(path: &Path) -> Result<String, GatewayError> {
    String::from_utf8(read(path)?).map_err(|_| GatewayError::Content {
        path: path.to_owned(),
        what: "not UTF-8 text".to_owned(),
    })
}

/// Reads a file of bounded size.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, GatewayError> {
    let fail = |source| GatewayError::Read { path: path.to_owned(), source };
    let len = fs::metadata(path).map_err(fail)?.len();
    if len > FILE_LEN_MAX {
        return Err(GatewayError::Content {
            path: path.to_owned(),
            what: format!("{len} bytes, at most {FILE_LEN_MAX} expected"),
        });
    }
    fs::read(path).map_err(fail)
}

/// Refuses a secret that others on this machine can read.
pub(crate) fn check_private(path: &Path) -> Result<(), GatewayError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path)
        .map_err(|source| GatewayError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(GatewayError::Readable { path: path.to_owned(), mode });
    }
    Ok(())
}
