//! HTTP/1.1 with a cap on everything that a caller can make large or slow.

mod reply;
mod server;

pub(crate) use reply::{Kept, Reply, body, is_json, plain, reply};
pub(crate) use server::{Site, bind, serve};
