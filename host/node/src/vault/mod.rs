//! The vault's process: started, fed, listened to, and started again.

mod pipe;
mod process;
mod supervisor;

pub(crate) use supervisor::Supervisor;
