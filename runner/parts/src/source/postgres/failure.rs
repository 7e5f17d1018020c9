//! What PostgreSQL's answers mean. A server's own text is passed on only where it speaks of names (classes 28, 3D, 42):
//! the texts of other classes may quote values.

use std::error::Error as _;

use super::super::SourceError;

/// What an error needs to say where it happened.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Host and port.
    pub(super) address: String,
    /// Database.
    pub(super) database: String,
    /// The limit of the connection, in seconds.
    pub(super) connect_seconds: u64,
    /// The statement timeout, in seconds.
    pub(super) statement_seconds: u64,
}

/// What the client says when it came to no connection, and when both sides could not agree on how to log in.
const NO_CONNECTION: &str = "error connecting to server";
const NO_LOGIN: &str = "authentication error";

impl Place {
    /// What `error` means.
    pub(super) fn judge(&self, error: &tokio_postgres::Error) -> SourceError {
        if let Some(answer) = error.as_db_error() {
            return self.answer(answer.code().code(), answer.message(), answer.routine().unwrap_or_default());
        }
        if error.is_closed() {
            return SourceError::ConnectionLost { address: self.address.clone() };
        }
        let text = error.to_string();
        if text == NO_CONNECTION {
            return self.unconnected(error.source());
        }
        if text == NO_LOGIN {
            return SourceError::LoginUnsupported { address: self.address.clone() };
        }
        let mut cause = error.source();
        while let Some(next) = cause {
            if next.downcast_ref::<rustls::Error>().is_some() {
                return SourceError::TlsFailed {
                    address: self.address.clone(),
                    reason: next.to_string(),
                };
            }
            if let Some(io) = next.downcast_ref::<std::io::Error>() {
                // tokio-rustls hides its own error inside an io::Error, which shows it neither as source nor by type.
                if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    return SourceError::TlsFailed {
                        address: self.address.clone(),
                        reason: tls.to_string(),
                    };
                }
                return SourceError::ConnectionLost { address: self.address.clone() };
            }
            cause = next.source();
        }
        if text.contains("TLS") {
            return SourceError::TlsFailed {
                address: self.address.clone(),
                reason: error.source().map_or(text, ToString::to_string),
            };
        }
        SourceError::Unexpected { reason: text }
    }

    /// No connection came about: whether the port is closed, a filter drops, or no way leads there.
    fn unconnected(&self, cause: Option<&(dyn std::error::Error + 'static)>) -> SourceError {
        let address = self.address.clone();
        let kind = cause
            .and_then(|c| c.downcast_ref::<std::io::Error>())
            .map_or(std::io::ErrorKind::Other, std::io::Error::kind);
        match kind {
            std::io::ErrorKind::ConnectionRefused => SourceError::ConnectionRefused { address },
            std::io::ErrorKind::TimedOut => SourceError::ConnectTimeout {
                address,
                seconds: self.connect_seconds,
            },
            kind => SourceError::HostUnreachable { address, source: kind.into() },
        }
    }

    fn answer(&self, sqlstate: &str, message: &str, routine: &str) -> SourceError {
        let address = self.address.clone();
        let code = sqlstate.to_owned();
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match sqlstate {
            // The routine's name is not translated, its text may be.
            "42601" if routine == "exec_parse_message" => SourceError::QueryNotSingle,
            // 25001: the query tries to make its own transaction read-write.
            "25006" | "25001" => SourceError::QueryWrites,
            "42501" => SourceError::PermissionDenied {
                reason: format!("{message} (SQLSTATE {sqlstate})"),
            },
            "28000" | "28P01" => SourceError::PasswordRefused { address, sqlstate: code },
            "3D000" => SourceError::DatabaseMissing {
                database: format!("database {} at {address}", self.database),
            },
            "57014" => SourceError::StatementTimeout {
                seconds: self.statement_seconds,
            },
            "57P03" | "53300" => SourceError::ServerUnavailable { address, sqlstate: code },
            "57P01" | "57P02" | "57P05" => SourceError::ConnectionLost { address },
            "40001" | "40P01" => SourceError::SerializationFailure { sqlstate: code },
            _ if sqlstate.starts_with("08") => SourceError::ConnectionLost { address },
            _ if sqlstate.starts_with("42") || sqlstate == "3F000" || sqlstate == "0A000" => SourceError::QueryInvalid {
                reason: format!("{message} (SQLSTATE {sqlstate})"),
            },
            _ if sqlstate.starts_with("22") => SourceError::ValueRefused { sqlstate: code },
            _ => SourceError::ServerFailed { sqlstate: code },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Classified;

    #[test]
    fn each_sqlstate_has_its_code() {
        let place = Place {
            address: "db:5432".into(),
            database: "d".into(),
            connect_seconds: 5,
            statement_seconds: 7,
        };
        for (sqlstate, routine, code) in [
            ("42601", "exec_parse_message", "QueryNotSingle"),
            ("42601", "scanner_yyerror", "QueryInvalid"),
            ("42703", "errorMissingColumn", "QueryInvalid"),
            ("25006", "PreventCommandIfReadOnly", "QueryWrites"),
            ("28P01", "auth_failed", "PasswordRefused"),
            ("3D000", "InitPostgres", "DatabaseMissing"),
            ("42501", "aclcheck_error", "PermissionDenied"),
            ("57014", "ProcessInterrupts", "StatementTimeout"),
            ("57P03", "", "ServerUnavailable"),
            ("53300", "", "ServerUnavailable"),
            ("57P01", "", "ConnectionLost"),
            ("40001", "", "SerializationFailure"),
            ("22012", "int4div", "ValueRefused"),
            ("XX000", "", "ServerFailed"),
        ] {
            assert_eq!(place.answer(sqlstate, "m", routine).code(), code, "{sqlstate}");
        }
    }

    #[test]
    fn a_port_that_refuses_is_not_one_that_drops() {
        let place = Place {
            address: "db:5432".into(),
            database: "d".into(),
            connect_seconds: 5,
            statement_seconds: 7,
        };
        for (kind, code) in [
            (std::io::ErrorKind::ConnectionRefused, "ConnectionRefused"),
            (std::io::ErrorKind::TimedOut, "ConnectTimeout"),
            (std::io::ErrorKind::HostUnreachable, "HostUnreachable"),
            (std::io::ErrorKind::NetworkUnreachable, "HostUnreachable"),
        ] {
            let error = place.unconnected(Some(&std::io::Error::from(kind)));
            assert_eq!((error.code(), error.class()), (code, crate::error::Class::Transient), "{kind:?}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn texts_that_may_quote_values_are_not_passed_on() {
        let place = Place {
            address: "db:5432".into(),
            database: "d".into(),
            connect_seconds: 5,
            statement_seconds: 7,
        };
        for sqlstate in ["22P02", "22012", "XX000", "40001", "P0001", "57014"] {
            let error = place.answer(sqlstate, "invalid input syntax for type integer: \"ACME\"", "");
            assert!(!format!("{error} {error:?}").contains("ACME"), "{sqlstate}");
        }
    }
}
