//! A chain as JSON lines: one entry a line, oldest first, as the API exports it.

use std::io::BufRead;

use crate::entry::Entry;
use crate::verify::{Broken, CutOff, Noted, Verified, Verifier};

/// The most bytes of a line. Details are small; a longer line is no export.
pub const MAX_LINE: usize = 1 << 20;

/// Why an export could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// It cannot be read.
    #[error("could not read line {line}")]
    Read {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: std::io::Error,
    },
    /// A line is too long.
    #[error("could not read line {line}: it has more than {MAX_LINE} bytes, so this is no export of an audit chain")]
    Long {
        /// The line, from 1.
        line: u64,
    },
    /// A line is no entry.
    #[error("could not read an audit entry on line {line}")]
    Entry {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// Its end is missing.
    #[error(transparent)]
    CutOff(#[from] CutOff),
    /// The chain is broken.
    #[error("line {line}")]
    Broken {
        /// The line, from 1.
        line: u64,
        /// Where and why.
        source: Broken,
    },
}

/// Verifies the chain that `reader` holds, line by line; with `noted`, also that it still has that head.
pub fn verify(mut reader: impl BufRead, noted: Option<Noted>) -> Result<Verified, LinesError> {
    let mut verifier = Verifier::expecting(noted);
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX) + 1;
        std::io::Read::take(&mut reader, limit)
            .read_until(b'\n', &mut text)
            .map_err(|source| LinesError::Read { line, source })?;
        if text.is_empty() {
            break;
        }
        if text.len() > MAX_LINE {
            return Err(LinesError::Long { line });
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let entry: Entry = serde_json::from_slice(&text).map_err(|source| LinesError::Entry { line, source })?;
        verifier.take(&entry).map_err(|source| LinesError::Broken { line, source })?;
    }
    Ok(verifier.finish()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn export() -> String {
        let first = Entry::next(None, Uuid::nil(), jiff::Timestamp::UNIX_EPOCH, "a", "b", "c", json!({}));
        let second = Entry::next(Some(&first), Uuid::nil(), jiff::Timestamp::UNIX_EPOCH, "a", "b", "c", json!({"x": "ü"}));
        [first, second].iter().map(|e| serde_json::to_string(e).expect("JSON") + "\n").collect()
    }

    #[test]
    fn lines_are_verified_or_named() {
        let good = export();
        assert_eq!(verify(good.as_bytes(), None).expect("verified").entries, 2);
        assert_eq!(verify(good.trim_end().as_bytes(), None).expect("no last line break").entries, 2);
        assert_eq!(verify(good.replace('\n', "\r\n\r\n").as_bytes(), None).expect("empty lines").entries, 2);
        assert_eq!(verify(&b""[..], None).expect("verified").entries, 0);
        let noted = verify(good.as_bytes(), None).map(|v| Noted { seq: v.entries, hash: v.head }).expect("verified");
        assert_eq!(verify(good.as_bytes(), Some(noted.clone())).expect("verified").entries, 2);
        let cut = verify(good.lines().next().expect("a line").as_bytes(), Some(noted)).expect_err("the last line is missing");
        assert!(cut.to_string().contains("its end was cut off"), "{cut}");
        let (first, second) = good.split_once('\n').expect("two lines");
        for (name, text, expected) in [
            (
                "cut in the middle",
                good[..good.len() - 20].to_owned(),
                "could not read an audit entry on line 2",
            ),
            (
                "an unknown field",
                good.replacen("\"seq\"", "\"x\":1,\"seq\"", 1),
                "could not read an audit entry on line 1",
            ),
            ("no JSON", "hello\n".to_owned(), "could not read an audit entry on line 1"),
            ("swapped", format!("{second}{first}\n"), "line 1"),
            ("too long", format!("{good}\"{}\"\n", "x".repeat(MAX_LINE)), "line 3: it has more than"),
        ] {
            let error = verify(text.as_bytes(), None).expect_err(name);
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
    }
}
