//! The runs that are being written, each on a task of its own: one that holds the lock of its tenant's chain moves on whatever
//! the recorder's loop waits for. The tasks end with this, so that nobody writes who does not lead.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::queue::Key;
use super::settle::Trouble;

/// The longest one run may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The runs that are being written.
#[derive(Debug, Default)]
pub struct Busy {
    tasks: JoinSet<Result<(), Trouble>>,
    keys: HashMap<Id, Key>,
}

impl Busy {
    /// How many.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Begins one.
    pub fn begin(&mut self, key: Key, work: impl Future<Output = Result<(), Trouble>> + Send + 'static) {
        let task = self
            .tasks
            .spawn(async { tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(Trouble::Late(PATIENCE))) });
        self.keys.insert(task.id(), key);
    }

    /// The next that ends, and how; `None` when none is under way. Nothing is lost when this is not awaited to its end.
    pub async fn next(&mut self) -> Option<(Key, Result<(), Trouble>)> {
        let (id, outcome) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(e) if e.is_panic() => (e.id(), Err(Trouble::Panicked)),
            Err(e) => (e.id(), Err(Trouble::CutOff)),
        };
        self.keys.remove(&id).map(|key| (key, outcome))
    }

    /// Cuts all off, and returns when none writes any more.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }

    /// Cuts all off; [`Self::next`] still tells of each.
    pub fn cut_off(&mut self) {
        self.tasks.abort_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("acme".into(), name.into())
    }

    #[tokio::test]
    async fn however_a_write_ends_it_is_told() {
        let mut busy = Busy::default();
        assert!(busy.next().await.is_none());
        busy.begin(key("well"), async { Ok(()) });
        let (ended, outcome) = busy.next().await.unwrap();
        assert!(ended == key("well") && outcome.is_ok());
        // A defect in one run's writing must not end the recorder, nor keep the run busy for ever.
        busy.begin(key("broken"), async { panic!("a defect") });
        let (ended, outcome) = busy.next().await.unwrap();
        assert!(ended == key("broken") && matches!(outcome, Err(Trouble::Panicked)), "{outcome:?}");
        busy.begin(key("hangs"), std::future::pending());
        busy.cut_off();
        let (ended, outcome) = busy.next().await.unwrap();
        assert!(ended == key("hangs") && matches!(outcome, Err(Trouble::CutOff)), "{outcome:?}");
        assert!(busy.is_empty() && busy.keys.is_empty());
    }

    #[tokio::test]
    async fn a_write_moves_on_while_nobody_waits_for_it_and_ends_with_the_recorder() {
        let (done, mut told) = tokio::sync::watch::channel(0);
        let mut busy = Busy::default();
        let told_of = done.clone();
        busy.begin(key("a"), async move {
            tokio::task::yield_now().await;
            told_of.send_replace(1);
            Ok(())
        });
        // Nothing here asks for `next`.
        tokio::time::timeout(Duration::from_secs(10), told.wait_for(|n| *n == 1))
            .await
            .unwrap()
            .unwrap();
        let held = done.clone();
        busy.begin(key("b"), async move {
            let _held = held;
            std::future::pending().await
        });
        drop(done);
        drop(busy);
        // The channel closes when the last sender is gone: that of the task.
        let closed = async { while told.changed().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    }
}
