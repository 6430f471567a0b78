//! Bodies of bytes, in and out.

use super::problem::Problem;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt, Limited};
use std::time::Duration;

pub(super) const OCTETS: &str = "application/octet-stream";
/// A few kilobytes take no longer over any network that a gateway is on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads at most `cap` bytes.
pub(super) async fn read(body: Body, cap: usize) -> Result<Vec<u8>, Problem> {
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, cap).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("a body of more than {cap} bytes");
            Err(Problem::malformed(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(Err(_)) => Err(Problem::malformed(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => {
            Err(Problem::malformed(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))
        }
    }
}

/// Refuses a body that says that it is something else.
pub(super) fn is_octets(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes() == OCTETS.as_bytes()) {
        return Ok(());
    }
    let detail = format!("expected Content-Type: {OCTETS}");
    Err(Problem::malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// A good answer of bytes, or of a text of another kind.
pub(super) fn answer(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
