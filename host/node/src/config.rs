//! `node.toml`: read strictly. A refusal names file, line, what stands there and what was expected.

use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fmt, fs,
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
};
use strongroom_wire::caps;
use toml::Spanned;

const TICK_MS: Range<u64> = 5..10_001;
const TICK_MS_DEFAULT: u64 = 100;
const CONFIG_LEN_MAX: u64 = 256 * 1_024;
const VAULT_BINARY: &str = "strongroom-vault";

/// One node's configuration, with every path made absolute.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node, 1 to 62.
    pub node: u8,
    /// The fleet.
    pub fleet: String,
    /// The manifest's file.
    pub manifest: PathBuf,
    /// The file of its custodians' signatures.
    pub signatures: PathBuf,
    /// The file of the changes of custodians since genesis, if there were any.
    pub chain: Option<PathBuf>,
    /// The vault's own folder: its keys. The host only passes its name on.
    pub vault_dir: PathBuf,
    /// Where the vault's sealed bytes are kept.
    pub data_dir: PathBuf,
    /// The vault's program.
    pub vault_binary: PathBuf,
    /// Where other nodes' hosts connect to.
    pub peer_listen: SocketAddr,
    /// Where gateways and monitoring connect to.
    pub http_listen: SocketAddr,
    /// Where ceremonies connect to: loopback only, since whoever reaches it can stop this node.
    pub admin_listen: SocketAddr,
    /// The vault's tick.
    pub tick_ms: u64,
    /// Moves the vault's wall clock; the software body alone takes it.
    pub clock_offset_ms: Option<i64>,
    /// The other nodes.
    pub peers: Vec<PeerConfig>,
}

/// Another node's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// The node.
    pub node: u8,
    /// `host:port`.
    pub address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    node: Spanned<u8>,
    fleet: Spanned<String>,
    manifest: PathBuf,
    signatures: PathBuf,
    chain: Option<PathBuf>,
    vault_dir: PathBuf,
    data_dir: PathBuf,
    vault_binary: Option<PathBuf>,
    peer_listen: Spanned<String>,
    http_listen: Spanned<String>,
    admin_listen: Spanned<String>,
    tick_ms: Option<Spanned<u64>>,
    clock_offset_ms: Option<i64>,
    #[serde(default)]
    peers: Vec<RawPeer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeer {
    node: Spanned<u8>,
    address: Spanned<String>,
}

/// Where a configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    /// Line and column, from 1, where the fault has a place.
    place: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

