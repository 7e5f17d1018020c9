//! The built page: files by name, every other address is the page, and the API is never hidden by it.

use crate::support::World;
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

#[tokio::test]
async fn the_page_answers_where_the_api_does_not() {
    let w = World::new().await;
    let web = tempfile::tempdir().unwrap();
    std::fs::create_dir(web.path().join("assets")).unwrap();
    std::fs::write(web.path().join("index.html"), "<!doctype html><title>page</title>").unwrap();
    std::fs::write(web.path().join("assets/app-1a2b.js"), "export {}").unwrap();
    std::fs::write(web.path().join("favicon.svg"), "<svg/>").unwrap();
    let router = openreg_api::serve::service(w.app.clone(), Some(web.path()));
    for (path, status, kind, cache) in [
        ("/", 200, "text/html", "no-cache"),
        ("/runs/5f0c8f6e-0000-4000-8000-000000000001", 200, "text/html", "no-cache"),
        ("/favicon.svg", 200, "image/svg+xml", "no-cache"),
        ("/assets/app-1a2b.js", 200, "text/javascript", "public, max-age=31536000, immutable"),
        ("/assets/app-old.js", 404, "", "no-cache"),
        ("/api/v1/nothing", 404, "application/problem+json", "no-store"),
        ("/api/v2", 404, "application/problem+json", "no-store"),
        ("/api/v1/runs", 401, "application/problem+json", "no-store"),
        ("/docs", 200, "text/html; charset=utf-8", "no-cache"),
        ("/healthz", 200, "application/json", "no-cache"),
        ("/../Cargo.toml", 200, "text/html", "no-cache"),
        ("/%2e%2e/%2e%2e/etc/passwd", 200, "text/html", "no-cache"),
    ] {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(
            (response.status().as_u16(), header("content-type").as_str(), header("cache-control").as_str()),
            (status, kind, cache),
            "{path}"
        );
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        if path.contains("..") || path.contains("%2e") {
            assert!(body.starts_with(b"<!doctype html><title>page"), "{path}: nothing outside the folder");
        }
    }
}

#[tokio::test]
async fn metrics_count_by_route_not_by_path() {
    let w = World::new().await;
    let token = w.token("ann", &openreg_api::auth::policy::Role::ALL);
    w.get("/api/v1/runs/5f0c8f6e-0000-4000-8000-000000000001", &token).await;
    w.get("/api/v1/%3Cscript%3E", &token).await;
    for method in ["MADEUP1", "MADEUP2", "get"] {
        w.send(Request::builder().method(method).uri("/x").body(Body::empty()).unwrap()).await;
    }
    let text = String::from_utf8(w.get("/metrics", "").await.body).unwrap();
    assert!(
        text.contains(r#"openreg_api_requests_total{method="GET",route="/api/v1/runs/{id}",status="404"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"openreg_api_requests_total{method="other",route="other",status="404"} 3"#),
        "{text}"
    );
    assert!(
        text.contains(r#"route="other""#) && !text.contains("5f0c8f6e") && !text.contains("script") && !text.contains("MADEUP"),
        "{text}"
    );
}
