//! Every route: closed without a token, and open to exactly the roles that the table names.

use std::collections::HashSet;

use crate::support::World;
use axum::body::Body;
use axum::http::Request;
use openreg_api::auth::policy::{Permission, Role};
use openreg_api::router::{Access, all, word};

/// All routes that need no session. Adding one means writing it here.
const PUBLIC: [&str; 9] = [
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api/v1/openapi.json",
    "GET /docs",
    "GET /docs/style.css",
];

fn routes() -> Vec<(String, String, Access)> {
    let route = |r: &openreg_api::router::Route| {
        let (method, path) = r.name();
        (word(&method).to_owned(), path, r.access)
    };
    all().iter().map(route).collect()
}

async fn ask(w: &World, method: &str, path: &str, token: Option<&str>) -> u16 {
    let path = path.replace("{id}", "5f0c8f6e-0000-4000-8000-000000000001").replace("{name}", "x");
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let request = request.body(Body::from("{}")).unwrap();
    // The head is enough; the body of the event stream has no end.
    tower::ServiceExt::oneshot(w.router(), request).await.unwrap().status().as_u16()
}

#[test]
fn what_is_public_is_listed() {
    let public: HashSet<String> = routes()
        .into_iter()
        .filter(|r| r.2 == Access::Public)
        .map(|r| format!("{} {}", r.0, r.1))
        .collect();
    assert_eq!(public, PUBLIC.iter().map(|s| (*s).to_owned()).collect());
}

#[test]
fn every_permission_is_used() {
    let used: HashSet<Permission> = routes()
        .into_iter()
        .filter_map(|r| if let Access::Needs(p) = r.2 { Some(p) } else { None })
        .collect();
    assert_eq!(used, Permission::ALL.into_iter().collect());
}

#[tokio::test]
async fn every_other_route_is_closed_without_a_valid_token() {
    let w = World::new().await;
    let token = w.token("ann", &Role::ALL);
    let mut forged = token.clone();
    forged.truncate(token.len() - 2);
    let mut walked = 0;
    for (method, path, access) in routes() {
        if access == Access::Public {
            continue;
        }
        walked += 1;
        for bad in [
            None,
            Some("Bearer "),
            Some("Basic YTpi"),
            Some(&format!("Bearer {forged}") as &str),
            Some(&token),
        ] {
            assert_eq!(ask(&w, &method, &path, bad).await, 401, "{method} {path} {bad:?}");
        }
    }
    assert_eq!(walked + PUBLIC.len(), all().len());
}

#[tokio::test]
async fn every_route_is_open_to_exactly_the_roles_of_the_table() {
    let w = World::new().await;
    for (method, path, access) in routes() {
        let Access::Needs(permission) = access else { continue };
        for role in Role::ALL {
            let token = format!("Bearer {}", w.token("ann", &[role]));
            let status = ask(&w, &method, &path, Some(&token)).await;
            let expected_closed = !permission.roles().contains(&role);
            assert_eq!(status == 403, expected_closed, "{method} {path} as {}: {status}", role.as_str());
            assert_ne!(status, 401, "{method} {path} as {}", role.as_str());
        }
        let nobody = format!("Bearer {}", w.token("ann", &[]));
        assert_eq!(ask(&w, &method, &path, Some(&nobody)).await, 403, "{method} {path} without a role");
    }
}

#[tokio::test]
async fn answers_carry_the_security_headers() {
    let w = World::new().await;
    let a = w.get("/api/v1/nothing-here", "x").await;
    assert_eq!(a.status, 404);
    assert_eq!(a.headers["content-type"], "application/problem+json");
    assert!(a.headers["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    assert_eq!(a.headers["x-content-type-options"], "nosniff");
    assert_eq!(a.headers["cache-control"], "no-store");
    assert_eq!(a.headers["x-request-id"].len(), 36);
    let named = w
        .send(Request::get("/healthz").header("x-request-id", "abc-1").body(Body::empty()).unwrap())
        .await;
    assert_eq!(named.headers["x-request-id"], "abc-1");
    let forged = w
        .send(Request::get("/healthz").header("x-request-id", "a b\"c").body(Body::empty()).unwrap())
        .await;
    assert_eq!(forged.headers["x-request-id"].len(), 36);
    let wrong = w.send(Request::delete("/api/v1/runs").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.headers["content-type"].to_str().unwrap()),
        (405, "application/problem+json")
    );
}
