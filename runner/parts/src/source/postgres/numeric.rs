//! PostgreSQL's binary `numeric`: base 10,000 digits. Read exactly, as a scaled integer or as text; never rounded.

/// Why a numeric cannot be kept.
const NOT_A_NUMBER: &str = "is NaN or infinite";
const TOO_LONG: &str = "has more digits than its declared precision";
const TOO_FINE: &str = "has more decimal places than its declared scale";
const MALFORMED: &str = "is not a numeric";

/// The most digits of a Decimal128.
pub(super) const MAX_PRECISION: u8 = 38;

const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A numeric as it comes over the wire.
struct Wire<'a> {
    /// Power of 10,000 of the first digit.
    weight: i16,
    negative: bool,
    /// Decimal places to show.
    scale: u16,
    /// Digits, two bytes each.
    digits: &'a [u8],
}

fn parse(raw: &[u8]) -> Result<Wire<'_>, &'static str> {
    let (head, digits) = raw.split_at_checked(8).ok_or(MALFORMED)?;
    let word = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
    if digits.len() != usize::from(word(0)) * 2 {
        return Err(MALFORMED);
    }
    let negative = match word(4) {
        0x0000 => false,
        0x4000 => true,
        0xC000 | 0xD000 | 0xF000 => return Err(NOT_A_NUMBER),
        _ => return Err(MALFORMED),
    };
    Ok(Wire {
        weight: word(2).cast_signed(),
        negative,
        scale: word(6),
        digits,
    })
}

/// The value times ten to the power of `scale`, if it has at most `precision` digits and is whole then.
pub(super) fn scaled(raw: &[u8], precision: u8, scale: u8) -> Result<i128, &'static str> {
    let wire = parse(raw)?;
    let groups = wire.digits.len() / 2;
    if groups == 0 {
        return Ok(0);
    }
    // The last group stands for 10,000 to the power of (weight - groups + 1); below zero, so many digits must be zeros.
    let exponent = (i32::from(wire.weight) - i32::try_from(groups).unwrap_or(i32::MAX) + 1) * 4 + i32::from(scale);
    let drop = usize::try_from(-exponent).unwrap_or(0);
    let kept = groups.saturating_sub(drop / 4);
    let (kept, dropped) = wire.digits.split_at(kept * 2);
    if dropped.iter().any(|byte| *byte != 0) {
        return Err(TOO_FINE);
    }
    let mut value = whole(kept, drop % 4)?;
    if exponent > 0 && value != 0 {
        let power = usize::try_from(exponent).ok().and_then(|e| POWERS.get(e)).ok_or(TOO_LONG)?;
        value = value.checked_mul(*power).ok_or(TOO_LONG)?;
    }
    if value >= POWERS[usize::from(precision.min(MAX_PRECISION))] {
        return Err(TOO_LONG);
    }
    Ok(if wire.negative { -value } else { value })
}

/// The number of these groups without its last `drop` digits, at most 3, which must be zeros.
fn whole(groups: &[u8], drop: usize) -> Result<i128, &'static str> {
    let group = |pair: &[u8]| i64::from(u16::from_be_bytes([pair[0], pair[1]]));
    let (first, last) = groups.split_at(groups.len().saturating_sub(2));
    if last.is_empty() {
        return Ok(0);
    }
    let (divisor, factor) = [(1, 10_000), (10, 1000), (100, 100), (1000, 10)][drop];
    let last = group(last);
    if last % divisor != 0 {
        return Err(TOO_FINE);
    }
    // Four groups fit an i64; few values have more, and i64 is much faster.
    if first.len() <= 6 {
        let first = first.chunks_exact(2).fold(0, |value, pair| value * 10_000 + group(pair));
        return Ok(i128::from(first * factor + last / divisor));
    }
    let mut value: i128 = 0;
    for pair in first.chunks_exact(2) {
        value = value.checked_mul(10_000).and_then(|v| v.checked_add(i128::from(group(pair)))).ok_or(TOO_LONG)?;
    }
    value
        .checked_mul(i128::from(factor))
        .and_then(|v| v.checked_add(i128::from(last / divisor)))
        .ok_or(TOO_LONG)
}

/// The value as PostgreSQL writes it: every decimal place that it has, no exponent.
pub(super) fn text(raw: &[u8], out: &mut String) -> Result<(), &'static str> {
    let wire = parse(raw)?;
    let group = |i: i32| -> u16 {
        let at = usize::try_from(i).ok().map(|i| i * 2);
        at.and_then(|at| wire.digits.get(at..at + 2))
            .map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    if wire.negative && !wire.digits.is_empty() {
        out.push('-');
    }
    let weight = i32::from(wire.weight);
    if weight < 0 {
        out.push('0');
    } else {
        for i in 0..=weight {
            let [a, b, c, d] = four(group(i));
            let digits = [a, b, c, d];
            let skip = if i == 0 {
                digits.iter().take(3).take_while(|d| **d == b'0').count()
            } else {
                0
            };
            out.extend(digits[skip..].iter().map(|d| char::from(*d)));
        }
    }
    if wire.scale > 0 {
        out.push('.');
        let mut left = usize::from(wire.scale);
        let mut i = weight + 1;
        // A value below 0.0001 begins some groups later: those in between are zero, as `group` says.
        if weight < 0 {
            i = 0;
            for _ in 0..(-weight - 1) {
                let zeros = left.min(4);
                out.extend(std::iter::repeat_n('0', zeros));
                left -= zeros;
            }
        }
        while left > 0 {
            let take = left.min(4);
            out.extend(four(group(i))[..take].iter().map(|d| char::from(*d)));
            left -= take;
            i += 1;
        }
    }
    Ok(())
}

