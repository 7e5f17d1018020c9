//! Log-in, refresh, log-out, one's own account.
//!
//! The access token goes into the page's memory. The refresh token goes into an HttpOnly, SameSite=Strict cookie that is
//! sent to `/api/v1/auth` only; a command line asks for `"session": "Token"` and keeps it itself.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::cookie::{closed, of_our_page, opened, presented};
use super::extract::{Asking, Body};
use crate::app::App;
use crate::auth::password;
use crate::auth::policy::{Role, held_by};
use crate::auth::token::{ACCESS_SECONDS, RefreshToken, Session};
use crate::db::Tx;
use crate::db::audit::{self, NewEntry};
use crate::db::sessions::{self, Used};
use crate::db::users::{self, User};
use crate::error::ApiError;
use openreg_parts::error::Problem;

const REFUSED: ApiError = ApiError::Unauthorized("tenant, user or password is wrong");
const OVER: ApiError = ApiError::Unauthorized("the session is over: log in again");
/// How long a refusal takes, whatever it is for: longer than the hash and the statements, which differ by who exists.
const REFUSAL: std::time::Duration = std::time::Duration::from_millis(250);
/// Attempts for tenants that do not exist are counted too, so that their answers are the same. All under this one identity:
/// what is counted under an identity of its own for each made-up name would never be looked at, and never removed, again.
const UNKNOWN_TENANTS: Uuid = Uuid::from_u128(0x6f70_656e_7265_672d_756e_6b6e_6f77_6e00);

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginRequest {
    /// The tenant: its namespace.
    #[schema(example = "acme")]
    tenant: String,
    /// The user's name.
    user: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
    /// Where the refresh token goes [Cookie].
    session: Option<SessionKind>,
}

/// Where the refresh token goes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum SessionKind {
    /// Into a cookie that no script can read.
    Cookie,
    /// Into the answer, for command lines.
    Token,
}

/// A refresh token that does not come as a cookie.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token; absent: the cookie's.
    pub(super) refresh_token: Option<String>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordRequest {
    /// The present one, the one-time password included.
    #[schema(format = Password)]
    current: String,
    /// The new one: 12 characters or more.
    #[schema(format = Password, min_length = 12, max_length = 256)]
    new: String,
}

/// An open session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionOpened {
    /// For the header `Authorization: Bearer …`.
    pub(super) access_token: String,
    /// Seconds it lives.
    pub(super) expires_in: i64,
    /// The refresh token, when it was asked for with `"session": "Token"`. It is used up by the next refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    /// Whether the password was a one-time one: set another, or this is the last session.
    pub(super) one_time: bool,
    /// Who logged in.
    pub(super) user: Me,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The user's name.
    name: String,
    /// The tenant's namespace.
    tenant: String,
    /// The tenant's identity.
    tenant_id: Uuid,
    /// Roles.
    roles: Vec<Role>,
    /// What the roles allow.
    #[schema(example = json!(["run.read", "run.start"]))]
    permissions: Vec<String>,
}

impl From<&Session> for Me {
    fn from(s: &Session) -> Self {
        Self {
            name: s.name.clone(),
            tenant: s.namespace.clone(),
            tenant_id: s.tenant,
            roles: s.roles.clone(),
            permissions: held_by(&s.roles),
        }
    }
}

