//! Tokens of an issuer: what admits, and every way in which one must not.

mod support;

use aws_lc_rs::{
    encoding::AsDer as _,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use axum::{Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use std::{
    fs,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_gateway::{AuthConfig, Gateway, GatewayError, JwtAlgorithm, JwtConfig};
use support::{Does, World, configured, frame, slot_of, write_private};
use tokio::net::TcpListener;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "strongroom";
const SECRET: [u8; 32] = [8; 32];

static RSA: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("key pair"));

fn ed() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Who signs a token.
#[derive(Clone, Copy)]
enum By<'a> {
    Hmac(&'a [u8]),
    Rsa,
    Ed,
    OtherEd,
    Nobody,
}

fn sign(by: By<'_>, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = match by {
        By::Hmac(secret) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
        }
        By::Rsa => {
            let mut signature = vec![0; RSA.public_modulus_len()];
            let random = SystemRandom::new();
            RSA.sign(
                &aws_lc_rs::signature::RSA_PKCS1_SHA256,
                &random,
                message.as_bytes(),
                &mut signature,
            )
            .expect("sign");
            signature
        }
        By::Ed => ed().sign(message.as_bytes()).to_bytes().to_vec(),
        By::OtherEd => {
            let other = SigningKey::from_bytes(&[10; 32]);
            other.sign(message.as_bytes()).to_bytes().to_vec()
        }
        By::Nobody => Vec::new(),
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    now.as_secs()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now() + 300})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        claims.as_object_mut().expect("object").remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn ed_header() -> Value {
    json!({"alg": "EdDSA", "kid": "ed"})
}

fn jwks() -> Value {
    let rsa = RSA.public_key();
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"keys": [
        {"kty": "oct", "kid": "hs", "k": b64(&SECRET)},
        {"kty": "RSA", "kid": "rs", "alg": "RS256", "use": "sig",
         "n": b64(rsa.modulus().big_endian_without_leading_zero()),
         "e": b64(rsa.exponent().big_endian_without_leading_zero())},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(ed().verifying_key().as_bytes())},
    ]})
}

fn public_jwks() -> Value {
    let mut jwks = jwks();
    jwks["keys"].as_array_mut().expect("keys").remove(0);
    jwks
}

fn jwt_config() -> JwtConfig {
    JwtConfig {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks_file: None,
        jwks_url: None,
        account_claim: "sub".to_owned(),
        algorithms: vec![JwtAlgorithm::HS256, JwtAlgorithm::RS256, JwtAlgorithm::EdDSA],
    }
}

async fn world(change: impl FnOnce(&mut JwtConfig)) -> World {
    World::with(&[Does::Answers(1)], |config, dir| {
        let path = dir.join("jwks.json");
        write_private(&path, &jwks().to_string());
        let mut jwt = JwtConfig { jwks_file: Some(path), ..jwt_config() };
        change(&mut jwt);
        config.auth = AuthConfig::Jwt(jwt);
    })
    .await
}

async fn status(world: &World, token: &str) -> u16 {
    let reply = world.post_as(token, "status", frame()).await;
    if reply.status != 200 {
        assert_eq!(reply.summary(), "unauthenticated none never");
    }
    reply.status.as_u16()
}

#[tokio::test]
async fn each_algorithm_admits_the_account_that_its_token_names() {
    let world = world(|_| {}).await;
    for (by, header) in [
        (By::Hmac(&SECRET), json!({"alg": "HS256", "kid": "hs"})),
        (By::Rsa, json!({"alg": "RS256", "kid": "rs", "typ": "JWT"})),
        (By::Ed, ed_header()),
        (By::Ed, json!({"alg": "EdDSA"})),
    ] {
        assert_eq!(status(&world, &sign(by, &header, &claims())).await, 200, "{header}");
    }
    let list = with(claims(), "aud", json!(["other", AUDIENCE]));
    assert_eq!(status(&world, &sign(By::Ed, &ed_header(), &list)).await, 200);
    for tried in world.tries() {
        assert_eq!(world.fleet.open(&tried).slot, slot_of("alice"));
    }
}

#[tokio::test]
async fn a_public_key_does_not_serve_as_a_secret() {
    let world = world(|_| {}).await;
    let der = RSA.public_key().as_der().expect("der");
    let n = URL_SAFE_NO_PAD.encode(RSA.public_key().modulus().big_endian_without_leading_zero());
    for secret in [der.as_ref(), n.as_bytes(), ed().verifying_key().as_bytes()] {
        for kid in ["rs", "ed", "hs"] {
            let header = json!({"alg": "HS256", "kid": kid});
            let token = sign(By::Hmac(secret), &header, &claims());
            assert_eq!(status(&world, &token).await, 401, "{kid}");
        }
    }
}

