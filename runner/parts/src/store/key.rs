//! Where each object lies: the only place where an object's path is spelled.

use std::fmt;

/// An object that OpenReg may write. `Display` gives its path below the store's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A file for the regulator, under the pod that made it: two pods never share a key.
    Artifact {
        /// Run id.
        run: String,
        /// UID of the pod that wrote it.
        pod: String,
        /// File name.
        name: String,
    },
    /// All violations of an attempt, JSON lines.
    Violations {
        /// Run id.
        run: String,
        /// UID of the pod that wrote it.
        pod: String,
    },
    /// The full report of an attempt, JSON.
    Report {
        /// Run id.
        run: String,
        /// UID of the pod that wrote it.
        pod: String,
    },
    /// A piece of an attempt's log, JSON lines.
    LogChunk {
        /// Run id.
        run: String,
        /// UID of the pod that wrote it.
        pod: String,
        /// Number from 0.
        chunk: u32,
    },
    /// The commit point of a run: written last, created only if absent.
    Manifest {
        /// Run id.
        run: String,
    },
    /// A claim on a remote name; a later holder adds the next number.
    Claim {
        /// UID of the destination (its name on a laptop).
        destination: String,
        /// Path of the file at the destination.
        remote: String,
        /// Number from 1; the highest is the holder's.
        number: u32,
    },
    /// Written before the rename that makes the file visible.
    Committing {
        /// UID of the destination.
        destination: String,
        /// Path of the file at the destination.
        remote: String,
    },
    /// Written after it: the proof of delivery.
    Receipt {
        /// UID of the destination.
        destination: String,
        /// Path of the file at the destination.
        remote: String,
    },
    /// What a probe writes and removes.
    Probe {
        /// Random.
        id: String,
    },
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact { run, pod, name } => write!(f, "runs/{run}/{pod}/artifacts/{}", escape(name)),
            Self::Violations { run, pod } => write!(f, "runs/{run}/{pod}/violations.jsonl"),
            Self::Report { run, pod } => write!(f, "runs/{run}/{pod}/report.json"),
            Self::LogChunk { run, pod, chunk } => write!(f, "runs/{run}/{pod}/log/{chunk:06}.jsonl"),
            Self::Manifest { run } => write!(f, "runs/{run}/manifest.json"),
            Self::Claim { destination, remote, number } => write!(f, "deliveries/{destination}/{}/claim-{number:04}", escape(remote)),
            Self::Committing { destination, remote } => write!(f, "deliveries/{destination}/{}/committing", escape(remote)),
            Self::Receipt { destination, remote } => write!(f, "deliveries/{destination}/{}/receipt", escape(remote)),
            Self::Probe { id } => write!(f, "probes/{id}"),
        }
    }
}

/// One path segment out of any text, without collisions: all but `[A-Za-z0-9._-]` becomes `%XX`, as does a leading dot.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'.' if i == 0 => out.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_stable() {
        let run = "r".to_owned();
        let pod = "p".to_owned();
        for (key, path) in [
            (
                Key::Artifact {
                    run: run.clone(),
                    pod: pod.clone(),
                    name: "a b.csv".into(),
                },
                "runs/r/p/artifacts/a%20b.csv",
            ),
            (Key::Manifest { run: run.clone() }, "runs/r/manifest.json"),
            (Key::LogChunk { run, pod, chunk: 7 }, "runs/r/p/log/000007.jsonl"),
            (
                Key::Claim {
                    destination: "d".into(),
                    remote: "/in/x.csv".into(),
                    number: 1,
                },
                "deliveries/d/%2Fin%2Fx.csv/claim-0001",
            ),
            (
                Key::Receipt {
                    destination: "d".into(),
                    remote: "../x".into(),
                },
                "deliveries/d/%2E.%2Fx/receipt",
            ),
        ] {
            assert_eq!(key.to_string(), path);
        }
    }

    #[test]
    fn two_names_never_share_a_path() {
        assert_ne!(escape("a/b"), escape("a%2Fb"));
        assert_ne!(escape(".a"), escape("%2Ea"));
    }
}
