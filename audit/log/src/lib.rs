//! What an auditor and a witness keep on disk, and the order in which they sign (spec §21).
//!
//! * **What it is.** A folder of durable files, a log of tiles in it, the auditor that publishes one
//!   manifest after another, and the witness that cosigns. The network is somebody else's.
//! * **What it may assume.** That a file which was synced is there after a crash, and that nobody
//!   else writes into the folder while it is locked.
//! * **What it must never do.** Sign for one epoch twice; let a signature out before what it is over
//!   is on the disk and cosigned; forget what it has signed because the machine stopped.

#![forbid(unsafe_code)]

mod answer;
mod auditor;
mod cosigned;
mod events;
mod folder;
mod log;
mod witness;

pub use answer::Answer;
pub use auditor::{
    Auditor, AuditorSetup, COUNTERSIGN_LEN_MAX, Countersigned, PUBLISH_LEN_MAX, Released,
    Submission, SubmitError,
};
pub use cosigned::CONFIRMED_S_MAX;
pub use events::{EventLog, EventLogSetup, EventSubmitError, ManifestSource};
pub use folder::{Folder, FolderError};
pub use log::{Log, LogError, Served};
pub use witness::{Witness, WitnessError};
