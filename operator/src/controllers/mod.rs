//! Starts each controller: one line each. What all share: queues, the drive loop, backoff.
//!
//! Controllers are driven by kube's `applier` (one reconciliation an object at a time, requeue after), but not by its
//! `Controller`: that puts one backoff over all its watches, so one broken watch holds up all. Here the watches are in
//! [`crate::stores`] and a queue cannot fail.

pub mod conditions;
pub mod connector;
pub mod destination;
pub mod endpoint;
pub mod report;
pub mod retention;
pub mod run;
pub mod schedule;
pub mod store;
pub mod tenant;

use std::collections::HashMap;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};
use kube::Resource;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::stores::Cache;

/// Runs all controllers until shutdown; returns when each has finished what it was doing.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    tokio::join!(
        tenant::run(Arc::clone(&ctx), shutdown.clone()),
        store::run(Arc::clone(&ctx), shutdown.clone()),
        connector::run(Arc::clone(&ctx), shutdown.clone()),
        destination::run(Arc::clone(&ctx), shutdown.clone()),
        report::run(Arc::clone(&ctx), shutdown.clone()),
        schedule::run(Arc::clone(&ctx), shutdown.clone()),
        run::run(Arc::clone(&ctx), shutdown.clone()),
        retention::run(Arc::clone(&ctx), shutdown.clone()),
    );
}

/// Where hooks put the names of objects that must be looked at again. It never blocks: the applier takes all at once and
/// knows each object once.
pub struct Queue<K: Resource<DynamicType = ()> + 'static>(mpsc::UnboundedSender<ObjectRef<K>>);

/// The other end of a [`Queue`].
pub type Requests<K> = mpsc::UnboundedReceiver<ObjectRef<K>>;

impl<K: Resource<DynamicType = ()> + 'static> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A new queue.
pub fn queue<K: Resource<DynamicType = ()> + 'static>() -> (Queue<K>, Requests<K>) {
    let (sender, receiver) = mpsc::unbounded();
    (Queue(sender), receiver)
}

impl<K: Resource<DynamicType = ()> + 'static> Queue<K> {
    /// Asks for a reconciliation of `object`.
    pub fn add(&self, object: &K) {
        self.send(ObjectRef::from_obj(object));
    }

    /// Asks for a reconciliation of the object of that name.
    pub fn add_named(&self, namespace: &str, name: &str) {
        self.send(ObjectRef::new(name).within(namespace));
    }

    fn send(&self, request: ObjectRef<K>) {
        // Closed only at shutdown.
        let _ = self.0.unbounded_send(request);
    }
}

/// Why a reconciliation failed.
#[derive(Debug, thiserror::Error)]
enum Failed<E: std::error::Error + 'static> {
    #[error(transparent)]
    Error(E),
    #[error("panicked: {0}")]
    Panicked(String),
}

/// Whether the cause is a write from an older state: harmless, and tried again as soon as the cache has caught up.
fn is_conflict(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(status)) = error.downcast_ref::<kube::Error>() {
            return status.code == 409;
        }
        next = error.source();
    }
    false
}

/// 0.5 s, doubled with each failure, at most 5 minutes; after a conflict 0.1 s, at most 5 s. `noise` (0 to 1) spreads it
/// by a fifth, so that objects that failed together do not come back together.
fn backoff(failures: u32, conflict: bool, noise: f64) -> Duration {
    let (first, most) = if conflict { (0.1, 5.0) } else { (0.5, 300.0) };
    let delay = first * f64::from(failures.saturating_sub(1).min(16)).exp2();
    Duration::from_secs_f64(f64::min(delay, most) * (0.9 + 0.2 * noise))
}

type Failures<K> = Arc<Mutex<HashMap<ObjectRef<K>, u32>>>;

