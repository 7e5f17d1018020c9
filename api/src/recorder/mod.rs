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

pub mod busy;
mod leader;
pub mod manifest;
pub mod probe;
pub mod queue;
pub mod record;
pub mod settle;
pub mod tenants;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use openreg_crds::ReportRun;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::cluster::Tenant;
use crate::db::{Db, DbError};
use crate::error::chain;
use crate::metrics::RecorderMetrics;
use busy::Busy;
pub use leader::Leader;
use queue::{Key, Queue, View};
use settle::{Recorder, Trouble};
use tenants::Tenants;

/// Runs written at once: a tenant whose store hangs must not hold up the others.
const AT_ONCE: usize = 8;
/// How often everything is listed anew, whatever the watch says.
pub const RELIST: Duration = Duration::from_secs(600);
/// How often the lock and the queue are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often a process that does not write asks for the lock.
const STANDBY: Duration = Duration::from_secs(3);
/// The longest that the search for lost runs may take; what it has not marked by then the next one marks.
const SEARCH: Duration = Duration::from_secs(120);
/// Lost runs marked in one transaction: each has an entry in the tenant's chain, for which its other writers wait.
const MARKED_AT_ONCE: usize = 50;
/// What the watch may say before the queue is looked at again.
const SAID_AT_ONCE: usize = 256;
/// How long writes may take to end at the stop: shorter than the silence after which the lock is another's.
const ENDING: Duration = Duration::from_secs(10);

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
                tenants: Tenants::new(recorder.cluster.clone()),
                listed: None,
                complete: None,
                unreadable: HashSet::new(),
            };
            session.run(&mut leader, &feed, &mut stop).await;
            metrics.leader.set(0);
            metrics.behind(0, 0.0);
        } else {
            // Somebody else writes: this process is well.
            metrics.progressed();
        }
        // At once when the stop has been said already: the lock is another's to take.
        let _ = tokio::time::timeout(STANDBY, stop.wait_for(|stopped| *stopped)).await;
    }
    leader.release().await;
}

struct Session<'a> {
    recorder: &'a Recorder,
    metrics: &'a RecorderMetrics,
    queue: Queue,
    tenants: Tenants,
    /// The list under way.
    listed: Option<Listing>,
    /// The last complete list, until it is searched for lost runs.
    complete: Option<Listing>,
    unreadable: HashSet<Key>,
}

/// A list of all runs, as far as it has come.
struct Listing {
    began: Timestamp,
    alive: HashSet<Uuid>,
    unreadable: HashSet<Key>,
}

impl Session<'_> {
    /// Until `stop`, or until the lock is somebody else's. Nothing here waits for anything but the lock, and for that 5 s at most:
    /// whoever does not speak loses it.
    async fn run(&mut self, leader: &mut Leader, feed: &impl Fn() -> BoxStream<'static, Feed>, stop: &mut watch::Receiver<bool>) {
        let begun = Instant::now();
        let (mut said, mut listed) = (feed().ready_chunks(SAID_AT_ONCE), begun);
        let mut busy = Busy::default();
        let mut searches = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        let mut holds = false;
        let mut asked = begun.checked_sub(STANDBY).unwrap_or(begun);
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                next = said.next() => match next {
                    Some(all) => all.into_iter().for_each(|one| self.hear(one)),
                    None => break,
                },
                Some((key, outcome)) = busy.next() => self.settled(&key, outcome),
                Some(_) = searches.join_next() => {}
                _ = tick.tick() => {}
            }
            let now = Instant::now();
            if asked.elapsed() >= STANDBY {
                asked = now;
                match leader.hold().await {
                    Ok(true) if !holds => {
                        holds = true;
                        self.queue.hurry();
                        tracing::info!("recording");
                    }
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::info!("another process records");
                        holds = false;
                        break;
                    }
                    Err(e) => {
                        holds = false;
                        // The lock may be another's from now on.
                        busy.cut_off();
                        searches.abort_all();
                        tracing::warn!(error = %chain(&e), "the database does not answer; runs wait");
                    }
                }
                self.metrics.leader.set(i64::from(holds));
            }
            if holds && busy.len() < AT_ONCE {
                for (key, view) in self.queue.take(AT_ONCE - busy.len(), now) {
                    busy.begin(key, write(self.recorder.clone(), self.tenants.clone(), view));
                }
            }
            if holds
                && searches.is_empty()
                && let Some(listing) = self.complete.take()
            {
                searches.spawn(look_for_lost(self.recorder.clone(), self.tenants.clone(), listing));
            }
            let (pending, oldest) = self.queue.behind(now);
            self.metrics.behind(pending, oldest.as_secs_f64());
            // What waits stays in the queue: a run that cannot be written must not keep the others from being listed.
            if listed.elapsed() > self.recorder.relist {
                (said, listed) = (feed().ready_chunks(SAID_AT_ONCE), now);
            }
        }
        searches.shutdown().await;
        if holds {
            // What is under way ends while the lock is ours: a write that is cut off is only repeated later.
            let end = async {
                while let Some((key, outcome)) = busy.next().await {
                    self.settled(&key, outcome);
                }
            };
            let _ = tokio::time::timeout(ENDING, end).await;
        }
        busy.shutdown().await;
    }

    fn hear(&mut self, said: Feed) {
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
            Feed::Complete => {
                if let Some(listing) = self.listed.take() {
                    // Of this list alone: what could not be read in an earlier one may be gone.
                    self.unreadable.clone_from(&listing.unreadable);
                    self.complete = Some(listing);
                }
            }
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
}

/// Writes one run.
async fn write(recorder: Recorder, tenants: Tenants, view: View) -> Result<(), Trouble> {
    let namespace = view.run.metadata.namespace.clone().unwrap_or_default();
    match tenants.of(&namespace, created(&view.run)).await.map_err(Trouble::Tenants)? {
        Some(tenant) => recorder.settle(&tenant, &view, Timestamp::now()).await,
        // A namespace that is no tenant, and an object that does not wait for us.
        None if !record::is_held(&view.run) => Ok(()),
        None => Err(Trouble::NoTenant(namespace)),
    }
}

/// Runs that the history takes for open, but of which the complete list has no object: their finalizer was removed by hand, or
/// the cluster was restored. They are marked, not forgotten. What fails is done after the next list.
async fn look_for_lost(recorder: Recorder, tenants: Tenants, listing: Listing) {
    let tenants = match tenants.all().await {
        Ok(tenants) => tenants,
        Err(e) => return tracing::warn!(error = %chain(&e), "could not look for lost runs"),
    };
    match tokio::time::timeout(SEARCH, mark_lost(&recorder.db, &tenants, &listing)).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::warn!(error = %chain(&e), "could not look for lost runs"),
        Err(_) => tracing::warn!("could not look for lost runs within {} s", SEARCH.as_secs()),
    }
}

async fn mark_lost(db: &Db, tenants: &[Tenant], listing: &Listing) -> Result<(), DbError> {
    let before = listing.began.checked_sub(SETTLED).unwrap_or(Timestamp::MIN);
    for tenant in tenants {
        // An object that cannot be read is there, but nobody knows its id: no run of its namespace is taken for lost.
        if listing.unreadable.iter().any(|key| key.0 == tenant.namespace) {
            continue;
        }
        let mut gone = db.open_runs(tenant.uid, before).await?;
        gone.retain(|id| !listing.alive.contains(id));
        for some in gone.chunks(MARKED_AT_ONCE) {
            db.mark_lost(tenant.uid, some).await?;
        }
    }
    Ok(())
}

fn created(run: &ReportRun) -> Timestamp {
    run.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |t| t.0)
}
