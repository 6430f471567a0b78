//! The HTTP transport against a socket that speaks like a gateway, or does not.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use strongroom_sdk::{CarryCode, CarryError, Http, Patience, Retry, Token, Transport, carry};
use strongroom_wire::caps::{REQUEST_FRAME_LEN, RESPONSE_FRAME_LEN};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

#[path = "../../protocol/tests/mini_vault/mod.rs"]
mod mini_vault;

/// Serves one request with these bytes and returns what was asked.
async fn serve(reply: Vec<u8>) -> (String, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("accept");
        let mut asked = Vec::new();
        let end = loop {
            let mut chunk = [0; 4_096];
            let n = socket.read(&mut chunk).await.expect("read");
            asked.extend_from_slice(&chunk[..n]);
            let head = asked.windows(4).position(|w| w == b"\r\n\r\n");
            if head.is_some_and(|head| asked.len() >= head + 4 + REQUEST_FRAME_LEN) || n == 0 {
                break asked;
            }
        };
        socket.write_all(&reply).await.expect("write");
        socket.shutdown().await.expect("shutdown");
        end
    });
    (address, task)
}

fn reply(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn frame() -> strongroom_sdk::OutgoingFrame {
    let vault = mini_vault::MiniVault::new();
    let account = strongroom_sdk::Account::normalise("alice").expect("account");
    let to = strongroom_sdk::Destination::new(
        &vault.fleet.manifest,
        mini_vault::FLEET,
        mini_vault::APP,
        &account,
        &strongroom_sdk::Floors::DANGER_DEVELOPMENT,
        mini_vault::NOW_MS,
    )
    .expect("destination");
    let asked = strongroom_protocol::owner::AskBudget::ask(&to, [1; 32]);
    asked.expect("ask").1
}

#[tokio::test]
async fn a_frame_goes_to_the_verbs_address_with_the_token() {
    let answer = vec![7; RESPONSE_FRAME_LEN];
    let (address, task) = serve(reply("200 OK", "application/octet-stream", &answer)).await;
    let http = Http::new(&format!("{address}/app/"), &Token::new("t0ken")).expect("http");
    let frame = frame();
    assert_eq!(http.carry(&frame).await.expect("answer"), answer);
    let asked = task.await.expect("served");
    let text = String::from_utf8_lossy(&asked);
    assert!(text.starts_with("POST /app/v1/requests/budget HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("authorization: Bearer t0ken\r\n"));
    assert!(asked.ends_with(frame.bytes()));
}

#[tokio::test]
async fn a_problem_document_says_what_to_do() {
    let body = br#"{"type":"about:blank","title":"no quorum","status":503,"code":"no_quorum",
        "detail":"3 of 7 nodes answered, 4 are needed","retry":"after","cost":"none","request_id":"r-1"}"#;
    let (address, _task) =
        serve(reply("503 Service Unavailable", "application/problem+json", body)).await;
    let http = Http::new(&address, &Token::new("t")).expect("http");
    let error = http.carry(&frame()).await.expect_err("a problem");
    assert_eq!(error.code, CarryCode::NoQuorum);
    assert!(!error.may_have_arrived && matches!(error.retry, Retry::After(_)));
    assert_eq!(error.to_string(), "3 of 7 nodes answered, 4 are needed");
}

/// A fleet without a quorum, whose gateway says so once and is silent then.
struct Fading(AtomicU32);

impl Transport for Fading {
    async fn carry(&self, _: &strongroom_sdk::OutgoingFrame) -> Result<Vec<u8>, CarryError> {
        if self.0.fetch_add(1, SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        Err(CarryError {
            code: CarryCode::NoQuorum,
            detail: "3 of 7 nodes answered, 4 are needed".to_owned(),
            may_have_arrived: false,
            retry: Retry::Now,
            request_id: Some("r-1".to_owned()),
        })
    }
}

#[tokio::test]
async fn what_a_gateway_said_is_told_when_the_time_runs_out() {
    let ms = std::time::Duration::from_millis;
    let patience = Patience { deadline: ms(700), one_try: ms(250), tries: u32::MAX };
    let fading = Fading(AtomicU32::new(0));
    let tried = carry(&fading, &frame(), &patience).await.expect_err("no quorum");
    assert!(tried.tries > 1 && tried.reached, "{tried:?}");
    assert_eq!(tried.last.code, CarryCode::NoQuorum);
    assert_eq!(tried.to_string(), "3 of 7 nodes answered, 4 are needed");
    // The frame of a try without an answer may have arrived all the same.
    assert!(tried.may_have_arrived);
}

#[tokio::test]
async fn answers_of_another_size_or_without_end_are_not_taken() {
    for body in [vec![], vec![1; RESPONSE_FRAME_LEN - 1], vec![1; 1 << 20]] {
        let (address, _task) = serve(reply("200 OK", "application/octet-stream", &body)).await;
        let http = Http::new(&address, &Token::new("t")).expect("http");
        let error = http.carry(&frame()).await.expect_err("another size");
        assert!(error.may_have_arrived);
    }
    let (address, _task) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()).await;
    let http = Http::new(&address, &Token::new("t")).expect("http");
    assert!(http.carry(&frame()).await.expect_err("broke off").may_have_arrived);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_has_received_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let http = Http::new(&address, &Token::new("t")).expect("http");
    let error = http.carry(&frame()).await.expect_err("nobody there");
    assert_eq!(error.code, CarryCode::Unreachable);
    assert!(!error.may_have_arrived);
    assert!(error.detail.contains("refused"), "{}", error.detail);
}
