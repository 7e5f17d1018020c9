//! SQLite's values into Arrow builders. A column's type is the one that its table declares; an expression has none, so
//! its first value decides. A value of another kind is an error with row and column, never bent.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_schema::{DataType, Field};
use jiff::civil;
use rusqlite::types::ValueRef;

use super::super::local_time::{LocalTime, MAX_DAYS, MAX_MICROS, MIN_DAYS, MIN_MICROS, local_micros};
use super::super::stream::{NUMBER_AS_TEXT, timestamp_type};
use super::super::{ColumnType, SourceError};

/// Digits that a double keeps: more were lost when the value was stored.
const DOUBLE_DIGITS: usize = 15;

/// A column's values on their way into an array.
pub(super) enum Decoder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    /// `numeric` without a precision.
    NumericText(StringBuilder),
    Text(StringBuilder),
    Date(Date32Builder),
    Time(TimestampMicrosecondBuilder, LocalTime),
}

impl Decoder {
    /// A decoder for the column `name`: declared in the report, else in its table, else like its first value.
    pub(super) fn new(
        name: &str,
        declared: Option<&ColumnType>,
        in_table: Option<&str>,
        first: Option<&ValueRef<'_>>,
        time_zone: &str,
    ) -> Result<Self, SourceError> {
        if let Some(declared) = declared {
            let (precision, scale) = declared.decimal().map_err(|reason| SourceError::ColumnDeclaration {
                column: name.to_owned(),
                reason,
            })?;
            return Ok(Self::decimal(precision, scale));
        }
        let Some(in_table) = in_table else {
            return Ok(match first {
                Some(ValueRef::Integer(_)) => Self::Int(Int64Builder::new()),
                Some(ValueRef::Real(_)) => Self::Float(Float64Builder::new()),
                _ => Self::Text(StringBuilder::new()),
            });
        };
        let upper = in_table.to_ascii_uppercase();
        Ok(if upper.contains("INT") {
            Self::Int(Int64Builder::new())
        } else if upper.starts_with("BOOL") {
            Self::Bool(BooleanBuilder::new())
        } else if upper.starts_with("DEC") || upper.starts_with("NUMERIC") {
            match precision_and_scale(&upper) {
                Some((precision, scale)) => Self::decimal(precision, scale),
                None => Self::NumericText(StringBuilder::new()),
            }
        } else if upper.starts_with("TIMESTAMP") || upper.starts_with("DATETIME") {
            let zone = LocalTime::new(time_zone).ok_or_else(|| SourceError::Unexpected {
                reason: format!("time zone {time_zone} is not known"),
            })?;
            Self::Time(TimestampMicrosecondBuilder::new().with_data_type(timestamp_type()), zone)
        } else if upper == "DATE" {
            Self::Date(Date32Builder::new())
        } else if upper.contains("REAL") || upper.contains("FLOA") || upper.contains("DOUB") {
            Self::Float(Float64Builder::new())
        } else {
            Self::Text(StringBuilder::new())
        })
    }

    fn decimal(precision: u8, scale: u8) -> Self {
        Self::Decimal(
            Decimal128Builder::new().with_data_type(DataType::Decimal128(precision, scale.cast_signed())),
            precision,
            scale,
        )
    }

    /// The field that it fills.
    pub(super) fn field(&self, name: &str) -> Field {
        let data_type = match self {
            Self::Bool(_) => DataType::Boolean,
            Self::Int(_) => DataType::Int64,
            Self::Float(_) => DataType::Float64,
            Self::Decimal(_, precision, scale) => DataType::Decimal128(*precision, scale.cast_signed()),
            Self::NumericText(_) => {
                return Field::new(name, DataType::Utf8, true).with_metadata(std::collections::HashMap::from([(NUMBER_AS_TEXT.to_owned(), "true".to_owned())]));
            }
            Self::Text(_) => DataType::Utf8,
            Self::Date(_) => DataType::Date32,
            Self::Time(..) => timestamp_type(),
        };
        Field::new(name, data_type, true)
    }