/// The file under its name, so that spans become lines.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn wrong(&self, span: Option<Range<usize>>, what: impl Into<String>) -> ConfigError {
        ConfigError {
            path: self.path.to_path_buf(),
            place: span.map(|span| self.place(span.start)),
            what: what.into(),
        }
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before.len() - start + 1)
    }

    fn address(&self, value: &Spanned<String>, name: &str) -> Result<SocketAddr, ConfigError> {
        value.get_ref().parse().map_err(|_| {
            let what = format!(
                "{name} is `{}`, expected an IP address and a port such as 127.0.0.1:7000",
                value.get_ref()
            );
            self.wrong(Some(value.span()), what)
        })
    }

    fn node(&self, value: &Spanned<u8>, name: &str) -> Result<u8, ConfigError> {
        let node = *value.get_ref();
        if node == 0 || usize::from(node) > caps::NODES_MAX {
            let what = format!("{name} is {node}, expected 1 to {}", caps::NODES_MAX);
            return Err(self.wrong(Some(value.span()), what));
        }
        Ok(node)
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let source = Source { path, text: "" };
        let text =
            read_capped(path).map_err(|e| source.wrong(None, format!("cannot read: {e}")))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let raw: Raw =
            toml::from_str(text).map_err(|e| source.wrong(e.span(), e.message().to_owned()))?;
        let absolute = std::path::absolute(path)
            .map_err(|e| source.wrong(None, format!("has no absolute path: {e}")))?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        let node = source.node(&raw.node, "node")?;
        let admin_listen = source.address(&raw.admin_listen, "admin_listen")?;
        if !admin_listen.ip().is_loopback() {
            let what = format!(
                "admin_listen is {admin_listen}, expected a loopback address: it asks for no \
                 credentials, and whoever reaches it can stop this node"
            );
            return Err(source.wrong(Some(raw.admin_listen.span()), what));
        }
        Ok(Self {
            node,
            fleet: check_fleet(&source, &raw.fleet)?,
            manifest: base.join(raw.manifest),
            signatures: base.join(raw.signatures),
            chain: raw.chain.map(|chain| base.join(chain)),
            vault_dir: base.join(raw.vault_dir),
            data_dir: base.join(raw.data_dir),
            vault_binary: raw
                .vault_binary
                .map_or_else(beside_this_program, |binary| base.join(binary)),
            peer_listen: source.address(&raw.peer_listen, "peer_listen")?,
            http_listen: source.address(&raw.http_listen, "http_listen")?,
            admin_listen,
            tick_ms: check_tick(&source, raw.tick_ms.as_ref())?,
            clock_offset_ms: raw.clock_offset_ms,
            peers: check_peers(&source, node, &raw.peers)?,
        })
    }

    /// Checks that everything that the configuration names is there.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that is not.
    pub fn check_files(&self, path: &Path) -> Result<(), ConfigError> {
        let files = [
            ("manifest", &self.manifest),
            ("signatures", &self.signatures),
            ("vault_binary", &self.vault_binary),
        ];
        let missing_file = files.iter().find(|(_, file)| !file.is_file());
        let missing = missing_file.map(|(name, file)| (*name, "a file", *file)).or_else(|| {
            let dir = &self.vault_dir;
            (!dir.is_dir()).then_some(("vault_dir", "a folder", dir))
        });
        match missing {
            None => Ok(()),
            Some((name, kind, file)) => Err(ConfigError {
                path: path.to_path_buf(),
                place: None,
                what: format!("{name}: {} is not {kind}", file.display()),
            }),
        }
    }

    /// How `peers` differs from the nodes that the manifest lists; empty where it does not.
    ///
    /// A difference is no error: while a manifest is being replaced the two differ for a while. The
    /// manifest is not verified here, since nothing is believed of it.
    pub fn peers_against_manifest(&self) -> Vec<String> {
        let manifest = fs::read(&self.manifest).ok();
        let manifest = manifest.and_then(|bytes| strongroom_manifest::parse(&bytes).ok());
        let Some(manifest) = manifest else {
            return vec!["the manifest cannot be read".to_owned()];
        };
        let Some(fleet) = manifest.fleet(&self.fleet) else {
            return vec![format!("the manifest lists no fleet named {}", self.fleet)];
        };
        let listed: BTreeSet<u8> = fleet.nodes.iter().map(|n| n.id).collect();
        let mut known: BTreeSet<u8> = self.peers.iter().map(|p| p.node).collect();
        known.insert(self.node);
        let unknown = listed.difference(&known);
        let unlisted = known.difference(&listed);
        unknown
            .map(|node| format!("node {node} of the manifest is not among the peers"))
            .chain(unlisted.map(|node| format!("node {node} is not in the manifest")))
            .collect()
    }
}

fn read_capped(path: &Path) -> std::io::Result<String> {
    let len = fs::metadata(path)?.len();
    if len > CONFIG_LEN_MAX {
        let what = format!("{len} bytes, at most {CONFIG_LEN_MAX} expected");
        return Err(std::io::Error::other(what));
    }
    fs::read_to_string(path)
}

fn beside_this_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.with_file_name(VAULT_BINARY)
}

fn check_fleet(source: &Source<'_>, fleet: &Spanned<String>) -> Result<String, ConfigError> {
    let name = fleet.get_ref();
    let plain = name.bytes().all(|b| b.is_ascii_graphic());
    if name.is_empty() || name.len() > caps::FLEET_LEN_MAX || !plain {
        let what = format!(
            "fleet is `{name}`, expected 1 to {} visible ASCII characters",
            caps::FLEET_LEN_MAX
        );
        return Err(source.wrong(Some(fleet.span()), what));
    }
    Ok(name.clone())
}

