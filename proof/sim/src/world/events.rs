//! What happens in a world, one event at a time.

use strongroom_wire::process::PersistOp;

/// One event of the queue.
pub(crate) enum Event {
    Tick { node: usize, process: u64 },
    Frame { from: u8, to: usize, bytes: Vec<u8> },
    Persisted { node: usize, process: u64, number: u64, ops: Vec<PersistOp> },
    Request { node: usize, user: usize, frame_number: u64, ticket: Vec<u8>, frame: Vec<u8> },
    Answer { user: usize, frame_number: u64, reply: Vec<u8>, held: Vec<u64>, forged: bool },
    Wake { user: usize },
    Timeout { user: usize, frame_number: u64 },
    Fault { extra: bool },
    Rush { node: usize, process: u64 },
    Watch,
}

/// To which of a node's two processes its host hands what arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Route {
    /// The one in the node's own place.
    #[default]
    Own,
    /// The one beside it.
    Twin,
    /// Both.
    Both,
    /// One of them, frame by frame.
    Either,
    /// Each has peers of its own: the one beside it those whose bit is set.
    Divided(u64),
}
