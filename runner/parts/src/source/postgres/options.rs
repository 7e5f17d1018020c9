//! What a user may write about a PostgreSQL source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresOptions {
    /// DNS name or address of the server.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// TCP port [5432].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Name of the database.
    #[schemars(length(min = 1, max = 63))]
    pub database: String,
    /// How the connection is protected [mode VerifyFull].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// How a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsOptions {
    /// What is verified.
    pub mode: TlsMode,
    /// Where the certificate authority is: a key of the credentials' Secret that holds PEM certificates. Absent: the
    /// system's own list of authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub ca_key: Option<String>,
}

/// What is verified of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsMode {
    /// TLS 1.2 or newer; the certificate's chain and host name are verified.
    VerifyFull,
    /// TLS 1.2 or newer, but anybody's certificate is accepted. Raises a Warning condition.
    RequireUnverified,
    /// No encryption. Raises a Warning condition.
    Disable,
}

impl PostgresOptions {
    /// TCP port of the server.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(5432)
    }

    /// What is verified.
    pub fn tls_mode(&self) -> TlsMode {
        self.tls.as_ref().map_or(TlsMode::VerifyFull, |t| t.mode)
    }

    /// What is wrong with the options; structural bounds are the schema's.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.host.contains([' ', '/', '@']) {
            problems.push(Problem::new(
                "host",
                format!("`{}` is not a host name: write a DNS name or an address, without a scheme or a port", self.host),
            ));
        }
        problems
    }
}
