//! Columns of text in line.

/// The rows with their columns in line; a column for which `right` holds is set to the right.
pub(crate) fn table(rows: &[Vec<String>], right: &[bool]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (c, text) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c].saturating_sub(text.chars().count()));
            line.push(' ');
            if right.get(c) == Some(&true) {
                line.push_str(&pad);
                line.push_str(text);
            } else {
                line.push_str(text);
                line.push_str(&pad);
            }
            line.push(' ');
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line() {
        let rows = [
            vec!["rule".to_owned(), "n".to_owned(), "x".to_owned()],
            vec!["ü".to_owned(), "12".to_owned(), "y".to_owned()],
        ];
        assert_eq!(table(&rows, &[false, true, false]), "  rule   n  x\n  ü     12  y\n");
    }
}
