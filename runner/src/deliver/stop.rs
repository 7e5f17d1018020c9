//! Why a delivery stops before its end: it was told to, or its time is up.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a delivery stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cancelled,
    TimedOut,
}

/// Knows when to stop.
pub(super) struct Stopper {
    cancel: CancellationToken,
    deadline: Instant,
}

impl Stopper {
    pub(super) fn new(cancel: CancellationToken, deadline: Instant) -> Self {
        Self { cancel, deadline }
    }

    /// Whether to stop now.
    pub(super) fn now(&self) -> Option<Stop> {
        if self.cancel.is_cancelled() {
            return Some(Stop::Cancelled);
        }
        (Instant::now() >= self.deadline).then_some(Stop::TimedOut)
    }

    /// Ends when it is time to stop.
    pub(super) async fn wait(&self) -> Stop {
        tokio::select! {
            () = self.cancel.cancelled() => Stop::Cancelled,
            () = tokio::time::sleep_until(self.deadline) => Stop::TimedOut,
        }
    }
}
