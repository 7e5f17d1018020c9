//! Logs: one JSON object a line on stderr, with levels, for machines first. Never a secret, never a row's content.

use std::fmt::Write as _;

use tracing_subscriber::EnvFilter;

/// Sends all logs to stderr as JSON. `directives` as in `info,kube=debug`.
pub fn start(directives: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(directives)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// An error and its causes in one line: printed once, where the error is handled.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // The API server's answer prints itself twice and its fields once more; its message says it all.
        if let Some(kube::Error::Api(answer)) = cause.downcast_ref::<kube::Error>() {
            let _ = write!(text, ": {} ({} {})", answer.message, answer.code, answer.reason);
            break;
        }
        let cause_text = cause.to_string();
        // Errors of libraries often repeat their source.
        if !text.ends_with(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not watch")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("could not write the status")]
    struct Refused(#[source] kube::Error);

    #[test]
    fn answer_of_the_api_server_is_told_once() {
        let status = kube::core::Status::failure("reports \"small\" is forbidden", "Forbidden").with_code(403);
        assert_eq!(
            chain(&Refused(kube::Error::Api(status.boxed()))),
            "could not write the status: reports \"small\" is forbidden (403 Forbidden)"
        );
    }

    #[test]
    fn chain_is_one_line() {
        assert_eq!(
            chain(&Outer(std::io::Error::other("connection refused"))),
            "could not watch: connection refused"
        );
    }
}