/// Reconciles what comes out of `requests` until shutdown. A panic is an error of that one object.
pub async fn drive<K, F, Fut, E>(
    name: &'static str,
    ctx: Arc<Context>,
    cache: &Cache<K>,
    requests: Requests<K>,
    concurrency: u16,
    reconcile: F,
    shutdown: CancellationToken,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Fn(Arc<K>, Arc<Context>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Action, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let failures: Failures<K> = Arc::default();
    let succeeded = Arc::clone(&failures);
    let requests = requests.map(Ok::<_, std::convert::Infallible>).take_until(shutdown.cancelled_owned());
    let results = applier(
        move |object: Arc<K>, ctx: Arc<Context>| {
            let key = ObjectRef::from_obj(&*object);
            let (reconcile, succeeded) = (reconcile.clone(), Arc::clone(&succeeded));
            async move {
                let start = Instant::now();
                let result = match AssertUnwindSafe(async { reconcile(object, Arc::clone(&ctx)).await }).catch_unwind().await {
                    Ok(Ok(action)) => Ok(action),
                    Ok(Err(error)) => Err(Failed::Error(error)),
                    Err(panic) => Err(Failed::Panicked(panic_text(&*panic))),
                };
                let label = match &result {
                    Ok(_) => "Ok",
                    Err(Failed::Error(error)) if is_conflict(error) => "Conflict",
                    Err(_) => "Error",
                };
                ctx.metrics.reconciled(name, label, start.elapsed());
                if result.is_ok() {
                    succeeded.lock().remove(&key);
                }
                result
            }
            .boxed()
        },
        {
            let failures = Arc::clone(&failures);
            move |object: Arc<K>, error: &Failed<E>, _ctx: Arc<Context>| {
                let key = ObjectRef::from_obj(&*object);
                let count = {
                    let mut failures = failures.lock();
                    let count = failures.entry(key).or_insert(0);
                    *count += 1;
                    *count
                };
                let conflict = matches!(error, Failed::Error(error) if is_conflict(error));
                let noise = f64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs()) / 1e9;
                let delay = backoff(count, conflict, noise);
                let (namespace, object_name) = (
                    object.meta().namespace.clone().unwrap_or_default(),
                    object.meta().name.clone().unwrap_or_default(),
                );
                let text = crate::telemetry::chain(error);
                if conflict && count < 5 {
                    tracing::debug!(
                        controller = name,
                        object.namespace = namespace,
                        object.name = object_name,
                        error = text,
                        "{name} {namespace}/{object_name} had changed meanwhile"
                    );
                } else {
                    tracing::warn!(
                        controller = name,
                        object.namespace = namespace,
                        object.name = object_name,
                        failures = count,
                        retry_ms = delay.as_millis(),
                        error = text,
                        "could not reconcile {name} {namespace}/{object_name}"
                    );
                }
                Action::requeue(delay)
            }
        },
        ctx,
        cache.store(),
        requests,
        Config::default().concurrency(concurrency),
    );
    // Results are handled above; an object that is gone needs nothing, and its failures are forgotten.
    results
        .for_each(|result| {
            if let Err(kube::runtime::controller::Error::ObjectNotFound(gone)) = result {
                let key = ObjectRef::<K>::new(&gone.name);
                failures
                    .lock()
                    .remove(&if let Some(namespace) = &gone.namespace { key.within(namespace) } else { key });
            }
            std::future::ready(())
        })
        .await;
    tracing::debug!(controller = name, "controller {name} ended");
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_and_is_bounded() {
        let seconds = |failures, conflict| backoff(failures, conflict, 0.5).as_secs_f64();
        assert!((seconds(1, false) - 0.5).abs() < 1e-9);
        assert!((seconds(4, false) - 4.0).abs() < 1e-9);
        assert!((seconds(100, false) - 300.0).abs() < 1e-9);
        assert!((seconds(1, true) - 0.1).abs() < 1e-9);
        assert!((seconds(100, true) - 5.0).abs() < 1e-9);
        assert!(backoff(3, false, 0.0) < backoff(3, false, 1.0));
    }
}
