//! The cases of `cases.yaml` and `forms.yaml`, one by one. It judges nothing and needs no cluster.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::path::{place, set};

/// `cases.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    objects: BTreeMap<String, Base>,
    rules: Vec<Rule>,
    policies: Vec<Policy>,
}

/// `forms.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forms {
    values: Vec<Texts>,
    schema: Vec<Rule>,
}

/// Both files.
pub(crate) struct Tables {
    pub(crate) objects: BTreeMap<String, Base>,
    rules: Vec<Rule>,
    policies: Vec<Policy>,
    forms: Forms,
}

/// An object that is accepted as it stands, and who makes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Base {
    #[serde(rename = "as", default = "ann")]
    pub(crate) user: String,
    pub(crate) object: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    of: Vec<String>,
    #[serde(default)]
    by: Verb,
    #[serde(rename = "as")]
    user: Option<String>,
    at: String,
    says: String,
    #[serde(default)]
    accepts: Vec<Example>,
    refuses: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    #[serde(rename = "as")]
    user: Option<String>,
    #[serde(default)]
    set: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    says: String,
    at: Vec<String>,
    accepts: Vec<String>,
    refuses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    policy: String,
    says: String,
    accepts: Vec<Request>,
    refuses: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    of: String,
    #[serde(rename = "as")]
    user: String,
    #[serde(default)]
    by: Verb,
    #[serde(default)]
    set: Map<String, Value>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verb {
    /// A new object.
    #[default]
    Create,
    /// Another spec or other metadata of one that is there.
    Update,
    /// Another status of one that is there.
    Status,
}

/// Which rule a case is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// A CEL rule of a kind at a field, or at an item of it: `spec.validation[].rule`.
    Rule {
        /// The kind.
        kind: String,
        /// The field that its message is about.
        at: String,
        /// Its message.
        says: String,
    },
    /// A validation of an admission policy.
    Policy {
        /// The policy's name.
        policy: String,
        /// Its message.
        says: String,
    },
    /// The structure alone.
    Schema,
}

/// One request and the answer to it.
pub(crate) struct Case {
    pub(crate) about: About,
    /// Name in `objects`.
    pub(crate) base: String,
    pub(crate) kind: String,
    pub(crate) by: Verb,
    /// Who asks, as Kubernetes knows him.
    pub(crate) user: String,
    pub(crate) set: Map<String, Value>,
    pub(crate) expected: Expected,
}

/// The answer to a request.
#[derive(Clone)]
pub(crate) enum Expected {
    Accepted,
    /// One complaint: at that field, in these words.
    Refused {
        at: String,
        says: String,
    },
    /// By that policy, in these words.
    Denied {
        policy: String,
        says: String,
    },
}

fn ann() -> String {
    "ann".to_owned()
}

/// The user's full name.
pub(crate) fn user(name: &str) -> String {
    match name {
        "operator" | "api" | "recorder" => format!("system:serviceaccount:openreg-system:openreg-{name}"),
        person => person.to_owned(),
    }
}

/// What the files hold.
pub(crate) fn tables() -> Tables {
    let cases: Cases = serde_saphyr::from_str(include_str!("cases.yaml")).expect("cases.yaml");
    Tables {
        objects: cases.objects,
        rules: cases.rules,
        policies: cases.policies,
        forms: serde_saphyr::from_str(include_str!("forms.yaml")).expect("forms.yaml"),
    }
}

impl Tables {
    fn kind(&self, base: &str) -> String {
        let base = self.objects.get(base).unwrap_or_else(|| panic!("no object `{base}`"));
        base.object["kind"].as_str().expect("a kind").to_owned()
    }

