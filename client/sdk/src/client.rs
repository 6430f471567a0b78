//! The client of one account.

use crate::{
    carry::{Carried, Patience, Unavailable, carry},
    error::{Cost, SdkError},
    http::Http,
    session::Session,
    transport::Transport,
};
use core::fmt;
use std::time::{Duration, Instant};
use strongroom_protocol::{Destination, OutgoingFrame};

/// One account at one fleet, for as long as an app's session lasts.
///
/// All methods take `&self`. Dropping a future loses nothing that was paid for: call again with the
/// same password, and the same attempt goes on.
pub struct StrongroomClient<T: Transport = Http> {
    pub(crate) destination: Destination,
    transport: T,
    patience: Patience,
    pub(crate) session: Session,
}

impl<T: Transport> StrongroomClient<T> {
    /// A client that has tried nothing yet.
    pub fn new(destination: Destination, transport: T) -> Self {
        Self { destination, transport, patience: Patience::default(), session: Session::new() }
    }

    /// Changes how long it tries.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same session towards another manifest's fleet: what was refused stays refused, and is not sent
    /// again. An attempt that is under way is left behind: it is sealed to the old one.
    #[must_use]
    pub fn moved_to(self, destination: Destination, transport: T) -> Self {
        self.session.close();
        Self { destination, transport, ..self }
    }

    /// Where requests go.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(crate) async fn carry(
        &self,
        frame: &OutgoingFrame,
        spent: &mut Stopwatch,
    ) -> Result<Carried, Unavailable> {
        let begun = Instant::now();
        let carried = carry(&self.transport, frame, &self.patience).await;
        spent.network += begun.elapsed();
        carried
    }
}

impl<T: Transport> fmt::Debug for StrongroomClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrongroomClient")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// Where the time of one operation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Stretching the password, with the few OPAQUE operations around it.
    pub argon2: Duration,
    /// Waiting for answers.
    pub network: Duration,
    /// From call to return.
    pub total: Duration,
}

pub(crate) struct Stopwatch {
    begun: Instant,
    network: Duration,
    argon2: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), network: Duration::ZERO, argon2: Duration::ZERO }
    }

    pub(crate) fn read(&self) -> Timings {
        Timings { argon2: self.argon2, network: self.network, total: self.begun.elapsed() }
    }

    /// Runs what stretches a password where it does not hold up other futures. `cost` is what was
    /// spent before.
    pub(crate) async fn stretch<R: Send + 'static>(
        &mut self,
        cost: Cost,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, SdkError> {
        let begun = Instant::now();
        let done = tokio::task::spawn_blocking(work).await;
        self.argon2 += begun.elapsed();
        done.map_err(|_| SdkError::Worker { cost })
    }
}
