//! The loop of a running vault: read, step, flush, write.

use crate::{failure::Failure, framing};
use std::{
    io::{BufWriter, Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};
use strongroom_wire::{
    encode,
    process::{ToHost, ToVault, to_vault_from_bytes},
};

/// Messages that wait between the pipe and the vault.
const WAITING_MAX: usize = 256;
/// Messages that become one batch: enough to share a sync, few enough to answer soon.
const BATCH_MAX: usize = 256;
const OUTPUT_BUFFER: usize = 256 * 1_024;

/// What the loop needs of a vault.
pub trait Engine {
    /// Takes one message.
    fn step(&mut self, input: ToVault) -> Vec<ToHost>;
    /// Notices the time.
    fn tick(&mut self) -> Vec<ToHost>;
    /// Makes one batch of everything that was queued.
    fn flush(&mut self) -> Vec<ToHost>;
    /// Why it stopped for good, if it did.
    fn halted(&self) -> Option<(u16, &'static str)>;
}

enum Arrival {
    Message(ToVault),
    End,
    Broken(String),
}

/// Runs until the host closes its end.
///
/// # Errors
/// [`Failure::Machine`] if the host sends what no host sends, or goes away inside a message;
/// [`Failure::Halted`] if the vault stopped for good.
pub fn pump(
    engine: &mut impl Engine,
    input: impl Read + Send + 'static,
    output: impl Write,
    tick: Duration,
) -> Result<(), Failure> {
    let (sender, arrivals) = sync_channel(WAITING_MAX);
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read_all(input, &sender))
        .map_err(|e| Failure::Machine(format!("cannot start the input thread: {e}")))?;
    let mut outlet = Outlet::new(output);
    let mut next_tick = Instant::now();
    loop {
        let ended = take_batch(engine, &arrivals, &mut outlet, next_tick)?;
        if Instant::now() >= next_tick {
            outlet.write(engine.tick())?;
            // From now, not from when it was due: after a pause the vault sees one late tick, not
            // a burst of them.
            next_tick = Instant::now() + tick;
        }
        outlet.write(engine.flush())?;
        if let Some((code, reason)) = engine.halted() {
            outlet.write_halted(code, reason)?;
            outlet.flush()?;
            let reason = reason.to_owned();
            return Err(Failure::Halted { code, reason });
        }
        outlet.flush()?;
        if ended {
            return Ok(());
        }
    }
}

/// Waits for the first message or the tick, then takes what has come, up to a batch. True at the end.
fn take_batch(
    engine: &mut impl Engine,
    arrivals: &Receiver<Arrival>,
    outlet: &mut Outlet<impl Write>,
    next_tick: Instant,
) -> Result<bool, Failure> {
    let patience = next_tick.saturating_duration_since(Instant::now());
    let first = match arrivals.recv_timeout(patience) {
        Ok(arrival) => arrival,
        Err(RecvTimeoutError::Timeout) => return Ok(false),
        Err(RecvTimeoutError::Disconnected) => return Ok(true),
    };
    let more = arrivals.try_iter().take(BATCH_MAX - 1);
    for arrival in std::iter::once(first).chain(more) {
        match arrival {
            Arrival::Message(message) => outlet.write(engine.step(message))?,
            Arrival::End => return Ok(true),
            Arrival::Broken(what) => return Err(Failure::Machine(what)),
        }
        if engine.halted().is_some() {
            break;
        }
    }
    Ok(false)
}

/// The pipe to the host, and whether it has been told of the end.
struct Outlet<W: Write> {
    pipe: BufWriter<W>,
    told: bool,
}

impl<W: Write> Outlet<W> {
    fn new(pipe: W) -> Self {
        Self { pipe: BufWriter::with_capacity(OUTPUT_BUFFER, pipe), told: false }
    }

    fn write(&mut self, messages: Vec<ToHost>) -> Result<(), Failure> {
        for message in messages {
            self.told |= matches!(message, ToHost::Halted { .. });
            framing::write(&mut self.pipe, &encode(&message)).map_err(|e| host_is_gone(&e))?;
        }
        Ok(())
    }

    fn write_halted(&mut self, code: u16, reason: &str) -> Result<(), Failure> {
        if self.told {
            return Ok(());
        }
        let reason = reason.to_owned();
        self.write(vec![ToHost::Halted { code, reason }])
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.pipe.flush().map_err(|e| host_is_gone(&e))
    }
}

fn host_is_gone(error: &std::io::Error) -> Failure {
    Failure::Machine(format!("the host does not read: {error}"))
}

fn read_all(mut input: impl Read, sender: &SyncSender<Arrival>) {
    loop {
        let arrival = match framing::read(&mut input) {
            Ok(None) => Arrival::End,
            Ok(Some(bytes)) => match to_vault_from_bytes(&bytes) {
                Ok(message) => Arrival::Message(message),
                Err(e) => Arrival::Broken(format!("the host sent {e}")),
            },
            Err(e) => Arrival::Broken(format!("the host's pipe: {e}")),
        };
        let last = !matches!(arrival, Arrival::Message(_));
        // The receiver is gone only when the process ends.
        if sender.send(arrival).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use strongroom_wire::{codec::Blob, process::to_host_from_bytes};

    /// Answers each request in the flush after it, and halts on a start statement.
    #[derive(Default)]
    struct Echo {
        queued: Vec<u64>,
        flushes: Arc<Mutex<Vec<usize>>>,
        halted: bool,
    }

    impl Engine for Echo {
        fn step(&mut self, input: ToVault) -> Vec<ToHost> {
            match input {
                ToVault::Request { id, .. } => self.queued.push(id),
                ToVault::Start { .. } => self.halted = true,
                _ => {}
            }
            Vec::new()
        }

        fn tick(&mut self) -> Vec<ToHost> {
            let text = "tick".to_owned();
            vec![ToHost::Event { text }]
        }

        fn flush(&mut self) -> Vec<ToHost> {
            if !self.queued.is_empty() {
                self.flushes.lock().expect("lock").push(self.queued.len());
            }
            let reply = |id| ToHost::Reply { id, reply: Blob(Vec::new()) };
            self.queued.drain(..).map(reply).collect()
        }

        fn halted(&self) -> Option<(u16, &'static str)> {
            self.halted.then_some((9, "asked to"))
        }
    }

    fn request(id: u64) -> ToVault {
        ToVault::Request { id, ticket: Blob(Vec::new()), frame: Blob(Vec::new()) }
    }

    fn piped(messages: &[ToVault]) -> Vec<u8> {
        let mut pipe = Vec::new();
        for message in messages {
            framing::write(&mut pipe, &encode(message)).expect("write");
        }
        pipe
    }

    fn run(engine: &mut Echo, input: Vec<u8>) -> (Result<(), Failure>, Vec<ToHost>) {
        let mut output = Vec::new();
        let input = std::io::Cursor::new(input);
        let result = pump(engine, input, &mut output, Duration::from_secs(5));
        let mut reader = output.as_slice();
        let mut said = Vec::new();
        while let Some(bytes) = framing::read(&mut reader).expect("frame") {
            said.push(to_host_from_bytes(&bytes).expect("message"));
        }
        (result, said)
    }

    #[test]
    fn every_message_before_the_end_is_answered_and_batches_are_bounded() {
        let mut engine = Echo::default();
        let messages: Vec<ToVault> = (0..1_000).map(request).collect();
        let (result, said) = run(&mut engine, piped(&messages));
        assert!(result.is_ok());
        let is_reply = |message: &&ToHost| matches!(message, ToHost::Reply { .. });
        assert_eq!(said.iter().filter(is_reply).count(), 1_000);
        let flushes = engine.flushes.lock().expect("lock");
        assert!(flushes.iter().all(|batch| *batch <= BATCH_MAX), "{flushes:?}");
    }

    #[test]
    fn a_vault_that_halts_says_so_once_and_ends() {
        let start = ToVault::Start { bytes: Blob(Vec::new()) };
        let mut engine = Echo::default();
        let (result, said) = run(&mut engine, piped(&[start, request(1)]));
        assert!(matches!(result, Err(Failure::Halted { code: 9, .. })));
        let is_halted = |message: &&ToHost| matches!(message, ToHost::Halted { code: 9, .. });
        assert_eq!(said.iter().filter(is_halted).count(), 1);
        assert!(!said.iter().any(|m| matches!(m, ToHost::Reply { .. })));
    }

    #[test]
    fn what_no_host_sends_ends_the_vault() {
        let mut noise = Vec::new();
        framing::write(&mut noise, &[0xff; 9]).expect("write");
        let torn = piped(&[request(1)]);
        for input in [noise, torn[..torn.len() - 1].to_vec(), vec![0xff; 8]] {
            let (result, _) = run(&mut Echo::default(), input);
            assert!(matches!(result, Err(Failure::Machine(_))));
        }
    }
}
