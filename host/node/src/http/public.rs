//! For gateways and monitoring.

use super::{body, problem::Problem};
use crate::{relay::Relay, vitals::Vitals};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::sync::Arc;
use strongroom_wire::relay::{RELAY_REQUEST_LEN, RelayRequest};

#[derive(Clone)]
struct Shared {
    vitals: Arc<Vitals>,
    relay: Arc<Relay>,
}

/// `POST /v1/relay`, `GET /livez`, `/readyz`, `/metrics`, `/v1/health`.
pub(crate) fn router(vitals: Arc<Vitals>, relay: Arc<Relay>) -> Router {
    Router::new()
        .route("/v1/relay", post(relay_request))
        .route("/v1/health", get(health))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { Problem::not_found() })
        .with_state(Shared { vitals, relay })
}

async fn relay_request(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    body::is_octets(&headers)?;
    let bytes = body::read(body, RELAY_REQUEST_LEN).await?;
    let request = RelayRequest::from_bytes(&bytes)
        .map_err(|e| Problem::malformed(StatusCode::BAD_REQUEST, e.to_string()))?;
    let reply = shared.relay.ask(request).await;
    Ok(body::answer(body::OCTETS, reply))
}

async fn ready(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    match shared.vitals.not_ready() {
        None => Ok("ready\n"),
        Some(why) => Err(Problem::not_ready(why)),
    }
}

async fn health(State(shared): State<Shared>) -> Response {
    Json(shared.vitals.report()).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let text = shared.vitals.metrics_text();
    body::answer("text/plain; version=0.0.4; charset=utf-8", text)
}
