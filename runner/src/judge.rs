//! What the counts mean: whether rules stop the run, and what no records mean. Pure.

use openreg_parts::store::manifest::Outcome;
use openreg_plan::plan::{OnViolation, Tolerance, WhenEmpty};

/// How many rows a rule may find before the run is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    on_violation: OnViolation,
    rows: Option<u64>,
    /// Numerator and denominator.
    fraction: Option<(u128, u128)>,
}

impl Limit {
    /// The limit that a plan states; `None` when its fraction is not a decimal from 0 to 1.
    pub(crate) fn new(on_violation: OnViolation, tolerance: &Tolerance) -> Option<Self> {
        let fraction = match &tolerance.fraction {
            Some(text) => Some(fraction(text)?),
            None => None,
        };
        Some(Self {
            on_violation,
            rows: tolerance.rows,
            fraction,
        })
    }

    /// Whether a row that violates the rule is left out.
    pub(crate) fn excludes(&self) -> bool {
        self.on_violation == OnViolation::Exclude
    }

    /// Whether `violations` out of `read` rows stop the run. The smaller bound wins; an exclusion without a bound
    /// tolerates nothing.
    pub(crate) fn stops(&self, violations: u64, read: u64) -> bool {
        self.stops_already(violations)
            || match (self.on_violation, self.fraction) {
                (OnViolation::Exclude, Some((numerator, denominator))) => u128::from(violations) * denominator > numerator * u128::from(read),
                _ => false,
            }
    }

    /// Whether `violations` stop the run however many rows are still to come.
    pub(crate) fn stops_already(&self, violations: u64) -> bool {
        match self.on_violation {
            OnViolation::Flag => false,
            OnViolation::Block => violations > 0,
            OnViolation::Exclude => match (self.rows, self.fraction) {
                (Some(rows), _) => violations > rows,
                (None, Some(_)) => false,
                (None, None) => violations > 0,
            },
        }
    }
}

/// An exact decimal from 0 to 1 as a fraction; 18 decimal places at most, so that products fit.
fn fraction(text: &str) -> Option<(u128, u128)> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 18 || !matches!(whole, "0" | "1") || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let denominator = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let numerator = whole.parse::<u128>().ok()? * denominator + if decimals.is_empty() { 0 } else { decimals.parse::<u128>().ok()? };
    (numerator <= denominator).then_some((numerator, denominator))
}

/// What came of the data: `stopped` by rules, `reported` rows otherwise.
pub(crate) fn outcome(stopped: bool, reported: u64, when_empty: WhenEmpty) -> Outcome {
    match (stopped, reported, when_empty) {
        (true, _, _) | (false, 0, WhenEmpty::Block) => Outcome::Blocked,
        (false, 0, WhenEmpty::Nothing) => Outcome::Empty,
        (false, 0, WhenEmpty::NilReport) | (false, _, _) => Outcome::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(on_violation: OnViolation, rows: Option<u64>, fraction: Option<&str>) -> Limit {
        Limit::new(
            on_violation,
            &Tolerance {
                rows,
                fraction: fraction.map(str::to_owned),
            },
        )
        .unwrap()
    }

    #[test]
    fn thresholds_stop_a_run() {
        use OnViolation::{Block, Exclude, Flag};
        for (on, rows, fraction, violations, read, stops) in [
            (Block, None, None, 0, 10, false),
            (Block, None, None, 1, 10, true),
            (Block, Some(5), None, 1, 10, true),
            (Flag, None, None, 10, 10, false),
            (Exclude, Some(2), None, 2, 10, false),
            (Exclude, Some(2), None, 3, 10, true),
            (Exclude, None, Some("0.1"), 1, 10, false),
            (Exclude, None, Some("0.1"), 2, 10, true),
            (Exclude, None, Some("0.001"), 1, 1000, false),
            (Exclude, None, Some("0.001"), 1, 999, true),
            (Exclude, None, Some("1"), 10, 10, false),
            (Exclude, Some(50), Some("0.1"), 2, 10, true),
            (Exclude, Some(1), Some("0.9"), 2, 10, true),
            (Exclude, None, None, 1, 10, true),
            (Exclude, Some(0), None, 0, 0, false),
            (Exclude, None, Some("0"), u64::MAX, u64::MAX, true),
        ] {
            assert_eq!(
                limit(on, rows, fraction).stops(violations, read),
                stops,
                "{on:?} {rows:?} {fraction:?} {violations}/{read}"
            );
        }
    }

    #[test]
    fn fractions_are_exact_decimals() {
        for text in ["", ".5", "0.5.", "-0.1", "1.1", "2", "0,1", "1e-3", "0.1234567890123456789"] {
            assert_eq!(
                Limit::new(
                    OnViolation::Exclude,
                    &Tolerance {
                        rows: None,
                        fraction: Some(text.to_owned())
                    }
                ),
                None,
                "{text}"
            );
        }
        assert_eq!(fraction("0.25"), Some((25, 100)));
        assert_eq!(fraction("1.0"), Some((10, 10)));
    }

    #[test]
    fn no_records_mean_what_the_report_says() {
        for (stopped, reported, when_empty, expected) in [
            (false, 0, WhenEmpty::Nothing, Outcome::Empty),
            (false, 0, WhenEmpty::NilReport, Outcome::Complete),
            (false, 0, WhenEmpty::Block, Outcome::Blocked),
            (false, 1, WhenEmpty::Block, Outcome::Complete),
            (true, 0, WhenEmpty::NilReport, Outcome::Blocked),
            (true, 5, WhenEmpty::Nothing, Outcome::Blocked),
        ] {
            assert_eq!(outcome(stopped, reported, when_empty), expected);
        }
    }
}
