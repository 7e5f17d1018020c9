//! Values as text: decimals exact, dates ISO 8601, instants RFC 3339 in UTC, `true` and `false`. The same in every format.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_schema::DataType;
use bytes::{BufMut as _, BytesMut};

/// A column, its type found out once.
pub(crate) enum Cells<'a> {
    Text(&'a StringArray),
    Int(&'a Int64Array),
    Decimal(&'a Decimal128Array, usize),
    Date(&'a Date32Array),
    Instant(&'a TimestampMicrosecondArray),
    Bool(&'a BooleanArray),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    /// A type that no source gives: every value is absent.
    Nothing,
}

impl<'a> Cells<'a> {
    /// The values of `column`.
    pub(crate) fn new(column: &'a dyn Array) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            DataType::Int64 => Self::Int(column.as_primitive::<Int64Type>()),
            DataType::Decimal128(_, scale) => Self::Decimal(column.as_primitive::<Decimal128Type>(), usize::try_from(*scale).unwrap_or(0)),
            DataType::Date32 => Self::Date(column.as_primitive::<Date32Type>()),
            DataType::Timestamp(..) => column.as_primitive_opt::<TimestampMicrosecondType>().map_or(Self::Nothing, Self::Instant),
            DataType::Boolean => Self::Bool(column.as_boolean()),
            DataType::Float32 => Self::Float32(column.as_primitive::<Float32Type>()),
            DataType::Float64 => Self::Float64(column.as_primitive::<Float64Type>()),
            _ => Self::Nothing,
        }
    }

    /// Whether a column of this type can be written.
    pub(crate) fn knows(data_type: &DataType) -> bool {
        matches!(
            data_type,
            DataType::Utf8
                | DataType::Int64
                | DataType::Decimal128(..)
                | DataType::Date32
                | DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, _)
                | DataType::Boolean
                | DataType::Float32
                | DataType::Float64
        )
    }

    /// Appends the value of a row that has one.
    #[inline]
    pub(crate) fn write(&self, row: usize, out: &mut BytesMut) {
        match self {
            Self::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Self::Int(a) => out.extend_from_slice(itoa::Buffer::new().format(a.value(row)).as_bytes()),
            Self::Decimal(a, scale) => decimal(a.value(row), *scale, out),
            Self::Date(a) => date(a.value(row), out),
            Self::Instant(a) => instant(a.value(row), out),
            Self::Bool(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Self::Float32(a) => float(f64::from(a.value(row)), &a.value(row), out),
            Self::Float64(a) => float(a.value(row), &a.value(row), out),
            Self::Nothing => {}
        }
    }
}

/// `value` divided by ten to the power of `scale`, with every decimal place.
fn decimal(value: i128, scale: usize, out: &mut BytesMut) {
    if value < 0 {
        out.put_u8(b'-');
    }
    let magnitude = value.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    // 64-bit numbers are several times faster to write.
    let text = match u64::try_from(magnitude) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(magnitude),
    };
    let text = text.as_bytes();
    if scale == 0 {
        out.extend_from_slice(text);
    } else if text.len() > scale {
        let (whole, fraction) = text.split_at(text.len() - scale);
        out.extend_from_slice(whole);
        out.put_u8(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.put_bytes(b'0', scale - text.len());
        out.extend_from_slice(text);
    }
}

#[inline]
fn pair(value: u32, out: &mut [u8]) {
    out[0] = b'0' + u8::try_from(value / 10 % 10).unwrap_or(0);
    out[1] = b'0' + u8::try_from(value % 10).unwrap_or(0);
}

/// `YYYY-MM-DD` of a day since 1970, in the years 0 to 9999.
#[inline]
fn ymd(days: i32) -> [u8; 10] {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let z = i64::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = u32::try_from(day_of_year - (153 * shifted + 2) / 5 + 1).unwrap_or(0);
    let month = u32::try_from(if shifted < 10 { shifted + 3 } else { shifted - 9 }).unwrap_or(0);
    let year = u32::try_from(year_of_era + era * 400 + i64::from(month <= 2)).unwrap_or(0);
    let mut text = *b"0000-00-00";
    pair(year / 100, &mut text[0..2]);
    pair(year % 100, &mut text[2..4]);
    pair(month, &mut text[5..7]);
    pair(day, &mut text[8..10]);
    text
}

fn date(days: i32, out: &mut BytesMut) {
    out.extend_from_slice(&ymd(days));
}

/// RFC 3339, UTC; microseconds only where there are some.
fn instant(micros: i64, out: &mut BytesMut) {
    const DAY: i64 = 86_400_000_000;
    let days = i32::try_from(micros.div_euclid(DAY)).unwrap_or(0);
    let in_day = micros.rem_euclid(DAY);
    let seconds = u32::try_from(in_day / 1_000_000).unwrap_or(0);
    let fraction = u32::try_from(in_day % 1_000_000).unwrap_or(0);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    text[..10].copy_from_slice(&ymd(days));
    pair(seconds / 3600, &mut text[11..13]);
    pair(seconds / 60 % 60, &mut text[14..16]);
    pair(seconds % 60, &mut text[17..19]);
    if fraction == 0 {
        text[19] = b'Z';
        out.extend_from_slice(&text[..20]);
    } else {
        pair(fraction / 10_000, &mut text[20..22]);
        pair(fraction / 100 % 100, &mut text[22..24]);
        pair(fraction % 100, &mut text[24..26]);
        out.extend_from_slice(&text);
    }
}

/// The shortest text that reads back as the same number; with an exponent where it would have many zeros.
fn float(magnitude: f64, value: &(impl std::fmt::Display + std::fmt::LowerExp), out: &mut BytesMut) {
    use std::fmt::Write as _;
    let magnitude = magnitude.abs();
    // Writing into memory cannot fail.
    let _ = if magnitude == 0.0 || (1e-5..1e15).contains(&magnitude) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        for (value, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (12_345, 2, "123.45"),
            (-100, 0, "-100"),
            (1, 38, "0.00000000000000000000000000000000000001"),
        ] {
            assert_eq!(written(|out| decimal(value, scale, out)), text);
        }
        assert_eq!(written(|out| decimal(i128::from(u64::MAX) + 1, 3, out)), "18446744073709551.616");
        assert_eq!(written(|out| decimal(10_i128.pow(38) - 1, 0, out)), "9".repeat(38));
    }

    #[test]
    fn times_are_rfc_3339() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-03-02T05:06:07Z",
            "2026-03-02T05:06:07.000120Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2024-02-29T12:00:00Z",
        ] {
            let micros = text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
            assert_eq!(written(|out| instant(micros, out)), text);
        }
        // Beyond jiff's last instant, not beyond ours.
        assert_eq!(written(|out| instant(253_402_300_799_999_999, out)), "9999-12-31T23:59:59.999999Z");
    }

    proptest::proptest! {
        #[test]
        fn dates_agree_with_jiff(days in -719_162_i32..=2_932_896) {
            let expected = jiff::civil::Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            proptest::prop_assert_eq!(written(|out| date(days, out)), expected.to_string());
        }

        #[test]
        fn decimals_agree_with_std(value: i64, scale in 0_usize..19) {
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let sign = if value < 0 { "-" } else { "" };
            let expected = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
            proptest::prop_assert_eq!(written(|out| decimal(i128::from(value), scale, out)), expected);
        }
    }

    #[test]
    fn floats_read_back() {
        for (value, text) in [(0.1, "0.1"), (-0.0, "-0"), (1e15, "1e15"), (1.5e-7, "1.5e-7"), (123_456.75, "123456.75")] {
            assert_eq!(written(|out| float(value, &value, out)), text);
        }
        assert_eq!(written(|out| float(f64::from(0.1_f32), &0.1_f32, out)), "0.1");
    }
}
