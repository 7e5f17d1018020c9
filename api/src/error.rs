//! What a request can end with, as problem documents (RFC 9457). The chain of causes goes to the log here, once, and
//! never to the client.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use openreg_parts::error::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::ClusterError;
use crate::db::DbError;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not answered as asked (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// What kind of problem it is: `urn:openreg:problem:` and a stable word.
    #[serde(rename = "type")]
    #[schema(example = "urn:openreg:problem:invalid")]
    pub type_: String,
    /// The same for people; equal for every problem of the type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// What is wrong with which field; empty when no single field is.
    pub errors: Vec<FieldProblem>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Its path in the request: `parameters.lei`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No valid access token, or a log-in that is refused; never says which part was wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The user's roles do not include the route's permission.
    #[error("your roles do not include the permission {0}")]
    Forbidden(&'static str),
    /// There is no such thing in this tenant.
    #[error("there is no {0}")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// The request itself is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// Fields are wrong.
    #[error("{} of the request's fields are wrong", .0.len())]
    Invalid(Vec<Problem>),
    /// Too many failed log-ins.
    #[error("too many log-ins failed for this name: try again in {0} s")]
    TooMany(u64),
    /// Something this server needs does not answer.
    #[error("could not {action}: {what} does not answer; try again")]
    Unavailable {
        /// What was being done.
        action: &'static str,
        /// What does not answer: `the database`, `the cluster`, `the store`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API server of the cluster refused it, in its words.
    #[error("{0}")]
    Refused(String),
    /// What the store holds is not what a run sealed.
    #[error("{0}")]
    Damaged(String),
    /// The installation lacks what this request needs; trying again does not help.
    #[error("{0}")]
    Misconfigured(String),
    /// A fault of this server.
    #[error("an unexpected error; the log knows more under the request id")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// A fault of this server.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Damaged(_) | Self::Misconfigured(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn word(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unauthorized(_) => ("unauthorized", "log in first"),
            Self::Forbidden(_) => ("forbidden", "not allowed"),
            Self::NotFound(_) => ("not-found", "not found"),
            Self::Conflict(_) => ("conflict", "contradicts what is there"),
            Self::BadRequest(_) => ("bad-request", "malformed request"),
            Self::Invalid(_) => ("invalid", "fields are wrong"),
            Self::Refused(_) => ("refused", "refused by the cluster"),
            Self::TooMany(_) => ("too-many-attempts", "too many attempts"),
            Self::Unavailable { .. } => ("unavailable", "temporarily not available"),
            Self::Damaged(_) => ("damaged", "the store does not hold what was sealed"),
            Self::Misconfigured(_) => ("misconfigured", "the installation is not complete"),
            Self::Internal(_) => ("internal", "an unexpected error"),
        }
    }
}

/// A problem document as a response.
pub fn problem(status: StatusCode, word: &str, title: &str, detail: String, errors: Vec<FieldProblem>) -> Response {
    let document = ProblemDocument {
        type_: format!("urn:openreg:problem:{word}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail,
        errors,
    };
    let mut response = (status, Json(document)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Damaged(_) | Self::Misconfigured(_) | Self::Internal(_) => tracing::error!(error = %chain(&self), "request failed"),
            Self::Unavailable { .. } => tracing::warn!(error = %chain(&self), "request failed"),
            _ => {}
        }
        let (word, title) = self.word();
        let errors = match &self {
            Self::Invalid(problems) => problems
                .iter()
                .map(|p| FieldProblem {
                    field: p.field.clone(),
                    message: p.message.clone(),
                })
                .collect(),
            _ => Vec::new(),
        };
        let mut response = problem(self.status(), word, title, self.to_string(), errors);
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooMany(seconds) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Unavailable { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// An error and its causes in one line; printed once, at the edge.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_bad_text() {
            return Self::BadRequest("a value of the request has a character that cannot be kept: NUL".to_owned());
        }
        if error.is_outage() {
            Self::Unavailable {
                action: "answer",
                what: "the database",
                source: Box::new(error),
            }
        } else {
            Self::internal(error)
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Refused { message } => Self::Refused(message),
            ClusterError::Exists { .. } | ClusterError::Changed { .. } => Self::Conflict(error.to_string()),
            ClusterError::Forbidden { .. } => {
                let hint = "is this namespace in the chart's value `tenants`?";
                Self::Misconfigured(format!("{error}; {hint}"))
            }
            ClusterError::Missing { kind, name } => Self::NotFound(format!("{kind} {name}")),
            other => Self::Unavailable {
                action: "ask the cluster",
                what: "the cluster",
                source: Box::new(other),
            },
        }
    }
}
