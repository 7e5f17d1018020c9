//! Which content a version stands for: the digest of a Report's spec, and the name of its ReportVersion.

use openreg_crds::ReportSpec;
use openreg_plan::Sha256;
use serde_json::Value;

/// SHA-256 of the spec as JSON without white space, absent fields not written, the members of every object in the order of
/// their names' bytes. So equal specs have equal digests, and the order in which a program declares its fields is not part
/// of the digest.
pub fn spec_sha256(spec: &ReportSpec) -> Sha256 {
    let mut text = String::new();
    // Plain data: cannot fail.
    sorted(&serde_json::to_value(spec).unwrap_or_default(), &mut text);
    Sha256::of(text.as_bytes())
}

/// The name of a ReportVersion: `<report>-<version>-<first 8 digits of the digest>`. At most 32 + 1 + 32 + 1 + 8
/// characters, within the 253 of a Kubernetes name.
pub fn version_name(report: &str, version: &str, sha256: &Sha256) -> String {
    format!("{report}-{version}-{}", &sha256.as_str()[..8])
}

/// Written out here, since whether `serde_json` sorts by itself depends on a feature that any crate of a build may turn on.
/// `openreg-audit` writes the same out for itself: it uses no crate of ours, so that an auditor reads all that a chain's hashes
/// stand on in one small crate, and its layout is fixed for ever while this one's belongs to v1alpha1. Neither sees the
/// other; a golden test on each side keeps both as they are.
fn sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (i, name) in names.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                sorted(&members[name], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                sorted(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by another program from the text below.
    const GOLDEN: &str = "82f0956030707166c660ed377b2890f241f731347995f12317240a11a76b9bba";

    /// Changing these bytes gives every report that is installed a new digest, and so a ReportVersion that contradicts the
    /// one of the same number.
    #[test]
    fn the_digest_of_a_spec_is_fixed() {
        let text = concat!(
            r#"{"file":{"name":"trades_é.csv"},"output":{"csv":{"delimiter":";"}},"#,
            r#""parameters":[{"name":"lei","required":true,"type":"String"}],"#,
            r#""source":{"datasets":[{"connectorRef":"trades","key":["trade_ref"],"name":"trades","query":"SELECT \"a\"\nFROM t"}]},"#,
            r#""title":"Daily trades","version":"1.0.0"}"#
        );
        let spec: ReportSpec = serde_json::from_str(text).expect("a spec");
        let mut written = String::new();
        sorted(&serde_json::to_value(&spec).expect("JSON"), &mut written);
        assert_eq!(written, text);
        assert_eq!(spec_sha256(&spec).as_str(), GOLDEN);
        // The order in which somebody wrote the members is no part of it.
        let other = text.replace(
            r#"{"name":"lei","required":true,"type":"String"}"#,
            r#"{"type":"String","required":true,"name":"lei"}"#,
        );
        assert_ne!(other, text);
        assert_eq!(spec_sha256(&serde_json::from_str(&other).expect("a spec")).as_str(), GOLDEN);
    }
}
