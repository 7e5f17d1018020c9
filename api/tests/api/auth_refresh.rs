//! Refresh tokens: each is good once; a second use ends the session for thief and owner alike.

use crate::support::postgres::Database;
use crate::support::{Answer, PASSWORD, World};
use axum::body::Body;
use axum::http::Request;
use openreg_api::auth::policy::Role;
use openreg_api::auth::token::RefreshToken;
use serde_json::json;

async fn world() -> (World, String) {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let refresh = w.login("acme", "ann", PASSWORD).await.refresh();
    (w, refresh)
}

async fn with_cookie(w: &World, path: &str, refresh: &str) -> Answer {
    w.send(
        Request::post(path)
            .header("cookie", format!("other=1; openreg_refresh={refresh}"))
            .body(Body::empty())
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_token_is_replaced_at_each_use() {
    let (w, first) = world().await;
    let a = with_cookie(&w, "/api/v1/auth/refresh", &first).await;
    assert_eq!(a.status, 200, "{a:?}");
    let second = a.refresh();
    assert_ne!(first, second);
    assert_eq!(a.json()["user"]["tenant"], "acme");
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &second).await.status, 200);
}

#[tokio::test]
async fn an_old_token_revokes_the_family() {
    let (w, first) = world().await;
    let second = with_cookie(&w, "/api/v1/auth/refresh", &first).await.refresh();
    let other = w.login("acme", "ann", PASSWORD).await.refresh();
    let reused = with_cookie(&w, "/api/v1/auth/refresh", &first).await;
    assert_eq!(reused.status, 401);
    assert!(reused.cookie().unwrap().contains("Max-Age=0"), "the browser forgets it");
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &second).await.status, 401, "its newest member too");
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &other).await.status, 200, "another log-in goes on");
    assert!(w.audit().await.contains(&("auth.reuse".to_owned(), "user/ann".to_owned())));
}

#[tokio::test]
async fn of_two_uses_at_once_one_wins_and_the_session_ends() {
    let (w, first) = world().await;
    let (a, b) = futures::join!(with_cookie(&w, "/api/v1/auth/refresh", &first), with_cookie(&w, "/api/v1/auth/refresh", &first));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    let winner = if a.status == 200 { a.refresh() } else { b.refresh() };
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &winner).await.status, 401);
}

#[tokio::test]
async fn old_foreign_and_broken_tokens_are_refused() {
    let (w, first) = world().await;
    let pool = Database::pool(&w.database.superuser).await;
    let foreign = RefreshToken::random(w.acme.uid).expose();
    // The right row with another secret.
    let mut parts: Vec<&str> = first.split('.').collect();
    let other = foreign.split('.').nth(2).unwrap();
    parts[2] = other;
    for (what, token) in [
        ("foreign", foreign.clone()),
        ("secret", parts.join(".")),
        ("broken", "x".to_owned()),
        ("empty", String::new()),
    ] {
        assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &token).await.status, 401, "{what}");
    }
    sqlx::query("UPDATE refresh_tokens SET expires_at = now() - interval '1 second'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &first).await.status, 401, "its 7 days are over");
    assert_eq!(
        w.send(Request::post("/api/v1/auth/refresh").body(Body::empty()).unwrap()).await.status,
        401,
        "none"
    );
}

#[tokio::test]
async fn tokens_are_stored_as_hashes_and_live_seven_days() {
    let (w, first) = world().await;
    let pool = Database::pool(&w.database.superuser).await;
    let (text, days): (String, f64) =
        sqlx::query_as("SELECT row_to_json(t)::text, (extract(epoch FROM expires_at - issued_at) / 86400)::float8 FROM refresh_tokens t")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!text.contains(first.split('.').nth(2).unwrap()));
    assert!((days - 7.0).abs() < 0.001, "{days}");
}

#[tokio::test]
async fn a_log_out_ends_the_session() {
    let (w, first) = world().await;
    let a = with_cookie(&w, "/api/v1/auth/logout", &first).await;
    assert_eq!(a.status, 204);
    assert!(a.cookie().unwrap().contains("Max-Age=0"));
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &first).await.status, 401);
    assert_eq!(
        w.post("/api/v1/auth/logout", None, json!({})).await.status,
        204,
        "without a session there is nothing to do"
    );
}

#[tokio::test]
async fn an_old_token_at_the_log_out_ends_the_session_too_and_is_written_down() {
    let (w, first) = world().await;
    let second = with_cookie(&w, "/api/v1/auth/refresh", &first).await.refresh();
    assert_eq!(with_cookie(&w, "/api/v1/auth/logout", &first).await.status, 204);
    assert_eq!(with_cookie(&w, "/api/v1/auth/refresh", &second).await.status, 401);
    let actions: Vec<String> = w.audit().await.into_iter().map(|e| e.0).collect();
    assert_eq!(actions, ["auth.login", "auth.reuse"]);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_use_the_cookie() {
    let (w, first) = world().await;
    let from = async |path: &str, site: &str| {
        let request = Request::post(path)
            .header("cookie", format!("openreg_refresh={first}"))
            .header("sec-fetch-site", site);
        w.send(request.body(Body::empty()).unwrap()).await
    };
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        for site in ["same-site", "cross-site", "anything"] {
            let a = from(path, site).await;
            assert_eq!((a.status.as_u16(), a.cookie()), (400, None), "{path} {site}");
        }
    }
    assert_eq!(from("/api/v1/auth/refresh", "same-origin").await.status, 200, "and nothing was used up");
}