#[tokio::test]
async fn forged_unsigned_and_foreign_tokens_are_refused() {
    let world = world(|_| {}).await;
    let good = sign(By::Ed, &ed_header(), &claims());
    let (message, signature) = good.rsplit_once('.').expect("parts");
    let bob = sign(By::Ed, &ed_header(), &with(claims(), "sub", json!("bob")));
    let (bobs, _) = bob.rsplit_once('.').expect("parts");
    let cases = [
        ("none", sign(By::Nobody, &json!({"alg": "none"}), &claims())),
        ("None", sign(By::Nobody, &json!({"alg": "None", "kid": "ed"}), &claims())),
        ("no signature", format!("{message}.")),
        ("no third part", message.to_owned()),
        ("another's signature", format!("{bobs}.{signature}")),
        ("another key", sign(By::OtherEd, &ed_header(), &claims())),
        ("wrong kid", sign(By::Ed, &json!({"alg": "EdDSA", "kid": "rs"}), &claims())),
        ("unknown kid", sign(By::Ed, &json!({"alg": "EdDSA", "kid": "x"}), &claims())),
        (
            "its own key inside",
            sign(
                By::OtherEd,
                &json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519",
                "x": URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(&[10; 32]).verifying_key().as_bytes())}}),
                &claims(),
            ),
        ),
        (
            "unknown extension",
            sign(
                By::Ed,
                &json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false}),
                &claims(),
            ),
        ),
        (
            "another algorithm",
            sign(By::Hmac(&SECRET), &json!({"alg": "HS512", "kid": "hs"}), &claims()),
        ),
        ("nonsense", "a.b.c".to_owned()),
    ];
    for (what, token) in cases {
        assert_eq!(status(&world, &token).await, 401, "{what}");
    }
    assert!(world.tries().is_empty());
}

#[tokio::test]
async fn claims_outside_their_time_or_purpose_are_refused() {
    let world = world(|_| {}).await;
    let cases = [
        ("exp", json!(now() - 60)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(now() + 120)),
        ("nbf", json!("never")),
        ("iss", json!("https://other.example")),
        ("iss", json!([ISSUER, "https://other.example"])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("x".repeat(400))),
    ];
    for (name, value) in cases {
        let what = format!("{name} {value}");
        let token = sign(By::Ed, &ed_header(), &with(claims(), name, value));
        assert_eq!(status(&world, &token).await, 401, "{what}");
    }
    assert!(world.tries().is_empty());
}

#[tokio::test]
async fn only_configured_algorithms_count() {
    let world = world(|jwt| jwt.algorithms = vec![JwtAlgorithm::RS256]).await;
    assert_eq!(status(&world, &sign(By::Ed, &ed_header(), &claims())).await, 401);
    let header = json!({"alg": "RS256", "kid": "rs"});
    assert_eq!(status(&world, &sign(By::Rsa, &header, &claims())).await, 200);
}

#[tokio::test]
async fn an_email_counts_only_when_it_is_verified() {
    let world = world(|jwt| jwt.account_claim = "email".to_owned()).await;
    let mail = with(claims(), "email", json!("alice@example.org"));
    for (verified, expected) in
        [(Value::Null, 401), (json!(false), 401), (json!("true"), 401), (json!(true), 200)]
    {
        let token = sign(By::Ed, &ed_header(), &with(mail.clone(), "email_verified", verified));
        assert_eq!(status(&world, &token).await, expected);
    }
}

#[tokio::test]
async fn keys_come_from_the_issuers_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/keys", listener.local_addr().expect("address"));
    let body = public_jwks().to_string();
    let router = Router::new().route("/keys", get(async move || body));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = world(|jwt| {
        jwt.jwks_file = None;
        jwt.jwks_url = Some(url);
    })
    .await;
    assert_eq!(status(&world, &sign(By::Ed, &ed_header(), &claims())).await, 200);
    let unknown = json!({"alg": "EdDSA", "kid": "new"});
    assert_eq!(status(&world, &sign(By::Ed, &unknown, &claims())).await, 401);
}

#[tokio::test]
async fn while_the_issuer_is_down_the_gateway_is_not_ready_and_admits_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/keys", listener.local_addr().expect("address"));
    drop(listener);
    let world = world(|jwt| {
        jwt.jwks_file = None;
        jwt.jwks_url = Some(url);
    })
    .await;
    assert_eq!(world.get("/readyz").await.status, 503);
    let token = sign(By::Ed, &ed_header(), &claims());
    let reply = world.post_as(&token, "status", frame()).await;
    assert_eq!(reply.summary(), "issuer_unavailable none after");
    assert_eq!(reply.status, 503);
}

async fn refusal(change: impl FnOnce(&mut JwtConfig)) -> GatewayError {
    let (dir, _fleet, mut config) = configured(1);
    let path = dir.path().join("jwks.json");
    fs::write(&path, jwks().to_string()).expect("write");
    let mut jwt = JwtConfig { jwks_file: Some(path), ..jwt_config() };
    change(&mut jwt);
    config.auth = AuthConfig::Jwt(jwt);
    Gateway::new(config).await.err().expect("refused")
}

#[tokio::test]
async fn keys_from_where_others_could_write_or_read_them_are_refused() {
    let error = refusal(|_| {}).await;
    assert!(matches!(error, GatewayError::Readable { .. }), "{error}");
    for url in ["http://issuer.example/keys", "ftp://issuer.example/keys", "keys"] {
        let error = refusal(|jwt| {
            jwt.jwks_file = None;
            jwt.jwks_url = Some(url.to_owned());
        })
        .await;
        assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    }
    let error = refusal(|jwt| jwt.jwks_url = Some("https://issuer.example".to_owned())).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    let error = refusal(|jwt| jwt.algorithms.clear()).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
}
