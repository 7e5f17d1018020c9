//! Which slots of a Schedule are due, and what becomes of each. Pure: (spec, creation, status, now) → decision. Preview and
//! scheduler are this one function.
//!
//! - Slots after `from` up to now are due; `from` is the last slot decided, the creation when there is no status, and never
//!   before the last change of the spec: an edit does not fire retroactively, and time spent suspended is not missed.
//! - Of several the latest runs and the others are recorded as skipped: they were missed while nobody was there.
//! - A slot whose predecessor still runs is skipped under `Forbid`.

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, Zoned};
use openreg_crds::schedule::{Overlap, ScheduleSpec};
use openreg_parts::error::Problem;

use super::period::{Period, period};

/// The most skipped slots that are looked for; the status keeps as many.
pub const MAX_SKIPPED: usize = 20;

/// A slot that becomes a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slot.
    pub slot: Timestamp,
    /// What it reports on.
    pub period: Period,
}

/// A slot that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The slot.
    pub slot: Timestamp,
    /// Why.
    pub reason: String,
}

/// What becomes of the slots up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// At most one runs.
    pub run: Option<Due>,
    /// Newest first.
    pub skipped: Vec<Skipped>,
    /// Up to where all is decided now.
    pub decided_until: Option<Timestamp>,
    /// The next slot; none while suspended.
    pub next: Option<Timestamp>,
}

/// When a Schedule fires: its spec, understood.
#[derive(Debug)]
pub struct Times {
    crons: Vec<Cron>,
    zone: TimeZone,
}

/// What is known when a Schedule is looked at.
pub struct Known<'a> {
    /// When the object was made.
    pub created: Timestamp,
    /// Up to where all was decided before.
    pub decided_until: Option<Timestamp>,
    /// When the spec was changed, if it was since the last decision.
    pub edited: Option<Timestamp>,
    /// The clock.
    pub now: Timestamp,
    /// Name of a run of this Schedule, other than the slot's own, that has not ended.
    pub active: &'a dyn Fn(Timestamp) -> Option<String>,
    /// Whether the slot has its run: one that was made just before a crash, so that the status does not know it.
    pub has_run: &'a dyn Fn(Timestamp) -> bool,
}

impl Times {
    /// Understands `spec`, or says what is wrong with it.
    pub fn new(spec: &ScheduleSpec) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut crons = Vec::new();
        for (i, text) in spec.cron.iter().enumerate() {
            match openreg_resolve::check::cron(text) {
                Ok(cron) => crons.push(cron),
                Err(message) => problems.push(Problem::new(format!("spec.cron[{i}]"), message)),
            }
        }
        let name = spec.time_zone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(name);
        if zone.is_err() {
            problems.push(Problem::new(
                "spec.timeZone",
                format!("`{name}` is not a time zone: write an IANA name such as Europe/Berlin"),
            ));
        }
        match zone {
            Ok(zone) if problems.is_empty() => Ok(Self { crons, zone }),
            _ => Err(problems),
        }
    }

    /// The first slot after `after`; none when there is none in the coming years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = self.whole_second(after);
        self.crons
            .iter()
            .filter_map(|cron| cron.find_next_occurrence(&start, false).ok())
            .map(|z| z.timestamp())
            .filter(|t| *t > after)
            .min()
    }

    /// The slots after `from` up to `until`, newest first, at most `limit`.
    fn back(&self, from: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
        let mut slots: Vec<Timestamp> = Vec::new();
        let mut cursor = self.whole_second(until);
        let mut inclusive = true;
        while slots.len() < limit {
            let previous = self
                .crons
                .iter()
                .filter_map(|cron| cron.find_previous_occurrence(&cursor, inclusive).ok())
                .max_by_key(Zoned::timestamp);
            match previous {
                Some(slot) if slot.timestamp() > from => {
                    slots.push(slot.timestamp());
                    cursor = slot;
                    inclusive = false;
                }
                _ => break,
            }
        }
        slots
    }

    fn whole_second(&self, at: Timestamp) -> Zoned {
        let whole = at
            .round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor))
            .unwrap_or(at);
        whole.to_zoned(self.zone.clone())
    }
}

/// Decides what becomes of the slots up to now.
pub fn due(spec: &ScheduleSpec, times: &Times, known: &Known<'_>) -> Result<Decision, jiff::Error> {
    let begun = known.decided_until.unwrap_or(known.created);
    let from = known.edited.map_or(begun, |edited| edited.max(begun));
    let moved = known.edited.filter(|edited| *edited > begun);
    if spec.suspend == Some(true) {
        return Ok(Decision {
            decided_until: moved,
            ..Decision::default()
        });
    }
    let mut slots = times.back(from, known.now, MAX_SKIPPED + 1).into_iter();
    let mut decision = Decision {
        decided_until: moved,
        next: times.next(known.now.max(from)),
        ..Decision::default()
    };
    if let Some(slot) = slots.next() {
        decision.decided_until = Some(slot);
        let active = match spec.overlap.unwrap_or(Overlap::Forbid) {
            // Its own run is there already: it was not skipped, whatever else runs by now.
            _ if (known.has_run)(slot) => None,
            Overlap::Forbid => (known.active)(slot),
            Overlap::Allow => None,
        };
        match active {
            Some(run) => decision.skipped.push(Skipped {
                slot,
                reason: format!("run {run} had not ended (overlap Forbid)"),
            }),
            None => {
                decision.run = Some(Due {
                    slot,
                    period: period(slot, spec.period.as_ref(), &times.zone)?,
                })
            }
        }
    }
    decision.skipped.extend(slots.filter(|slot| !(known.has_run)(*slot)).map(|slot| Skipped {
        slot,
        reason: "missed: OpenReg was not running, and a later slot was due".to_owned(),
    }));
    Ok(decision)
}

/// How long until `at`, at least a millisecond; never longer than half an hour, so that a clock that was set is noticed.
pub fn wait(now: Timestamp, at: Option<Timestamp>) -> std::time::Duration {
    const LONGEST: SignedDuration = SignedDuration::from_mins(30);
    let left = at.map_or(LONGEST, |at| at.duration_since(now).min(LONGEST));
    std::time::Duration::try_from(left).unwrap_or_default().max(std::time::Duration::from_millis(1))
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
