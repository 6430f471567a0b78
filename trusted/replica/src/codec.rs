//! Peer messages: a small, capped, deterministic encoding of our own.
//!
//! The library's parser never sees a byte from outside. Only the fields that we use can be written down at all, so
//! whole classes of attacks (foreign proposals, leadership transfers, requests for snapshots, priorities) have no
//! encoding. The CBOR library accepts non-canonical input; therefore everything decoded is encoded again and compared.

use alloc::vec::Vec;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};

use crate::chain::{self, EntryKind, SALT};
use crate::config::{MAX_ENTRIES, MAX_PAYLOAD};
use crate::seal::ChainHash;
use crate::seats::{Change, MAX_CHANGES, Seats, Step};

/// Most seats of one sort.
const MAX_SEATS: u64 = 256;

/// One message of the library, with what the library does not carry.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) era: u64,
    /// The sender's chain hash: at `index` in an append, at `commit` in a heartbeat, at the snapshot's index.
    pub(crate) hash: Option<ChainHash>,
    pub(crate) message: Message,
}

/// What replicas say to each other.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum PeerMessage {
    /// The library's.
    Raft(Frame),
    /// A new process asks to be let in; `era` is the newest that its disk knows.
    Join { id: u64, era: u64 },
    /// The leader let it in.
    Welcome { era: u64, term: u64, seats: Seats },
    /// An answer to messages of an older era.
    NewerEra { era: u64 },
}

/// The wire's numbers for the message types that we use.
const KINDS: [(MessageType, u8); 9] = [
    (MessageType::MsgAppend, 1),
    (MessageType::MsgAppendResponse, 2),
    (MessageType::MsgHeartbeat, 3),
    (MessageType::MsgHeartbeatResponse, 4),
    (MessageType::MsgSnapshot, 5),
    (MessageType::MsgRequestVote, 6),
    (MessageType::MsgRequestVoteResponse, 7),
    (MessageType::MsgRequestPreVote, 8),
    (MessageType::MsgRequestPreVoteResponse, 9),
];

type Encoded<T = ()> = Result<T, minicbor::encode::Error<core::convert::Infallible>>;
type Buffer = Encoder<Vec<u8>>;

/// `None` for a message that has no encoding, or that is larger than `max`.
pub(crate) fn encode(message: &PeerMessage, max: usize) -> Option<Vec<u8>> {
    let mut e = Encoder::new(Vec::with_capacity(64));
    match message {
        PeerMessage::Raft(frame) => encode_frame(&mut e, frame)?.ok()?,
        PeerMessage::Join { id, era } => {
            e.array(3).ok()?.u8(1).ok()?.u64(*id).ok()?.u64(*era).ok()?;
        }
        PeerMessage::Welcome { era, term, seats } => {
            e.array(4).ok()?.u8(2).ok()?.u64(*era).ok()?.u64(*term).ok()?;
            encode_seats(&mut e, seats).ok()?;
        }
        PeerMessage::NewerEra { era } => {
            e.array(2).ok()?.u8(3).ok()?.u64(*era).ok()?;
        }
    }
    let bytes = e.into_writer();
    (bytes.len() <= max).then_some(bytes)
}

fn encode_frame(e: &mut Buffer, frame: &Frame) -> Option<Encoded> {
    let m = &frame.message;
    let (_, kind) = KINDS.iter().find(|(t, _)| *t == m.msg_type)?;
    let body = |e: &mut Buffer| -> Encoded {
        e.array(15)?.u8(0)?.u64(frame.era)?.u8(*kind)?.u64(m.from)?.u64(m.to)?.u64(m.term)?;
        e.u64(m.log_term)?
            .u64(m.index)?
            .u64(m.commit)?
            .u64(m.commit_term)?
            .bool(m.reject)?
            .u64(m.reject_hint)?;
        match &frame.hash {
            Some(hash) => e.bytes(hash)?,
            None => e.null()?,
        };
        e.array(m.entries.len() as u64)?;
        for entry in m.entries.iter() {
            encode_entry(e, entry)?;
        }
        match m.snapshot.as_ref() {
            Some(s) => {
                let meta = s.get_metadata();
                e.array(4)?.u64(meta.index)?.u64(meta.term)?;
                encode_seats(e, &Seats::of(meta.get_conf_state()))?;
                e.bytes(&s.data)?;
            }
            None => {
                e.null()?;
            }
        }
        Ok(())
    };
    Some(body(e))
}

