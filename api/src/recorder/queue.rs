//! Which runs are to be written, the newest view of each, and when the next try is due. Pure: the clock is an argument.
//!
//! Nothing here looks at all that waits: every list of all runs puts thousands in at once, and each that is done frees a place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use openreg_crds::ReportRun;

use super::record::{is_held, is_recorded};

/// Runs of one namespace under way at once: half the places, so that a tenant whose store hangs leaves some to the others.
const OF_ONE: usize = 4;
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Namespace and name.
pub type Key = (String, String);

/// A view of a run.
#[derive(Clone, Debug)]
pub struct View {
    /// The object.
    pub run: ReportRun,
    /// Whether the object is gone.
    pub gone: bool,
}

#[derive(Debug)]
struct Item {
    view: View,
    since: Instant,
    tries: u32,
    stands: Stands,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// In its namespace's line, at this place.
    Ready(Rank),
    /// Until then.
    Later(Instant),
    /// Being written; `newer` when the view has changed since.
    Busy { newer: bool },
}

/// Who is first: what a list repeats is last, since there is mostly nothing to write; then what has failed, since it mostly
/// does so slowly; then the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    settled: bool,
    failed: bool,
    since: Instant,
}

impl Item {
    fn rank(&self) -> Rank {
        Rank {
            settled: is_recorded(&self.view.run) && !is_held(&self.view.run),
            failed: self.tries > 0,
            since: self.since,
        }
    }
}

/// Which runs are to be written.
#[derive(Debug, Default)]
pub struct Queue {
    items: HashMap<Key, Item>,
    /// Of each namespace, who is due: rank and name. No line is empty.
    ready: HashMap<String, BTreeSet<(Rank, String)>>,
    /// Who waits for the next try.
    later: BTreeSet<(Instant, Key)>,
    /// How many of each namespace are being written.
    busy: HashMap<String, usize>,
    /// How many wait since when.
    ages: BTreeMap<Instant, usize>,
}

impl Queue {
    /// Notes a view; it takes the place of an older one.
    pub fn push(&mut self, key: Key, view: View, now: Instant) {
        match self.items.get_mut(&key) {
            Some(item) => {
                item.view = view;
                if let Stands::Busy { newer } = &mut item.stands {
                    *newer = true;
                } else {
                    self.line_up(&key);
                }
            }
            None => {
                let (since, tries) = (now, 0);
                // Until it is lined up, which is now.
                let stands = Stands::Later(now);
                self.items.insert(key.clone(), Item { view, since, tries, stands });
                *self.ages.entry(since).or_default() += 1;
                self.line_up(&key);
            }
        }
    }

    /// At most `max` that are due, at most [`OF_ONE`] of a namespace; they are busy until [`Self::done`].
    pub fn take(&mut self, max: usize, now: Instant) -> Vec<(Key, View)> {
        while self.later.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, key)) = self.later.pop_first()
        {
            self.line_up(&key);
        }
        let mut taken = Vec::new();
        while taken.len() < max {
            let free = |namespace: &str| self.busy.get(namespace).is_none_or(|n| *n < OF_ONE);
            let firsts = self.ready.iter().filter(|(namespace, _)| free(namespace));
            let first = firsts
                .filter_map(|(namespace, line)| line.first().map(|(rank, name)| (rank, namespace, name)))
                .min();
            let Some(key) = first.map(|(_, namespace, name)| (namespace.clone(), name.clone())) else {
                break;
            };
            let Some(view) = self.begin(&key) else { break };
            taken.push((key, view));
        }
        taken
    }

    /// Notes how a try ended.
    pub fn done(&mut self, key: &Key, ok: bool, now: Instant) {
        let Some(item) = self.items.get_mut(key) else { return };
        let Stands::Busy { newer } = item.stands else { return };
        if let Some(n) = self.busy.get_mut(&key.0) {
            *n -= 1;
            if *n == 0 {
                self.busy.remove(&key.0);
            }
        }
        let before = item.since;
        if ok && newer {
            // What changed meanwhile is as new as a run that was never seen.
            (item.since, item.tries) = (now, 0);
            *self.ages.entry(now).or_default() += 1;
        }
        if ok {
            forget(&mut self.ages, before);
        }
        match (ok, newer) {
            (true, false) => {
                self.items.remove(key);
            }
            // A newer view does not wait for an older one's pause.
            (_, true) => {
                item.stands = Stands::Later(now);
                self.line_up(key);
            }
            (false, false) => {
                let due = now + pause(item.tries);
                item.tries = item.tries.saturating_add(1);
                item.stands = Stands::Later(due);
                self.later.insert((due, key.clone()));
            }
        }
    }

    /// How many wait, and for how long the oldest has.
    pub fn behind(&self, now: Instant) -> (usize, Duration) {
        let oldest = self.ages.first_key_value().map(|(since, _)| now.saturating_duration_since(*since));
        (self.items.len(), oldest.unwrap_or_default())
    }

    /// Makes all that wait due: what hindered them has ended.
    pub fn hurry(&mut self) {
        while let Some((_, key)) = self.later.pop_first() {
            self.line_up(&key);
        }
    }

    /// Puts a run that is not busy where its rank is.
    fn line_up(&mut self, key: &Key) {
        self.leave(key);
        let Some(item) = self.items.get_mut(key) else { return };
        let rank = item.rank();
        item.stands = Stands::Ready(rank);
        self.ready.entry(key.0.clone()).or_default().insert((rank, key.1.clone()));
    }

    /// Makes the run that is there busy.
    fn begin(&mut self, key: &Key) -> Option<View> {
        self.leave(key);
        let item = self.items.get_mut(key)?;
        item.stands = Stands::Busy { newer: false };
        *self.busy.entry(key.0.clone()).or_default() += 1;
        Some(item.view.clone())
    }

    /// Takes a run out of the line where it stands.
    fn leave(&mut self, key: &Key) {
        match self.items.get(key).map(|item| item.stands) {
            Some(Stands::Ready(rank)) => {
                if let Some(line) = self.ready.get_mut(&key.0) {
                    line.remove(&(rank, key.1.clone()));
                    if line.is_empty() {
                        self.ready.remove(&key.0);
                    }
                }
            }
            Some(Stands::Later(due)) => {
                self.later.remove(&(due, key.clone()));
            }
            Some(Stands::Busy { .. }) | None => {}
        }
    }
}

fn forget(ages: &mut BTreeMap<Instant, usize>, since: Instant) {
    if let Some(n) = ages.get_mut(&since) {
        *n -= 1;
        if *n == 0 {
            ages.remove(&since);
        }
    }
}

/// 1 s, 2 s, 4 s, … 60 s.
fn pause(tries: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(tries.min(6)).unwrap_or(64)).min(MAX_PAUSE)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
