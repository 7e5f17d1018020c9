//! Extractors that answer with a problem document when a request cannot be read.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::token::Session;
use crate::error::ApiError;

/// A JSON body.
pub struct Body<T>(pub T);

/// Parameters in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// Parameters in the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// Who asks; there only behind the door of a route that needs a permission.
pub struct Asking(pub Session);

impl From<PathRejection> for ApiError {
    fn from(r: PathRejection) -> Self {
        Self::BadRequest(format!("the path cannot be read: {}", r.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(r: QueryRejection) -> Self {
        Self::BadRequest(format!("the query cannot be read: {}", r.body_text()))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(r: JsonRejection) -> Self {
        Self::BadRequest(format!("the body cannot be read: {}", r.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(<axum::Json<T> as FromRequest<S>>::from_request(request, state).await?.0))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        // A browser sends no body with its cookie.
        let none = !request.headers().contains_key(header::CONTENT_TYPE);
        if none {
            Ok(None)
        } else {
            <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Session>()
            .cloned()
            .map(Self)
            .ok_or(ApiError::Unauthorized("log in first"))
    }
}

/// A place in a list, as text that nobody should take apart.
pub fn cursor(place: &impl Serialize) -> String {
    // Strings and numbers: cannot fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The place of a cursor.
pub fn place<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|b| serde_json::from_slice(&b).ok());
    place
        .map(Some)
        .ok_or_else(|| ApiError::BadRequest("the cursor `after` is not one that a page gave: leave it out to begin anew".to_owned()))
}

/// How many entries a page has: at most 200, 50 when nothing is said.
pub fn page_size(limit: Option<u32>) -> i64 {
    i64::from(limit.unwrap_or(50).clamp(1, 200))
}
