//! Who is written first, who waits, and that a long list costs what it is long.

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
    // The four that failed are due again, and older than what is new.
    let at = at + Duration::from_secs(1);
    q.push(of("well", 1), view("x"), at);
    let taken = q.take(20, at);
    assert_eq!(namespaces(&taken), ["hangs", "hangs", "hangs", "hangs", "well"]);
    assert!(
        taken[..4].iter().all(|(key, _)| !["r0", "r1", "r10", "r11"].contains(&key.1.as_str())),
        "{taken:?}"
    );
    for (key, _) in &taken {
        q.done(key, true, at);
    }
    while q.behind(at).0 > 4 {
        q.take(4, at).iter().for_each(|(key, _)| q.done(key, true, at));
    }
    q.push(of("well", 2), view("x"), at);
    assert_eq!(namespaces(&q.take(8, at)), ["well", "hangs", "hangs", "hangs", "hangs"]);
}

#[test]
fn the_oldest_is_first() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.push(key("b"), view("b"), t);
    q.push(key("a"), view("a"), t + Duration::from_secs(1));
    let taken = q.take(1, t + Duration::from_secs(1));
    assert_eq!(taken[0].0, key("b"));
}

/// As it is once the history has it and it was let go.
fn settled() -> View {
    let mut view = view("x");
    let status = serde_json::json!({"conditions": [{"type": "Recorded", "status": "True", "reason": "Recorded", "message": "", "lastTransitionTime": "2026-03-03T18:31:00Z"}]});
    view.run.status = Some(serde_json::from_value(status).unwrap());
    view
}

#[test]
fn what_is_new_does_not_wait_behind_what_a_list_repeats() {
    let (mut q, t) = (Queue::default(), Instant::now());
    let at = t + Duration::from_secs(1);
    for i in 0..20_000 {
        q.push(key(&format!("r{i}")), settled(), t);
    }
    q.push(key("new"), view("x"), at);
    assert_eq!(q.take(1, at)[0].0, key("new"));
    // The mark may be there before the object is let go.
    let mut held = settled();
    held.run.metadata.finalizers = Some(vec![openreg_crds::RECORDED_FINALIZER.to_owned()]);
    q.push(key("r7"), held, at);
    assert_eq!(q.take(1, at)[0].0, key("r7"));
    // And what changes while it waits takes its new place.
    q.push(key("r8"), view("x"), at);
    assert_eq!(q.take(1, at)[0].0, key("r8"));
}

#[test]
fn a_long_list_is_worked_off_without_looking_at_all_of_it_each_time() {
    let (mut q, t, n) = (Queue::default(), Instant::now(), 20_000_u32);
    for i in 0..n {
        q.push(key(&format!("r{i}")), settled(), t);
        if i % 256 == 0 {
            q.take(8, t);
            q.behind(t);
        }
    }
    assert_eq!(q.busy[&key("").0], OF_ONE);
    let mut under_way: Vec<Key> = q
        .items
        .iter()
        .filter(|(_, i)| i.stands == Stands::Busy { newer: false })
        .map(|(k, _)| k.clone())
        .collect();
    let mut written = 0;
    while let Some(key) = under_way.pop() {
        q.done(&key, true, t);
        written += 1;
        under_way.extend(q.take(8, t).into_iter().map(|(key, _)| key));
        q.behind(t);
    }
    assert_eq!((written, q.behind(t).0), (n, 0));
    assert!(q.ready.is_empty() && q.later.is_empty() && q.busy.is_empty() && q.ages.is_empty(), "{q:?}");
    // One look at all that wait, at each of 20,000 ends, takes minutes.
    assert!(t.elapsed() < Duration::from_secs(20), "{:?}", t.elapsed());
}

#[test]
fn what_waits_for_its_next_try_is_due_when_what_hindered_it_has_ended() {
    let (mut q, t) = (Queue::default(), Instant::now());
    for name in ["a", "b"] {
        q.push(key(name), view("x"), t);
    }
    for (key, _) in q.take(8, t) {
        q.done(&key, false, t);
    }
    assert!(q.take(8, t).is_empty());
    q.hurry();
    assert_eq!(q.take(8, t).len(), 2);
}
