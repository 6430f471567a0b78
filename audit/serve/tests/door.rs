//! Who may publish: nobody without a certificate, and not everybody with one.

mod stage;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use stage::{Net, now_ms, operator, secret, submission, trust, world::NAMESPACE};
use std::{fs, net::SocketAddr};
use strongroom_audit_server::{ServeError, auditor};
use strongroom_publish::{Door, PublishError, TlsIdentity, publish};
use strongroom_wire::digest::sha256;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

struct Own {
    pem: String,
    der: Vec<u8>,
    key: String,
}

fn issued(ca: &Ca, name: &str) -> Own {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let made = params.signed_by(&key, ca).expect("a certificate");
    Own { pem: made.pem(), der: made.der().to_vec(), key: key.serialize_pem() }
}

fn self_signed(name: &str) -> Own {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let made = params.self_signed(&key).expect("a certificate");
    Own { pem: made.pem(), der: made.der().to_vec(), key: key.serialize_pem() }
}

fn identity(own: &Own, server_ca: &Ca) -> TlsIdentity {
    TlsIdentity {
        certificates_pem: own.pem.clone().into_bytes(),
        key_pem: own.key.clone().into_bytes(),
        roots_pem: server_ca.pem().into_bytes(),
    }
}

/// An auditor whose door believes what `clients` says, and the pins.
fn net(server_ca: &Ca, clients: &str, pins: &[&Own]) -> Net {
    let mut net = Net::new();
    let own = issued(server_ca, "localhost");
    fs::write(net.path("server.pem"), &own.pem).expect("writes");
    secret(&net.path("server.key"), own.key.as_bytes());
    fs::write(net.path("clients.pem"), clients).expect("writes");
    let pins: Vec<_> =
        pins.iter().map(|pin| format!("\"{}\"", hex::encode(sha256(&pin.der)))).collect();
    net.tls = format!(
        "[publish.tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n\
         client_ca_file = \"clients.pem\"\nclient_certificates_sha256 = [{}]\n",
        pins.join(", ")
    );
    net.start_auditor().expect("starts");
    net
}

fn published(net: &Net, identity: &TlsIdentity) -> Result<u64, PublishError> {
    let door = Door::new(&format!("https://localhost:{}", net.publish.port()), Some(identity))?;
    publish(&door, &submission(1), &operator(), &trust(), now_ms()).map(|done| done.response.epoch)
}

#[test]
fn a_certificate_of_the_configured_authority_opens_the_door() {
    let (server_ca, clients) = (ca(), ca());
    let net = net(&server_ca, &clients.pem(), &[]);
    let own = issued(&clients, "operator");
    assert_eq!(published(&net, &identity(&own, &server_ca)).expect("publishes"), 1);
}

#[test]
fn no_certificate_or_another_authoritys_is_turned_away() {
    let (server_ca, clients, others) = (ca(), ca(), ca());
    let net = net(&server_ca, &clients.pem(), &[]);
    for stranger in
        [issued(&others, "operator"), issued(&server_ca, "operator"), self_signed("operator")]
    {
        let refused = published(&net, &identity(&stranger, &server_ca)).expect_err("turned away");
        assert!(matches!(refused, PublishError::Unreachable { .. }), "{refused}");
    }
    // The same server for who shows nothing: TLS, and plain.
    let roots = ureq::tls::RootCerts::new_with_certs(&[ureq::tls::Certificate::from_pem(
        server_ca.pem().as_bytes(),
    )
    .expect("a certificate")]);
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(std::sync::Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .build();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().tls_config(tls).proxy(None).build().into();
    let url = format!("https://localhost:{}/info", net.publish.port());
    agent.get(&url).call().expect_err("turned away");
    let plain = format!("http://localhost:{}/info", net.publish.port());
    agent.get(&plain).call().expect_err("turned away");
    assert_eq!(net.get(&format!("/namespaces/{NAMESPACE}/audits/1")).status, 404);
    assert_eq!(net.get("/info").status, 200, "reading goes on");
}

#[test]
fn a_publisher_believes_only_the_auditor_whose_authority_it_pins() {
    let (server_ca, clients, others) = (ca(), ca(), ca());
    let net = net(&server_ca, &clients.pem(), &[]);
    let own = issued(&clients, "operator");
    let refused = published(&net, &identity(&own, &others)).expect_err("another server");
    assert!(matches!(refused, PublishError::Unreachable { .. }), "{refused}");
}

#[test]
fn where_certificates_are_pinned_no_other_of_the_authority_is_let_in() {
    let (server_ca, clients) = (ca(), ca());
    let (own, other) = (issued(&clients, "operator"), issued(&clients, "somebody"));
    let net = net(&server_ca, &clients.pem(), &[&own]);
    let refused = published(&net, &identity(&other, &server_ca)).expect_err("not pinned");
    assert!(matches!(refused, PublishError::Unreachable { .. }), "{refused}");
    assert_eq!(published(&net, &identity(&own, &server_ca)).expect("publishes"), 1);
}

#[test]
fn a_self_signed_certificate_can_be_pinned_by_itself() {
    let (server_ca, own) = (ca(), self_signed("operator"));
    let net = net(&server_ca, &own.pem, &[&own]);
    assert_eq!(published(&net, &identity(&own, &server_ca)).expect("publishes"), 1);
    let other = self_signed("operator");
    published(&net, &identity(&other, &server_ca)).expect_err("the same name, another key");
}

#[test]
fn a_plain_door_opens_on_loopback_only() {
    let mut net = Net::new();
    for address in ["0.0.0.0:0", "192.0.2.7:443", "[::]:0"] {
        net.publish = address.parse::<SocketAddr>().expect("an address");
        let refused = auditor::Config::load(&net.write_auditor()).map(|_| ());
        let refused = refused.expect_err("refused");
        assert!(
            matches!(&refused, ServeError::Setting(what) if what.contains("publish.tls")),
            "{refused}"
        );
        assert!(refused.is_configuration());
    }
}

#[test]
fn a_configuration_that_no_device_could_pin_is_refused() {
    let net = Net::new();
    let good = fs::read_to_string(net.write_auditor()).expect("reads");
    let refused = |text: &str| {
        fs::write(net.path("auditor.toml"), text).expect("writes");
        let loaded = auditor::Config::load(&net.path("auditor.toml"));
        loaded.and_then(|config| config.check()).expect_err("refused").to_string()
    };
    let same = good.replace("statement.key", "log.key");
    assert!(refused(&same).contains("stands in two places"), "one key for log and statements");
    let origin = good.replace("auditor.example/", "other.example/");
    assert!(refused(&origin).contains("its log is"), "{}", refused(&origin));
    let elsewhere = good.replace(&format!("/{NAMESPACE}\""), "/elsewhere\"");
    assert!(refused(&elsewhere).contains("expected <host>/"), "{}", refused(&elsewhere));
    let plain = good.replacen("http://127.0.0.1", "http://192.0.2.1", 1);
    assert!(refused(&plain).contains("expected https"), "{}", refused(&plain));
    let word = good.replace("floors = \"production\"", "floors = \"production\"\nfloor = 1");
    assert!(refused(&word).contains("unknown field"), "{}", refused(&word));
    fs::write(net.path("auditor.toml"), &good).expect("writes");
    let config = auditor::Config::load(&net.path("auditor.toml")).expect("good");
    config.check().expect("good");
    fs::set_permissions(net.path("log.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("sets");
    assert!(config.check().expect_err("readable").to_string().contains("expected 600"));
}