fn encode_entry(e: &mut Buffer, entry: &Entry) -> Encoded {
    let (kind, bytes, _) = chain::parts(entry);
    e.array(4)?.u8(kind as u8)?.u64(entry.term)?.bytes(bytes)?;
    e.bytes(if kind == EntryKind::Payload { &entry.context } else { &[] })?;
    Ok(())
}

fn encode_seats(e: &mut Buffer, seats: &Seats) -> Encoded {
    e.array(4)?;
    for ids in [&seats.voters, &seats.outgoing, &seats.learners, &seats.learners_next] {
        e.array(ids.len() as u64)?;
        for id in ids {
            e.u64(*id)?;
        }
    }
    Ok(())
}

fn refuse<T>(why: &'static str) -> Result<T, Error> {
    Err(Error::message(why))
}

fn array(d: &mut Decoder<'_>, max: u64) -> Result<u64, Error> {
    match d.array()? {
        Some(n) if n <= max => Ok(n),
        _ => refuse("array"),
    }
}

/// `None` unless `bytes` is the one encoding of a message.
pub(crate) fn decode(bytes: &[u8], max: usize) -> Option<PeerMessage> {
    if bytes.len() > max {
        return None;
    }
    let mut d = Decoder::new(bytes);
    let message = decode_message(&mut d).ok()?;
    (encode(&message, max)? == bytes).then_some(message)
}

fn decode_message(d: &mut Decoder<'_>) -> Result<PeerMessage, Error> {
    let fields = array(d, 15)?;
    match (d.u8()?, fields) {
        (0, 15) => decode_frame(d).map(PeerMessage::Raft),
        (1, 3) => Ok(PeerMessage::Join { id: d.u64()?, era: d.u64()? }),
        (2, 4) => {
            Ok(PeerMessage::Welcome { era: d.u64()?, term: d.u64()?, seats: decode_seats(d)? })
        }
        (3, 2) => Ok(PeerMessage::NewerEra { era: d.u64()? }),
        _ => refuse("kind"),
    }
}

fn decode_frame(d: &mut Decoder<'_>) -> Result<Frame, Error> {
    let mut m = Message::default();
    let era = d.u64()?;
    let kind = d.u8()?;
    let Some((kind, _)) = KINDS.iter().find(|(_, k)| *k == kind) else {
        return refuse("kind");
    };
    m.msg_type = *kind;
    m.from = d.u64()?;
    m.to = d.u64()?;
    m.term = d.u64()?;
    m.log_term = d.u64()?;
    m.index = d.u64()?;
    m.commit = d.u64()?;
    m.commit_term = d.u64()?;
    m.reject = d.bool()?;
    m.reject_hint = d.u64()?;
    let hash = match is_null(d)? {
        true => None,
        false => Some(d.bytes()?.try_into().map_err(|_| Error::message("hash"))?),
    };
    let count = array(d, MAX_ENTRIES as u64)?;
    let mut entries = Vec::new();
    for offset in 1..=count {
        let Some(index) = m.index.checked_add(offset) else {
            return refuse("index");
        };
        entries.push(decode_entry(d, index)?);
    }
    m.set_entries(entries.into());
    if !is_null(d)? {
        m.set_snapshot(decode_snapshot(d)?);
    }
    Ok(Frame { era, hash, message: m })
}

fn decode_snapshot(d: &mut Decoder<'_>) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::default();
    if array(d, 4)? != 4 {
        return refuse("snapshot");
    }
    let meta = snapshot.mut_metadata();
    meta.index = d.u64()?;
    meta.term = d.u64()?;
    let conf: ConfState = decode_seats(d)?.to_conf();
    meta.set_conf_state(conf);
    snapshot.data = d.bytes()?.to_vec().into();
    Ok(snapshot)
}

/// Reads a null if there is one.
fn is_null(d: &mut Decoder<'_>) -> Result<bool, Error> {
    let null = d.datatype()? == minicbor::data::Type::Null;
    if null {
        d.null()?;
    }
    Ok(null)
}

fn decode_entry(d: &mut Decoder<'_>, index: u64) -> Result<Entry, Error> {
    if array(d, 4)? != 4 {
        return refuse("entry");
    }
    let kind = d.u8()?;
    let term = d.u64()?;
    let (bytes, salt) = (d.bytes()?, d.bytes()?);
    let Some(entry) = entry(kind, index, term, bytes, salt) else {
        return refuse("entry");
    };
    Ok(entry)
}

