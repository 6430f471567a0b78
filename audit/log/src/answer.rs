//! What is answered over HTTP, without the network.

use crate::log::Served;
use serde::Serialize;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// What never changes.
pub(crate) const YEAR_S: u32 = 31_536_000;
/// What changes with each epoch or cosignature.
const FRESH_S: u32 = 5;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub content_type: &'static str,
    /// How long a cache may keep it; files of a log never change.
    pub max_age_s: u32,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    fn ok(content_type: &'static str, max_age_s: u32, body: Vec<u8>) -> Self {
        Self { status: 200, content_type, max_age_s, body }
    }

    pub(crate) fn json(value: &impl Serialize) -> Self {
        // These types hold only numbers, strings, lists and structures, which always serialise.
        Self::json_bytes(serde_json::to_vec(value).unwrap_or_default())
    }

    /// JSON that changes.
    pub(crate) fn json_bytes(body: Vec<u8>) -> Self {
        Self::ok(JSON, FRESH_S, body)
    }

    /// A file of a log, or 404.
    pub(crate) fn of_log(path: &str, served: Option<Served>) -> Self {
        match served {
            Some(Served::Checkpoint(note)) => Self::ok(TEXT, FRESH_S, note),
            Some(Served::File(file)) => Self::ok(BYTES, YEAR_S, file),
            None => Self::not_found(path),
        }
    }

    /// To who had an event recorded.
    pub fn recorded(index: u64) -> Self {
        Self::json(&Recorded { index })
    }

    /// RFC 9457, with what went wrong.
    pub fn problem(status: u16, code: &'static str, detail: String) -> Self {
        let title = match status {
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let body = serde_json::to_vec(&Problem { code, detail, status, title }).unwrap_or_default();
        Self { status, content_type: PROBLEM, max_age_s: 0, body }
    }

    /// 404.
    pub fn not_found(path: &str) -> Self {
        let shown: String = path.chars().take(120).collect();
        Self::problem(404, "not_found", format!("nothing at {shown}"))
    }
}

#[derive(Serialize)]
struct Recorded {
    index: u64,
}

#[derive(Serialize)]
struct Problem {
    code: &'static str,
    detail: String,
    status: u16,
    title: &'static str,
}
