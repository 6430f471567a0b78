//! Who a user is: by the app's issuer, or by a users file in development.
//!
//! Whoever passes leaves with an account hash; the name stays here.

mod issuer;
mod jwt;
mod keys;
mod users;

use crate::{
    config::AuthConfig,
    error::GatewayError,
    problem::{Code, Problem},
};
use axum::http::{HeaderMap, header};
use std::{sync::Arc, time::Duration};
use strongroom_wire::AccountHash;

/// Longer than any token of a sane issuer; header caps of the server come on top.
const TOKEN_LEN_MAX: usize = 8 * 1_024;

/// Why a token was refused. Its words reach the caller: they name a rule, never a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No bearer token, or more than one.
    Missing,
    /// Not a token, or not signed by a key that counts.
    Untrusted(&'static str),
    /// A good signature over claims that do not admit.
    Claim(&'static str),
    /// The issuer's keys are not at hand, so nobody can be admitted.
    NoKeys,
}

impl Refusal {
    /// A word for metrics.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Untrusted(_) => "untrusted",
            Self::Claim(_) => "claim",
            Self::NoKeys => "no_keys",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::new(
                Code::Unauthenticated,
                "expected one header `Authorization: Bearer <token>`",
            ),
            Refusal::Untrusted(what) | Refusal::Claim(what) => {
                Self::new(Code::Unauthenticated, what)
            }
            Refusal::NoKeys => Self::new(
                Code::IssuerUnavailable,
                "the gateway holds no fresh keys of the issuer, so it can admit nobody",
            )
            .after(Duration::from_secs(10)),
        }
    }
}

/// The configured way to tell who a user is.
pub(crate) enum Authenticator {
    Jwt(Arc<jwt::Jwt>),
    Users(users::Users),
}

impl Authenticator {
    pub(crate) async fn new(config: &AuthConfig) -> Result<Self, GatewayError> {
        match config {
            AuthConfig::Jwt(jwt) => Ok(Self::Jwt(Arc::new(jwt::Jwt::new(jwt).await?))),
            AuthConfig::Users { users_file } => {
                users::Users::open(users_file.clone()).map(Self::Users)
            }
        }
    }

    /// The account that the request's token stands for.
    pub(crate) async fn account(&self, headers: &HeaderMap) -> Result<AccountHash, Refusal> {
        let token = bearer(headers)?;
        match self {
            Self::Jwt(jwt) => jwt.account(token).await,
            Self::Users(users) => users.account(token),
        }
    }

    /// Whether anybody could be admitted now.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Jwt(jwt) => jwt.is_ready(),
            Self::Users(_) => true,
        }
    }

    /// Keeps the issuer's keys fresh; ends at once where there are none.
    pub(crate) fn keep_fresh(&self) -> impl Future<Output = ()> + Send + 'static {
        let jwt = match self {
            Self::Jwt(jwt) => Some(Arc::clone(jwt)),
            Self::Users(_) => None,
        };
        async move {
            if let Some(jwt) = jwt {
                jwt.keep_fresh().await;
            }
        }
    }
}

/// The one bearer token (RFC 6750 §2.1). Two `Authorization` headers are a smuggling attempt.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Missing);
    };
    let text = value.to_str().map_err(|_| Refusal::Missing)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::Missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::Missing);
    }
    if token.len() > TOKEN_LEN_MAX {
        return Err(Refusal::Untrusted("the token is too long"));
    }
    Ok(token)
}