    /// Appends one value and says how many bytes it has; the error says what is wrong with it.
    pub(super) fn append(&mut self, value: ValueRef<'_>) -> Result<usize, &'static str> {
        if matches!(value, ValueRef::Null) {
            match self {
                Self::Bool(b) => b.append_null(),
                Self::Int(b) => b.append_null(),
                Self::Float(b) => b.append_null(),
                Self::Decimal(b, ..) => b.append_null(),
                Self::NumericText(b) | Self::Text(b) => b.append_null(),
                Self::Date(b) => b.append_null(),
                Self::Time(b, _) => b.append_null(),
            }
            return Ok(1);
        }
        match (self, value) {
            (Self::Int(b), ValueRef::Integer(i)) => b.append_value(i),
            (Self::Int(_), _) => return Err("is not an integer"),
            (Self::Bool(b), ValueRef::Integer(i @ (0 | 1))) => b.append_value(i == 1),
            (Self::Bool(_), _) => return Err("is neither 0 nor 1"),
            (Self::Float(b), ValueRef::Real(f)) if f.is_finite() => b.append_value(f),
            // Integers that a double cannot hold are refused.
            (Self::Float(b), ValueRef::Integer(i)) if i.unsigned_abs() <= 1 << 53 => b.append_value(i as f64),
            (Self::Float(_), _) => return Err("is not a finite floating-point number"),
            (Self::Decimal(b, precision, scale), value) => b.append_value(exact(&number(value)?, *precision, *scale)?),
            (Self::NumericText(b), value) => b.append_value(number(value)?),
            (Self::Date(b), ValueRef::Text(t)) => b.append_value(date(t)?),
            (Self::Date(_), _) => return Err("is not a date as text, YYYY-MM-DD"),
            (Self::Time(b, zone), ValueRef::Text(t)) => b.append_value(time(t, zone)?),
            (Self::Time(..), _) => return Err("is not a time as text, YYYY-MM-DD HH:MM:SS"),
            (Self::Text(b), ValueRef::Text(t)) => {
                b.append_value(std::str::from_utf8(t).map_err(|_| "is not UTF-8 text")?);
                return Ok(t.len());
            }
            (Self::Text(b), ValueRef::Blob(bytes)) => {
                b.append_value(hex::encode(bytes));
                return Ok(bytes.len() * 2);
            }
            (Self::Text(b), value) => b.append_value(number(value)?),
        }
        Ok(16)
    }

    /// The values so far; the decoder begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Decimal(b, ..) => Arc::new(b.finish()),
            Self::NumericText(b) | Self::Text(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b, _) => Arc::new(b.finish()),
        }
    }
}

/// `DECIMAL(18,2)` → 18, 2, when a Decimal128 holds it.
fn precision_and_scale(declared: &str) -> Option<(u8, u8)> {
    let inside = declared.split_once('(')?.1.split_once(')')?.0;
    let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some((precision, scale))
}

/// A number as text, as it was stored.
fn number(value: ValueRef<'_>) -> Result<String, &'static str> {
    match value {
        ValueRef::Integer(i) => Ok(i.to_string()),
        ValueRef::Real(f) if f.is_finite() => {
            let text = f.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count() - usize::from(text.trim_start_matches('-').starts_with("0."));
            if digits > DOUBLE_DIGITS {
                Err("is stored as a floating-point number with more than 15 digits: store it as text")
            } else {
                Ok(text)
            }
        }
        ValueRef::Text(t) => {
            let text = std::str::from_utf8(t).map_err(|_| "is not a number")?;
            exact(text, 38, 0).or_else(|e| if e == TOO_FINE || e == TOO_LONG { Ok(0) } else { Err(e) })?;
            Ok(text.to_owned())
        }
        _ => Err("is not a number"),
    }
}

const TOO_LONG: &str = "has more digits than its declared precision";
const TOO_FINE: &str = "has more decimal places than its declared scale";

/// A decimal text times ten to the power of `scale`, if it is whole then and has at most `precision` digits.
fn exact(text: &str, precision: u8, scale: u8) -> Result<i128, &'static str> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err("is not a decimal number");
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) {
        return Err(TOO_FINE);
    }
    let mut value: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', usize::from(scale) - fraction.len());
    let limit = 10_i128.checked_pow(u32::from(precision)).ok_or(TOO_LONG)?;
    for digit in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        value = value * 10 + i128::from(digit - b'0');
        if value >= limit {
            return Err(TOO_LONG);
        }
    }
    Ok(if negative { -value } else { value })
}

fn date(text: &[u8]) -> Result<i32, &'static str> {
    // Longer texts have a time of day, which would be lost.
    let text = std::str::from_utf8(text).ok().filter(|t| t.len() == "YYYY-MM-DD".len());
    let date: civil::Date = text.and_then(|t| t.parse().ok()).ok_or("is not a date, YYYY-MM-DD")?;
    let days = (date - civil::Date::constant(1970, 1, 1)).get_days();
    if (MIN_DAYS..=MAX_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err("is a date outside the years 1 to 9999")
    }
}

fn time(text: &[u8], zone: &mut LocalTime) -> Result<i64, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8 text")?;
    let whole = |nanoseconds: i32| {
        if nanoseconds % 1000 == 0 {
            Ok(())
        } else {
            Err("is finer than a microsecond")
        }
    };
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        whole(instant.subsec_nanosecond())?;
        let micros = instant.as_microsecond();
        return if (MIN_MICROS..=MAX_MICROS).contains(&micros) {
            Ok(micros)
        } else {
            Err("is a time outside the years 1 to 9999")
        };
    }
    let local: civil::DateTime = text.parse().map_err(|_| "is not a time, YYYY-MM-DD HH:MM:SS")?;
    whole(local.subsec_nanosecond())?;
    zone.instant(local_micros(local))
}
