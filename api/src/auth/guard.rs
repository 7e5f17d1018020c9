//! The door of every route that is not public: access token, then permission. It looks at nothing else of a request.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::policy::Permission;
use super::token::Signer;
use crate::error::ApiError;

/// What the door checks with.
#[derive(Clone)]
pub struct Door {
    /// Checks tokens.
    pub signer: Signer,
    /// What the route needs.
    pub permission: Permission,
}

/// Lets a request pass whose user has the permission, with their [`super::token::Session`] attached.
pub async fn pass(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let session = match token.map(|t| door.signer.check(t)) {
        None => return ApiError::Unauthorized("send an access token: Authorization: Bearer …").into_response(),
        Some(Err(_)) => return ApiError::Unauthorized("the access token is not valid, or its 15 minutes are over").into_response(),
        Some(Ok(session)) => session,
    };
    if !door.permission.is_held_by(&session.roles) {
        return ApiError::Forbidden(door.permission.as_str()).into_response();
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}
