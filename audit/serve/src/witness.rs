//! A witness's two addresses (spec §21.9), as tlog-witness has them.

use crate::{
    content::{Content, ContentConfig},
    error::ServeError,
    files::{self, AnySigner},
    http::{self, Reply, Site, plain},
    now_s,
};
use hyper::{Method, Request, body::Bytes, body::Incoming};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use strongroom_log::{Folder, Witness, WitnessError};
use strongroom_tlog::{
    LogKey, SignedCheckpoint, WitnessKey, WitnessSigner,
    caps::REQUEST_LEN_MAX,
    witness::{ADD_CHECKPOINT_PATH, latest_path},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::spawn_blocking,
};

const TEXT: &str = "text/plain; charset=utf-8";
/// Requests that may wait for the disk; a log that is turned away asks again.
const WAITING_MAX: usize = 64;

/// `witness.toml`. Paths are relative to the file that holds them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; plain HTTP, behind whatever terminates TLS.
    pub listen: SocketAddr,
    /// Where it keeps what it cosigned. Never restored from a copy.
    pub folder: PathBuf,
    /// The name of its key.
    pub name: String,
    /// 64 hexadecimal digits: its Ed25519 seed. Mode 600.
    pub key_file: PathBuf,
    /// The logs that it follows, as `vkey`s; a key's name is its log's origin.
    pub logs: Vec<String>,
    /// What stands before its addresses: empty, or `/` and a path.
    #[serde(default)]
    pub prefix: String,
    /// Makes it a witness that reads every leaf before it cosigns (spec §21.6), with a key of its own.
    pub content: Option<ContentConfig>,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`ServeError`] naming the file or setting.
    pub fn load(path: &Path) -> Result<Self, ServeError> {
        let mut config: Self = files::toml(path)?;
        files::anchor(path, &mut config.folder);
        files::anchor(path, &mut config.key_file);
        if let Some(content) = &mut config.content {
            content.anchor(path);
        }
        Ok(config)
    }

    /// Reads what the configuration names, and opens nothing.
    ///
    /// # Errors
    /// [`ServeError`] naming the file or setting; otherwise the witness's `vkey`, which policies name.
    pub fn check(&self) -> Result<WitnessKey, ServeError> {
        let logs = self.keys()?;
        if let Some(content) = &self.content {
            content.trust(&logs)?;
        }
        Ok(self.signer()?.key().clone())
    }

    fn keys(&self) -> Result<Vec<LogKey>, ServeError> {
        let wrong = |what: String| ServeError::Setting(what);
        if self.logs.is_empty() {
            return Err(wrong("logs: a witness of no log cosigns nothing".to_owned()));
        }
        let plain =
            self.prefix.is_empty() || self.prefix.starts_with('/') && !self.prefix.ends_with('/');
        if !plain {
            let got = &self.prefix;
            return Err(wrong(format!("prefix: {got:?}, expected nothing, or / and a path")));
        }
        let mut keys: Vec<LogKey> = Vec::new();
        for vkey in &self.logs {
            let key = LogKey::from_vkey(vkey).map_err(|e| wrong(format!("logs: {vkey}: {e}")))?;
            // Its state is kept by origin: two keys of one origin would be two logs in one file.
            if keys.iter().any(|other| other.name() == key.name()) {
                return Err(wrong(format!("logs: {} stands there twice", key.name())));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn signer(&self) -> Result<WitnessSigner<AnySigner>, ServeError> {
        let signer = WitnessSigner::new(&self.name, files::signer(&self.key_file)?);
        signer.map_err(|error| ServeError::Setting(format!("name: {error}")))
    }
}

/// Serves until `stop` completes, then finishes the requests under way.
///
/// # Errors
/// [`ServeError`] when the configuration, the folder or the address cannot be used.
pub async fn run(
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let server = Server::open(&config)?;
    let listener = http::bind("listen", config.listen).await?;
    serve(server, listener, stop).await;
    Ok(())
}

/// A witness that is ready to serve.
pub struct Server(Arc<Desk>);

impl Server {
    /// Reads the key, locks the folder, and reads what was cosigned last.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn open(config: &Config) -> Result<Self, ServeError> {
        let (logs, signer) = (config.keys()?, config.signer()?);
        let folder = Arc::new(Folder::open(&config.folder)?);
        tracing::info!(vkey = %signer.key(), logs = logs.len(), "witness");
        let content =
            config.content.as_ref().map(|content| Content::new(content, &logs)).transpose()?;
        let origins: Vec<String> = logs.iter().map(|log| log.name().to_owned()).collect();
        let witness = Witness::open(folder, signer, logs)?;
        let latest = origins.iter().filter_map(|origin| shown(&witness, origin)).collect();
        let desk = Desk {
            add_path: format!("{}/{ADD_CHECKPOINT_PATH}", config.prefix),
            prefix: format!("{}/", config.prefix),
            origins,
            witness: Mutex::new(witness),
            content,
            latest: RwLock::new(latest),
            waiting: Semaphore::new(WAITING_MAX),
        };
        Ok(Self(Arc::new(desk)))
    }
}

/// Serves on a listener of one's own until `stop` completes.
pub async fn serve(
    server: Server,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let (asked, stopped) = watch::channel(false);
    tokio::spawn(async move {
        stop.await;
        asked.send_replace(true);
    });
    http::serve(server.0, listener, None, stopped).await;
}

/// The latest cosigned checkpoints, by path below the prefix.
type Latest = BTreeMap<String, Bytes>;

struct Desk {
    prefix: String,
    add_path: String,
    origins: Vec<String>,
    /// One request at a time, from comparison to disk; only threads that may block wait for it.
    witness: Mutex<Witness<AnySigner>>,
    content: Option<Content>,
    /// So that who only looks waits for no disk.
    latest: RwLock<Latest>,
    waiting: Semaphore,
}

impl Site for Desk {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let path = request.uri().path();
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        if path == self.add_path {
            if *request.method() != Method::POST {
                return plain(405, TEXT, "POST only\n");
            }
            return self.add(request.into_body()).await;
        }
        if !get {
            return plain(405, TEXT, "GET or HEAD only\n");
        }
        match path {
            "/livez" => return plain(200, TEXT, "live\n"),
            // After a panic only a new start reads what the disk says.
            "/readyz" if self.witness.is_poisoned() => {
                return plain(503, TEXT, "the witness failed; it needs a restart\n");
            }
            "/readyz" => return plain(200, TEXT, "ready\n"),
            _ => {}
        }
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        let found = path.strip_prefix(&self.prefix).and_then(|below| latest.get(below));
        found.map_or_else(|| plain(404, TEXT, "not found\n"), |note| plain(200, TEXT, note.clone()))
    }
}