fn check_tick(source: &Source<'_>, tick: Option<&Spanned<u64>>) -> Result<u64, ConfigError> {
    let Some(tick) = tick else {
        return Ok(TICK_MS_DEFAULT);
    };
    let tick_ms = *tick.get_ref();
    if !TICK_MS.contains(&tick_ms) {
        let what =
            format!("tick_ms is {tick_ms}, expected {} to {}", TICK_MS.start, TICK_MS.end - 1);
        return Err(source.wrong(Some(tick.span()), what));
    }
    Ok(tick_ms)
}

fn check_peers(
    source: &Source<'_>,
    own: u8,
    raw: &[RawPeer],
) -> Result<Vec<PeerConfig>, ConfigError> {
    let mut seen = BTreeSet::from([own]);
    let mut peers = Vec::new();
    for peer in raw {
        let node = source.node(&peer.node, "peers.node")?;
        if !seen.insert(node) {
            let what = format!("peers.node {node} is this node itself or listed twice");
            return Err(source.wrong(Some(peer.node.span()), what));
        }
        let address = peer.address.get_ref();
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let what = format!("peers.address is `{address}`, expected host:port");
            return Err(source.wrong(Some(peer.address.span()), what));
        }
        let address = address.clone();
        peers.push(PeerConfig { node, address });
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"node = 1
fleet = "dev"
manifest = "../manifest.json"
signatures = "/etc/strongroom/manifest.sig.json"
vault_dir = "vault"
data_dir = "data"
peer_listen = "127.0.0.1:7101"
http_listen = "0.0.0.0:7201"
admin_listen = "127.0.0.1:7301"
tick_ms = 30

[[peers]]
node = 2
address = "node-2.example:7102"
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/srv/node-1/node.toml"), text)
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let config = parse(GOOD).expect("good");
        assert_eq!(config.vault_dir, Path::new("/srv/node-1/vault"));
        assert_eq!(config.manifest, Path::new("/srv/node-1/../manifest.json"));
        assert_eq!(config.signatures, Path::new("/etc/strongroom/manifest.sig.json"));
        assert_eq!((config.node, config.tick_ms), (1, 30));
        assert_eq!(config.vault_binary.file_name(), Some(std::ffi::OsStr::new(VAULT_BINARY)));
    }

    #[test]
    fn a_bare_file_name_stands_for_the_current_folder() {
        let config = Config::parse(Path::new("node.toml"), GOOD).expect("good");
        let here = std::env::current_dir().expect("a current folder");
        assert_eq!(config.data_dir, here.join("data"));
    }

    #[test]
    fn a_fault_is_named_with_file_line_and_what_was_expected() {
        for (from, to, place, said) in [
            ("node = 1\n", "node = 63\n", ":1:8:", "1 to 62"),
            ("node = 1\n", "node = \"1\"\n", ":1:8:", "expected u8"),
            ("tick_ms = 30", "tick = 30", ":10:1:", "unknown field `tick`"),
            ("tick_ms = 30", "tick_ms = 4", ":10:11:", "expected 5 to 10000"),
            ("127.0.0.1:7101", "localhost", ":7:15:", "expected an IP address"),
            ("127.0.0.1:7301", "0.0.0.0:7301", ":9:16:", "expected a loopback"),
            ("node = 2", "node = 1", ":13:8:", "this node itself"),
            (":7102", "", ":14:11:", "expected host:port"),
            ("fleet = \"dev\"", "fleet = \"d v\"", ":2:9:", "visible ASCII"),
            ("fleet = \"dev\"\n", "", ":1:1:", "missing field `fleet`"),
            ("tick_ms = 30", "tick_ms 30", ":10:9:", "expected"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = parse(&text).expect_err(to).to_string();
            let head = format!("/srv/node-1/node.toml{place}");
            assert!(error.starts_with(&head) && error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_missing_on_the_disk_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("node.toml");
        fs::write(&path, GOOD).expect("write");
        let config = Config::load(&path).expect("load");
        let error = config.check_files(&path).expect_err("missing").to_string();
        assert!(error.contains("manifest: ") && error.contains("is not a file"));
        assert!(Config::load(&dir.path().join("none.toml")).is_err());
    }
}
