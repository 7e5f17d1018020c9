//! A run's parameters against those that its report declares: given, required, of the right type.

use std::collections::BTreeMap;

use openreg_crds::report::{Parameter, ParameterType};
use openreg_parts::error::Problem;
use openreg_parts::rule::pattern::anchored;
use openreg_parts::source::Bound;

/// The values of all parameters: those given, else the declared ones. Fields are named from `root`, for example
/// `spec.parameters`.
pub fn values(declared: &[Parameter], given: &BTreeMap<String, String>, root: &str) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut values = BTreeMap::new();
    for name in given.keys().filter(|name| !declared.iter().any(|p| &p.name == *name)) {
        let known: Vec<&str> = declared.iter().map(|p| p.name.as_str()).collect();
        let hint = if known.is_empty() {
            "the report has none".to_owned()
        } else {
            format!("the report has {}", known.join(", "))
        };
        problems.push(Problem::new(format!("{root}.{name}"), format!("is no parameter of the report: {hint}")));
    }
    for parameter in declared {
        match given.get(&parameter.name).or(parameter.value.as_ref()) {
            Some(text) => match wrong(parameter, text) {
                None => {
                    values.insert(parameter.name.clone(), text.clone());
                }
                Some(message) => problems.push(Problem::new(format!("{root}.{}", parameter.name), message)),
            },
            None if parameter.required == Some(true) => {
                problems.push(Problem::new(
                    format!("{root}.{}", parameter.name),
                    format!("is required: {}", example(parameter)),
                ));
            }
            None => {}
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Why `text` is no value of the parameter.
pub(crate) fn wrong(parameter: &Parameter, text: &str) -> Option<String> {
    let fits = match parameter.type_ {
        ParameterType::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        ParameterType::DateTime => text.parse::<jiff::Timestamp>().is_ok(),
        ParameterType::String => true,
        ParameterType::Integer => text.parse::<i64>().is_ok_and(|n| n.to_string() == text),
        ParameterType::Decimal => is_decimal(text),
        ParameterType::Boolean => matches!(text, "true" | "false"),
        ParameterType::Enum => parameter.values.iter().flatten().any(|v| v == text),
    };
    if !fits {
        return Some(format!("`{text}` does not fit: {}", example(parameter)));
    }
    let pattern = parameter.pattern.as_deref()?;
    let matches = anchored(pattern).is_ok_and(|r| r.is_match(text));
    (!matches).then(|| format!("`{text}` does not match {pattern}"))
}

/// What to write, in words.
fn example(parameter: &Parameter) -> String {
    match parameter.type_ {
        ParameterType::Date => "write a date such as 2026-03-02".to_owned(),
        ParameterType::DateTime => "write an instant such as 2026-03-02T18:30:00Z".to_owned(),
        ParameterType::String => parameter
            .pattern
            .as_ref()
            .map_or_else(|| "write a text".to_owned(), |p| format!("write a text that matches {p}")),
        ParameterType::Integer => "write an integer such as 42".to_owned(),
        ParameterType::Decimal => "write a decimal such as 12.50".to_owned(),
        ParameterType::Boolean => "write true or false".to_owned(),
        ParameterType::Enum => format!("write one of {}", parameter.values.as_deref().unwrap_or_default().join(", ")),
    }
}

/// `-12.50`: digits with at most one point between them. No exponent, no sign but minus, so that text stays exact.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && digits.len() <= 80
}

/// The value as it is bound in a query.
pub(crate) fn bound(type_: ParameterType, text: &str) -> Bound {
    match type_ {
        ParameterType::Date => Bound::Date(text.to_owned()),
        ParameterType::DateTime => Bound::DateTime(text.to_owned()),
        ParameterType::String | ParameterType::Enum => Bound::String(text.to_owned()),
        ParameterType::Integer => Bound::Integer(text.to_owned()),
        ParameterType::Decimal => Bound::Decimal(text.to_owned()),
        ParameterType::Boolean => Bound::Boolean(text == "true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, type_: ParameterType) -> Parameter {
        Parameter {
            name: name.to_owned(),
            type_,
            pattern: None,
            values: None,
            required: Some(true),
            value: None,
        }
    }

    #[test]
    fn each_type_takes_its_values_and_refuses_others() {
        for (type_, right, wrong_values) in [
            (
                ParameterType::Date,
                vec!["2026-03-02"],
                vec!["2026-02-30", "02.03.2026", "2026-3-2", "20260302"],
            ),
            (
                ParameterType::DateTime,
                vec!["2026-03-02T18:30:00Z", "2026-03-02T18:30:00+01:00"],
                vec!["2026-03-02", "yesterday"],
            ),
            (
                ParameterType::Integer,
                vec!["0", "-5", "9223372036854775807"],
                vec!["", "1.0", "+1", "01", "9223372036854775808"],
            ),
            (
                ParameterType::Decimal,
                vec!["0", "-12.50", "123456789012345678901234567890.1"],
                vec!["", ".5", "1.", "1e5", "1,5", "+1", "NaN"],
            ),
            (ParameterType::Boolean, vec!["true", "false"], vec!["yes", "TRUE", ""]),
        ] {
            let p = parameter("p", type_);
            for text in right {
                assert_eq!(wrong(&p, text), None, "{type_:?} {text}");
            }
            for text in wrong_values {
                assert!(wrong(&p, text).is_some(), "{type_:?} {text}");
            }
        }
        let lei = Parameter {
            pattern: Some("[A-Z0-9]{20}".to_owned()),
            ..parameter("lei", ParameterType::String)
        };
        assert_eq!(wrong(&lei, "529900T8BM49AURSDO55"), None);
        assert!(wrong(&lei, "529900T8BM49AURSDO55X").is_some_and(|m| m.contains("does not match")));
        let side = Parameter {
            values: Some(vec!["BUYI".to_owned(), "SELL".to_owned()]),
            ..parameter("side", ParameterType::Enum)
        };
        assert!(wrong(&side, "buyi").is_some_and(|m| m.contains("BUYI, SELL")));
    }

    #[test]
    fn missing_and_unknown_are_named() {
        let declared = [
            parameter("lei", ParameterType::String),
            Parameter {
                value: Some("5".to_owned()),
                required: None,
                ..parameter("n", ParameterType::Integer)
            },
        ];
        let given = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
        let got = values(&declared, &given(&[("lei", "x")]), "spec.parameters").expect("values");
        assert_eq!(got, given(&[("lei", "x"), ("n", "5")]));
        let problems = values(&declared, &given(&[("nope", "x")]), "spec.parameters").expect_err("problems");
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["spec.parameters.nope", "spec.parameters.lei"]);
    }
}
