//! Binary values straight into Arrow builders: the hot path. One decoder a column, chosen once; nothing is rounded.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_schema::{DataType, Field};
use tokio_postgres::Column;
use tokio_postgres::types::{Kind, Type};

use super::super::local_time::{LocalTime, MAX_DAYS, MAX_MICROS, MIN_DAYS, MIN_MICROS};
use super::super::stream::{NUMBER_AS_TEXT, timestamp_type};
use super::super::{ColumnType, SourceError};
use super::numeric;

/// 2000-01-01, where PostgreSQL's clock begins, in microseconds and days since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

const MALFORMED: &str = "does not have the length of its type";
const NOT_UTF8: &str = "is not UTF-8 text";
const NOT_FINITE: &str = "is NaN or infinite";
const TIME_RANGE: &str = "is a time outside the years 1 to 9999";
const DATE_RANGE: &str = "is a date outside the years 1 to 9999";

/// A column's values on their way into an array.
pub(super) struct Decoder {
    wire: Wire,
    capacity: usize,
}

enum Wire {
    Bool(BooleanBuilder),
    Int2(Int64Builder),
    Int4(Int64Builder),
    Int8(Int64Builder),
    Oid(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    NumericText(StringBuilder, String),
    Text(StringBuilder),
    Jsonb(StringBuilder),
    Hex(StringBuilder, String),
    Uuid(StringBuilder),
    Date(Date32Builder),
    Time(StringBuilder, String),
    Instant(TimestampMicrosecondBuilder),
    Local(TimestampMicrosecondBuilder, LocalTime),
}

impl Decoder {
    /// A decoder for `column`, and the field that it fills.
    pub(super) fn new(column: &Column, declared: Option<&ColumnType>, time_zone: &str, capacity: usize) -> Result<(Self, Field), SourceError> {
        let decimal = |precision: u8, scale: u8| {
            let builder = Decimal128Builder::with_capacity(capacity).with_data_type(DataType::Decimal128(precision, scale.cast_signed()));
            (Wire::Decimal(builder, precision, scale), DataType::Decimal128(precision, scale.cast_signed()))
        };
        let text = || StringBuilder::with_capacity(capacity, capacity * 16);
        let int = || Int64Builder::with_capacity(capacity);
        let instants = || TimestampMicrosecondBuilder::with_capacity(capacity).with_data_type(timestamp_type());
        let mut exact_text = false;
        if declared.is_some() && *column.type_() != Type::NUMERIC {
            let reason = format!("its type is {}, not numeric", column.type_().name());
            return Err(SourceError::ColumnDeclaration {
                column: column.name().to_owned(),
                reason,
            });
        }
        let (wire, data_type) = match *column.type_() {
            Type::BOOL => (Wire::Bool(BooleanBuilder::with_capacity(capacity)), DataType::Boolean),
            Type::INT2 => (Wire::Int2(int()), DataType::Int64),
            Type::INT4 => (Wire::Int4(int()), DataType::Int64),
            Type::INT8 => (Wire::Int8(int()), DataType::Int64),
            Type::OID => (Wire::Oid(int()), DataType::Int64),
            Type::FLOAT4 => (Wire::Float4(Float32Builder::with_capacity(capacity)), DataType::Float32),
            Type::FLOAT8 => (Wire::Float8(Float64Builder::with_capacity(capacity)), DataType::Float64),
            Type::NUMERIC => match (declared, numeric::declared(column.type_modifier())) {
                (Some(declared), _) => {
                    let (precision, scale) = declared.decimal().map_err(|reason| SourceError::ColumnDeclaration {
                        column: column.name().to_owned(),
                        reason,
                    })?;
                    decimal(precision, scale)
                }
                (None, Some((precision, scale))) => decimal(precision, scale),
                (None, None) => {
                    exact_text = true;
                    (Wire::NumericText(text(), String::new()), DataType::Utf8)
                }
            },
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::XML | Type::UNKNOWN => (Wire::Text(text()), DataType::Utf8),
            Type::JSONB => (Wire::Jsonb(text()), DataType::Utf8),
            Type::BYTEA => (Wire::Hex(text(), String::new()), DataType::Utf8),
            Type::UUID => (Wire::Uuid(text()), DataType::Utf8),
            Type::DATE => (Wire::Date(Date32Builder::with_capacity(capacity)), DataType::Date32),
            Type::TIME => (Wire::Time(text(), String::new()), DataType::Utf8),
            Type::TIMESTAMPTZ => (Wire::Instant(instants()), timestamp_type()),
            Type::TIMESTAMP => {
                let zone = LocalTime::new(time_zone).ok_or_else(|| SourceError::Unexpected {
                    reason: format!("time zone {time_zone} is not known"),
                })?;
                (Wire::Local(instants(), zone), timestamp_type())
            }
            // An enum's label and citext are text on the wire.
            ref other if matches!(other.kind(), Kind::Enum(_)) || other.name() == "citext" => (Wire::Text(text()), DataType::Utf8),
            ref other => {
                return Err(SourceError::ColumnTypeUnsupported {
                    column: column.name().to_owned(),
                    found: other.name().to_owned(),
                });
            }
        };
        let mut field = Field::new(column.name(), data_type, true);
        if exact_text {
            field = field.with_metadata(std::collections::HashMap::from([(NUMBER_AS_TEXT.to_owned(), "true".to_owned())]));
        }
        Ok((Self { wire, capacity }, field))
    }

