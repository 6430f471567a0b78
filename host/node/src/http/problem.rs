//! Errors as RFC 9457 documents.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What went wrong before a vault answered. None of these cost an attempt: a request that reached
/// a vault gets a relay reply, never a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    retry: &'static str,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    retry: &'a str,
    cost: &'a str,
}

impl Problem {
    pub(super) fn malformed(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: "malformed",
            title: "the request is not well formed",
            detail: detail.into(),
            retry: "never",
        }
    }

    pub(super) fn not_found() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "not_found",
            title: "there is nothing at this address",
            detail: "see the specification of hosts for what there is".to_owned(),
            retry: "never",
        }
    }

    pub(super) fn not_ready(detail: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "not_ready",
            title: "this node could not serve an attempt now",
            detail,
            retry: "after",
        }
    }

    pub(super) fn refused(detail: String) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            code: "refused",
            title: "the vault refused",
            detail,
            retry: "never",
        }
    }

    pub(super) fn silent() -> Self {
        Self {
            status: StatusCode::GATEWAY_TIMEOUT,
            code: "timeout",
            title: "the vault did not answer in time",
            detail: "whether it took the statement shows in /v1/health".to_owned(),
            retry: "after",
        }
    }

    pub(super) fn forbidden() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "forbidden",
            title: "no browser may ask for this",
            detail: "the request carries an Origin header".to_owned(),
            retry: "never",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: format!("urn:strongroom:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            retry: self.retry,
            cost: "none",
        };
        // Strings and numbers always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
