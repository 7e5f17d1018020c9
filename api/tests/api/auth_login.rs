//! Log-in: who gets in, what they get, and how guessing ends.

use crate::support::postgres::Database;
use crate::support::{PASSWORD, World};
use openreg_api::auth::policy::Role;
use openreg_api::db::users::MAX_ATTEMPTS;
use serde_json::json;

#[tokio::test]
async fn the_right_password_opens_a_session() {
    let w = World::new().await;
    w.user("ann", &[Role::Operator], false).await;
    let a = w.login("acme", "ann", PASSWORD).await;
    assert_eq!(a.status, 200, "{a:?}");
    let body = a.json();
    assert_eq!(body["expiresIn"], 900);
    assert_eq!(body["oneTime"], false);
    assert_eq!(body["refreshToken"], json!(null), "a page's scripts must not see it");
    assert_eq!(body["user"]["permissions"].as_array().unwrap().contains(&json!("run.start")), true);
    let cookie = a.cookie().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/api/v1/auth", "Max-Age=604800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let me = w.get("/api/v1/auth/me", body["accessToken"].as_str().unwrap()).await;
    assert_eq!((me.status.as_u16(), me.json()["name"].clone()), (200, json!("ann")));
    assert_eq!(w.audit().await, [("auth.login".to_owned(), "user/ann".to_owned())]);
}

#[tokio::test]
async fn a_command_line_gets_the_refresh_token_itself() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let a = w
        .post(
            "/api/v1/auth/login",
            None,
            json!({"tenant": "acme", "user": "ann", "password": PASSWORD, "session": "Token"}),
        )
        .await;
    assert!(a.json()["refreshToken"].is_string());
    assert_eq!(a.cookie(), None);
}

#[tokio::test]
async fn every_refusal_looks_the_same() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let mut bodies = Vec::new();
    for (tenant, user, password) in [
        ("acme", "ann", "wrong password!"),
        ("acme", "bob", PASSWORD),
        ("nowhere", "ann", PASSWORD),
        ("acme", "ann", ""),
    ] {
        let a = w.login(tenant, user, password).await;
        assert_eq!(a.status, 401, "{tenant} {user}");
        assert_eq!(a.headers["content-type"], "application/problem+json");
        bodies.push(a.json());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    // Only attempts on users that exist are in the chain: anybody could fill it otherwise.
    assert_eq!(w.audit().await.len(), 2);
}

#[tokio::test]
async fn guessing_ends_also_for_names_that_do_not_exist() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    for (tenant, user) in [("acme", "ann"), ("acme", "ghost"), ("nowhere", "ann")] {
        for i in 0..MAX_ATTEMPTS {
            assert_eq!(w.login(tenant, user, "wrong password!").await.status, 401, "{tenant} {user} {i}");
        }
        let a = w.login(tenant, user, PASSWORD).await;
        assert_eq!(a.status, 429, "{tenant} {user}: the right one too");
        let seconds: u64 = a.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
    }
}

#[tokio::test]
async fn parallel_guesses_count_too() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let answers = futures::future::join_all((0..30).map(|_| w.login("acme", "ann", "wrong password!"))).await;
    let looked_at = answers.iter().filter(|a| a.status == 401).count();
    assert_eq!(looked_at, usize::try_from(MAX_ATTEMPTS).unwrap());
}

#[tokio::test]
async fn a_success_forgives() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    for _ in 0..3 {
        for _ in 0..MAX_ATTEMPTS - 1 {
            assert_eq!(w.login("acme", "ann", "wrong password!").await.status, 401);
        }
        assert_eq!(w.login("acme", "ann", PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn a_one_time_password_opens_one_session_and_another_can_be_set() {
    let w = World::new().await;
    w.user("ann", &[Role::TenantAdmin], true).await;
    let answers = futures::future::join_all((0..4).map(|_| w.login("acme", "ann", PASSWORD))).await;
    let open: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(open.len(), 1, "one of four at the same time");
    assert_eq!(open[0].json()["oneTime"], true);
    assert_eq!(w.login("acme", "ann", PASSWORD).await.status, 401, "used up");
    let token = open[0].json()["accessToken"].as_str().unwrap().to_owned();
    let set = async |current: &str, new: &str| w.post("/api/v1/auth/password", Some(&token), json!({"current": current, "new": new})).await;
    assert_eq!(set("wrong", "another good one").await.status, 422);
    assert_eq!(set(PASSWORD, "short").await.json()["errors"][0]["field"], "new");
    assert_eq!(set(PASSWORD, "another good one").await.status, 204);
    assert_eq!(w.login("acme", "ann", "another good one").await.status, 200);
    assert_eq!(w.login("acme", "ann", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_disabled_user_stays_out_and_their_session_ends() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let refresh = w.login("acme", "ann", PASSWORD).await.refresh();
    let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
    assert!(openreg_api::db::users::set_disabled(&mut tx, "ann", true).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(w.login("acme", "ann", PASSWORD).await.status, 401);
    assert_eq!(w.post("/api/v1/auth/refresh", None, json!({"refreshToken": refresh})).await.status, 401);
}

#[tokio::test]
async fn malformed_requests_get_problem_documents() {
    let w = World::new().await;
    for body in ["", "{", "[]", r#"{"tenant":"a"}"#, r#"{"tenant":"a","user":"b","password":"c","admin":true}"#] {
        let request = axum::http::Request::post("/api/v1/auth/login")
            .header("content-type", "application/json")
            .body(body.to_owned().into())
            .unwrap();
        let a = w.send(request).await;
        assert_eq!(a.status, 400, "{body}");
        assert_eq!(a.json()["type"], "urn:openreg:problem:bad-request");
    }
    let large = json!({"tenant": "acme", "user": "ann", "password": "x".repeat(100_000)});
    assert_eq!(w.post("/api/v1/auth/login", None, large).await.status, 400);
}

#[tokio::test]
async fn who_was_shut_out_meanwhile_sets_no_password() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    let token = w.login("acme", "ann", PASSWORD).await.json()["accessToken"].as_str().unwrap().to_owned();
    let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
    assert!(openreg_api::db::users::set_disabled(&mut tx, "ann", true).await.unwrap());
    tx.commit().await.unwrap();
    let a = w
        .post("/api/v1/auth/password", Some(&token), json!({"current": PASSWORD, "new": "another good one"}))
        .await;
    assert_eq!(a.status, 401, "{a:?}");
    assert!(!w.audit().await.iter().any(|e| e.0 == "auth.password"));
}

#[tokio::test]
async fn made_up_names_do_not_pile_up() {
    let w = World::new().await;
    let pool = Database::pool(&w.database.superuser).await;
    let count = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM login_attempts")
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    for i in 0..3 {
        w.login(&format!("nowhere-{i}"), "ann", "wrong password!").await;
        w.login("acme", &format!("ghost-{i}"), "wrong password!").await;
    }
    assert_eq!(count().await, 6);
    // Sixteen minutes later.
    sqlx::query("UPDATE login_attempts SET started_at = started_at - interval '16 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    w.login("nowhere-9", "ann", "wrong password!").await;
    w.login("acme", "ghost-9", "wrong password!").await;
    assert_eq!(count().await, 2, "only what still counts is kept");
}
