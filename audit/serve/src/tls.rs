//! The publishing door: TLS in which both ends show a certificate.

use crate::{error::ServeError, files};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use strongroom_manifest::Hex;
use strongroom_wire::digest::sha256;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Who may publish, and as whom this auditor shows itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// This auditor's certificate and those between it and its CA, in PEM.
    pub certificate_file: PathBuf,
    /// Its private key, in PEM. Mode 600.
    pub key_file: PathBuf,
    /// Certificates, in PEM, that publishers' certificates are signed by. A publisher's own,
    /// self-signed one may stand here.
    pub client_ca_file: PathBuf,
    /// SHA-256 of the publishers' certificates (DER). If there are any, no other is let in, whoever
    /// signed it.
    #[serde(default)]
    pub client_certificates_sha256: Vec<Hex<32>>,
}

/// Lets in whom the configuration names.
pub(crate) struct Doorkeeper {
    acceptor: TlsAcceptor,
    pins: Vec<[u8; 32]>,
}

impl TlsConfig {
    pub(crate) fn anchor(&mut self, base: &Path) {
        files::anchor(base, &mut self.certificate_file);
        files::anchor(base, &mut self.key_file);
        files::anchor(base, &mut self.client_ca_file);
    }
}

impl Doorkeeper {
    pub(crate) fn new(config: &TlsConfig) -> Result<Self, ServeError> {
        let wrong = |what: String| ServeError::Setting(format!("publish.tls: {what}"));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&config.client_ca_file)? {
            roots.add(certificate).map_err(|error| ServeError::Content {
                path: config.client_ca_file.clone(),
                what: error.to_string(),
            })?;
        }
        // Nobody is let in without a certificate: that is this builder's default.
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| wrong(error.to_string()))?;
        let key = files::read_secret(&config.key_file)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| ServeError::Content {
            path: config.key_file.clone(),
            what: "expected a private key in PEM".to_owned(),
        })?;
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(&config.certificate_file)?, key)
            .map_err(|error| wrong(error.to_string()))?;
        let pins = config.client_certificates_sha256.iter().map(|pin| pin.0).collect();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(tls)), pins })
    }

    /// Completes the handshake with a publisher that is one.
    pub(crate) async fn admit(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let stream = self.acceptor.accept(stream).await.map_err(|error| error.to_string())?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let shown = shown.ok_or("no certificate")?;
        let digest = sha256(shown);
        if self.pins.is_empty() || self.pins.contains(&digest) {
            Ok(stream)
        } else {
            Err(format!("certificate {} is not pinned", hex::encode(digest)))
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let pem = files::read(path)?;
    let content = |what: String| ServeError::Content { path: path.to_owned(), what };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(content("expected a certificate in PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(content(error.to_string())),
    }
}
