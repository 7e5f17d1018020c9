//! What is not about a tenant: probes, metrics, the API's own description.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, chain, problem};
use crate::{docs, router};

/// How the server is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, description = "It does", body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether it can serve: the database answers and is migrated.
#[utoipa::path(get, path = "/readyz", tag = "system", responses((status = 200, description = "It can", body = Health),
    (status = 503, description = "It cannot", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn readyz(State(app): State<App>) -> Response {
    match app.db.check().await {
        Ok(()) => Json(Health { status: "ok" }).into_response(),
        Err(e) => {
            tracing::warn!(error = %chain(&e), "not ready");
            problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "temporarily not available",
                e.to_string(),
                Vec::new(),
            )
        }
    }
}

/// Metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "system", responses((status = 200, description = "OpenMetrics", content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.metrics.encode().map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// This API's description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "system", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub async fn openapi_json() -> Result<Response, ApiError> {
    let text = router::document().to_json().map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The same for people.
#[utoipa::path(get, path = "/docs", tag = "system", responses((status = 200, description = "A page", content_type = "text/html", body = String)))]
pub async fn docs_page() -> Html<String> {
    Html(docs::page(&router::document()))
}

/// The page's style: the Content-Security-Policy allows none within the page.
#[utoipa::path(get, path = "/docs/style.css", tag = "system", responses((status = 200, description = "A style sheet", content_type = "text/css", body = String)))]
pub async fn docs_style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], docs::STYLE).into_response()
}
