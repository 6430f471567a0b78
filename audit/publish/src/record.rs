//! An event into a namespace's event log (spec §21.7, §21.9).

use crate::{
    Door, PublishError,
    door::{LogFiles, refusal},
    publish::{RESPONSE_LEN_MAX, damaged},
};
use serde::Deserialize;
use strongroom_tlog::{LogKey, Note, SignedCheckpoint, caps::NOTE_LEN_MAX, tiles::VerifiedTiles};
use strongroom_verify::{Event, Trust, events_origin};

#[derive(Deserialize)]
struct Recorded {
    index: u64,
}

/// Records an event, and looks for it where the auditor says that it is: its index. The same event again is
/// found recorded.
///
/// # Errors
/// [`PublishError`].
pub fn record(door: &Door, event: &Event, trust: &Trust, now_ms: u64) -> Result<u64, PublishError> {
    let namespace = &trust.file().namespace;
    let path = format!("/namespaces/{namespace}/events");
    let reply = door.post(&path, &event.to_json(), RESPONSE_LEN_MAX)?;
    if reply.status != 200 {
        return Err(refusal(&reply));
    }
    let Recorded { index } =
        serde_json::from_slice(&reply.body).map_err(|error| PublishError::Malformed {
            url: door.url(&path),
            expected: "the index of an event",
            what: error.to_string(),
        })?;
    let prefix = format!("/{namespace}/events");
    let reply = door.get(&format!("{prefix}/checkpoint"), NOTE_LEN_MAX)?;
    if reply.status != 200 {
        return Err(refusal(&reply));
    }
    let origin = events_origin(trust.origin());
    let key = LogKey::new(&origin, trust.log().public()).map_err(PublishError::Origin)?;
    let unread = |what: String| PublishError::EventLog(what);
    let note = Note::parse(&reply.body).map_err(|error| unread(error.to_string()))?;
    let signed = SignedCheckpoint::verify(note, &key).map_err(|error| unread(error.to_string()))?;
    let quorum = trust.policy().check(&signed, trust.is_fresh_at(now_ms));
    quorum.map_err(|error| unread(error.to_string()))?;
    let head = signed.checkpoint().head();
    let not_there = PublishError::NotRecorded { index, size: head.size };
    if index >= head.size {
        return Err(not_there);
    }
    let damaged = |error| match damaged(error) {
        PublishError::Log(what) => PublishError::EventLog(what),
        other => other,
    };
    let tiles = VerifiedTiles::open(LogFiles { door, prefix }, head).map_err(damaged)?;
    if tiles.entry(index).map_err(damaged)? == event.to_leaf(&origin) {
        Ok(index)
    } else {
        Err(not_there)
    }
}