fn four(group: u16) -> [u8; 4] {
    let digit = |d: u16| b'0' + u8::try_from(d % 10).unwrap_or(0);
    [digit(group / 1000), digit(group / 100), digit(group / 10), digit(group)]
}

/// Precision and scale of a declared `numeric(p,s)`, from the type modifier, when a Decimal128 holds it.
pub(super) fn declared(modifier: i32) -> Option<(u8, u8)> {
    // numeric.c, make_numeric_typmod: ((precision << 16) | (scale & 0x7ff)) + 4; scale is an 11-bit signed number.
    let packed = modifier.checked_sub(4).filter(|m| *m >= 0)?;
    let precision = u8::try_from((packed >> 16) & 0xffff).ok()?;
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    let scale = u8::try_from(scale).ok()?;
    (precision <= MAX_PRECISION && scale <= precision && precision > 0).then_some((precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut raw = Vec::new();
        for word in [u16::try_from(groups.len()).unwrap(), weight.cast_unsigned(), sign, scale].iter().chain(groups) {
            raw.extend(word.to_be_bytes());
        }
        raw
    }

    /// What PostgreSQL sends for a decimal text (a check of its own, by shifting the text).
    fn encode(value: &str) -> Vec<u8> {
        let (negative, digits) = value.strip_prefix('-').map_or((false, value), |v| (true, v));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
        let padded = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
        let all = format!("{whole}{padded}");
        let mut groups: Vec<u16> = all.as_bytes().chunks(4).map(|c| std::str::from_utf8(c).unwrap().parse().unwrap()).collect();
        let mut weight = i16::try_from(whole.len() / 4).unwrap() - 1;
        while groups.first() == Some(&0) {
            groups.remove(0);
            weight -= 1;
        }
        while groups.last() == Some(&0) {
            groups.pop();
        }
        if groups.is_empty() {
            weight = 0;
        }
        wire(
            &groups,
            weight,
            if negative && !groups.is_empty() { 0x4000 } else { 0 },
            u16::try_from(fraction.len()).unwrap(),
        )
    }

    #[test]
    fn values_are_exact_or_refused() {
        for (value, precision, scale, expected) in [
            ("0", 1, 0, Ok(0)),
            ("1.50", 10, 2, Ok(150)),
            ("-1.5", 10, 5, Ok(-150_000)),
            ("12345678.9", 38, 18, Ok(12_345_678_900_000_000_000_000_000)),
            ("0.000001", 10, 6, Ok(1)),
            ("10000", 5, 0, Ok(10_000)),
            (
                "99999999999999999999999999999999999999",
                38,
                0,
                Ok(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            (
                "-99999999999999999999999999999999999.999",
                38,
                3,
                Ok(-99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("100000000000000000000000000000000000000", 38, 0, Err(TOO_LONG)),
            (
                "1234567890123456789012345678.0123456789",
                38,
                10,
                Ok(12_345_678_901_234_567_890_123_456_780_123_456_789),
            ),
            ("0.0100", 10, 2, Ok(1)),
            ("20000.1", 10, 3, Ok(20_000_100)),
            ("1.505", 10, 2, Err(TOO_FINE)),
            ("0.00001", 10, 2, Err(TOO_FINE)),
            ("100.00", 4, 2, Err(TOO_LONG)),
        ] {
            assert_eq!(scaled(&encode(value), precision, scale), expected, "{value}");
        }
        for sign in [0xC000, 0xD000, 0xF000] {
            assert_eq!(scaled(&wire(&[], 0, sign, 0), 10, 2), Err(NOT_A_NUMBER));
            assert_eq!(text(&wire(&[], 0, sign, 0), &mut String::new()), Err(NOT_A_NUMBER));
        }
        assert_eq!(scaled(&[0, 1], 10, 2), Err(MALFORMED));
        assert_eq!(scaled(&[0, 9, 0, 0, 0, 0, 0, 0], 10, 2), Err(MALFORMED));
        // A group of zeros that nobody needs, and 1e1000.
        assert_eq!(scaled(&wire(&[1, 0, 0], 0, 0, 8), 10, 2), Ok(100));
        assert_eq!(scaled(&wire(&[0, 0], 1000, 0, 0), 10, 2), Ok(0));
        assert_eq!(scaled(&wire(&[1], 250, 0, 0), 38, 0), Err(TOO_LONG));
    }

    proptest::proptest! {
        #[test]
        fn text_is_what_was_sent(whole in 0_u128..=u128::from(u64::MAX), fraction in "[0-9]{0,20}", negative: bool) {
            let zero = whole == 0 && fraction.bytes().all(|b| b == b'0');
            let sign = if negative && !zero { "-" } else { "" };
            let value = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
            let mut out = String::new();
            text(&encode(&value), &mut out).unwrap();
            proptest::prop_assert_eq!(out, value);
        }
    }

    #[test]
    fn modifiers_are_read() {
        let modifier = |p: i32, s: i32| ((p << 16) | (s & 0x7ff)) + 4;
        assert_eq!(declared(modifier(18, 5)), Some((18, 5)));
        assert_eq!(declared(modifier(38, 38)), Some((38, 38)));
        assert_eq!(declared(modifier(39, 2)), None);
        assert_eq!(declared(modifier(5, -2)), None);
        assert_eq!(declared(modifier(3, 5)), None);
        assert_eq!(declared(-1), None);
    }
}
