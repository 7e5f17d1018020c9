//! What a user may write about an SFTP destination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// An SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SftpOptions {
    /// DNS name or address of the server.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// TCP port [22].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Where files are put when the report names no other path.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^/"))]
    pub directory: String,
    /// The server's public keys, as in a `known_hosts` file but without the host: `ssh-ed25519 AAAA…`. A server with
    /// another key is refused; none is ever learned.
    #[schemars(length(min = 1, max = 8), inner(length(min = 20, max = 2048)))]
    pub host_keys: Vec<String>,
    /// How to log in.
    pub auth: SftpAuth,
}

/// How to log in: exactly one. The user's name is key `username` of the credentials' Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum SftpAuth {
    /// With a password: the key of the credentials' Secret that holds it.
    PasswordKey(#[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))] String),
    /// With a private key in OpenSSH or PEM format: the key of the credentials' Secret that holds it. Its passphrase, if
    /// it has one, is key `passphrase`.
    PrivateKey(#[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))] String),
}

impl SftpOptions {
    /// TCP port of the server.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(22)
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
        for (i, key) in self.host_keys.iter().enumerate() {
            let mut words = key.split_ascii_whitespace();
            let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
                problems.push(Problem::new(
                    format!("hostKeys[{i}]"),
                    "is not a public key: write `ssh-ed25519 AAAA…`, as ssh-keyscan prints it after the host's name",
                ));
                continue;
            };
            if !(kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-")) || !blob.starts_with("AAAA") {
                problems.push(Problem::new(
                    format!("hostKeys[{i}]"),
                    "is not a public key: write `ssh-ed25519 AAAA…`, as ssh-keyscan prints it after the host's name",
                ));
            }
        }
        problems
    }
}
