//! Rewrites `:name` placeholders into a source's own (`$1`, `?1`). It knows where SQL text is not code: quotes, dollar
//! quotes, comments; and that `::` is a cast. It is no parser and no control: the server judges the statement.

/// A query with numbered placeholders.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// The text.
    pub(crate) text: String,
    /// The name behind each number, from 1; each name once.
    pub(crate) names: Vec<String>,
}

/// The names of the placeholders in a query, each once, in the order of their first use.
pub fn names(query: &str) -> Vec<String> {
    number(query, '$').names
}

/// Rewrites `text`; a placeholder becomes `sign` and its number.
pub(crate) fn number(text: &str, sign: char) -> Numbered {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'\'' => at + quoted(&bytes[at..], b'\'', escapes(bytes, at)),
            b'"' => at + quoted(&bytes[at..], b'"', false),
            b'-' if bytes[at..].starts_with(b"--") => at + until(&bytes[at..], b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => at + comment(&bytes[at..]),
            b'$' if !continues_word(bytes, at) => at + dollar_quoted(&bytes[at..]),
            b':' if bytes[at..].starts_with(b"::") => at + 2,
            b':' => {
                let length = bytes[at + 1..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                // `a[1:2]` is a slice, `:=` names an argument: a name begins with a letter or an underscore.
                if length > 0 && !bytes[at + 1].is_ascii_digit() {
                    let name = &text[at + 1..at + 1 + length];
                    let position = names.iter().position(|n| n == name).unwrap_or_else(|| {
                        names.push(name.to_owned());
                        names.len() - 1
                    });
                    out.push(sign);
                    out.push_str(&(position + 1).to_string());
                    at += 1 + length;
                    continue;
                }
                at + 1
            }
            // What follows up to the next byte of interest is copied whole; all of them are ASCII, so this cuts
            // between characters.
            _ => {
                at + 1
                    + bytes[at + 1..]
                        .iter()
                        .position(|b| matches!(b, b'\'' | b'"' | b'-' | b'/' | b'$' | b':'))
                        .unwrap_or(bytes.len() - at - 1)
            }
        };
        let end = end.min(bytes.len());
        out.push_str(&text[at..end]);
        at = end;
    }
    Numbered { text: out, names }
}

/// Length of a quoted text, quotes included; a doubled quote is part of it, and a backslash escapes when `escapes`.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if escapes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                return at + 1;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Whether the quote at `at` begins an `E'…'` text.
fn escapes(bytes: &[u8], at: usize) -> bool {
    at > 0 && matches!(bytes[at - 1], b'E' | b'e') && !continues_word(bytes, at - 1)
}

/// Whether the byte before `at` belongs to a word that goes on at `at`.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || matches!(bytes[at - 1], b'_' | b'$') || !bytes[at - 1].is_ascii())
}

fn until(bytes: &[u8], end: &[u8]) -> usize {
    bytes.windows(end.len()).position(|w| w == end).map_or(bytes.len(), |p| p + end.len())
}

/// Length of a `/* … */` comment; they nest, as in PostgreSQL.
fn comment(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Length of a `$tag$ … $tag$` text, or 1 when there is none here.
fn dollar_quoted(bytes: &[u8]) -> usize {
    let tag = bytes[1..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || !b.is_ascii())
        .count();
    if bytes.get(tag + 1) != Some(&b'$') || (tag > 0 && bytes[1].is_ascii_digit()) {
        return 1;
    }
    let mark = &bytes[..tag + 2];
    mark.len() + until(&bytes[mark.len()..], mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_and_text_is_left_alone() {
        for (text, expected, names) in [
            ("select 1", "select 1", &[][..]),
            ("select :a, :b, :a", "select $1, $2, $1", &["a", "b"]),
            (
                "where t >= :period_start and t < :period_end",
                "where t >= $1 and t < $2",
                &["period_start", "period_end"],
            ),
            ("select :a::date, x::text", "select $1::date, x::text", &["a"]),
            ("select ':a', \":a\", 'it''s :a'", "select ':a', \":a\", 'it''s :a'", &[]),
            (r"select E'\':a', :b", r"select E'\':a', $1", &["b"]),
            (r"select '\', :b", r"select '\', $1", &["b"]),
            (r"select nameE'\', :b", r"select nameE'\', $1", &["b"]),
            ("select $$ :a $$, $x$ :a $$ $x$, :b", "select $$ :a $$, $x$ :a $$ $x$, $1", &["b"]),
            ("select a$b$c, :d", "select a$b$c, $1", &["d"]),
            ("select 1 -- :a\n, :b", "select 1 -- :a\n, $1", &["b"]),
            ("select 1 /* :a /* :c */ :d */, :b", "select 1 /* :a /* :c */ :d */, $1", &["b"]),
            ("select a[1:2], f(x := :b)", "select a[1:2], f(x := $1)", &["b"]),
            ("select :ä, 'ü', :b", "select :ä, 'ü', $1", &["b"]),
            ("select a-:b/:c", "select a-$1/$2", &["b", "c"]),
            ("select 'open :a", "select 'open :a", &[]),
            ("select /* open :a", "select /* open :a", &[]),
            ("select $open$ :a", "select $open$ :a", &[]),
            (":", ":", &[]),
            ("", "", &[]),
        ] {
            let got = number(text, '$');
            assert_eq!(got.text, expected);
            assert_eq!(got.names, names, "{text}");
        }
        assert_eq!(number("select :a", '?').text, "select ?1");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "[:a'\"$/*\\\\ E\n-ü]{0,40}") {
            let got = number(&text, '$');
            if got.names.is_empty() {
                proptest::prop_assert_eq!(got.text, text);
            }
        }
    }
}
