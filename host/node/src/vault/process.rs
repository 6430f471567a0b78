//! One vault process, from its start to its end.

use crate::{
    config::Config,
    keeper::Keeper,
    peers::Outgoing,
    relay::Relay,
    vault::pipe,
    vitals::{Port, Vitals, Word},
};
use std::{io, process::Stdio, sync::Arc, time::Duration};
use strongroom_store::Loaded;
use strongroom_wire::{
    codec::Blob,
    process::{ToHost, ToVault},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

/// Messages that wait for the vault to read, of each kind. Frames have at most 64 KiB.
const CONTROL_MAX: usize = 1_024;
const FRAMES_MAX: usize = 256;
const REQUESTS_MAX: usize = 1_024;
/// How long a vault may take to end after its input did.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long its last log lines are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
const PIPE_BUFFER: usize = 256 * 1_024;
/// The longest line of a vault's log that is passed on.
const LOG_LINE_MAX: usize = 1_024;

/// What a process is surrounded by.
pub(super) struct Surroundings {
    pub(super) config: Config,
    pub(super) vitals: Arc<Vitals>,
    pub(super) relay: Arc<Relay>,
    pub(super) keeper: Keeper,
    pub(super) outgoing: Outgoing,
}

/// How a process ended.
pub(super) enum End {
    /// The node stops.
    Stopped,
    /// It ended, or was ended, by itself; in words.
    Over(String),
}

/// Starts a process, hands it what is kept, and carries messages until it ends.
pub(super) async fn live(around: &Arc<Surroundings>, stop: &mut watch::Receiver<bool>) -> End {
    let (generation, loaded) = match around.keeper.load().await {
        Ok(loaded) => loaded,
        Err(e) => return End::Over(format!("the store cannot be read: {e}")),
    };
    let mut child = match spawn(&around.config) {
        Ok(child) => child,
        Err(e) => {
            let binary = around.config.vault_binary.display();
            return End::Over(format!("{binary} cannot be started: {e}"));
        }
    };
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return End::Over("the process has no pipes".to_owned());
    };
    let (control, control_rx) = mpsc::channel(CONTROL_MAX);
    let (frames, frames_rx) = mpsc::channel(FRAMES_MAX);
    let (requests, requests_rx) = mpsc::channel(REQUESTS_MAX);
    let port = Port { control, frames, requests };
    let (close, closed) = oneshot::channel();
    let ways_in = WaysIn { control: control_rx, frames: frames_rx, requests: requests_rx, closed };
    let writer = tokio::spawn(feed(stdin, loaded, ways_in));
    let acknowledge = port.control.clone();
    let mut reader = tokio::spawn(hear(Arc::clone(around), stdout, generation, acknowledge));
    let log = tokio::spawn(pass_on_log(stderr));
    tracing::info!(pid = child.id(), "the vault was started");
    around.vitals.attach(port, child.id());
    let end = tokio::select! {
        heard = &mut reader => heard.unwrap_or_else(|e| Heard::Broken(e.to_string())).into_end(),
        _ = stop.wait_for(|stop| *stop) => End::Stopped,
    };
    // Closing its input is how a vault is asked to end.
    around.vitals.detach(None);
    around.relay.abandon();
    let _ = close.send(());
    let parting = farewell(&mut child, writer, reader).await;
    let last_line = tokio::time::timeout(LAST_WORDS, log).await;
    match (end, last_line) {
        (End::Stopped, _) => End::Stopped,
        (End::Over(what), Ok(Ok(Some(line)))) if parting.explains => {
            End::Over(format!("{what}; {}; {line}", parting.how))
        }
        (End::Over(what), _) => End::Over(format!("{what}; {}", parting.how)),
    }
}