/// Opens a session.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest, responses((status = 200, description = "The session", body = SessionOpened),
    (status = 401, description = "Tenant, user or password is wrong", body = crate::error::ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "Too many attempts for this name; Retry-After says when", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn login(State(app): State<App>, Body(request): Body<LoginRequest>) -> Result<Response, ApiError> {
    let begun = tokio::time::Instant::now();
    let answer = admit(app, request).await;
    if matches!(answer, Err(ApiError::Unauthorized(_))) {
        tokio::time::sleep_until(begun + REFUSAL).await;
    }
    answer
}

async fn admit(app: App, request: LoginRequest) -> Result<Response, ApiError> {
    let printable = |text: &str| !text.chars().any(char::is_control);
    if !printable(&request.user)
        || !printable(&request.tenant)
        || request.password.len() > password::MAX_LENGTH
        || request.user.len() > 64
        || request.tenant.len() > 63
    {
        return Err(REFUSED);
    }
    let known = app.db.tenant_named(&request.tenant).await?;
    let tenant = known.unwrap_or(UNKNOWN_TENANTS);
    let counted = match known {
        Some(_) => request.user.clone(),
        // No name has a control character, see above.
        None => hex::encode(Sha256::digest(format!("{}\0{}", request.tenant, request.user))),
    };
    let mut tx = app.db.tenant(tenant).await?;
    let wait = users::attempt(&mut tx, &counted).await?;
    let user = users::by_name(&mut tx, &request.user).await?;
    // Kept whatever follows: the attempt counts.
    tx.commit().await?;
    if let Some(seconds) = wait {
        return Err(ApiError::TooMany(seconds));
    }
    let right = password::verify(request.password, user.as_ref().map(|u| u.password.clone()))
        .await
        .map_err(ApiError::internal)?;
    let mut tx = app.db.tenant(tenant).await?;
    // Read again, locked: a one-time password may have been used meanwhile, or another one set.
    let now = users::by_name(&mut tx, &request.user).await?;
    let admitted = user
        .zip(now)
        .filter(|(before, now)| right && now.admissible && before.password == now.password)
        .map(|(_, now)| now);
    let Some(user) = admitted else {
        if known.is_some() && users::by_name(&mut tx, &request.user).await?.is_some() {
            audit::append(
                &mut tx,
                tenant,
                &NewEntry::new(&request.user, "auth.refused", format!("user/{}", request.user), json!({})),
            )
            .await?;
        }
        tx.commit().await?;
        return Err(REFUSED);
    };
    users::forgive(&mut tx, &request.user).await?;
    if user.one_time {
        users::use_up(&mut tx, user.id).await?;
    }
    let (refresh, family) = (RefreshToken::random(tenant), Uuid::new_v4());
    sessions::insert(&mut tx, &refresh, family, user.id).await?;
    let entry = NewEntry::new(
        &user.name,
        "auth.login",
        format!("user/{}", user.name),
        json!({"session": family, "oneTime": user.one_time, "roles": user.roles}),
    );
    audit::append(&mut tx, tenant, &entry).await?;
    tx.commit().await?;
    opened(
        &app,
        session(tenant, request.tenant, &user, family),
        &refresh,
        user.one_time,
        request.session == Some(SessionKind::Token),
    )
}

/// Opens the next 15 minutes of a session, and uses its refresh token up. A token that is used twice ends the session.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", request_body = Option<RefreshRequest>, responses((status = 200, description = "The session", body = SessionOpened),
    (status = 401, description = "The session is over", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn refresh(State(app): State<App>, headers: HeaderMap, body: Option<Body<RefreshRequest>>) -> Result<Response, ApiError> {
    of_our_page(&headers)?;
    let (token, in_body) = presented(&headers, body).ok_or(OVER)?;
    let mut tx = app.db.tenant(token.tenant).await?;
    let (family, user) = match sessions::spend(&mut tx, &token).await? {
        Used::Good { family, user } => (family, user),
        Used::Reused { user } => {
            ended(&mut tx, &token, user, "auth.reuse", json!({"token": token.id})).await?;
            tx.commit().await?;
            return Ok(closed(&app, OVER));
        }
        Used::Refused => return Ok(closed(&app, OVER)),
    };
    let Some(user) = users::by_id(&mut tx, user).await?.filter(|u| u.admissible) else {
        return Ok(closed(&app, OVER));
    };
    let namespace: String = crate::db::tenants::namespace(&mut tx).await?.ok_or(OVER)?;
    let next = RefreshToken::random(token.tenant);
    sessions::insert(&mut tx, &next, family, user.id).await?;
    tx.commit().await?;
    opened(&app, session(token.tenant, namespace, &user, family), &next, user.one_time, in_body)
}

/// Ends a session: all its refresh tokens. An access token lives on until its 15 minutes are over.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", request_body = Option<RefreshRequest>, responses((status = 204, description = "The session is over")))]
pub async fn logout(State(app): State<App>, headers: HeaderMap, body: Option<Body<RefreshRequest>>) -> Result<Response, ApiError> {
    of_our_page(&headers)?;
    if let Some((token, _)) = presented(&headers, body) {
        let mut tx = app.db.tenant(token.tenant).await?;
        match sessions::spend(&mut tx, &token).await? {
            Used::Good { family, user } => {
                sessions::revoke(&mut tx, family).await?;
                ended(&mut tx, &token, user, "auth.logout", json!({"session": family})).await?;
            }
            Used::Reused { user } => ended(&mut tx, &token, user, "auth.reuse", json!({"token": token.id})).await?,
            Used::Refused => {}
        }
        tx.commit().await?;
    }
    Ok(closed(&app, StatusCode::NO_CONTENT))
}

/// Writes down that a session ended, and how.
async fn ended(tx: &mut Tx, token: &RefreshToken, user: Uuid, action: &str, detail: serde_json::Value) -> Result<(), ApiError> {
    let name = users::by_id(tx, user).await?.map_or_else(|| user.to_string(), |u| u.name);
    Ok(audit::append(tx, token.tenant, &NewEntry::new(&name, action, format!("user/{name}"), detail)).await?)
}

/// Who asks.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", responses((status = 200, description = "The user", body = Me)))]
pub async fn me(Asking(session): Asking) -> Json<Me> {
    Json(Me::from(&session))
}

/// Sets another password; the user's other sessions end.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "auth", request_body = PasswordRequest, responses((status = 204, description = "The password is set"),
    (status = 422, description = "The new password is too short or too long", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn set_password(State(app): State<App>, Asking(session): Asking, Body(request): Body<PasswordRequest>) -> Result<StatusCode, ApiError> {
    if request.new.chars().count() < password::MIN_LENGTH || request.new.len() > password::MAX_LENGTH {
        let message = format!("use {} characters or more, at most {} bytes", password::MIN_LENGTH, password::MAX_LENGTH);
        return Err(ApiError::Invalid(vec![Problem::new("new", message)]));
    }
    let mut tx = app.db.tenant(session.tenant).await?;
    let wait = users::attempt(&mut tx, &session.name).await?;
    let user = users::by_id(&mut tx, session.user).await?;
    tx.commit().await?;
    if let Some(seconds) = wait {
        return Err(ApiError::TooMany(seconds));
    }
    let right = password::verify(request.current, user.as_ref().map(|u| u.password.clone()))
        .await
        .map_err(ApiError::internal)?;
    if !right {
        return Err(ApiError::Invalid(vec![Problem::new("current", "is not the present password")]));
    }
    let hash = password::hash(request.new).await.map_err(ApiError::internal)?;
    let mut tx = app.db.tenant(session.tenant).await?;
    // Read again, locked: while the hashes were made an administrator may have shut the user out, or reset the password.
    let now = users::by_id_locked(&mut tx, session.user).await?;
    let unchanged = user.zip(now).is_some_and(|(before, now)| now.admissible && now.password == before.password);
    if !unchanged {
        return Err(OVER);
    }
    users::forgive(&mut tx, &session.name).await?;
    users::set_password(&mut tx, session.user, &hash, false, Some(session.family)).await?;
    audit::append(
        &mut tx,
        session.tenant,
        &NewEntry::new(&session.name, "auth.password", format!("user/{}", session.name), json!({})),
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session(tenant: Uuid, namespace: String, user: &User, family: Uuid) -> Session {
    let exp = jiff::Timestamp::now().as_second() + ACCESS_SECONDS;
    Session {
        user: user.id,
        name: user.name.clone(),
        tenant,
        namespace,
        roles: user.roles.clone(),
        family,
        exp,
    }
}