    /// Appends one value; the error says what is wrong with it.
    #[inline]
    pub(super) fn append(&mut self, raw: Option<&[u8]>) -> Result<(), &'static str> {
        let Some(raw) = raw else {
            self.append_null();
            return Ok(());
        };
        match &mut self.wire {
            Wire::Text(b) => b.append_value(std::str::from_utf8(raw).map_err(|_| NOT_UTF8)?),
            Wire::Decimal(b, precision, scale) => b.append_value(numeric::scaled(raw, *precision, *scale)?),
            Wire::Int4(b) => b.append_value(i64::from(i32::from_be_bytes(fixed(raw)?))),
            Wire::Int8(b) => b.append_value(i64::from_be_bytes(fixed(raw)?)),
            Wire::Int2(b) => b.append_value(i64::from(i16::from_be_bytes(fixed(raw)?))),
            Wire::Oid(b) => b.append_value(i64::from(u32::from_be_bytes(fixed(raw)?))),
            Wire::Date(b) => b.append_value(date(i32::from_be_bytes(fixed(raw)?))?),
            Wire::Instant(b) => b.append_value(since_1970(i64::from_be_bytes(fixed(raw)?))?),
            Wire::Local(b, zone) => b.append_value(zone.instant(since_1970(i64::from_be_bytes(fixed(raw)?))?)?),
            Wire::Bool(b) => b.append_value(fixed::<1>(raw)? != [0]),
            Wire::Float4(b) => b.append_value(Some(f32::from_be_bytes(fixed(raw)?)).filter(|f| f.is_finite()).ok_or(NOT_FINITE)?),
            Wire::Float8(b) => b.append_value(Some(f64::from_be_bytes(fixed(raw)?)).filter(|f| f.is_finite()).ok_or(NOT_FINITE)?),
            Wire::NumericText(b, text) => {
                text.clear();
                numeric::text(raw, text)?;
                b.append_value(&*text);
            }
            // The first byte is the version of the binary format, 1.
            Wire::Jsonb(b) => b.append_value(std::str::from_utf8(raw.get(1..).ok_or(MALFORMED)?).map_err(|_| NOT_UTF8)?),
            Wire::Hex(b, text) => {
                text.clear();
                raw.iter().for_each(|byte| push_hex(text, *byte));
                b.append_value(&*text);
            }
            Wire::Uuid(b) => {
                let bytes = fixed::<16>(raw)?;
                let mut text = String::with_capacity(36);
                for (i, byte) in bytes.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    push_hex(&mut text, *byte);
                }
                b.append_value(text);
            }
            Wire::Time(b, text) => {
                text.clear();
                time_of_day(i64::from_be_bytes(fixed(raw)?), text);
                b.append_value(&*text);
            }
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match &mut self.wire {
            Wire::Bool(b) => b.append_null(),
            Wire::Int2(b) | Wire::Int4(b) | Wire::Int8(b) | Wire::Oid(b) => b.append_null(),
            Wire::Float4(b) => b.append_null(),
            Wire::Float8(b) => b.append_null(),
            Wire::Decimal(b, ..) => b.append_null(),
            Wire::Text(b) | Wire::NumericText(b, _) | Wire::Jsonb(b) | Wire::Hex(b, _) | Wire::Uuid(b) | Wire::Time(b, _) => b.append_null(),
            Wire::Date(b) => b.append_null(),
            Wire::Instant(b) | Wire::Local(b, _) => b.append_null(),
        }
    }

    /// The values so far; the decoder begins anew, with room for as many.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let capacity = self.capacity;
        match &mut self.wire {
            Wire::Bool(b) => ArrayBuilder::finish(b),
            Wire::Int2(b) | Wire::Int4(b) | Wire::Int8(b) | Wire::Oid(b) => ArrayBuilder::finish(b),
            Wire::Float4(b) => ArrayBuilder::finish(b),
            Wire::Float8(b) => ArrayBuilder::finish(b),
            Wire::Decimal(b, ..) => ArrayBuilder::finish(b),
            Wire::Text(b) | Wire::NumericText(b, _) | Wire::Jsonb(b) | Wire::Hex(b, _) | Wire::Uuid(b) | Wire::Time(b, _) => {
                let array = b.finish();
                // As many bytes as this batch had: the next one seldom needs to grow.
                *b = StringBuilder::with_capacity(capacity, array.values().len());
                Arc::new(array)
            }
            Wire::Date(b) => ArrayBuilder::finish(b),
            Wire::Instant(b) | Wire::Local(b, _) => ArrayBuilder::finish(b),
        }
    }
}

#[inline]
fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], &'static str> {
    raw.try_into().map_err(|_| MALFORMED)
}

fn since_1970(micros: i64) -> Result<i64, &'static str> {
    // Infinity is the largest i64, minus infinity the smallest.
    micros
        .checked_add(EPOCH_MICROS)
        .filter(|m| (MIN_MICROS..=MAX_MICROS).contains(m))
        .ok_or(TIME_RANGE)
}

fn date(days: i32) -> Result<i32, &'static str> {
    days.checked_add(EPOCH_DAYS).filter(|d| (MIN_DAYS..=MAX_DAYS).contains(d)).ok_or(DATE_RANGE)
}

fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

fn time_of_day(micros: i64, text: &mut String) {
    use std::fmt::Write as _;
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let _ = write!(text, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
    }
}
