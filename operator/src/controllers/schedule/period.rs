//! Periods: half-open, in the schedule's time zone, tiling time. Pure.
//!
//! A period is known by the date on which it begins. Its end is by definition the begin of the next one, so no edit and no
//! change of the clocks can make a gap or an overlap. (A date that a zone never had, as Samoa's 30 December 2011, is an empty
//! period, and a run over it is refused.)

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use openreg_crds::schedule::{PeriodLength, SchedulePeriod};

/// A half-open period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub start: Zoned,
    /// First instant after it.
    pub end: Zoned,
}

/// The period that a run of `slot` reports on; absent: the day before.
pub fn period(slot: Timestamp, spec: Option<&SchedulePeriod>, zone: &TimeZone) -> Result<Period, jiff::Error> {
    let (length, offset) = spec.map_or((PeriodLength::Day, -1), |s| (s.length, s.offset.unwrap_or(-1)));
    let holding = begin(slot.to_zoned(zone.clone()).date(), length)?;
    let start = shift(holding, length, offset)?;
    let end = shift(start, length, 1)?;
    Ok(Period {
        start: first_instant(start, zone)?,
        end: first_instant(end, zone)?,
    })
}

/// The first date of the period that holds `date`.
fn begin(date: Date, length: PeriodLength) -> Result<Date, jiff::Error> {
    match length {
        PeriodLength::Day => Ok(date),
        // ISO 8601: a week begins on Monday.
        PeriodLength::Week => date.checked_sub(i64::from(date.weekday().since(Weekday::Monday)).days()),
        PeriodLength::Month => Ok(date.first_of_month()),
        PeriodLength::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1),
        PeriodLength::Year => Date::new(date.year(), 1, 1),
    }
}

/// The first date of the period `by` periods later; `date` is the first of its own.
fn shift(date: Date, length: PeriodLength, by: i32) -> Result<Date, jiff::Error> {
    let by = i64::from(by);
    date.checked_add(match length {
        PeriodLength::Day => by.days(),
        PeriodLength::Week => by.weeks(),
        PeriodLength::Month => by.months(),
        PeriodLength::Quarter => (3 * by).months(),
        PeriodLength::Year => by.years(),
    })
}

/// The first instant of a date: midnight, or the first moment after it where clocks jump over midnight.
fn first_instant(date: Date, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
    date.to_zoned(zone.clone())
}
