//! Slots and periods: a table, and properties over random schedules.

use super::*;
use openreg_crds::schedule::{PeriodLength, SchedulePeriod};
use proptest::prelude::*;
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec(value: Value) -> ScheduleSpec {
    let mut whole = json!({"reportRef": "r", "cron": ["30 18 * * *"]});
    whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn decide(spec: &ScheduleSpec, created: &str, decided: Option<&str>, edited: Option<&str>, now: &str, active: Option<&str>) -> Decision {
    let known = Known {
        created: at(created),
        decided_until: decided.map(at),
        edited: edited.map(at),
        now: at(now),
        active: &|_| active.map(str::to_owned),
        has_run: &|_| false,
    };
    due(spec, &Times::new(spec).unwrap(), &known).unwrap()
}

#[test]
fn slot_whose_run_was_made_before_a_crash_is_not_told_as_missed() {
    let spec = spec(json!({"cron": ["* * * * *"]}));
    // The run of 10:01 was made, then the process was killed; 10:02 and 10:03 came meanwhile.
    let made = at("2026-03-02T10:01:00Z");
    let decide = |now: &str, active: Option<&str>| {
        let known = Known {
            created: at("2026-03-02T10:00:30Z"),
            decided_until: None,
            edited: None,
            now: at(now),
            active: &|_| active.map(str::to_owned),
            has_run: &|slot| slot == made,
        };
        due(&spec, &Times::new(&spec).unwrap(), &known).unwrap()
    };
    let skipped = |d: &Decision| d.skipped.iter().map(|s| s.slot.to_string()).collect::<Vec<_>>();
    let later = decide("2026-03-02T10:03:10Z", None);
    assert_eq!(run_slot(&later).as_deref(), Some("2026-03-02T10:03:00Z"));
    assert_eq!(skipped(&later), ["2026-03-02T10:02:00Z"]);
    // It is the newest itself, and another run that was started by hand is under way: it was made, so it is not skipped.
    let own = decide("2026-03-02T10:01:10Z", Some("by-hand"));
    assert_eq!((run_slot(&own).as_deref(), own.skipped.len()), (Some("2026-03-02T10:01:00Z"), 0));
}

fn run_slot(decision: &Decision) -> Option<String> {
    decision.run.as_ref().map(|r| r.slot.to_string())
}

#[test]
fn table() {
    struct Case(
        &'static str,
        Value,
        (&'static str, Option<&'static str>, Option<&'static str>, &'static str),
        (Option<&'static str>, usize, Option<&'static str>, Option<&'static str>),
    );
    for Case(what, extra, (created, decided, edited, now), (run, skipped, decided_until, next)) in [
        Case(
            "before the first slot",
            json!({}),
            ("2026-03-02T10:00:00Z", None, None, "2026-03-02T18:29:59.9Z"),
            (None, 0, None, Some("2026-03-02T18:30:00Z")),
        ),
        Case(
            "at the slot",
            json!({}),
            ("2026-03-02T10:00:00Z", None, None, "2026-03-02T18:30:00Z"),
            (Some("2026-03-02T18:30:00Z"), 0, Some("2026-03-02T18:30:00Z"), Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "a little late",
            json!({}),
            ("2026-03-02T10:00:00Z", None, None, "2026-03-02T18:30:00.04Z"),
            (Some("2026-03-02T18:30:00Z"), 0, Some("2026-03-02T18:30:00Z"), Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "decided already",
            json!({}),
            ("2026-03-02T10:00:00Z", Some("2026-03-02T18:30:00Z"), None, "2026-03-02T18:30:00.5Z"),
            (None, 0, None, Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "made after today's slot",
            json!({}),
            ("2026-03-02T19:00:00Z", None, None, "2026-03-02T19:00:01Z"),
            (None, 0, None, Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "made in the very moment",
            json!({}),
            ("2026-03-02T18:30:00Z", None, None, "2026-03-02T18:30:01Z"),
            (None, 0, None, Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "three days down",
            json!({}),
            ("2026-03-01T00:00:00Z", Some("2026-03-01T18:30:00Z"), None, "2026-03-04T20:00:00Z"),
            (Some("2026-03-04T18:30:00Z"), 2, Some("2026-03-04T18:30:00Z"), Some("2026-03-05T18:30:00Z")),
        ),
        Case(
            "edited after the slot of the new spec",
            json!({}),
            (
                "2026-03-01T00:00:00Z",
                Some("2026-03-01T06:00:00Z"),
                Some("2026-03-02T19:00:00Z"),
                "2026-03-02T19:00:05Z",
            ),
            (None, 0, Some("2026-03-02T19:00:00Z"), Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "edited, then down over a slot",
            json!({}),
            (
                "2026-03-01T00:00:00Z",
                Some("2026-03-01T06:00:00Z"),
                Some("2026-03-02T17:00:00Z"),
                "2026-03-02T20:00:00Z",
            ),
            (Some("2026-03-02T18:30:00Z"), 0, Some("2026-03-02T18:30:00Z"), Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "an old edit moves nothing back",
            json!({}),
            (
                "2026-03-01T00:00:00Z",
                Some("2026-03-02T18:30:00Z"),
                Some("2026-03-01T12:00:00Z"),
                "2026-03-02T20:00:00Z",
            ),
            (None, 0, None, Some("2026-03-03T18:30:00Z")),
        ),
        Case(
            "suspended",
            json!({"suspend": true}),
            (
                "2026-03-01T00:00:00Z",
                Some("2026-03-01T18:30:00Z"),
                Some("2026-03-02T09:00:00Z"),
                "2026-03-09T20:00:00Z",
            ),
            (None, 0, Some("2026-03-02T09:00:00Z"), None),
        ),
        Case(
            "resumed a week later",
            json!({}),
            (
                "2026-03-01T00:00:00Z",
                Some("2026-03-02T09:00:00Z"),
                Some("2026-03-09T09:00:00Z"),
                "2026-03-09T09:00:01Z",
            ),
            (None, 0, Some("2026-03-09T09:00:00Z"), Some("2026-03-09T18:30:00Z")),
        ),
        Case(
            "two expressions",
            json!({"cron": ["0 6 * * *", "30 18 * * *"]}),
            ("2026-03-02T00:00:00Z", None, None, "2026-03-02T18:31:00Z"),
            (Some("2026-03-02T18:30:00Z"), 1, Some("2026-03-02T18:30:00Z"), Some("2026-03-03T06:00:00Z")),
        ),
        Case(
            "weekdays only",
            json!({"cron": ["30 18 * * MON-FRI"]}),
            ("2026-03-06T20:00:00Z", None, None, "2026-03-08T20:00:00Z"),
            (None, 0, None, Some("2026-03-09T18:30:00Z")),
        ),
        // Europe/Berlin: clocks jump from 02:00 to 03:00 on 29 March, and back from 03:00 to 02:00 on 25 October 2026.
        Case(
            "in the gap: at the next valid minute",
            json!({"cron": ["30 2 * * *"], "timeZone": "Europe/Berlin"}),
            ("2026-03-28T12:00:00Z", None, None, "2026-03-29T02:00:00Z"),
            (Some("2026-03-29T01:00:00Z"), 0, Some("2026-03-29T01:00:00Z"), Some("2026-03-30T00:30:00Z")),
        ),
        Case(
            "in the overlap: once",
            json!({"cron": ["30 2 * * *"], "timeZone": "Europe/Berlin"}),
            ("2026-10-24T12:00:00Z", None, None, "2026-10-25T12:00:00Z"),
            (Some("2026-10-25T00:30:00Z"), 0, Some("2026-10-25T00:30:00Z"), Some("2026-10-26T01:30:00Z")),
        ),
    ] {
        let decision = decide(&spec(extra), created, decided, edited, now, None);
        assert_eq!(run_slot(&decision).as_deref(), run, "{what}: run");
        assert_eq!(decision.skipped.len(), skipped, "{what}: skipped");
        assert_eq!(decision.decided_until, decided_until.map(at), "{what}: decided until");
        assert_eq!(decision.next, next.map(at), "{what}: next");
    }
}

#[test]
fn overlap_forbid_skips_and_says_why() {
    let forbid = spec(json!({}));
    let decision = decide(&forbid, "2026-03-02T10:00:00Z", None, None, "2026-03-02T18:30:00Z", Some("r-202603011830"));
    assert_eq!(decision.run, None);
    assert_eq!(
        decision.skipped,
        [Skipped {
            slot: at("2026-03-02T18:30:00Z"),
            reason: "run r-202603011830 had not ended (overlap Forbid)".to_owned()
        }]
    );
    assert_eq!(decision.decided_until, Some(at("2026-03-02T18:30:00Z")), "it is not looked at again");
    let allow = spec(json!({"overlap": "Allow"}));
    assert!(
        decide(&allow, "2026-03-02T10:00:00Z", None, None, "2026-03-02T18:30:00Z", Some("x"))
            .run
            .is_some()
    );
}

#[test]
fn a_year_down_is_decided_at_once() {
    let often = spec(json!({"cron": ["* * * * *"]}));
    let decision = decide(&often, "2025-01-01T00:00:00Z", None, None, "2026-01-01T00:00:00Z", None);
    assert_eq!(run_slot(&decision).as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(decision.skipped.len(), MAX_SKIPPED);
}

#[test]
fn bad_specs_are_problems() {
    for (extra, fields) in [
        (json!({"cron": ["30 18 * *"]}), vec!["spec.cron[0]"]),
        (json!({"cron": ["0 0 1 1 *", "0 30 18 * * *"]}), vec!["spec.cron[1]"]),
        (json!({"cron": ["61 * * * *"]}), vec!["spec.cron[0]"]),
        (json!({"timeZone": "Europe/Atlantis"}), vec!["spec.timeZone"]),
        (json!({"timeZone": "Mars", "cron": ["x x x x x"]}), vec!["spec.cron[0]", "spec.timeZone"]),
    ] {
        let problems = Times::new(&spec(extra.clone())).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), fields, "{extra}");
        assert!(problems.iter().all(|p| p.message.contains("write")), "{problems:?} says what to write");
    }
}

#[test]
fn a_date_that_never_comes_is_no_slot() {
    let never = spec(json!({"cron": ["0 0 30 2 *"]}));
    assert_eq!(
        decide(&never, "2026-01-01T00:00:00Z", None, None, "2027-01-01T00:00:00Z", None),
        Decision::default()
    );
}

#[test]
fn periods() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for (slot, length, offset, start, end) in [
        (
            "2026-03-03T05:00:00Z",
            PeriodLength::Day,
            None,
            "2026-03-02T00:00:00+01:00[Europe/Berlin]",
            "2026-03-03T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-03-03T05:00:00Z",
            PeriodLength::Day,
            Some(0),
            "2026-03-03T00:00:00+01:00[Europe/Berlin]",
            "2026-03-04T00:00:00+01:00[Europe/Berlin]",
        ),
        // 23:30 UTC is the next day in Berlin.
        (
            "2026-03-02T23:30:00Z",
            PeriodLength::Day,
            None,
            "2026-03-02T00:00:00+01:00[Europe/Berlin]",
            "2026-03-03T00:00:00+01:00[Europe/Berlin]",
        ),
        // The day of 23 hours and the day of 25.
        (
            "2026-03-30T05:00:00Z",
            PeriodLength::Day,
            None,
            "2026-03-29T00:00:00+01:00[Europe/Berlin]",
            "2026-03-30T00:00:00+02:00[Europe/Berlin]",
        ),
        (
            "2026-10-26T05:00:00Z",
            PeriodLength::Day,
            None,
            "2026-10-25T00:00:00+02:00[Europe/Berlin]",
            "2026-10-26T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-03-04T05:00:00Z",
            PeriodLength::Week,
            None,
            "2026-02-23T00:00:00+01:00[Europe/Berlin]",
            "2026-03-02T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-03-31T05:00:00Z",
            PeriodLength::Month,
            None,
            "2026-02-01T00:00:00+01:00[Europe/Berlin]",
            "2026-03-01T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-01-15T05:00:00Z",
            PeriodLength::Quarter,
            None,
            "2025-10-01T00:00:00+02:00[Europe/Berlin]",
            "2026-01-01T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2026-12-31T22:59:59Z",
            PeriodLength::Quarter,
            Some(0),
            "2026-10-01T00:00:00+02:00[Europe/Berlin]",
            "2027-01-01T00:00:00+01:00[Europe/Berlin]",
        ),
        (
            "2028-02-29T05:00:00Z",
            PeriodLength::Year,
            None,
            "2027-01-01T00:00:00+01:00[Europe/Berlin]",
            "2028-01-01T00:00:00+01:00[Europe/Berlin]",
        ),
    ] {
        let period = period(at(slot), Some(&SchedulePeriod { length, offset }), &berlin).unwrap();
        assert_eq!(
            (period.start.to_string().as_str(), period.end.to_string().as_str()),
            (start, end),
            "{slot} {length:?} {offset:?}"
        );
    }
    let default = period(at("2026-03-03T05:00:00Z"), None, &TimeZone::UTC).unwrap();
    assert_eq!(default.start.timestamp(), at("2026-03-02T00:00:00Z"));
}

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];
const CRONS: [&str; 8] = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "0 0 * * *",
    "30 18 * * MON-FRI",
    "0 6 L * *",
    "15 1 1 */3 *",
];

fn lengths() -> impl Strategy<Value = PeriodLength> {
    prop_oneof![
        Just(PeriodLength::Day),
        Just(PeriodLength::Week),
        Just(PeriodLength::Month),
        Just(PeriodLength::Quarter),
        Just(PeriodLength::Year)
    ]
}

proptest! {
    /// Periods tile time: the one after begins where this one ends, and the one at offset 0 holds the slot.
    #[test]
    fn periods_tile_time(seconds in 946_684_800_i64..4_102_444_800, zone in 0..ZONES.len(), length in lengths(), offset in -400..0_i32) {
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let slot = Timestamp::from_second(seconds).unwrap();
        let of = |offset| period(slot, Some(&SchedulePeriod { length, offset: Some(offset) }), &zone).unwrap();
        let (this, next, holding) = (of(offset), of(offset + 1), of(0));
        prop_assert!(this.start < this.end);
        prop_assert_eq!(&this.end, &next.start);
        prop_assert!(holding.start.timestamp() <= slot && slot < holding.end.timestamp(), "{:?} does not hold {}", holding, slot);
        // Seen from any slot of the next period it is the same period.
        let seen = period(next.start.timestamp(), Some(&SchedulePeriod { length, offset: Some(-1) }), &zone).unwrap();
        prop_assert_eq!(seen, this);
    }

    /// Looked at at any moments, every slot is decided exactly once, and those are the slots that the expression has.
    #[test]
    fn every_slot_is_decided_once(
        start in 1_700_000_000_i64..1_900_000_000,
        steps in prop::collection::vec(1_i64..40_000, 1..12),
        crons in prop::collection::vec(0..CRONS.len(), 1..3),
        zone in 0..ZONES.len(),
    ) {
        let spec = spec(json!({"cron": crons.iter().map(|c| CRONS[*c]).collect::<Vec<_>>(), "timeZone": ZONES[zone], "overlap": "Allow"}));
        let times = Times::new(&spec).unwrap();
        let created = Timestamp::from_second(start).unwrap();
        let (mut now, mut decided_until, mut decided) = (created, None, Vec::new());
        for step in steps {
            now = now.checked_add(SignedDuration::from_secs(step)).unwrap();
            let known = Known { created, decided_until, edited: None, now, active: &|_| None, has_run: &|_| false };
            let decision = due(&spec, &times, &known).unwrap();
            let mut slots: Vec<Timestamp> = decision.skipped.iter().map(|s| s.slot).collect();
            slots.extend(decision.run.as_ref().map(|r| r.slot));
            slots.sort();
            // Beyond what the status can hold the oldest are not listed: look from where the list begins.
            let listed_from = if slots.len() > MAX_SKIPPED { slots[0] } else { decided_until.unwrap_or(created).checked_add(SignedDuration::from_secs(1)).unwrap() };
            let mut expected = Vec::new();
            let mut cursor = listed_from.checked_sub(SignedDuration::from_secs(1)).unwrap();
            while let Some(slot) = times.next(cursor).filter(|slot| *slot <= now) {
                expected.push(slot);
                cursor = slot;
            }
            prop_assert_eq!(&slots, &expected);
            prop_assert_eq!(decision.next, times.next(now));
            decided_until = decision.decided_until.or(decided_until);
            decided.extend(slots);
        }
        let mut unique = decided.clone();
        unique.dedup();
        prop_assert_eq!(unique, decided);
    }

    /// Whatever is edited, nothing before the edit fires.
    #[test]
    fn nothing_fires_retroactively(start in 1_700_000_000_i64..1_900_000_000, until_edit in 0_i64..500_000, since in 0_i64..500_000, cron in 0..CRONS.len(), zone in 0..ZONES.len()) {
        let spec = spec(json!({"cron": [CRONS[cron]], "timeZone": ZONES[zone]}));
        let created = Timestamp::from_second(start).unwrap();
        let edited = Timestamp::from_second(start + until_edit).unwrap();
        let known = Known { created, decided_until: None, edited: Some(edited), now: Timestamp::from_second(start + until_edit + since).unwrap(), active: &|_| None, has_run: &|_| false };
        let decision = due(&spec, &Times::new(&spec).unwrap(), &known).unwrap();
        for slot in decision.run.iter().map(|r| r.slot).chain(decision.skipped.iter().map(|s| s.slot)) {
            prop_assert!(slot > edited);
        }
    }
}
