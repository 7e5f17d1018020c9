//! How reading goes wrong, and who can mend it. Texts name columns and SQLSTATEs, never values.

use crate::error::{Class, Classified};
use crate::secrets::SecretError;

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A Secret is missing, lacks a key or may not be sent there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The source needs credentials and the plan names none.
    #[error("could not log in to {address}: the connector names no credentials")]
    CredentialsMissing {
        /// Host and port.
        address: String,
    },
    /// The name does not resolve, or the name servers do not answer: a resolver often cannot tell one from the other.
    #[error("could not find host {host}")]
    HostUnknown {
        /// The host.
        host: String,
    },
    /// Nobody listens.
    #[error("could not connect to {address}: the connection was refused")]
    ConnectionRefused {
        /// Host and port.
        address: String,
    },
    /// No way leads there.
    #[error("could not connect to {address}: there is no way to it")]
    HostUnreachable {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// No answer in time: a packet filter that drops, a host that is off, a server that hangs.
    #[error("could not connect to {address} within {seconds} s: there was no answer")]
    ConnectTimeout {
        /// Host and port.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The connection could not be protected as asked.
    #[error("could not protect the connection to {address} with TLS: {reason}")]
    TlsFailed {
        /// Host and port.
        address: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// The user name or the password is wrong, or the server's rules do not let this user in.
    #[error("could not log in to {address}: the server refused the user name or the password (SQLSTATE {sqlstate})")]
    PasswordRefused {
        /// Host and port.
        address: String,
        /// The server's code.
        sqlstate: String,
    },
    /// Both sides know no common way to log in.
    #[error("could not log in to {address}: the server wants a way to log in that is not supported")]
    LoginUnsupported {
        /// Host and port.
        address: String,
    },
    /// There is no such database.
    #[error("could not find {database}")]
    DatabaseMissing {
        /// The database, or the file.
        database: String,
    },
    /// The server starts, stops or has no free connection.
    #[error("could not use {address}: the server takes no connections now (SQLSTATE {sqlstate})")]
    ServerUnavailable {
        /// Host and port.
        address: String,
        /// The server's code.
        sqlstate: String,
    },
    /// The text has more than one statement.
    #[error("could not run the query: it is not exactly one statement")]
    QueryNotSingle,
    /// The statement writes.
    #[error("could not run the query: it writes, and connectors only read")]
    QueryWrites,
    /// The server does not understand the query.
    #[error("could not run the query: {reason}")]
    QueryInvalid {
        /// What is wrong; names tables and columns, never values.
        reason: String,
    },
    /// A placeholder without a value, or a value that has not its type.
    #[error("could not bind :{name}: {reason}")]
    ParameterInvalid {
        /// The placeholder.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A column has a type that cannot be read.
    #[error("could not read column {column}: its type {found} is not supported")]
    ColumnTypeUnsupported {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A column is declared, or needed, and not there.
    #[error("could not find column {column} in the query's result")]
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// A declared type cannot be used.
    #[error("could not read column {column} as declared: {reason}")]
    ColumnDeclaration {
        /// The column.
        column: String,
        /// Why.
        reason: String,
    },
    /// The account may not read that.
    #[error("could not run the query: permission denied: {reason}")]
    PermissionDenied {
        /// What the server said; names the object.
        reason: String,
    },
    /// No row in time.
    #[error("could not read the first row within {seconds} s")]
    FirstRowTimeout {
        /// The limit.
        seconds: u64,
    },
    /// Not done in time.
    #[error("could not read the last row within {seconds} s")]
    StatementTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The connection ended while it was used.
    #[error("could not go on reading from {address}: the connection was lost")]
    ConnectionLost {
        /// Host and port.
        address: String,
    },
    /// The server could not keep the snapshot.
    #[error("could not go on reading: the server gave up the snapshot (SQLSTATE {sqlstate})")]
    SerializationFailure {
        /// The server's code.
        sqlstate: String,
    },
    /// A value that cannot be kept exactly.
    #[error("could not read row {row}, column {column}: the value {reason}")]
    ValueOutOfRange {
        /// Row, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong with it; never the value.
        reason: &'static str,
    },
    /// The server failed on a value while it ran the query: a division by zero, a cast.
    #[error("could not run the query: the server could not compute a value (SQLSTATE {sqlstate})")]
    ValueRefused {
        /// The server's code.
        sqlstate: String,
    },
    /// Anything else that the server reports.
    #[error("could not run the query: the server failed (SQLSTATE {sqlstate})")]
    ServerFailed {
        /// The server's code.
        sqlstate: String,
    },
    /// Bytes that are not what the protocol says, a task that ended, a time zone that is not known.
    #[error("could not read from the source: {reason}")]
    Unexpected {
        /// What.
        reason: String,
    },
}

impl Classified for SourceError {
    fn class(&self) -> Class {
        match self {
            // A name that does not exist looks like a name server that is away, and a try more costs little.
            Self::HostUnknown { .. }
            | Self::ConnectionRefused { .. }
            | Self::HostUnreachable { .. }
            | Self::ConnectTimeout { .. }
            | Self::ServerUnavailable { .. }
            | Self::ConnectionLost { .. }
            | Self::SerializationFailure { .. }
            | Self::ServerFailed { .. } => Class::Transient,
            Self::ValueOutOfRange { .. } | Self::ValueRefused { .. } => Class::Data,
            Self::Unexpected { .. } => Class::Internal,
            Self::Secret(e) => e.class(),
            _ => Class::Config,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Secret(e) => e.code(),
            Self::CredentialsMissing { .. } => "CredentialsMissing",
            Self::HostUnknown { .. } => "HostUnknown",
            Self::ConnectionRefused { .. } => "ConnectionRefused",
            Self::HostUnreachable { .. } => "HostUnreachable",
            Self::ConnectTimeout { .. } => "ConnectTimeout",
            Self::TlsFailed { .. } => "TlsFailed",
            Self::PasswordRefused { .. } => "PasswordRefused",
            Self::LoginUnsupported { .. } => "LoginUnsupported",
            Self::DatabaseMissing { .. } => "DatabaseMissing",
            Self::ServerUnavailable { .. } => "ServerUnavailable",
            Self::QueryNotSingle => "QueryNotSingle",
            Self::QueryWrites => "QueryWrites",
            Self::QueryInvalid { .. } => "QueryInvalid",
            Self::ParameterInvalid { .. } => "ParameterInvalid",
            Self::ColumnTypeUnsupported { .. } => "ColumnTypeUnsupported",
            Self::ColumnMissing { .. } => "ColumnMissing",
            Self::ColumnDeclaration { .. } => "ColumnDeclaration",
            Self::PermissionDenied { .. } => "PermissionDenied",
            Self::FirstRowTimeout { .. } => "FirstRowTimeout",
            Self::StatementTimeout { .. } => "StatementTimeout",
            Self::ConnectionLost { .. } => "ConnectionLost",
            Self::SerializationFailure { .. } => "SerializationFailure",
            Self::ValueOutOfRange { .. } => "ValueOutOfRange",
            Self::ValueRefused { .. } => "ValueRefused",
            Self::ServerFailed { .. } => "ServerFailed",
            Self::Unexpected { .. } => "SourceUnexpected",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Secret(e) => return e.hint(),
            Self::CredentialsMissing { .. } => "name a Secret in the connector's credentialsRef".to_owned(),
            Self::HostUnknown { host } => {
                format!("check the host's name in the connector: {host} does not resolve from where the run runs; if it is right, check the cluster's DNS")
            }
            Self::ConnectionRefused { address } => format!("check host and port in the connector, and that the database listens at {address}"),
            Self::HostUnreachable { address, .. } => format!("check the routes and network policies between the run and {address}"),
            Self::ConnectTimeout { address, .. } => {
                format!("check that firewalls and network policies let the run reach {address}, or raise the connector's limits.connectTimeout")
            }
            Self::TlsFailed { .. } => "check the connector's tls: mode and caKey must fit the server's certificate".to_owned(),
            Self::PasswordRefused { .. } => {
                "check keys username and password of the connector's Secret, and the server's pg_hba rules for this client".to_owned()
            }
            Self::LoginUnsupported { .. } => "let this user in by scram-sha-256 in the server's pg_hba rules".to_owned(),
            Self::DatabaseMissing { .. } => "check the connector's database".to_owned(),
            Self::ServerUnavailable { .. } => "it is tried again; if it stays so, check the server's state and its connection limit".to_owned(),
            Self::QueryNotSingle => "write exactly one SELECT statement, and one dataset for each query".to_owned(),
            Self::QueryWrites => "write a SELECT that changes nothing; functions that write are refused too".to_owned(),
            Self::QueryInvalid { .. } => "run the query in the database's own client and correct it".to_owned(),
            Self::ParameterInvalid { name, .. } => format!("declare a parameter `{name}` in the report, or correct its value"),
            Self::ColumnTypeUnsupported { column, .. } => format!("cast the column in the query: CAST(… AS text) AS {column}"),
            Self::ColumnMissing { column } => format!("add {column} to the query's columns, or correct the name in the report"),
            Self::ColumnDeclaration { column, .. } => format!("correct or remove `columns.{column}` of the dataset"),
            Self::PermissionDenied { .. } => "grant SELECT on it to the connector's account".to_owned(),
            Self::FirstRowTimeout { .. } => "make the query faster, for example by an index, or raise the connector's limits.firstRowTimeout".to_owned(),
            Self::StatementTimeout { .. } => {
                "make the query faster or its result smaller, or raise the connector's limits.statementTimeout; a slow store counts too".to_owned()
            }
            Self::ConnectionLost { .. } => "it is tried again; if it stays so, check the server's log and what cuts long connections".to_owned(),
            Self::SerializationFailure { .. } => "it is tried again; on a replica, a longer max_standby_streaming_delay helps".to_owned(),
            Self::ValueOutOfRange { column, .. } => format!("correct the row in the source, or declare or cast {column} so that every value fits"),
            Self::ValueRefused { .. } => "correct the row in the source, or write the query so that it copes with it".to_owned(),
            Self::ServerFailed { .. } => "it is tried again; the server's log says what happened".to_owned(),
            Self::Unexpected { .. } => return None,
        })
    }
}
