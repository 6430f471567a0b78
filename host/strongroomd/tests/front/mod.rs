//! What terminates TLS in front of a server that speaks plainly, under an authority of the test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{
    io::{Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// An authority of a test.
pub(crate) type Ca = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("issues")
}

/// A certificate for a name, and its key.
pub(crate) fn issued(ca: &Ca, name: &str) -> (rcgen::Certificate, KeyPair) {
    let own = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    (params.signed_by(&own, ca).expect("issues"), own)
}

/// What terminates TLS in front of a server: one request a connection.
pub(crate) fn front(ca: &Ca, to: SocketAddr) -> String {
    let (certificate, own) = issued(ca, "localhost");
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let own = PrivateKeyDer::try_from(own.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_no_client_auth()
    .with_single_cert(chain, own)
    .expect("a certificate");
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect("listens"));
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a connection");
                let _ = carry(StreamOwned::new(connection, client), to);
            });
        }
    });
    format!("https://localhost:{port}")
}

fn carry(
    mut client: StreamOwned<ServerConnection, TcpStream>,
    to: SocketAddr,
) -> std::io::Result<()> {
    let (head, body) = message(&mut client)?;
    let mut server = TcpStream::connect(to)?;
    server.write_all(&[&head[..], b"\r\n\r\n", &body].concat())?;
    let (head, body) = message(&mut server)?;
    client.write_all(&[&head[..], b"\r\nconnection: close\r\n\r\n", &body].concat())?;
    client.conn.send_close_notify();
    client.flush()
}

/// One request or answer: its head, and as much behind it as that says.
fn message(from: &mut impl Read) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut got, mut part) = (Vec::new(), [0; 8_192]);
    loop {
        let len = from.read(&mut part)?;
        if len == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&part[..len]);
        let Some(end) = got.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
        let wanted = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let wanted = wanted.map_or(0, |len| len.parse().expect("a number"));
        if got.len() >= end + 4 + wanted {
            return Ok((got[..end].to_vec(), got[end + 4..].to_vec()));
        }
    }
}