fn spawn(config: &Config) -> io::Result<Child> {
    let mut command = Command::new(&config.vault_binary);
    command
        .arg("run")
        .arg("--dir")
        .arg(&config.vault_dir)
        .arg("--node")
        .arg(config.node.to_string())
        .arg("--fleet")
        .arg(&config.fleet)
        .arg("--manifest")
        .arg(&config.manifest)
        .arg("--signatures")
        .arg(&config.signatures)
        .arg("--tick-ms")
        .arg(config.tick_ms.to_string());
    if let Some(chain) = &config.chain {
        command.arg("--chain").arg(chain);
    }
    if let Some(offset) = config.clock_offset_ms {
        command.arg("--danger-clock-offset-ms").arg(offset.to_string());
    }
    // Its own group: a terminal's interrupt is for this process, which ends the vault in order.
    command
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// How a process ended, and whether its last line says why: a killed one had no time to.
struct Parting {
    how: String,
    explains: bool,
}

/// Waits for the end of a process whose input was closed, and ends it if it does not.
async fn farewell(child: &mut Child, writer: JoinHandle<()>, reader: JoinHandle<Heard>) -> Parting {
    let writer_ends = writer.abort_handle();
    let ended = tokio::time::timeout(FAREWELL, async {
        let _ = writer.await;
        child.wait().await
    });
    let mut explains = false;
    let how = match ended.await {
        Ok(Ok(status)) => {
            explains = status.code().is_some_and(|code| code != 0);
            status.to_string()
        }
        Ok(Err(e)) => format!("its end is not known: {e}"),
        Err(_) => {
            writer_ends.abort();
            match child.kill().await {
                Ok(()) => "killed, since it did not end".to_owned(),
                Err(e) => format!("it does not end: {e}"),
            }
        }
    };
    reader.abort();
    Parting { how, explains }
}

/// Everything that is written to a vault comes from one of these.
struct WaysIn {
    control: mpsc::Receiver<ToVault>,
    frames: mpsc::Receiver<ToVault>,
    requests: mpsc::Receiver<ToVault>,
    closed: oneshot::Receiver<()>,
}

impl WaysIn {
    /// What waits already: acknowledgements first, then a frame and a request in turn, so that a
    /// flood of the one does not starve the other.
    fn waiting(&mut self, turn: &mut bool) -> Option<ToVault> {
        *turn = !*turn;
        let urgent = self.control.try_recv().ok();
        let (one, other) = if *turn {
            (&mut self.frames, &mut self.requests)
        } else {
            (&mut self.requests, &mut self.frames)
        };
        urgent.or_else(|| one.try_recv().ok()).or_else(|| other.try_recv().ok())
    }

    /// Waits for the next; nothing when the process is asked to end.
    async fn next(&mut self) -> Option<ToVault> {
        tokio::select! {
            biased;
            _ = &mut self.closed => None,
            message = self.control.recv() => message,
            message = self.frames.recv() => message,
            message = self.requests.recv() => message,
        }
    }
}

/// Writes what is kept, then what comes, until asked to end; then closes the vault's input.
async fn feed(stdin: ChildStdin, loaded: Loaded, mut ways_in: WaysIn) {
    let mut pipe = BufWriter::with_capacity(PIPE_BUFFER, stdin);
    // A broken pipe shows at the other end, too, where the reader sees it.
    let mut result = load(&mut pipe, loaded).await;
    let mut turn = false;
    while result.is_ok() {
        let message = match ways_in.waiting(&mut turn) {
            Some(message) => message,
            None => {
                result = pipe.flush().await;
                match ways_in.next().await {
                    Some(message) => message,
                    None => break,
                }
            }
        };
        if result.is_ok() {
            result = pipe::write(&mut pipe, &message).await;
        }
    }
    let _ = pipe.flush().await;
}

async fn load(pipe: &mut BufWriter<ChildStdin>, loaded: Loaded) -> io::Result<()> {
    let Loaded { meta, snapshot, salts, entries } = loaded;
    let blobs = [
        meta.map(|bytes| ToVault::LoadMeta { bytes: Blob(bytes) }),
        snapshot.map(|bytes| ToVault::LoadSnapshot { bytes: Blob(bytes) }),
        salts.map(|bytes| ToVault::LoadSalts { bytes: Blob(bytes) }),
    ];
    for message in blobs.into_iter().flatten() {
        pipe::write(pipe, &message).await?;
    }
    for kept in entries {
        let message = ToVault::LoadEntry {
            index: kept.index,
            entry: Blob(kept.entry),
            salt: Blob(kept.salt),
        };
        pipe::write(pipe, &message).await?;
    }
    pipe::write(pipe, &ToVault::LoadEnd {}).await?;
    pipe.flush().await
}

/// How listening ended.
enum Heard {
    End,
    Broken(String),
    Halted { code: u16, reason: String },
}

impl Heard {
    fn into_end(self) -> End {
        End::Over(match self {
            Self::End => "the vault closed its output".to_owned(),
            Self::Broken(what) => format!("the vault sent what no vault sends: {what}"),
            Self::Halted { code, reason } => format!("the vault halted with code {code}: {reason}"),
        })
    }
}

/// Carries what the vault says. Waits for nothing but the disk's queue.
async fn hear(
    around: Arc<Surroundings>,
    stdout: ChildStdout,
    generation: u64,
    acknowledge: mpsc::Sender<ToVault>,
) -> Heard {
    let mut pipe = BufReader::with_capacity(PIPE_BUFFER, stdout);
    loop {
        let message = match pipe::read(&mut pipe).await {
            Ok(Some(message)) => message,
            Ok(None) => return Heard::End,
            Err(e) => return Heard::Broken(e.to_string()),
        };
        match message {
            ToHost::Peer { to, bytes } => around.outgoing.send(to, bytes.0),
            ToHost::Reply { id, reply } => around.relay.reply(id, reply.0),
            ToHost::Persist { number, ops } => {
                let acknowledge = acknowledge.clone();
                let queued = around.keeper.persist(generation, number, ops, acknowledge);
                queued.await;
            }
            ToHost::Position { bytes } => {
                around.vitals.tell(Word::Position(bytes.0));
            }
            ToHost::Health { health } => around.vitals.heard(health),
            ToHost::Refused { reason } => {
                tracing::warn!(%reason, "the vault refused a ceremony");
                around.vitals.tell(Word::Refused(reason));
            }
            ToHost::Event { text } => tracing::info!(target: "vault", "{}", printable(&text)),
            ToHost::Halted { code, reason } => {
                around.vitals.metrics.vault_halts.increment(1);
                let reason = printable(&reason);
                return Heard::Halted { code, reason };
            }
        }
    }
}

/// Passes the vault's log lines on and returns the last. A vault prints no secrets, but a broken one
/// might print anything: lines are cut and cleaned.
async fn pass_on_log(mut stderr: ChildStderr) -> Option<String> {
    let mut last = None;
    let mut line = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        for byte in chunk.iter().take(read) {
            if *byte != b'\n' {
                if line.len() < LOG_LINE_MAX {
                    line.push(*byte);
                }
                continue;
            }
            let text = printable(&String::from_utf8_lossy(&line));
            line.clear();
            if !text.is_empty() {
                tracing::info!(target: "vault", "{text}");
                last = Some(text);
            }
        }
    }
    last
}

fn printable(text: &str) -> String {
    let clean = text.chars().take(LOG_LINE_MAX);
    clean.map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}
