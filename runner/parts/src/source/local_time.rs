//! Times without a zone, read in the connector's time zone. An offset is asked for once and kept while it holds.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z in microseconds since 1970.
pub(crate) const MIN_MICROS: i64 = -62_135_596_800 * SECOND;
/// 9999-12-31T23:59:59.999999Z in microseconds since 1970.
pub(crate) const MAX_MICROS: i64 = 253_402_300_800 * SECOND - 1;
/// 0001-01-01 in days since 1970.
pub(crate) const MIN_DAYS: i32 = -719_162;
/// 9999-12-31 in days since 1970.
pub(crate) const MAX_DAYS: i32 = 2_932_896;
/// No offset is further from UTC than a day; times this near to a change of offset are looked up one by one.
const MARGIN: i64 = 26 * 3600 * SECOND;

/// Turns local times into instants.
pub(crate) struct LocalTime {
    zone: TimeZone,
    /// Local times from here …
    from: i64,
    /// … to before here have this offset.
    until: i64,
    offset: i64,
}

impl LocalTime {
    /// Local time in the IANA zone `name`.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let zone = if name == "UTC" { TimeZone::UTC } else { TimeZone::get(name).ok()? };
        Some(Self {
            zone,
            from: 0,
            until: 0,
            offset: 0,
        })
    }

    /// The instant of `local`, both in microseconds since 1970.
    ///
    /// A time that occurs twice (the clock goes back) is the first of the two; one that does not occur (the clock goes
    /// forward) is an error: it was never a time in that zone.
    pub(crate) fn instant(&mut self, local: i64) -> Result<i64, &'static str> {
        if !(MIN_MICROS..=MAX_MICROS).contains(&local) {
            return Err("is a time outside the years 1 to 9999");
        }
        if (self.from..self.until).contains(&local) {
            return in_range(local - self.offset);
        }
        let civil = civil(local).ok_or("is not a time")?;
        let offset = match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { .. } => return Err("is a time that does not exist in the connector's time zone: the clock was put forward over it"),
        };
        let offset = i64::from(offset.seconds()) * SECOND;
        let instant = in_range(local - offset)?;
        self.keep(instant, offset);
        Ok(instant)
    }

    fn keep(&mut self, instant: i64, offset: i64) {
        let Ok(at) = Timestamp::from_microsecond(instant) else { return };
        let before = self
            .zone
            .preceding(at)
            .next()
            .map_or(MIN_MICROS, |t| t.timestamp().as_microsecond() + offset + MARGIN);
        let after = self
            .zone
            .following(at)
            .next()
            .map_or(MAX_MICROS, |t| t.timestamp().as_microsecond() + offset - MARGIN);
        (self.from, self.until, self.offset) = (before, after, offset);
    }
}

fn in_range(instant: i64) -> Result<i64, &'static str> {
    if (MIN_MICROS..=MAX_MICROS).contains(&instant) {
        Ok(instant)
    } else {
        Err("is a time outside the years 1 to 9999")
    }
}

/// The local time that is so many microseconds after 1970 began there. Not by way of an instant: those of jiff end two
/// days before the year 9999 does, and `9999-12-31` stands for "never" in many a table.
fn civil(micros: i64) -> Option<DateTime> {
    let date = Date::constant(1970, 1, 1)
        .checked_add(Span::new().try_days(micros.div_euclid(DAY)).ok()?)
        .ok()?;
    let in_day = micros.rem_euclid(DAY);
    let part = |unit: i64, count: i64| i8::try_from(in_day / unit % count).ok();
    let nanoseconds = i32::try_from(in_day % SECOND * 1000).ok()?;
    let time = Time::new(part(3600 * SECOND, 24)?, part(60 * SECOND, 60)?, part(SECOND, 60)?, nanoseconds).ok()?;
    Some(date.to_datetime(time))
}

/// The opposite: microseconds of a local time since 1970 began there, finer parts cut off.
pub(crate) fn local_micros(local: DateTime) -> i64 {
    let days = i64::from((local.date() - Date::constant(1970, 1, 1)).get_days());
    let time = local.time();
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    days * DAY + seconds * SECOND + i64::from(time.subsec_nanosecond() / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn local_times_become_instants() {
        let mut berlin = LocalTime::new("Europe/Berlin").unwrap();
        // Local time written as if it were UTC, and the instant.
        for (local, instant) in [
            ("2026-01-15T12:00:00Z", "2026-01-15T11:00:00Z"),
            ("2026-01-15T12:00:00.000001Z", "2026-01-15T11:00:00.000001Z"),
            ("2026-07-15T12:00:00Z", "2026-07-15T10:00:00Z"),
            ("2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"),
            ("2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"),
            // The hour from 2 to 3 occurs twice: the first, in summer time.
            ("2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"),
            ("2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"),
            ("1900-01-01T00:00:00Z", "1899-12-31T23:00:00Z"),
            ("2026-01-15T12:00:00Z", "2026-01-15T11:00:00Z"),
        ] {
            assert_eq!(berlin.instant(micros(local)), Ok(micros(instant)), "{local}");
        }
        // Beyond jiff's last instant.
        assert_eq!(berlin.instant(MAX_MICROS), Ok(MAX_MICROS - 3600 * SECOND));
        assert!(berlin.instant(MIN_MICROS).is_err(), "the year 0 in UTC");
        assert!(berlin.instant(micros("2026-03-29T02:30:00Z")).is_err(), "a time that does not exist");
        assert!(berlin.instant(MAX_MICROS + 1).is_err());
        assert!(LocalTime::new("Europe/Atlantis").is_none());
    }

    #[test]
    fn a_kept_offset_agrees_with_one_that_was_asked_for() {
        let mut kept = LocalTime::new("America/New_York").unwrap();
        // Every seven hours over four years, in order, so that the kept offset is used.
        let (start, end) = (micros("2024-01-01T00:00:00Z"), micros("2028-01-01T00:00:00Z"));
        let mut local = start;
        while local < end {
            let fresh = LocalTime::new("America/New_York").unwrap().instant(local);
            assert_eq!(kept.instant(local), fresh, "{local}");
            local += 7 * 3600 * SECOND;
        }
    }

    proptest::proptest! {
        #[test]
        fn local_times_are_counted_there_and_back(micros in MIN_MICROS..=MAX_MICROS) {
            proptest::prop_assert_eq!(local_micros(civil(micros).unwrap()), micros);
        }
    }

    #[test]
    fn bounds_are_the_years_1_and_9999() {
        assert_eq!(MIN_MICROS, micros("0001-01-01T00:00:00Z"));
        assert_eq!(i64::from(MIN_DAYS) * 86_400 * SECOND, MIN_MICROS);
        assert_eq!((i64::from(MAX_DAYS) + 1) * 86_400 * SECOND - 1, MAX_MICROS);
    }
}
