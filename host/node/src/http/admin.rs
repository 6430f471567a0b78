//! For ceremonies, on loopback. Signatures inside the statements are what the vault believes; this
//! door asks for none, since what it can do by itself is to freeze this one node.

use super::{body, problem::Problem};
use crate::vitals::{Vitals, Word};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use std::{sync::Arc, time::Duration};
use strongroom_wire::{caps, codec::Blob, process::ToVault, start::SignedStart};
use tokio::sync::{Mutex, mpsc};

const PATIENCE: Duration = Duration::from_secs(10);
/// How long a vault that is already in the era may take to refuse a statement.
const REFUSAL: Duration = Duration::from_millis(500);
const WORDS_MAX: usize = 64;

#[derive(Clone)]
struct Shared {
    vitals: Arc<Vitals>,
    /// One ceremony at a time: the vault's words do not say whom they answer.
    turn: Arc<Mutex<()>>,
}

/// `POST /v1/position` and `POST /v1/start`.
pub(crate) fn router(vitals: Arc<Vitals>) -> Router {
    let turn = Arc::default();
    Router::new()
        .route("/v1/position", post(position))
        .route("/v1/start", post(start))
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn(no_browser))
        .with_state(Shared { vitals, turn })
}

/// A web page in a browser on this machine reaches loopback, too, and could freeze the node: every
/// browser says where a POST comes from, and nobody else does.
async fn no_browser(request: Request, next: Next) -> Result<Response, Problem> {
    if request.headers().contains_key(header::ORIGIN) {
        return Err(Problem::forbidden());
    }
    Ok(next.run(request).await)
}

/// Hears what the vault says to a ceremony, for as long as it lives.
struct Ear {
    vitals: Arc<Vitals>,
    words: mpsc::Receiver<Word>,
}

impl Ear {
    fn new(vitals: &Arc<Vitals>) -> Self {
        let (sender, words) = mpsc::channel(WORDS_MAX);
        vitals.listen(Some(sender));
        let vitals = Arc::clone(vitals);
        Self { vitals, words }
    }

    /// The first word for which `pick` has an answer.
    async fn hear<T>(&mut self, patience: Duration, pick: impl Fn(Word) -> Option<T>) -> Option<T> {
        let heard = tokio::time::timeout(patience, async {
            loop {
                if let Some(answer) = pick(self.words.recv().await?) {
                    return Some(answer);
                }
            }
        });
        heard.await.ok().flatten()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.vitals.listen(None);
    }
}

async fn say(vitals: &Vitals, message: ToVault) -> Result<(), Problem> {
    let gone = || Problem::not_ready("the vault is not running".to_owned());
    let port = vitals.port().ok_or_else(gone)?;
    port.control.send(message).await.map_err(|_| gone())
}

async fn position(State(shared): State<Shared>) -> Result<Response, Problem> {
    let _turn = shared.turn.lock().await;
    let mut ear = Ear::new(&shared.vitals);
    say(&shared.vitals, ToVault::Position {}).await?;
    let pick = |word| match word {
        Word::Position(bytes) => Some(Ok(bytes)),
        Word::Refused(reason) => Some(Err(Problem::refused(reason))),
        Word::Era(_) => None,
    };
    let answer = ear.hear(PATIENCE, pick).await;
    let bytes = answer.unwrap_or_else(|| Err(Problem::silent()))?;
    tracing::warn!("the vault gave its position and is frozen until a start statement");
    Ok(body::answer(body::OCTETS, bytes))
}

async fn start(State(shared): State<Shared>, body: Body) -> Result<StatusCode, Problem> {
    let bytes = body::read(body, caps::START_LEN_MAX).await?;
    let era = SignedStart::from_bytes(&bytes)
        .map_err(|e| Problem::malformed(StatusCode::BAD_REQUEST, e.to_string()))?
        .start
        .era;
    let _turn = shared.turn.lock().await;
    let mut ear = Ear::new(&shared.vitals);
    let known = shared.vitals.era().unwrap_or(0);
    let bytes = Blob(bytes);
    say(&shared.vitals, ToVault::Start { bytes }).await?;
    // A vault says that it refuses; that it follows shows in its era. One that is in that era
    // already was given the same statement before, unless it says otherwise.
    let (patience, silence) =
        if known >= era { (REFUSAL, Ok(())) } else { (PATIENCE, Err(Problem::silent())) };
    let pick = |word| match word {
        Word::Refused(reason) => Some(Err(Problem::refused(reason))),
        Word::Era(now) if known < era && now >= era => Some(Ok(())),
        _ => None,
    };
    let answer = ear.hear(patience, pick).await;
    answer.unwrap_or(silence)?;
    tracing::warn!(era, "the vault follows a start statement");
    Ok(StatusCode::NO_CONTENT)
}
