//! The auditor's validation bundle, carried byte for byte and believed for nothing (spec §22.5).

use crate::{
    error::GatewayError,
    fetch,
    problem::{Code, Problem},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::Full;
use hyper::{Request, Uri};
use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};
use strongroom_wire::digest::sha256;

/// With each answer: SHA-256 of the bundle at hand.
pub(crate) const BUNDLE: &str = "strongroom-bundle";
/// As a client's cap.
const BUNDLE_LEN_MAX: usize = 1_048_576;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

struct Held {
    bytes: Bytes,
    name: HeaderValue,
    tag: HeaderValue,
}

/// The bundle that came last, and where the next one comes from.
pub(crate) struct Bundles {
    source: Option<Uri>,
    every: Duration,
    held: RwLock<Option<Held>>,
}

impl Bundles {
    /// An auditor may be down for now: then there is no bundle yet.
    pub(crate) fn new(url: Option<&str>, every: Duration) -> Result<Self, GatewayError> {
        let source = url.map(source).transpose()?;
        Ok(Self { source, every, held: RwLock::new(None) })
    }

    /// Asks the auditor again and again; ends at once without one.
    pub(crate) async fn keep_fresh(&self) {
        let Some(uri) = &self.source else { return };
        let client = fetch::plain_client();
        let mut failing = false;
        loop {
            match download(&client, uri).await {
                Ok(bytes) => {
                    failing = false;
                    self.take(bytes);
                }
                // Once, and not at every look: the old bundle serves on until clients find it stale.
                Err(what) if !failing => {
                    failing = true;
                    tracing::warn!(what, "the validation bundle could not be fetched");
                }
                Err(_) => {}
            }
            tokio::time::sleep(self.every).await;
        }
    }

    fn take(&self, bytes: Bytes) {
        let digits = hex::encode(sha256(&bytes));
        let name = HeaderValue::try_from(digits.as_str());
        let tag = HeaderValue::try_from(format!("\"{digits}\""));
        let (Ok(name), Ok(tag)) = (name, tag) else { return };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|held| held.name != name) {
            tracing::info!(bundle = digits, len = bytes.len(), "another validation bundle");
            *held = Some(Held { bytes, name, tag });
        }
    }

    /// Names the bundle beside an answer.
    pub(crate) fn name_in(&self, headers: &mut HeaderMap) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref() {
            headers.insert(BUNDLE, held.name.clone());
        }
    }

    /// The bundle, or nothing but its name if that is what the caller has.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Result<Response, Problem> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_ref() else {
            return Err(match &self.source {
                Some(_) => Problem::new(Code::Busy, "no validation bundle has come yet")
                    .after(Duration::from_secs(1)),
                None => Problem::new(Code::NotFound, "this gateway has no auditor"),
            });
        };
        let has = asked.get(header::IF_NONE_MATCH).is_some_and(|tag| *tag == held.tag);
        let mut response =
            Response::new(if has { Body::empty() } else { Body::from(held.bytes.clone()) });
        if has {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, held.tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

/// Plain HTTP will do, on any network: whoever changes a bundle on its way makes one that no client
/// believes, as this gateway itself could.
fn source(url: &str) -> Result<Uri, GatewayError> {
    let wrong = || GatewayError::Setting(format!("bundle_url: expected http://…, got {url:?}"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    if uri.scheme_str() == Some("http") && uri.host().is_some() { Ok(uri) } else { Err(wrong()) }
}

async fn download(client: &fetch::PlainClient, uri: &Uri) -> Result<Bytes, String> {
    let request = Request::get(uri)
        .header("accept", "application/json")
        .body(Full::default())
        .map_err(|e| e.to_string())?;
    let (status, body) = fetch::fetch(client, request, BUNDLE_LEN_MAX, FETCH_TIMEOUT)
        .await
        .map_err(|e| e.text().to_owned())?;
    if status != StatusCode::OK {
        return Err(format!("HTTP status {status}, expected 200"));
    }
    Ok(body)
}
