//! Bodies in, answers out.

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use std::time::Duration;
use strongroom_log::Answer;

/// The largest body here takes no longer over any network that publishes.
const BODY_PATIENCE: Duration = Duration::from_secs(15);
/// From here on a cache need not even ask again.
const NEVER_CHANGES_S: u32 = 31_536_000;

pub(crate) type Reply = Response<Full<Bytes>>;

/// An answer whose body costs nothing to give twice.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) max_age_s: u32,
    pub(crate) body: Bytes,
}

impl From<Answer> for Kept {
    fn from(answer: Answer) -> Self {
        let Answer { status, content_type, max_age_s, body } = answer;
        Self { status, content_type, max_age_s, body: body.into() }
    }
}

/// An answer as it leaves.
pub(crate) fn reply(kept: impl Into<Kept>) -> Reply {
    let Kept { status, content_type, max_age_s, body } = kept.into();
    let cached = match max_age_s {
        0 => "no-store".to_owned(),
        NEVER_CHANGES_S.. => format!("public, max-age={max_age_s}, immutable"),
        _ => format!("public, max-age={max_age_s}"),
    };
    let mut reply = plain(status, content_type, body);
    let headers = reply.headers_mut();
    if let Ok(cached) = HeaderValue::try_from(cached) {
        headers.insert(CACHE_CONTROL, cached);
    }
    if status == 405 {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    reply
}

/// An answer that no cache keeps.
pub(crate) fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    // Numbers of statuses come from this crate and the ones below; all of them exist.
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// Reads at most `cap` bytes, or says with which status and code to refuse.
pub(crate) async fn body(body: Incoming, cap: usize) -> Result<Bytes, Answer> {
    let collected = tokio::time::timeout(BODY_PATIENCE, Limited::new(body, cap).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Answer::problem(413, "too_long", format!("a body of more than {cap} bytes")))
        }
        Ok(Err(_)) => Err(Answer::problem(400, "malformed", "the body broke off".to_owned())),
        Err(_) => Err(Answer::problem(408, "too_slow", "the body did not come in time".to_owned())),
    }
}

/// A page in a browser can send a body of another kind to loopback without asking first.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), Answer> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    let detail = "expected content-type application/json".to_owned();
    Err(Answer::problem(415, "content_type", detail))
}