    /// All cases.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (name, base) in &self.objects {
            cases.push(self.case(About::Schema, name, Verb::Create, &base.user, Map::new(), Expected::Accepted));
        }
        for rule in &self.rules {
            self.rule(rule, true, &mut cases);
        }
        for rule in &self.forms.schema {
            self.rule(rule, false, &mut cases);
        }
        for texts in &self.forms.values {
            self.texts(texts, &mut cases);
        }
        for policy in &self.policies {
            let (policy_name, says) = (policy.policy.clone(), policy.says.clone());
            let about = About::Policy {
                policy: policy_name.clone(),
                says: says.clone(),
            };
            let denied = Expected::Denied { policy: policy_name, says };
            let accepted = policy.accepts.iter().map(|r| (r, Expected::Accepted));
            for (r, expected) in accepted.chain(policy.refuses.iter().map(|r| (r, denied.clone()))) {
                cases.push(self.case(about.clone(), &r.of, r.by, &r.user, r.set.clone(), expected));
            }
        }
        cases
    }

    fn case(&self, about: About, base: &str, by: Verb, user_name: &str, set: Map<String, Value>, expected: Expected) -> Case {
        Case {
            about,
            base: base.to_owned(),
            kind: self.kind(base),
            by,
            user: user(user_name),
            set,
            expected,
        }
    }

    fn rule(&self, rule: &Rule, has_rule: bool, cases: &mut Vec<Case>) {
        for base in &rule.of {
            let refused = Expected::Refused {
                at: rule.at.clone(),
                says: rule.says.clone(),
            };
            let examples = rule.accepts.iter().map(|e| (e, Expected::Accepted));
            for (example, expected) in examples.chain(rule.refuses.iter().map(|e| (e, refused.clone()))) {
                let about = if has_rule {
                    About::Rule {
                        kind: self.kind(base),
                        at: place(&rule.at),
                        says: rule.says.clone(),
                    }
                } else {
                    About::Schema
                };
                let user = example.user.as_ref().or(rule.user.as_ref()).unwrap_or(&self.objects[base].user);
                let case = self.case(about, base, rule.by, user, example.set.clone(), expected);
                cases.extend(self.in_version(&case));
                cases.push(case);
            }
        }
    }

    fn texts(&self, texts: &Texts, cases: &mut Vec<Case>) {
        for at in &texts.at {
            let (base, at) = at.split_once(' ').unwrap_or_else(|| panic!("`{at}` is not `OBJECT PATH`"));
            let refused = Expected::Refused {
                at: at.to_owned(),
                says: texts.says.clone(),
            };
            let accepted = texts.accepts.iter().map(|t| (t, Expected::Accepted));
            for (text, expected) in accepted.chain(texts.refuses.iter().map(|t| (t, refused.clone()))) {
                let about = About::Rule {
                    kind: self.kind(base),
                    at: place(at),
                    says: texts.says.clone(),
                };
                let set = Map::from_iter([(at.to_owned(), json!(text))]);
                let case = self.case(about, base, Verb::Create, &self.objects[base].user, set, expected);
                cases.extend(self.in_version(&case));
                cases.push(case);
            }
        }
    }

    /// A ReportVersion holds the spec of a Report, and with it its rules.
    fn in_version(&self, case: &Case) -> Option<Case> {
        let inside = |path: &str| path.strip_prefix("spec.").map(|rest| format!("spec.report.{rest}"));
        if case.base != "report" || case.by != Verb::Create {
            return None;
        }
        let about = match &case.about {
            About::Rule { at, says, .. } => About::Rule {
                kind: self.kind("version"),
                at: inside(at)?,
                says: says.clone(),
            },
            _ => return None,
        };
        let expected = match &case.expected {
            Expected::Refused { at, says } => Expected::Refused {
                at: inside(at)?,
                says: says.clone(),
            },
            other => other.clone(),
        };
        let set = case
            .set
            .iter()
            .map(|(path, value)| Some((inside(path)?, value.clone())))
            .collect::<Option<_>>()?;
        Some(self.case(about, "version", Verb::Create, &self.objects["version"].user, set, expected))
    }
}

impl Case {
    /// The case in one line.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("{:?} {} {}", self.by, self.kind, self.base).to_lowercase();
        for (path, value) in &self.set {
            let _ = write!(name, " {path}={value}");
        }
        let _ = write!(name, " as {}", self.user);
        name
    }

    /// The object with what the case sets.
    pub(crate) fn applied(&self, mut object: Value) -> Value {
        for (path, value) in &self.set {
            set(&mut object, path, value.clone());
        }
        object
    }
}
