//! A stand-in for `strongroom-vault` in the tests of its host: keeps nothing secret, proves nothing.
//!
//! It takes the same command line and speaks the same messages. It must never be started by
//! anything but a test: it answers every request with zeros. The first byte of a request's frame
//! says what shall happen; see [`act`].

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use strongroom_wire::{
    caps::RESPONSE_FRAME_LEN,
    codec::Blob,
    encode,
    process::{Health, PersistOp, ToHost, ToVault, to_vault_from_bytes},
    relay::reply_to_bytes,
    start::SignedStart,
};

#[derive(Default)]
struct Fake {
    era: u64,
    persists: u64,
    /// The request that waits for this batch.
    waiting: Vec<(u64, u64)>,
}

fn main() {
    let mut words = std::env::args();
    let dir = words.by_ref().find(|word| word == "--dir").and_then(|_| words.next());
    let dir = PathBuf::from(dir.expect("--dir"));
    let starts = dir.join("starts");
    let count =
        fs::read_to_string(&starts).map_or(1, |text| text.trim().parse::<u32>().unwrap() + 1);
    fs::write(&starts, count.to_string()).expect("starts");
    eprintln!("fake vault, start {count}");
    let loaded = load();
    fs::write(dir.join(format!("loaded-{count}")), loaded).expect("loaded");
    let fake = Arc::new(Mutex::new(Fake::default()));
    let (in_thread, folder) = (Arc::clone(&fake), dir.clone());
    thread::spawn(move || beat(&folder, &in_thread));
    while let Some(message) = read() {
        act(&dir, &mut fake.lock().unwrap(), message);
    }
}

fn load() -> String {
    let mut seen = String::new();
    loop {
        match read().expect("a message before the end") {
            ToVault::LoadMeta { bytes } => seen += &format!("meta {}\n", bytes.0.len()),
            ToVault::LoadSnapshot { bytes } => seen += &format!("snapshot {}\n", bytes.0.len()),
            ToVault::LoadSalts { bytes } => seen += &format!("salts {}\n", bytes.0.len()),
            ToVault::LoadEntry { index, entry, salt } => {
                seen += &format!("entry {index} {} {}\n", entry.0.len(), salt.0.len());
            }
            ToVault::LoadEnd {} => return seen,
            other => panic!("{other:?} before the end of what is kept"),
        }
    }
}

/// Says that it is well, unless the file `silent` says otherwise.
fn beat(dir: &Path, fake: &Mutex<Fake>) {
    loop {
        if !dir.join("silent").exists() {
            let health = Health {
                incarnation: 1 << 56 | 7,
                era: fake.lock().unwrap().era,
                role: "leader".to_owned(),
                leader: Some(1),
                ready: !dir.join("not-ready").exists(),
                term: 3,
                applied: 9,
                peers: vec![1],
                slots: 2,
                erased_through: 0,
                now_ms: 1,
                voters: vec![1],
            };
            write(&ToHost::Health { health });
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn act(dir: &Path, fake: &mut Fake, message: ToVault) {
    match message {
        ToVault::Request { id, frame, .. } => match frame.0.first() {
            // Nothing at all.
            Some(b'n') => {}
            // Dies.
            Some(b'd') => std::process::exit(9),
            // Halts.
            Some(b'h') => write(&ToHost::Halted { code: 77, reason: "told to".to_owned() }),
            // Says what no vault says.
            Some(b'g') => {
                io::stdout().write_all(b"\0\0\0\x04ouch").unwrap();
                io::stdout().flush().unwrap();
            }
            // Keeps something, and answers when it is durable.
            Some(b'k') => {
                fake.persists += 1;
                let number = fake.persists;
                fake.waiting.push((number, id));
                let entry = PersistOp::Entry {
                    index: number,
                    entry: Blob(vec![1; 10]),
                    salt: Blob(vec![2; 5]),
                };
                let meta = PersistOp::Meta { bytes: Blob(vec![3; 3]) };
                write(&ToHost::Persist { number, ops: vec![meta, entry] });
            }
            // Sends node 2 far more than it takes, then answers.
            Some(b'f') => {
                for _ in 0..2_000 {
                    write(&ToHost::Peer { to: 2, bytes: Blob(vec![9; 65_000]) });
                }
                reply(id);
            }
            _ => reply(id),
        },
        ToVault::Persisted { number } => {
            fake.waiting.retain(|(waits_for, id)| {
                if *waits_for == number {
                    reply(*id);
                }
                *waits_for != number
            });
        }
        // Sends every frame back, with its sender's number in front.
        ToVault::Peer { from, bytes } => {
            let bytes = Blob([&[from][..], &bytes.0].concat());
            write(&ToHost::Peer { to: from, bytes });
        }
        ToVault::Position {} if dir.join("refuse").exists() => {
            write(&ToHost::Refused { reason: "not loaded yet".to_owned() });
        }
        ToVault::Position {} => write(&ToHost::Position { bytes: Blob(b"position".to_vec()) }),
        ToVault::Start { bytes } => match SignedStart::from_bytes(&bytes.0).unwrap().start.era {
            66 => write(&ToHost::Refused { reason: "too few custodians".to_owned() }),
            era => fake.era = era,
        },
        other => panic!("{other:?} after the end of what is kept"),
    }
}

fn reply(id: u64) {
    let reply = Blob(reply_to_bytes(&Ok(vec![0; RESPONSE_FRAME_LEN])));
    write(&ToHost::Reply { id, reply });
}

fn read() -> Option<ToVault> {
    let mut head = [0; 4];
    io::stdin().read_exact(&mut head).ok()?;
    let mut message = vec![0; u32::from_be_bytes(head) as usize];
    io::stdin().read_exact(&mut message).expect("a whole message");
    Some(to_vault_from_bytes(&message).expect("a message"))
}

fn write(message: &ToHost) {
    let bytes = encode(message);
    let mut out = io::stdout().lock();
    let framed = [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat();
    if out.write_all(&framed).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
