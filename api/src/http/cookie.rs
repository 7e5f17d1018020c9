//! How a session's refresh token travels: in a cookie that no script can read, or in bodies for command lines.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::auth::{Me, RefreshRequest, SessionOpened};
use super::extract::Body;
use crate::app::App;
use crate::auth::token::{ACCESS_SECONDS, REFRESH_SECONDS, RefreshToken, Session};
use crate::error::ApiError;

const COOKIE: &str = "openreg_refresh";

/// The answer that opens a session.
pub(super) fn opened(app: &App, session: Session, refresh: &RefreshToken, one_time: bool, in_body: bool) -> Result<Response, ApiError> {
    let access_token = app.signer.sign(&session).map_err(ApiError::internal)?;
    let refresh_token = in_body.then(|| refresh.expose());
    let mut response = Json(SessionOpened {
        access_token,
        expires_in: ACCESS_SECONDS,
        refresh_token,
        one_time,
        user: Me::from(&session),
    })
    .into_response();
    if !in_body {
        set_cookie(app, &mut response, &refresh.expose(), REFRESH_SECONDS);
    }
    Ok(response)
}

/// An answer that also removes the cookie.
pub(super) fn closed(app: &App, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    set_cookie(app, &mut response, "", 0);
    response
}

fn set_cookie(app: &App, response: &mut Response, value: &str, seconds: i64) {
    let secure = if app.secure_cookies { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/api/v1/auth; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // Only letters, digits and punctuation that a header may hold.
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// Refuses what a page of another origin made a browser send: the cookie would go along when that origin is of our own site.
/// Browsers say where a request comes from; command lines say nothing, and hold no cookie.
pub(super) fn of_our_page(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(ApiError::BadRequest("this was sent by a page of another origin".to_owned())),
    }
}

/// The refresh token of the body, else the cookie's; and whether it was the body's.
pub(super) fn presented(headers: &HeaderMap, body: Option<Body<RefreshRequest>>) -> Option<(RefreshToken, bool)> {
    if let Some(text) = body.and_then(|Body(b)| b.refresh_token) {
        return RefreshToken::parse(&text).map(|t| (t, true));
    }
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'));
    let mut values = cookies.filter_map(|c| c.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    values.find_map(RefreshToken::parse).map(|t| (t, false))
}
