//! Which runs are to be written, the newest view of each, and when the next try is due. Pure: the clock is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use openreg_crds::ReportRun;

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
    due: Instant,
    tries: u32,
    busy: bool,
    newer: bool,
}

/// Which runs are to be written.
#[derive(Debug, Default)]
pub struct Queue {
    items: HashMap<Key, Item>,
}

impl Queue {
    /// Notes a view; it takes the place of an older one.
    pub fn push(&mut self, key: Key, view: View, now: Instant) {
        match self.items.get_mut(&key) {
            Some(item) => {
                item.view = view;
                item.newer = item.busy;
                item.due = now;
            }
            None => {
                self.items.insert(
                    key,
                    Item {
                        view,
                        since: now,
                        due: now,
                        tries: 0,
                        busy: false,
                        newer: false,
                    },
                );
            }
        }
    }

    /// At most `max` that are due; they are busy until [`Self::done`]. Those that have not failed yet are first, since what
    /// fails mostly does so slowly; then the oldest.
    pub fn take(&mut self, max: usize, now: Instant) -> Vec<(Key, View)> {
        let mut busy: HashMap<String, usize> = HashMap::new();
        for (key, _) in self.items.iter().filter(|(_, i)| i.busy) {
            *busy.entry(key.0.clone()).or_default() += 1;
        }
        let mut due: Vec<(&Key, &mut Item)> = self.items.iter_mut().filter(|(_, i)| !i.busy && i.due <= now).collect();
        due.sort_by(|a, b| (a.1.tries > 0, a.1.since, a.0).cmp(&(b.1.tries > 0, b.1.since, b.0)));
        due.retain(|(key, _)| {
            let of_one = busy.entry(key.0.clone()).or_default();
            *of_one += 1;
            *of_one <= OF_ONE
        });
        due.truncate(max);
        due.into_iter()
            .map(|(key, item)| {
                item.busy = true;
                item.newer = false;
                (key.clone(), item.view.clone())
            })
            .collect()
    }

    /// Notes how a try ended.
    pub fn done(&mut self, key: &Key, ok: bool, now: Instant) {
        let Some(item) = self.items.get_mut(key) else { return };
        item.busy = false;
        if ok && !item.newer {
            self.items.remove(key);
            return;
        }
        if ok {
            item.since = now;
            item.tries = 0;
            item.due = now;
        } else if !item.newer {
            item.due = now + pause(item.tries);
            item.tries = item.tries.saturating_add(1);
        }
    }

    /// How many wait, and for how long the oldest has.
    pub fn behind(&self, now: Instant) -> (usize, Duration) {
        let oldest = self.items.values().map(|i| now.saturating_duration_since(i.since)).max().unwrap_or_default();
        (self.items.len(), oldest)
    }

    /// Makes all that wait due: what hindered them has ended.
    pub fn hurry(&mut self, now: Instant) {
        for item in self.items.values_mut() {
            item.due = item.due.min(now);
        }
    }
}

/// 1 s, 2 s, 4 s, … 60 s.
fn pause(tries: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(tries.min(6)).unwrap_or(64)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(report: &str) -> View {
        let run = serde_json::from_value(
            serde_json::json!({"apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": {"name": "r"},
            "spec": {"id": "x", "reportRef": report, "period": {"start": "a", "end": "b"}, "trigger": "Manual"}}),
        );
        View {
            run: run.unwrap(),
            gone: false,
        }
    }

    fn key(name: &str) -> Key {
        ("acme".into(), name.into())
    }

    #[test]
    fn a_failure_waits_longer_each_time_and_success_removes() {
        let (mut q, t) = (Queue::default(), Instant::now());
        let at = |s: u64| t + Duration::from_secs(s);
        q.push(key("a"), view("one"), t);
        assert_eq!(q.take(8, t).len(), 1);
        assert_eq!(q.take(8, t).len(), 0, "busy");
        q.done(&key("a"), false, t);
        assert_eq!(q.take(8, t).len(), 0, "1 s");
        assert_eq!(q.take(8, at(1)).len(), 1);
        q.done(&key("a"), false, at(1));
        assert_eq!(q.take(8, at(2)).len(), 0, "2 s");
        assert_eq!(q.behind(at(2)), (1, Duration::from_secs(2)), "the age is that of the first sight");
        assert_eq!(q.take(8, at(3)).len(), 1);
        q.done(&key("a"), true, at(3));
        assert_eq!(q.behind(at(3)).0, 0);
        assert_eq!(pause(40), MAX_PAUSE);
    }

    #[test]
    fn a_newer_view_is_written_too() {
        let (mut q, t) = (Queue::default(), Instant::now());
        q.push(key("a"), view("one"), t);
        assert_eq!(q.take(8, t)[0].1.run.spec.report_ref, "one");
        q.push(key("a"), view("two"), t);
        assert_eq!(q.take(8, t).len(), 0, "one at a time");
        q.done(&key("a"), true, t);
        assert_eq!(q.take(8, t)[0].1.run.spec.report_ref, "two");
        q.push(key("a"), view("three"), t);
        q.done(&key("a"), false, t);
        assert_eq!(
            q.take(8, t)[0].1.run.spec.report_ref,
            "three",
            "a newer view does not wait for an older one's pause"
        );
    }

    #[test]
    fn one_tenant_never_has_all_places_and_what_failed_is_last() {
        let (mut q, t) = (Queue::default(), Instant::now());
        let of = |namespace: &str, i: u32| (namespace.to_owned(), format!("r{i}"));
        let namespaces = |taken: &[(Key, View)]| taken.iter().map(|(key, _)| key.0.clone()).collect::<Vec<_>>();
        for i in 0..20 {
            q.push(of("hangs", i), view("x"), t);
        }
        q.push(of("well", 0), view("x"), t + Duration::from_secs(1));
        let at = t + Duration::from_secs(2);
        let taken = q.take(8, at);
        assert_eq!(namespaces(&taken), ["hangs", "hangs", "hangs", "hangs", "well"]);
        assert!(q.take(3, at).is_empty(), "its four places are taken");
        for (key, _) in &taken {
            q.done(key, key.0 == "well", at);
        }
        // All that failed is due again, and older than what is new.
        q.push(of("well", 1), view("x"), at + Duration::from_secs(1));
        q.items.retain(|key, item| key.0 == "well" || item.tries > 0);
        assert_eq!(namespaces(&q.take(1, at + Duration::from_secs(1))), ["well"]);
    }

    #[test]
    fn the_oldest_is_first() {
        let (mut q, t) = (Queue::default(), Instant::now());
        q.push(key("b"), view("b"), t);
        q.push(key("a"), view("a"), t + Duration::from_secs(1));
        let taken = q.take(1, t + Duration::from_secs(1));
        assert_eq!(taken[0].0, key("b"));
    }
}
