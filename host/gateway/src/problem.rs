//! Errors as RFC 9457 documents: what happened, whether to try again, and what it can have cost.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use std::time::Duration;

/// The header that carries a request's name in both worlds: the caller's report and our log.
pub(crate) const REQUEST_ID: &str = "strongroom-request-id";

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    Unauthenticated,
    IssuerUnavailable,
    Limited,
    Malformed,
    NotFound,
    TicketRefused,
    NoQuorum,
    Busy,
    Timeout,
    Internal,
}

impl Code {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::IssuerUnavailable => "issuer_unavailable",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
            Self::NotFound => "not_found",
            Self::TicketRefused => "ticket_refused",
            Self::NoQuorum => "no_quorum",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Limited => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TicketRefused => StatusCode::FORBIDDEN,
            Self::IssuerUnavailable | Self::NoQuorum | Self::Busy => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unauthenticated => "the token is missing or not accepted",
            Self::IssuerUnavailable => "the issuer's keys cannot be fetched",
            Self::Limited => "too many requests",
            Self::Malformed => "the request is not well formed",
            Self::NotFound => "there is nothing at this address",
            Self::TicketRefused => "the fleet does not let this user send this request",
            Self::NoQuorum => "the fleet has no quorum",
            Self::Busy => "too many requests are under way",
            Self::Timeout => "no answer came in time",
            Self::Internal => "the gateway failed",
        }
    }

    const fn retry(self) -> Retry {
        match self {
            Self::Unauthenticated | Self::Malformed | Self::NotFound | Self::TicketRefused => {
                Retry::Never
            }
            // The vault answers the same frame again and charges it once.
            Self::Timeout => Retry::Now,
            Self::IssuerUnavailable
            | Self::Limited
            | Self::NoQuorum
            | Self::Busy
            | Self::Internal => Retry::After,
        }
    }
}

/// Whether the same frame may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Retry {
    Never,
    Now,
    After,
}

/// What a failed request can have cost. The gateway never says `charged`: only the fleet knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cost {
    /// No node can have accepted it.
    None,
    /// A node may have accepted it.
    Unknown,
}

/// One error, before it has a request's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    pub(crate) cost: Cost,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: Code,
    retry: Retry,
    cost: Cost,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Problem {
    /// A problem that cost nothing, with the usual status of its code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            cost: Cost::None,
            retry_after: None,
        }
    }

    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn cost(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    pub(crate) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response {
        let document = Document {
            r#type: format!("urn:strongroom:problem:{}", self.code.name()),
            title: self.code.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            retry: self.code.retry(),
            cost: self.cost,
            request_id,
            retry_after_ms: self.retry_after.map(whole_ms),
        };
        // Strings and numbers always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code == Code::Unauthenticated {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"strongroom\""),
            );
        }
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: a caller who obeys is not early.
            let seconds = wait.as_millis().div_ceil(1_000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}

fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
