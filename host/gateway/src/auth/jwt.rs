//! Signed tokens of the app's issuer (RFC 7519, RFC 8725).

use super::{Refusal, issuer::Issuer, keys::IssuerKey};
use crate::{
    account,
    config::{JwtAlgorithm, JwtConfig},
    error::GatewayError,
};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde_json::{Map, Value};
use strongroom_wire::AccountHash;

/// How far the issuer's clock may be from ours.
const LEEWAY_S: u64 = 30;

/// Checks tokens of one issuer for one audience.
pub(crate) struct Jwt {
    issuer: Issuer,
    name: String,
    audience: String,
    account_claim: String,
    algorithms: Vec<Algorithm>,
}

impl Jwt {
    pub(crate) async fn new(config: &JwtConfig) -> Result<Self, GatewayError> {
        let setting = |what: &str| GatewayError::Setting(what.to_owned());
        if config.algorithms.is_empty() {
            return Err(setting("auth.algorithms: at least one is needed"));
        }
        if config.issuer.is_empty() || config.audience.is_empty() {
            return Err(setting("auth: issuer and audience must not be empty"));
        }
        Ok(Self {
            issuer: Issuer::open(config).await?,
            name: config.issuer.clone(),
            audience: config.audience.clone(),
            account_claim: config.account_claim.clone(),
            algorithms: config.algorithms.iter().copied().map(library).collect(),
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.issuer.keys().is_some()
    }

    pub(crate) async fn keep_fresh(&self) {
        self.issuer.keep_fresh().await;
    }

    /// The account that a token stands for.
    pub(crate) async fn account(&self, token: &str) -> Result<AccountHash, Refusal> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Refusal::Untrusted("not a signed token of a known algorithm"))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Refusal::Untrusted("the token's algorithm is not accepted"));
        }
        // RFC 7515 §4.1.11: an extension that we do not know and must understand.
        if header.crit.is_some() {
            return Err(Refusal::Untrusted("the token needs an unknown extension"));
        }
        let kid = header.kid.as_deref();
        let held = self.issuer.keys();
        let fits = held.as_ref().is_some_and(|keys| keys.find(kid, header.alg).is_some());
        let keys = if fits { held } else { self.issuer.newer_keys().await.or(held) };
        let keys = keys.ok_or(Refusal::NoKeys)?;
        let key = keys
            .find(kid, header.alg)
            .ok_or(Refusal::Untrusted("the token's key is none of the issuer's"))?;
        let claims = self.claims(token, key)?;
        self.account_of(&claims)
    }

    fn claims(&self, token: &str, key: &IssuerKey) -> Result<Map<String, Value>, Refusal> {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.name]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation)
            .map_err(|e| refusal_of(e.kind()))?;
        // The library also takes a list of issuers that names ours; RFC 7519 knows one.
        if data.claims.get("iss").and_then(Value::as_str) != Some(&self.name) {
            return Err(Refusal::Claim("the token is another issuer's"));
        }
        Ok(data.claims)
    }

    fn account_of(&self, claims: &Map<String, Value>) -> Result<AccountHash, Refusal> {
        // Many issuers let a user write any address until it is confirmed (OpenID Connect §5.1).
        if self.account_claim == "email"
            && claims.get("email_verified").and_then(Value::as_bool) != Some(true)
        {
            return Err(Refusal::Claim("the token's email is not verified"));
        }
        claims
            .get(&self.account_claim)
            .and_then(Value::as_str)
            .and_then(account::hash_of)
            .ok_or(Refusal::Claim("the token's account claim is no account"))
    }
}

const fn library(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::HS256 => Algorithm::HS256,
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

fn refusal_of(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::ExpiredSignature => Refusal::Claim("the token has expired"),
        ErrorKind::ImmatureSignature => Refusal::Claim("the token is not valid yet"),
        ErrorKind::InvalidIssuer => Refusal::Claim("the token is another issuer's"),
        ErrorKind::InvalidAudience => Refusal::Claim("the token is for another audience"),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
            Refusal::Claim("the token needs exp, iss and aud")
        }
        _ => Refusal::Untrusted("the token's signature is not the issuer's"),
    }
}
