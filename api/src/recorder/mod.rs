//! The recorder: watches ReportRuns, writes the history, lets objects go. The only writer of `runs`, `artifacts`,
//! `deliveries`.
//!
//! One process writes at a time: the one that holds a session-level advisory lock in the database it writes to. No lease
//! in the cluster is needed, and losing the database loses the lock with it. Two writers would do no harm: every write is
//! an upsert by run id, and audit entries are written once under the tenant's lock.
//!
//! Nothing is lost: the finalizer (set by whoever creates a run, and by the operator before its first step) keeps the object
//! until all of it is stored; what fails is tried again with a pause of at most a minute; a list of all runs is taken at the
//! start and every ten minutes, whatever waits, so that what a watch missed is seen, and what a restored database lacks.

mod leader;
pub mod manifest;
pub mod probe;
pub mod queue;
pub mod record;
pub mod settle;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::{BoxStream, FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use openreg_crds::ReportRun;
use tokio::sync::watch;
use uuid::Uuid;

use crate::cluster::Tenant;
use crate::error::chain;
use crate::metrics::RecorderMetrics;
pub use leader::Leader;
use queue::{Key, Queue, View};
use settle::{Recorder, Trouble};

/// Runs written at once: a tenant whose store hangs must not hold up the others.
const AT_ONCE: usize = 8;
/// How often everything is listed anew, whatever the watch says.
pub const RELIST: Duration = Duration::from_secs(600);
/// How often the lock and the queue are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often a process that does not write asks for the lock.
const STANDBY: Duration = Duration::from_secs(3);
/// The longest one run may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest that a list of tenants may take: the loop waits for it.
const LISTING: Duration = Duration::from_secs(10);
/// How far the clocks of the API server and of this machine may be apart.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);
/// How long before a list a run must have been made for its absence to mean that it is gone.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);

/// What the watch says.
#[derive(Debug)]
pub enum Feed {
    /// A list of all runs begins.
    Begin,
    /// A run, new or changed.
    Seen(Box<ReportRun>),
    /// A run's object is gone; this was its last state.
    Gone(Box<ReportRun>),
    /// The list is complete.
    Complete,
    /// An object that is no run that this program understands.
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        error: String,
    },
    /// Such an object is gone.
    UnreadableGone {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The watch broke; it is resumed.
    Broken(String),
}

/// Records until `stop`.
pub async fn run(
    recorder: Recorder,
    mut leader: Leader,
    metrics: RecorderMetrics,
    feed: impl Fn() -> BoxStream<'static, Feed>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        // Without a database nobody writes; the queue is kept all the same, so that the metrics tell how far behind we are.
        if !matches!(leader.hold().await, Ok(false)) {
            let mut session = Session {
                recorder: &recorder,
                metrics: &metrics,
                queue: Queue::default(),
                tenants: HashMap::new(),
                tenants_at: None,
                listed: None,
                unreadable: HashSet::new(),
            };
            session.run(&mut leader, &feed, &mut stop).await;
            metrics.leader.set(0);
            metrics.behind(0, 0.0);
        } else {
            // Somebody else writes: this process is well.
            metrics.progressed();
        }
        let _ = tokio::time::timeout(STANDBY, stop.changed()).await;
    }
    leader.release().await;
}

struct Session<'a> {
    recorder: &'a Recorder,
    metrics: &'a RecorderMetrics,
    queue: Queue,
    tenants: HashMap<String, Tenant>,
    /// When they were listed.
    tenants_at: Option<Timestamp>,
    /// The list under way.
    listed: Option<Listing>,
    unreadable: HashSet<Key>,
}

/// A list of all runs, as far as it has come.
struct Listing {
    began: Timestamp,
    alive: HashSet<Uuid>,
    unreadable: HashSet<Key>,
}

