//! The same frame again, until an answer comes or patience ends.

use crate::transport::{CarryCode, CarryError, Retry, Transport};
use core::fmt;
use std::time::Duration;
use strongroom_protocol::OutgoingFrame;
use tokio::time::{Instant, sleep, timeout};

/// Between two tries, unless the gateway asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For all tries of one frame.
    pub deadline: Duration,
    /// For one try.
    pub one_try: Duration,
    /// Tries of one frame, at most.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(15), one_try: Duration::from_secs(10), tries: 8 }
    }
}

/// No answer came, after all tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The last failure.
    pub last: CarryError,
    /// Whether a vault may have the frame all the same, from any of the tries.
    pub may_have_arrived: bool,
    /// Whether a gateway was reached by any of the tries.
    pub reached: bool,
    /// How often it was tried.
    pub tries: u32,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.last)
    }
}

impl std::error::Error for Unavailable {}

/// An answer, and whether an earlier try may have had the effect already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The sealed answer.
    pub answer: Vec<u8>,
    /// Whether a try before this answer's may have arrived, too.
    pub repeated: bool,
}

/// Carries one frame. A vault that sees it twice does once what it asks, and answers twice.
///
/// The way from a frame to its answer that [`crate::StrongroomClient`] takes, for programs that do
/// the rest by `strongroom-protocol` themselves.
///
/// # Errors
/// [`Unavailable`] after all tries.
pub async fn carry<T: Transport>(
    transport: &T,
    frame: &OutgoingFrame,
    patience: &Patience,
) -> Result<Carried, Unavailable> {
    let end = Instant::now() + patience.deadline;
    let (mut may_have_arrived, mut reached) = (false, false);
    let mut tries = 0;
    let mut told: Option<CarryError> = None;
    let mut pause = Duration::from_millis(100);
    loop {
        tries += 1;
        let left = end.saturating_duration_since(Instant::now());
        let tried = timeout(patience.one_try.min(left), transport.carry(frame)).await;
        let last = match tried {
            Ok(Ok(answer)) => {
                return Ok(Carried { answer, repeated: may_have_arrived });
            }
            Ok(Err(error)) => error,
            // What a gateway said of it tells more than that the time ran out.
            Err(_) => CarryError {
                may_have_arrived: true,
                retry: Retry::Now,
                ..told.clone().unwrap_or_else(too_late)
            },
        };
        if matches!(last.code, CarryCode::NoQuorum | CarryCode::Busy | CarryCode::Limited) {
            told = Some(last.clone());
        }
        may_have_arrived |= last.may_have_arrived;
        reached |= last.code != CarryCode::Unreachable;
        let wait = match last.retry {
            Retry::Never => None,
            Retry::Now => Some(pause),
            Retry::After(wait) => Some(wait.max(pause)),
        };
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
        let goes_on = |wait: &Duration| tries < patience.tries && Instant::now() + *wait < end;
        match wait.filter(goes_on) {
            Some(wait) => sleep(wait).await,
            None => {
                return Err(Unavailable { last, may_have_arrived, reached, tries });
            }
        }
    }
}

pub(crate) fn too_late() -> CarryError {
    CarryError {
        code: CarryCode::Timeout,
        detail: "no answer in time".to_owned(),
        may_have_arrived: true,
        retry: Retry::Now,
        request_id: None,
    }
}
