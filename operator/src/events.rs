//! Writes Kubernetes Events, off the path of what matters: a thousand runs that start at once must not wait for a thousand
//! Events. An Event is a courtesy; conditions are the truth. When too many wait, the newest are dropped and logged.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder};
use tokio::sync::mpsc;

/// How many Events may wait.
const WAITING: usize = 1024;
/// How many are written at once.
const WRITERS: usize = 4;
/// The API server takes 1 kB of note.
const MAX_NOTE: usize = 900;

/// Where controllers hand Events over. Cloning shares it.
#[derive(Clone)]
pub struct Events(mpsc::Sender<(Event, ObjectReference)>);

/// What writes them; ends when every [`Events`] is gone.
pub struct Writer {
    recorder: Recorder,
    waiting: mpsc::Receiver<(Event, ObjectReference)>,
}

/// Both ends.
pub fn events(recorder: Recorder) -> (Events, Writer) {
    let (sender, waiting) = mpsc::channel(WAITING);
    (Events(sender), Writer { recorder, waiting })
}

impl Events {
    /// Hands an Event about `object` over; never waits, never fails.
    pub fn tell<K: Resource<DynamicType = ()>>(&self, object: &K, type_: EventType, reason: &str, action: &str, note: &str) {
        let note: String = note.chars().take(MAX_NOTE).collect();
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        if self.0.try_send((event, object.object_ref(&()))).is_err() {
            tracing::warn!(reason, "could not write an event: too many wait");
        }
    }
}

impl Writer {
    /// Writes what is handed over.
    pub async fn run(mut self) {
        let recorder = &self.recorder;
        stream::poll_fn(|cx| self.waiting.poll_recv(cx))
            .for_each_concurrent(WRITERS, |(event, object)| async move {
                if let Err(error) = recorder.publish(&event, &object).await {
                    tracing::warn!(reason = event.reason, error = crate::telemetry::chain(&error), "could not write an event");
                }
            })
            .await;
    }
}
