//! Probes and metrics of the recorder: it serves nothing else.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::db::Db;
use crate::error::chain;
use crate::metrics::RecorderMetrics;

/// A watch that has said nothing for so long hangs: a list of all runs begins every ten minutes.
const MAX_SILENCE: i64 = 25 * 60;

#[derive(Clone)]
struct Probed {
    db: Db,
    metrics: RecorderMetrics,
}

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router(db: Db, metrics: RecorderMetrics) -> Router {
    metrics.progressed();
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Probed { db, metrics })
}

async fn healthz(State(p): State<Probed>) -> Response {
    let silence = p.metrics.silence();
    if silence > MAX_SILENCE {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the watch has said nothing for {silence} s\n")).into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn readyz(State(p): State<Probed>) -> Response {
    match p.db.check().await {
        Ok(()) => "ok\n".into_response(),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", chain(&e))).into_response(),
    }
}

async fn text(State(p): State<Probed>) -> Response {
    match p.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
