//! The auditor's addresses (spec §21.9): everybody's, and the publishers'.

use super::desk::Desk;
use crate::{
    http::{self, Reply, Site, is_json, plain, reply},
    now_s,
};
use hyper::{Method, Request, body::Incoming, header::ALLOW, header::HeaderValue};
use std::{fmt::Write as _, sync::Arc};
use strongroom_log::{
    Answer, CONFIRMED_S_MAX, COUNTERSIGN_LEN_MAX, EventSubmitError, PUBLISH_LEN_MAX, Submission,
};
use strongroom_verify::{EVENT_LEN_MAX, Event};

const TEXT: &str = "text/plain; charset=utf-8";

/// Reading, for everybody.
pub(crate) struct Public(pub(crate) Arc<Desk>);

/// Publishing, and reading, for whom the door lets in.
pub(crate) struct Publishers(pub(crate) Arc<Desk>);

impl Site for Public {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        match *request.method() {
            Method::GET | Method::HEAD => read(&self.0, request.uri().path()).await,
            _ => not_allowed("GET, HEAD"),
        }
    }
}

impl Site for Publishers {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        match *request.method() {
            Method::GET | Method::HEAD => read(&self.0, request.uri().path()).await,
            Method::POST => write(&self.0, request).await.unwrap_or_else(reply),
            _ => not_allowed("GET, HEAD, POST"),
        }
    }
}

fn not_allowed(allowed: &'static str) -> Reply {
    let detail = format!("expected {allowed}; publishing has an address of its own");
    let mut reply = reply(Answer::problem(405, "method", detail));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

async fn read(desk: &Arc<Desk>, path: &str) -> Reply {
    match path {
        "/livez" => plain(200, TEXT, "live\n"),
        "/readyz" => readyz(desk),
        "/metrics" => plain(200, TEXT, desk.gauges.render()),
        _ => reply(desk.get(path).await),
    }
}

async fn write(desk: &Arc<Desk>, request: Request<Incoming>) -> Result<Reply, Answer> {
    let path = request.uri().path().to_owned();
    let below = path
        .strip_prefix("/namespaces/")
        .and_then(|rest| rest.strip_prefix(desk.config.namespace.as_str()))
        .and_then(|rest| rest.strip_prefix('/'));
    let parts: Vec<&str> = below.unwrap_or_default().split('/').collect();
    is_json(request.headers())?;
    match parts.as_slice() {
        ["audits"] => {
            let body = http::body(request.into_body(), PUBLISH_LEN_MAX).await?;
            let submission = Submission::from_request(&body)?;
            Ok(reply(desk.publish(submission).await).uncached())
        }
        ["events"] if desk.events.is_some() => {
            let body = http::body(request.into_body(), EVENT_LEN_MAX).await?;
            let event = Event::parse(&body).map_err(EventSubmitError::from);
            let event = event.map_err(|error| Answer::from(&error))?;
            Ok(reply(desk.record(event).await).uncached())
        }
        ["countersignatures", epoch] => {
            let body = http::body(request.into_body(), COUNTERSIGN_LEN_MAX).await?;
            let epoch = (*epoch).to_owned();
            let kept = desk.change(move |auditor| Ok(auditor.countersign_request(&epoch, &body)));
            let answer = kept.await.map_err(|failure| Answer::from(&failure))??;
            Ok(reply(answer).uncached())
        }
        _ => Err(Answer::not_found(&path)),
    }
}

/// An answer to a `POST` is for its caller alone.
trait Uncached {
    fn uncached(self) -> Self;
}

impl Uncached for Reply {
    fn uncached(mut self) -> Self {
        let no_store = HeaderValue::from_static("no-store");
        self.headers_mut().insert(hyper::header::CACHE_CONTROL, no_store);
        self
    }
}

/// A manifest that came now could be published, and what is read is fresh.
fn readyz(desk: &Desk) -> Reply {
    let health = desk.health().clone();
    // One refresh may be missed.
    let patience_s = (2 * desk.config.refresh_s).max(CONFIRMED_S_MAX);
    let age_s = |at: Option<u64>| at.map(|at| now_s().saturating_sub(at));
    let is_fresh = |at| age_s(at).is_some_and(|age| age <= patience_s);
    let events_are_fresh = desk.events.is_none() || is_fresh(health.events_confirmed_s);
    let is_ready = is_fresh(health.confirmed_s)
        && events_are_fresh
        && !health.is_unreleased
        && health.restored.is_none();
    let told = |at| match age_s(at) {
        Some(age) => format!("{age} s ago"),
        None => "not since the start".to_owned(),
    };
    let mut words = format!("leaves: {}\n", health.size);
    // Writing to a string does not fail.
    let _ = writeln!(words, "quorum of witnesses: {}", told(health.confirmed_s));
    if desk.events.is_some() {
        let (events, quorum) = (health.events, told(health.events_confirmed_s));
        let _ = writeln!(words, "events: {events}\nquorum of witnesses: {quorum}");
    }
    if health.is_unreleased {
        words.push_str("the last epoch waits for its quorum\n");
    }
    if let Some(what) = &health.restored {
        let _ = writeln!(words, "publishing has ended: {what}");
    }
    if let Some(trouble) = &health.trouble {
        let _ = writeln!(words, "last trouble: {trouble}");
    }
    plain(if is_ready { 200 } else { 503 }, TEXT, words)
}