impl Session<'_> {
    /// Until `stop`, or until the lock is somebody else's.
    async fn run(&mut self, leader: &mut Leader, feed: &impl Fn() -> BoxStream<'static, Feed>, stop: &mut watch::Receiver<bool>) {
        let begun = Instant::now();
        let (mut said, mut listed) = (feed(), begun);
        let recorder = self.recorder.clone();
        let mut busy = FuturesUnordered::new();
        let mut tick = tokio::time::interval(TICK);
        let mut holds = false;
        let mut asked = begun.checked_sub(STANDBY).unwrap_or(begun);
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                next = said.next() => match next {
                    Some(next) => self.hear(next).await,
                    None => break,
                },
                Some((key, outcome)) = busy.next() => self.settled(&key, outcome),
                _ = tick.tick() => {}
            }
            let now = Instant::now();
            if asked.elapsed() >= STANDBY {
                asked = now;
                match leader.hold().await {
                    Ok(true) if !holds => {
                        holds = true;
                        self.queue.hurry(now);
                        tracing::info!("recording");
                    }
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::info!("another process records");
                        break;
                    }
                    Err(e) => {
                        holds = false;
                        tracing::warn!(error = %chain(&e), "the database does not answer; runs wait");
                    }
                }
                self.metrics.leader.set(i64::from(holds));
            }
            if holds && busy.len() < AT_ONCE {
                for (key, view) in self.queue.take(AT_ONCE - busy.len(), now) {
                    let (recorder, tenant) = (recorder.clone(), self.tenant(&key.0, created(&view.run)).await);
                    busy.push(async move {
                        let outcome = match tenant {
                            Some(tenant) => tokio::time::timeout(PATIENCE, recorder.settle(&tenant, &view, Timestamp::now()))
                                .await
                                .unwrap_or(Err(Trouble::Late(PATIENCE))),
                            // A namespace that is no tenant, and an object that does not wait for us.
                            None if !record::is_held(&view.run) => Ok(()),
                            None => Err(Trouble::NoTenant(key.0.clone())),
                        };
                        (key, outcome)
                    });
                }
            }
            let (pending, oldest) = self.queue.behind(now);
            self.metrics.behind(pending, oldest.as_secs_f64());
            // What waits stays in the queue: a run that cannot be written must not keep the others from being listed.
            if listed.elapsed() > self.recorder.relist {
                (said, listed) = (feed(), now);
            }
        }
        // What is under way ends: a write that is cut off is only repeated later.
        while let Ok(Some((key, outcome))) = tokio::time::timeout(Duration::from_secs(10), busy.next()).await {
            self.settled(&key, outcome);
        }
    }

    async fn hear(&mut self, said: Feed) {
        if !matches!(said, Feed::Broken(_)) {
            self.metrics.progressed();
        }
        match said {
            Feed::Begin => {
                self.listed = Some(Listing {
                    began: Timestamp::now(),
                    alive: HashSet::new(),
                    unreadable: HashSet::new(),
                });
            }
            Feed::Seen(run) => self.push(*run, false),
            Feed::Gone(run) => self.push(*run, true),
            Feed::Complete => self.look_for_lost().await,
            Feed::Unreadable { namespace, name, error } => {
                tracing::error!(run.namespace = namespace, run.name = name, error, "could not read run {namespace}/{name}");
                let key = (namespace, name);
                if let Some(listing) = &mut self.listed {
                    listing.unreadable.insert(key.clone());
                }
                self.unreadable.insert(key);
            }
            Feed::UnreadableGone { namespace, name } => {
                self.unreadable.remove(&(namespace, name));
            }
            Feed::Broken(error) => tracing::warn!(error, "the watch of runs broke and is resumed"),
        }
        self.metrics.unreadable.set(i64::try_from(self.unreadable.len()).unwrap_or(i64::MAX));
    }

    fn push(&mut self, run: ReportRun, gone: bool) {
        let key = (
            run.metadata.namespace.clone().unwrap_or_default(),
            run.metadata.name.clone().unwrap_or_default(),
        );
        self.unreadable.remove(&key);
        if let (Some(listing), Ok(id)) = (&mut self.listed, Uuid::try_parse(&run.spec.id)) {
            listing.alive.insert(id);
        }
        self.queue.push(key, View { run, gone }, Instant::now());
    }

    fn settled(&mut self, key: &Key, outcome: Result<(), Trouble>) {
        match &outcome {
            Ok(()) => self.metrics.succeeded(),
            Err(trouble) => {
                self.metrics.failures.inc();
                tracing::warn!(
                    run.namespace = key.0,
                    run.name = key.1,
                    error = %chain(trouble),
                    "could not record run {}/{}; trying again",
                    key.0,
                    key.1
                );
            }
        }
        self.queue.done(key, outcome.is_ok(), Instant::now());
    }

    /// The tenant of that namespace, out of a list that is younger than the run: a namespace that was deleted and made
    /// again is another tenant.
    async fn tenant(&mut self, namespace: &str, created: Timestamp) -> Option<Tenant> {
        let now = Timestamp::now();
        let trusted = self.tenants.contains_key(namespace) && self.tenants_at.is_some_and(|at| at > created + MARGIN);
        let just_listed = self.tenants_at.is_some_and(|at| now.duration_since(at) < SignedDuration::from_secs(1));
        if !trusted && !just_listed {
            match tokio::time::timeout(LISTING, self.recorder.cluster.tenants()).await {
                Ok(Ok(found)) => {
                    self.tenants = found.into_iter().map(|t| (t.namespace.clone(), t)).collect();
                    self.tenants_at = Some(now);
                }
                Ok(Err(e)) => tracing::warn!(error = %chain(&e), "could not list tenants"),
                Err(_) => tracing::warn!("could not list tenants within {} s", LISTING.as_secs()),
            }
        }
        self.tenants.get(namespace).cloned()
    }

    /// Runs that the history takes for open, but of which the complete list has no object: their finalizer was removed by
    /// hand, or the cluster was restored. They are marked, not forgotten. A database that is down is asked by the next list.
    async fn look_for_lost(&mut self) {
        let Some(Listing { began, alive, unreadable }) = self.listed.take() else {
            return;
        };
        let before = began.checked_sub(SETTLED).unwrap_or(Timestamp::MIN);
        if self.tenants.is_empty() {
            self.tenant("", Timestamp::MIN).await;
        }
        // An object that cannot be read is there, but nobody knows its id: no run of its namespace is taken for lost.
        let clear = |namespace: &str| !unreadable.iter().any(|key| key.0 == namespace);
        for tenant in self.tenants.values().filter(|t| clear(&t.namespace)) {
            let lost = async {
                let open = self.recorder.db.open_runs(tenant.uid, before).await?;
                let gone: Vec<Uuid> = open.into_iter().filter(|id| !alive.contains(id)).collect();
                if gone.is_empty() {
                    Ok(())
                } else {
                    self.recorder.db.mark_lost(tenant.uid, &gone).await
                }
            };
            if let Err(e) = lost.await {
                tracing::warn!(tenant = tenant.namespace, error = %chain(&e), "could not look for lost runs");
                break;
            }
        }
        // Of this list alone: what could not be read in an earlier one may be gone.
        self.unreadable = unreadable;
    }
}

fn created(run: &ReportRun) -> Timestamp {
    run.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |t| t.0)
}
