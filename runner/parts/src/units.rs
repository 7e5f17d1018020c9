//! Durations and byte sizes as people write them, kept as written so that what lies in Git and in the cluster is equal.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text that is no duration or no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// A length of time such as `500ms`, `10s`, `5m`, `1h30m` or `7d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    text: String,
    value: StdDuration,
}

impl Duration {
    /// The length of time.
    pub fn get(&self) -> StdDuration {
        self.value
    }

    /// A whole number of seconds.
    pub fn from_secs(secs: u64) -> Self {
        Self {
            text: format!("{secs}s"),
            value: StdDuration::from_secs(secs),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is not a duration: write for example 500ms, 10s, 5m, 1h30m or 7d"));
        let mut value = StdDuration::ZERO;
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let millis = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            rest = &rest[letters..];
            let step = number.checked_mul(millis).map(StdDuration::from_millis).ok_or_else(wrong)?;
            value = value.checked_add(step).ok_or_else(wrong)?;
        }
        if text.is_empty() {
            return Err(wrong());
        }
        Ok(Self { text, value })
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.text
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 16, "pattern": "^([0-9]{1,9}(ms|s|m|h|d))+$"})
    }
}

/// A number of bytes such as `64Ki`, `8Mi`, `4Gi` or `1000000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize {
    text: String,
    value: u64,
}

impl ByteSize {
    /// The number of bytes.
    pub fn get(&self) -> u64 {
        self.value
    }
}

impl TryFrom<String> for ByteSize {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is not a size: write for example 64Ki, 8Mi or 4Gi"));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let factor: u64 = match &text[digits..] {
            "" => 1,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => return Err(wrong()),
        };
        let value = number.checked_mul(factor).ok_or_else(wrong)?;
        Ok(Self { text, value })
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.text
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // 10 digits, so that whatever the API server stores can be read: 9999999999Gi is below 2^64, one digit more is not.
        json_schema!({"type": "string", "maxLength": 16, "pattern": "^[0-9]{1,10}(Ki|Mi|Gi)?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(text: &str) -> Option<u128> {
        Duration::try_from(text.to_owned()).ok().map(|d| d.get().as_millis())
    }

    #[test]
    fn durations_read_as_written() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h30m", 5_400_000), ("7d", 604_800_000)] {
            assert_eq!(duration(text), Some(millis), "{text}");
        }
        for text in ["", "10", "s", "10 s", "-1s", "1.5h", "10sm", "99999999999999999999s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_read_as_written() {
        let size = |text: &str| ByteSize::try_from(text.to_owned()).ok().map(|s| s.get());
        assert_eq!(size("8Mi"), Some(8_388_608));
        assert_eq!(size("1000"), Some(1000));
        assert_eq!(size("4Gi"), Some(4_294_967_296));
        // The most that the schema lets pass.
        assert_eq!(size("9999999999Gi"), Some(9_999_999_999 << 30));
        for text in ["", "Mi", "8MB", "-1", "8 Mi", "99999999999999999999Gi"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
