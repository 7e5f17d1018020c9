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

/// Whether `serde_json` sorts by itself depends on a feature that any crate of a build may turn on.
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
