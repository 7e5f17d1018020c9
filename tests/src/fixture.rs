//! What tests apply: a whole small report, and the changes that make it wrong.

use serde_json::{Value, json};

use crate::services;

/// A Store in the development S3 server.
pub fn store() -> Value {
    json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Store", "metadata": {"name": "default"},
        "spec": {
            "s3": {"endpoint": services::S3_ENDPOINT, "region": "us-east-1", "bucket": services::S3_BUCKET, "pathStyle": true},
            "credentialsRef": {"secret": "store-s3"},
            "network": services::peer("s3"),
        }
    })
}

/// A Connector to the development PostgreSQL server.
pub fn connector() -> Value {
    json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Connector", "metadata": {"name": "trades"},
        "spec": {
            "postgres": {"host": services::POSTGRES_HOST, "database": "trades", "tls": {"mode": "Disable"}},
            "credentialsRef": {"secret": "trades-db"},
            "network": services::peer("postgres"),
        }
    })
}

/// A Destination on the development SFTP server; every test delivers into the directory of its own namespace.
pub fn destination(host_key: &str, directory: &str) -> Value {
    json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Destination", "metadata": {"name": "bank"},
        "spec": {
            "sftp": {"host": services::SFTP_HOST, "directory": directory, "hostKeys": [host_key], "auth": {"passwordKey": "password"}},
            "credentialsRef": {"secret": "bank-sftp"},
            "network": services::peer("sftp"),
            "delivery": {"maxAttempts": 3, "backoff": {"initial": "1s", "max": "2s"}},
        }
    })
}

/// A Report of `rows` rows that need no table; its file's name is the namespace's and the run's.
pub fn report(rows: u64) -> Value {
    json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": {"name": "small"},
        "spec": {
            "version": "1.0.0", "title": "Small report",
            "source": {"datasets": [{
                "name": "trades", "connectorRef": "trades", "key": ["ref"],
                "query": format!("SELECT lpad(i::text, 9, '0') AS ref, i AS quantity FROM generate_series(1, {rows}) i ORDER BY 1"),
            }]},
            "validation": [{"id": "R-1", "severity": "Error", "onViolation": "Block", "rule": {"notNull": {"columns": ["ref"]}}}],
            "output": {"csv": {}},
            "file": {"name": "{run.id}.csv"},
            "delivery": [{"destinationRef": "bank"}],
            "retention": {"runs": 50}, // so that a test finds each of its runs
            "execution": {"retry": {"maxAttempts": 3, "backoff": {"initial": "1s", "max": "2s"}}, "startupDeadline": "30s"},
        }
    })
}

/// A run of the small report.
pub fn run(name: &str) -> Value {
    json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": {"name": name},
        "spec": {
            "id": uuid::Uuid::new_v4().to_string(), "reportRef": "small", "trigger": "Manual",
            "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
        }
    })
}

/// Several objects as YAML that `kubectl` reads (JSON documents are YAML documents).
pub fn documents(objects: &[Value]) -> String {
    objects.iter().map(|o| format!("---\n{o}\n")).collect()
}

/// Sets the field at a JSON pointer.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"))[last] = value;
    object
}
