//! A gateway's problem document (RFC 9457): read for what to do. That it cost nothing is the gateway's word,
//! which nobody signed; how many attempts are left is read from signed answers only.

use crate::transport::{CarryCode, CarryError, Retry};
use serde::Deserialize;
use std::time::Duration;

/// The most of a problem document that is read.
pub(crate) const PROBLEM_LEN_MAX: usize = 16 * 1_024;
const DETAIL_LEN_MAX: usize = 300;
/// A gateway cannot make a client wait longer than this between two tries.
const WAIT_MAX: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(500);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    title: String,
    detail: String,
    code: String,
    retry: String,
    cost: String,
    request_id: String,
    retry_after_ms: Option<u64>,
}

/// What a gateway's error says.
pub(crate) fn read(status: u16, body: &[u8]) -> CarryError {
    let document: Document = serde_json::from_slice(body).unwrap_or_default();
    let code = match document.code.as_str() {
        "unauthenticated" => CarryCode::Unauthenticated,
        "limited" => CarryCode::Limited,
        "malformed" => CarryCode::Malformed,
        "ticket_refused" => CarryCode::TicketRefused,
        "no_quorum" => CarryCode::NoQuorum,
        "busy" => CarryCode::Busy,
        "timeout" => CarryCode::Timeout,
        _ => of_status(status),
    };
    let wait = document.retry_after_ms.map_or(WAIT, Duration::from_millis).min(WAIT_MAX);
    let retry = match document.retry.as_str() {
        "never" => Retry::Never,
        "now" => Retry::Now,
        "after" => Retry::After(wait),
        _ if status >= 500 => Retry::After(wait),
        _ => Retry::Never,
    };
    let text = [document.detail, document.title]
        .into_iter()
        .map(|text| plain(&text))
        .find(|text| !text.is_empty());
    let request_id = Some(plain(&document.request_id)).filter(|id| !id.is_empty());
    CarryError {
        code,
        detail: text.unwrap_or_else(|| format!("the gateway answered with HTTP status {status}")),
        // Only a plain "none" is none, and that is the gateway's word: silence is not.
        may_have_arrived: document.cost != "none",
        retry,
        request_id,
    }
}

const fn of_status(status: u16) -> CarryCode {
    match status {
        401 => CarryCode::Unauthenticated,
        403 => CarryCode::TicketRefused,
        400 | 413 | 415 => CarryCode::Malformed,
        429 => CarryCode::Limited,
        504 => CarryCode::Timeout,
        503 => CarryCode::Busy,
        _ => CarryCode::Other,
    }
}

/// Text that a terminal shows and does not obey.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DETAIL_LEN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_read_and_its_text_made_plain() {
        let body = br#"{"code":"no_quorum","detail":"3 of 7 \u001b[31mnodes","retry":"after",
            "retry_after_ms":86400000,"cost":"none","request_id":"r1","attempts_left":99}"#;
        let error = read(503, body);
        assert_eq!(error.code, CarryCode::NoQuorum);
        assert_eq!(error.detail, "3 of 7 [31mnodes");
        assert_eq!(error.retry, Retry::After(WAIT_MAX));
        assert!(!error.may_have_arrived);
        assert_eq!(error.request_id.as_deref(), Some("r1"));
    }

    #[test]
    fn silence_about_the_cost_is_not_none() {
        for body in [b"".as_slice(), b"<html>", b"{}", br#"{"cost":"charged"}"#] {
            let error = read(502, body);
            assert!(error.may_have_arrived);
            assert_eq!(error.code, CarryCode::Other);
            assert_eq!(error.retry, Retry::After(WAIT));
        }
    }
}