/// Builds the library's entry from ours; `None` for what no replica writes.
pub(crate) fn entry(kind: u8, index: u64, term: u64, bytes: &[u8], salt: &[u8]) -> Option<Entry> {
    let mut entry = Entry { index, term, ..Entry::default() };
    match kind {
        k if k == EntryKind::Empty as u8 && bytes.is_empty() && salt.is_empty() => {}
        k if k == EntryKind::Payload as u8 && bytes.len() <= MAX_PAYLOAD && salt.len() == SALT => {
            entry.data = bytes.to_vec().into();
            entry.context = salt.to_vec().into();
        }
        k if k == EntryKind::Change as u8 && salt.is_empty() => {
            // The library's own form is written here, from what we understood: its parser reads only our bytes.
            entry.data = decode_change(bytes)?.to_library().write_to_bytes().ok()?.into();
            entry.context = bytes.to_vec().into();
            entry.entry_type = EntryType::EntryConfChangeV2;
        }
        _ => return None,
    }
    Some(entry)
}

fn decode_seats(d: &mut Decoder<'_>) -> Result<Seats, Error> {
    if array(d, 4)? != 4 {
        return refuse("seats");
    }
    let mut ids = || -> Result<Vec<u64>, Error> {
        let count = array(d, MAX_SEATS)?;
        (0..count).map(|_| d.u64()).collect()
    };
    Ok(Seats { voters: ids()?, outgoing: ids()?, learners: ids()?, learners_next: ids()? })
}

/// A change as an entry carries it.
pub(crate) fn encode_change(change: &Change) -> Option<Vec<u8>> {
    let mut e = Encoder::new(Vec::new());
    e.array(2).ok()?.u64(change.era).ok()?.array(change.steps.len() as u64).ok()?;
    for (step, id) in &change.steps {
        e.array(2).ok()?.u8(*step as u8).ok()?.u64(*id).ok()?;
    }
    Some(e.into_writer())
}

/// `None` unless `bytes` is the one encoding of a change.
pub(crate) fn decode_change(bytes: &[u8]) -> Option<Change> {
    let mut d = Decoder::new(bytes);
    let change = read_change(&mut d).ok()?;
    (encode_change(&change)? == bytes).then_some(change)
}

fn read_change(d: &mut Decoder<'_>) -> Result<Change, Error> {
    if array(d, 2)? != 2 {
        return refuse("change");
    }
    let era = d.u64()?;
    let count = array(d, MAX_CHANGES as u64)?;
    let mut steps = Vec::new();
    for _ in 0..count {
        if array(d, 2)? != 2 {
            return refuse("step");
        }
        let step = match d.u8()? {
            0 => Step::AddLearner,
            1 => Step::AddVoter,
            2 => Step::Remove,
            _ => return refuse("step"),
        };
        steps.push((step, d.u64()?));
    }
    Ok(Change { era, steps })
}

/// What a snapshot's bytes contain.
pub(crate) struct SnapshotBody<'a> {
    /// Chain hash at the snapshot's index.
    pub(crate) hash: ChainHash,
    pub(crate) state: &'a [u8],
    pub(crate) salts: &'a [u8],
}

pub(crate) fn encode_snapshot_body(
    hash: &ChainHash,
    state: &[u8],
    salts: &[u8],
) -> Option<Vec<u8>> {
    let room = state.len().checked_add(salts.len())?.checked_add(64)?;
    let mut e = Encoder::new(Vec::with_capacity(room));
    e.array(3).ok()?.bytes(hash).ok()?.bytes(state).ok()?.bytes(salts).ok()?;
    Some(e.into_writer())
}

/// `None` unless `bytes` is the one encoding of a snapshot.
pub(crate) fn decode_snapshot_body(bytes: &[u8]) -> Option<SnapshotBody<'_>> {
    let mut d = Decoder::new(bytes);
    if array(&mut d, 3).ok()? != 3 {
        return None;
    }
    let hash: ChainHash = d.bytes().ok()?.try_into().ok()?;
    let (state, salts) = (d.bytes().ok()?, d.bytes().ok()?);
    (encode_snapshot_body(&hash, state, salts)? == bytes).then_some(SnapshotBody {
        hash,
        state,
        salts,
    })
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
