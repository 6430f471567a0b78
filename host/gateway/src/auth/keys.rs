//! An issuer's keys (RFC 7517), each tied to one algorithm before any token is seen.

use crate::config::JwtAlgorithm;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;

/// The largest key set that is read.
pub(crate) const KEY_SET_LEN_MAX: usize = 64 * 1_024;
const KEYS_MAX: usize = 64;
/// RFC 7518 §3.2: at least as long as the hash.
const SECRET_LEN_MIN: usize = 32;
/// RFC 7518 §3.3: 2,048 bits.
const MODULUS_LEN_MIN: usize = 256;

#[derive(Deserialize)]
struct File {
    keys: Vec<serde_json::Value>,
}

/// One key and the one algorithm that it is used with.
///
/// Algorithm confusion needs a key whose algorithm the *token* chooses: an RSA public key, which
/// everybody has, taken for an HMAC secret. Here the key's own type decides.
pub(crate) struct IssuerKey {
    kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

/// The keys of one issuer that can be used.
pub(crate) struct KeySet {
    keys: Vec<IssuerKey>,
    has_secrets: bool,
}

impl KeySet {
    /// Reads a key set and keeps what it can use: other keys may be there for other purposes.
    ///
    /// `public` says that the set was fetched from where anybody can fetch it; a shared secret in
    /// such a set is none.
    pub(crate) fn parse(
        bytes: &[u8],
        public: bool,
        allowed: &[JwtAlgorithm],
    ) -> Result<Self, &'static str> {
        if bytes.len() > KEY_SET_LEN_MAX {
            return Err("the key set is longer than 65536 bytes");
        }
        let file: File = serde_json::from_slice(bytes).map_err(|_| "not a JSON Web Key Set")?;
        if file.keys.len() > KEYS_MAX {
            return Err("more than 64 keys");
        }
        let jwks: Vec<Jwk> =
            file.keys.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect();
        let is_secret = |jwk: &Jwk| matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
        if public && jwks.iter().any(is_secret) {
            return Err("a shared secret in a public key set");
        }
        let keys: Vec<IssuerKey> = jwks.iter().filter_map(|jwk| usable(jwk, allowed)).collect();
        if keys.is_empty() {
            return Err("no key for any of the configured algorithms");
        }
        Ok(Self { keys, has_secrets: jwks.iter().any(is_secret) })
    }

    /// Whether the set holds shared secrets, so that its file must be private.
    pub(crate) fn has_secrets(&self) -> bool {
        self.has_secrets
    }

    /// The key of a token's header. A token without `kid` is served by an only key, and no other.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&IssuerKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid)
        });
        let first = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then_some(first)
    }
}

/// The key with its algorithm, if it is for signatures, long enough and of a configured kind.
fn usable(jwk: &Jwk, allowed: &[JwtAlgorithm]) -> Option<IssuerKey> {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let (own, algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(secret) if bytes(&secret.value)?.len() >= SECRET_LEN_MIN => {
            (JwtAlgorithm::HS256, Algorithm::HS256, KeyAlgorithm::HS256)
        }
        AlgorithmParameters::RSA(rsa) if bytes(&rsa.n)?.len() >= MODULUS_LEN_MIN => {
            (JwtAlgorithm::RS256, Algorithm::RS256, KeyAlgorithm::RS256)
        }
        AlgorithmParameters::OctetKeyPair(pair)
            if pair.curve == EllipticCurve::Ed25519 && bytes(&pair.x)?.len() == 32 =>
        {
            (JwtAlgorithm::EdDSA, Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let purpose = &jwk.common;
    let is_for_signatures = matches!(purpose.public_key_use, None | Some(PublicKeyUse::Signature))
        && purpose
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_named_so = purpose.key_algorithm.is_none_or(|name| name == named);
    if !allowed.contains(&own) || !is_for_signatures || !is_named_so {
        return None;
    }
    Some(IssuerKey {
        kid: purpose.key_id.clone(),
        algorithm,
        key: DecodingKey::from_jwk(jwk).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [JwtAlgorithm; 3] = [JwtAlgorithm::HS256, JwtAlgorithm::RS256, JwtAlgorithm::EdDSA];

    fn set(keys: &str) -> Vec<u8> {
        format!("{{\"keys\":[{keys}]}}").into_bytes()
    }

    fn secret(kid: &str, len: usize) -> String {
        let value = URL_SAFE_NO_PAD.encode(vec![7; len]);
        format!("{{\"kty\":\"oct\",\"kid\":\"{kid}\",\"k\":\"{value}\"}}")
    }

    #[test]
    fn a_secret_in_a_public_set_is_refused() {
        let bytes = set(&secret("a", 32));
        assert!(KeySet::parse(&bytes, false, &ALL).is_ok_and(|set| set.has_secrets()));
        assert!(KeySet::parse(&bytes, true, &ALL).is_err());
    }

    #[test]
    fn short_secrets_and_moduli_are_no_keys() {
        assert!(KeySet::parse(&set(&secret("a", 31)), false, &ALL).is_err());
        let n = URL_SAFE_NO_PAD.encode([0xc5; 128]);
        let rsa = format!("{{\"kty\":\"RSA\",\"n\":\"{n}\",\"e\":\"AQAB\"}}");
        assert!(KeySet::parse(&set(&rsa), true, &ALL).is_err());
    }

    #[test]
    fn keys_of_other_purposes_are_passed_over() {
        let good = secret("a", 32);
        let encryption = secret("b", 32).replace("\"kty\"", "\"use\":\"enc\",\"kty\"");
        let foreign = "{\"kty\":\"LATTICE\",\"kid\":\"c\"}";
        let set = KeySet::parse(&set(&format!("{foreign},{encryption},{good}")), false, &ALL)
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(set.find(Some("a"), Algorithm::HS256).is_some());
        assert!(set.find(Some("b"), Algorithm::HS256).is_none());
    }

    #[test]
    fn a_token_without_kid_fits_an_only_key_and_no_other() {
        let one = KeySet::parse(&set(&secret("a", 32)), false, &ALL);
        assert!(one.is_ok_and(|set| set.find(None, Algorithm::HS256).is_some()));
        let two = set(&format!("{},{}", secret("a", 32), secret("b", 32)));
        let two = KeySet::parse(&two, false, &ALL);
        assert!(two.is_ok_and(|set| set.find(None, Algorithm::HS256).is_none()));
    }
}