impl Desk {
    async fn add(self: &Arc<Self>, body: Incoming) -> Reply {
        // The body first: who sends one slowly holds a connection, and no place at the disk.
        let body = match http::body(body, REQUEST_LEN_MAX).await {
            Ok(body) => body,
            Err(refused) => return http::reply(refused),
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            return plain(503, TEXT, "too many requests wait for this witness's disk\n");
        };
        let desk = Arc::clone(self);
        let added = spawn_blocking(move || desk.added(&body)).await;
        added.unwrap_or_else(|error| {
            tracing::error!(%error, "cosigning ended early");
            plain(500, TEXT, "the witness failed\n")
        })
    }

    fn added(&self, body: &[u8]) -> Reply {
        // A thread that panicked in here stopped between two statements of `add_checkpoint`; whatever
        // it left, the disk decides, and only a new start reads the disk.
        let Ok(mut witness) = self.witness.lock() else {
            return plain(500, TEXT, "the witness failed; it needs a restart\n");
        };
        let vet = |signed: &SignedCheckpoint| match &self.content {
            Some(content) => content.look_at(signed),
            None => Ok(()),
        };
        let answered = witness.add_checkpoint_if(body, now_s(), vet);
        let latest = self.origins.iter().filter_map(|origin| shown(&witness, origin)).collect();
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = latest;
        drop(witness);
        match answered {
            Ok(lines) => plain(200, TEXT, lines),
            Err(WitnessError::Refused(refusal)) => {
                let status = refusal.status();
                // 422 is what two histories look like; somebody should look.
                if status == 422 {
                    tracing::error!(%refusal, "a log showed something that does not extend what was cosigned");
                } else {
                    tracing::info!(status, %refusal, "not cosigned");
                }
                plain(status, refusal.content_type(), refusal.body())
            }
            Err(error @ WitnessError::Unchecked(_)) => {
                tracing::info!(%error, "asked again later");
                plain(503, TEXT, format!("{error}\n"))
            }
            Err(error @ WitnessError::Leaf(_)) => {
                tracing::error!(%error, "a log signed a tree with a leaf that breaks a rule");
                plain(422, TEXT, format!("{error}\n"))
            }
            Err(error) => {
                tracing::error!(%error, "not cosigned");
                plain(500, TEXT, "the witness could not keep or sign the checkpoint\n")
            }
        }
    }
}

fn shown(witness: &Witness<AnySigner>, origin: &str) -> Option<(String, Bytes)> {
    let latest = witness.latest(origin)?;
    Some((latest_path(origin), Bytes::from(latest.to_bytes())))
}
