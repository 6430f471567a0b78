//! The host of one vault: its network, its disk, and the watch over its process.
//!
//! * **What it is.** A pump. It starts `strongroom-vault`, carries its frames to the hosts of other
//!   nodes, keeps its sealed bytes on a disk, relays gateways' requests to it, and tells operators
//!   how it is.
//! * **What it may assume.** Nothing of what comes from a network. Of its own vault only that a
//!   message is well formed or the process is at an end.
//! * **What it must never do.** Say that bytes are durable before they are; let one peer, client or
//!   slow disk stop the others; or look into what it carries. It is trusted with availability
//!   alone: every lie it could tell is answered inside the vault.
//!
//! The tasks, and who may wait for whom:
//!
//! ```text
//!   HTTP ──try──▶ requests ┐                     ┌─▶ peer queues (drop when full) ─▶ TCP out
//!   TCP in ─wait─▶ frames  ├─▶ writer ─▶ VAULT ─▶ reader ─▶ keeper (disk) ─▶ control
//!   keeper ─wait─▶ control ┘                     └─▶ replies, health, log
//! ```
//!
//! The reader waits for nothing but the disk's queue, so a vault is never stopped by a peer.

#![forbid(unsafe_code)]

mod config;
mod error;
mod http;
mod keeper;
mod metrics;
mod node;
mod peers;
mod relay;
mod vault;
mod vitals;

pub use config::{Config, ConfigError, PeerConfig};
pub use error::NodeError;
pub use node::{run, stop_signal};
