//! The addresses: one to send frames to, and those that machines watch.

use crate::{
    address,
    gateway::Parts,
    limits::Wait,
    problem::{Code, Problem, REQUEST_ID},
    server::Peer,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use strongroom_wire::{caps::REQUEST_FRAME_LEN, request::Verb};
use tokio::time::Instant;

const OCTETS: &str = "application/octet-stream";
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn router(parts: Arc<Parts>) -> Router {
    Router::new()
        .route("/v1/requests/{verb}", post(request))
        .route("/v1/manifest", get(manifest))
        .route("/v1/bundle", get(bundle))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || {
            Problem::new(Code::NotFound, "see the gateway's list of addresses")
                .into_response(&new_request_id())
        })
        .method_not_allowed_fallback(async || {
            Problem::new(Code::NotFound, "this address does not take this method")
                .status(StatusCode::METHOD_NOT_ALLOWED)
                .into_response(&new_request_id())
        })
        .with_state(parts)
}

/// Ours, always: a name that a caller chose could carry who the caller is into the log.
fn new_request_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness no ticket can be made either; the name alone need not be unique then.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}

async fn request(
    State(parts): State<Arc<Parts>>,
    Path(verb): Path<String>,
    request: Request,
) -> Response {
    let (began, request_id) = (Instant::now(), new_request_id());
    let verb = Verb::from_name(&verb);
    let mut tries = 0;
    let result = relayed(&parts, verb, request, &mut tries).await;
    let outcome = result.as_ref().map_or_else(|p| p.code.name(), |_| "answer");
    let verb = verb.map_or("none", Verb::name);
    parts.metrics.request(verb, outcome, began.elapsed());
    tracing::info!(
        request_id,
        verb,
        outcome,
        tries,
        elapsed_ms = began.elapsed().as_millis(),
        "request"
    );
    let mut response = match result {
        Ok(frame) => octets(frame),
        Err(problem) => problem.into_response(&request_id),
    };
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    parts.bundles.name_in(response.headers_mut());
    response
}

/// From the door to the nodes, cheapest check first: address, token, account, shape, room.
async fn relayed(
    parts: &Parts,
    verb: Option<Verb>,
    request: Request,
    tries: &mut usize,
) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    admit_address(parts, &head.headers, head.extensions.get::<Peer>())?;
    let account = parts.auth.account(&head.headers).await.map_err(|refusal| {
        parts.metrics.refused(refusal.kind());
        Problem::from(refusal)
    })?;
    parts.limits.account(&account).map_err(|wait| limited(parts, "account", wait))?;
    let verb = verb.ok_or_else(|| Problem::new(Code::NotFound, "there is no such verb"))?;
    let frame = frame_of(&head.headers, body).await?;
    let claim = parts.relay.mint.claim(&account, verb, &frame);
    if !parts.fleet.slots.contains(claim.slot.as_bytes()) {
        let detail = "this user's slot is in another fleet's range";
        return Err(Problem::new(Code::TicketRefused, detail));
    }
    // Held until the answer, and dropped with this future when the caller goes away.
    let _place = parts.limits.enter().ok_or_else(|| {
        parts.metrics.refused("in_flight");
        Problem::new(Code::Busy, "the gateway has no room for another request")
            .after(Duration::from_secs(1))
    })?;
    let may_hedge = parts.limits.has_room_to_hedge();
    let relayed = parts.relay.send(claim, frame, may_hedge).await;
    *tries = relayed.tries;
    relayed.result
}

fn admit_address(parts: &Parts, headers: &HeaderMap, peer: Option<&Peer>) -> Result<(), Problem> {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let caller = address::caller(peer, headers, &parts.trusted_proxies);
    parts.limits.address(caller).map_err(|wait| limited(parts, "address", wait))
}

fn limited(parts: &Parts, by: &'static str, wait: Wait) -> Problem {
    parts.metrics.refused(by);
    Problem::new(Code::Limited, format!("too many requests of one {by}")).after(wait.0)
}

/// Exactly one frame.
async fn frame_of(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let malformed = |status, detail: String| Problem::new(Code::Malformed, detail).status(status);
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(OCTETS)) {
        let detail = format!("expected content-type {OCTETS}");
        return Err(malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let read = Limited::new(body, REQUEST_FRAME_LEN).collect();
    let read = tokio::time::timeout(BODY_TIMEOUT, read).await.map_err(|_| {
        let detail = "the frame did not arrive in time".to_owned();
        malformed(StatusCode::REQUEST_TIMEOUT, detail)
    })?;
    let frame = read
        .map_err(|e| {
            if e.is::<LengthLimitError>() {
                let detail = format!("more than the {REQUEST_FRAME_LEN} bytes of a frame");
                malformed(StatusCode::PAYLOAD_TOO_LARGE, detail)
            } else {
                malformed(StatusCode::BAD_REQUEST, "the frame is incomplete".to_owned())
            }
        })?
        .to_bytes();
    if frame.len() != REQUEST_FRAME_LEN {
        let detail = format!("{} bytes, expected {REQUEST_FRAME_LEN}", frame.len());
        return Err(malformed(StatusCode::BAD_REQUEST, detail));
    }
    Ok(frame)
}

fn octets(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The manifest, byte for byte. A client believes it for its pin or its signatures, not for us.
async fn manifest(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    if let Err(problem) = admit_address(&parts, &head.headers, head.extensions.get::<Peer>()) {
        return problem.into_response(&new_request_id());
    }
    let mut response = Response::new(Body::from(parts.manifest.clone()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The auditor's bundle, byte for byte. A client believes it for its signatures, not for us.
async fn bundle(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    admit_address(&parts, &head.headers, head.extensions.get::<Peer>())
        .and_then(|()| parts.bundles.answer(&head.headers))
        .unwrap_or_else(|problem| problem.into_response(&new_request_id()))
}

/// This process runs.
async fn livez() -> Response {
    text(StatusCode::OK, "live\n".to_owned())
}

/// A request that came now could be answered: somebody can be admitted, and a node is ready.
async fn readyz(State(parts): State<Arc<Parts>>) -> Response {
    let (ready, nodes) = (parts.nodes.ready_count(), parts.nodes.len());
    let has_keys = parts.auth.is_ready();
    let status =
        if ready > 0 && has_keys { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let keys = if has_keys { "at hand" } else { "missing" };
    let words = format!("nodes ready: {ready} of {nodes}\nissuer's keys: {keys}\n");
    text(status, words)
}

async fn metrics(State(parts): State<Arc<Parts>>) -> Response {
    let in_flight = parts.limits.in_flight();
    let body = parts.metrics.render(in_flight, parts.nodes.readiness());
    text(StatusCode::OK, body)
}

fn text(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
