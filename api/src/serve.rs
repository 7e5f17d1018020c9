//! The server around the router: limits, time-outs, security headers, request ids, logs, static files, the end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::services::{ServeDir, ServeFile};
use uuid::Uuid;

use crate::app::{App, Change};
use crate::connection::{IDLE, Lively, STUCK};
use crate::db::RUNS_CHANNEL;
use crate::error::{ApiError, chain};
use crate::metrics::RequestLabels;
use crate::router;

/// The most bytes of a request's body: the largest is a run's parameters, 32 of at most 1 KiB.
const MAX_BODY: usize = 64 * 1024;
/// Until the head of an answer; bodies (downloads, event streams) may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long open requests may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// How long the database may say nothing of runs before it is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(60);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Nothing but what this server serves; no script within a page.
const CSP: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All of it as a service; `web` is the folder of the built page.
pub fn service(app: App, web: Option<&Path>) -> Router {
    let mut router = router::router(&app);
    router = match web {
        Some(folder) => router.merge(pages(folder)),
        None => router.fallback(unknown),
    };
    router
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(patient))
        .layer(from_fn_with_state(app.secure_cookies, guarded))
        .layer(from_fn_with_state(app.clone(), observed))
        .with_state(app)
}

/// The built page: files by name, everything else is the page itself, whose own router knows the address.
fn pages(folder: &Path) -> Router<App> {
    let index = ServeFile::new(folder.join("index.html"));
    let assets = ServiceBuilder::new()
        .layer(CompressionLayer::new().gzip(true))
        .service(ServeDir::new(folder.join("assets")));
    let files = ServiceBuilder::new()
        .layer(CompressionLayer::new().gzip(true))
        .service(ServeDir::new(folder).fallback(index));
    Router::new()
        // A file that is not there is not the page: its name has a hash, and an old page asks for it.
        .nest_service("/assets", assets)
        .route("/api/{*path}", axum::routing::any(unknown))
        .fallback_service(files)
}

async fn unknown(request: Request) -> ApiError {
    ApiError::NotFound(format!("route {}", request.uri().path().chars().take(200).collect::<String>()))
}

async fn not_allowed(request: Request) -> Response {
    let detail = format!("{} is not a method of this route", request.method());
    crate::error::problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "method not allowed", detail, Vec::new())
}

async fn patient(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(source) => ApiError::Unavailable {
            action: "answer in time",
            what: "something this server needs",
            source: Box::new(source),
        }
        .into_response(),
    }
}

async fn guarded(State(secure): State<bool>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let asset = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    let found = response.status().is_success();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    let cache = match (api, asset && found) {
        (true, _) => "no-store",
        (false, true) => "public, max-age=31536000, immutable",
        (false, false) => "no-cache",
    };
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(cache));
    response
}

async fn observed(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    // A caller's own id is taken when it looks like one; it ends up in the log.
    let given = request.headers().get(&REQUEST_ID).and_then(|v| v.to_str().ok());
    let id = given
        .filter(|v| !v.is_empty() && v.len() <= 64 && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = id);
    let mut response = tracing::Instrument::instrument(next.run(request), span.clone()).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    // Probes come every few seconds and say nothing.
    if !["/healthz", "/readyz", "/metrics"].contains(&route.as_str()) {
        span.in_scope(|| tracing::info!(method, route, status, duration_ms, "{method} {route} {status}"));
    }
    // Anybody can make a method up, and a label must not grow with what they send.
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method.as_str());
    let method = if known && response.status() != StatusCode::METHOD_NOT_ALLOWED {
        method
    } else {
        "other".to_owned()
    };
    app.metrics.count(RequestLabels { method, route, status }, took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Serves until `stop`, then lets open requests end.
pub async fn serve(app: App, listener: TcpListener, web: Option<PathBuf>, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let changes = app.changes.clone();
    let listening = tokio::spawn(listen(app.clone()));
    let mut stopped = stop.clone();
    let server = axum::serve(Lively::new(listener, IDLE, STUCK), service(app, web.as_deref())).with_graceful_shutdown(async move {
        let _ = stop.wait_for(|s| *s).await;
        // Event streams would stay open for ever.
        let _ = changes.send(Change::Stop);
    });
    let late = async {
        let _ = stopped.wait_for(|s| *s).await;
        tokio::time::sleep(GRACE).await;
    };
    let ended = tokio::select! {
        ended = server => ended,
        () = late => {
            tracing::warn!("requests were cut off at the end of the grace period");
            Ok(())
        }
    };
    listening.abort();
    ended
}

/// Passes on what the recorder notifies of. After an interruption it says so, since notifications are not kept.
async fn listen(app: App) {
    loop {
        let outcome = async {
            let mut listener = sqlx::postgres::PgListener::connect_with(app.db.pool()).await?;
            listener.listen(RUNS_CHANNEL).await?;
            let _ = app.changes.send(Change::Gap);
            loop {
                let notification = match tokio::time::timeout(QUIET, listener.try_recv()).await {
                    Ok(said) => said?,
                    Err(_) => {
                        // Nobody spoke, or the connection is dead and no one has told: a question finds out.
                        let asked = sqlx::query("SELECT 1").execute(&mut listener);
                        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                        continue;
                    }
                };
                let Some(notification) = notification else { break };
                let payload = notification
                    .payload()
                    .split_once(' ')
                    .and_then(|(t, r)| Some((Uuid::try_parse(t).ok()?, Uuid::try_parse(r).ok()?)));
                if let Some((tenant, run)) = payload {
                    // Nobody listening is no error.
                    let _ = app.changes.send(Change::Run { tenant, run });
                }
            }
            Ok::<(), sqlx::Error>(())
        };
        if let Err(e) = outcome.await {
            tracing::warn!(error = %chain(&e), "live views wait for the database");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
