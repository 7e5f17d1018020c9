//! Row-level security: as the role that serves, with any SQL, nobody sees or writes another tenant's rows.

use crate::support::postgres::Database;
use crate::support::{World, condition, run_object};
use openreg_api::cluster::Tenant;
use openreg_api::recorder::manifest;
use openreg_api::recorder::record::record;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

/// Every table of the schema, from the catalogue: a new one cannot be forgotten.
async fn tables(pool: &sqlx::PgPool) -> Vec<(String, bool, bool)> {
    sqlx::query_as(
        "SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Two tenants with a row in every table; gives the other one.
async fn two_tenants() -> (World, Tenant) {
    let w = World::new().await;
    let other = Tenant {
        uid: Uuid::new_v4(),
        namespace: "other".into(),
    };
    let run = |tenant: &Tenant| {
        let status = json!({"startedAt": "2026-03-03T18:30:01Z", "conditions": [condition("Complete", "True", "Delivered")], "deliveries": [{"destination": "d", "state": "Delivered"}]});
        let mut run = run_object(Uuid::new_v4(), "trades-1", "2026-03-03T18:30:00Z", true, status);
        run.metadata.namespace = Some(tenant.namespace.clone());
        run
    };
    for tenant in [&w.acme, &other] {
        let run = run(tenant);
        let (key, digest) = w.seal(Uuid::parse_str(&run.spec.id).unwrap(), "a.csv", b"x");
        let bytes = std::fs::read(w.store.path().join(w.acme.uid.to_string()).join(key)).unwrap();
        let contents = manifest::read(&bytes, &digest, &run.spec.id).unwrap();
        w.db.record(&record(tenant, &run).unwrap(), Some(&contents)).await.unwrap();
        let mut tx = w.db.tenant(tenant.uid).await.unwrap();
        assert!(
            openreg_api::db::users::create(&mut tx, "ann", &[openreg_api::auth::policy::Role::Viewer], "hash", false)
                .await
                .unwrap()
        );
        openreg_api::db::users::attempt(&mut tx, "ann").await.unwrap();
        let user = openreg_api::db::users::by_name(&mut tx, "ann").await.unwrap().unwrap();
        openreg_api::db::sessions::insert(&mut tx, &openreg_api::auth::token::RefreshToken::random(tenant.uid), Uuid::new_v4(), user.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    (w, other)
}

fn tenant_column(table: &str) -> &'static str {
    if table == "tenants" { "uid" } else { "tenant" }
}

#[tokio::test]
async fn every_table_forces_row_level_security() {
    let w = World::new().await;
    let pool = Database::pool(&w.database.superuser).await;
    let tables = tables(&pool).await;
    assert_eq!(
        tables.iter().map(|t| t.0.as_str()).collect::<Vec<_>>(),
        [
            "artifacts",
            "audit",
            "deliveries",
            "login_attempts",
            "refresh_tokens",
            "runs",
            "tenants",
            "users"
        ]
    );
    for (table, enabled, forced) in tables {
        assert!(enabled && forced, "{table}");
    }
    let (bypass, login, superuser): (bool, bool, bool) =
        sqlx::query_as("SELECT rolbypassrls, rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'openreg_app'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!bypass && !login && !superuser);
}

#[tokio::test]
async fn another_tenants_rows_cannot_be_seen() {
    let (w, other) = two_tenants().await;
    let superuser = Database::pool(&w.database.superuser).await;
    for (table, ..) in tables(&superuser).await {
        let column = tenant_column(&table);
        let all: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(DISTINCT {column}) FROM {table}")))
            .fetch_one(&superuser)
            .await
            .unwrap();
        assert_eq!(all, 2, "{table}: both tenants have rows, or the test shows nothing");
        // As the role of the program, and as the owner of the tables too.
        let owner = Database::pool(&w.database.owner).await;
        let mut as_owner = owner.begin().await.unwrap();
        sqlx::query("SELECT set_config('openreg.tenant', $1, true)")
            .bind(w.acme.uid.to_string())
            .execute(&mut *as_owner)
            .await
            .unwrap();
        let mut as_app = w.db.tenant(w.acme.uid).await.unwrap();
        for tx in [&mut as_owner, &mut as_app] {
            let seen: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT DISTINCT {column} FROM {table}")))
                .fetch_all(&mut **tx)
                .await
                .unwrap();
            assert_eq!(seen, [w.acme.uid], "{table}");
            let foreign: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT count(*) FROM {table} WHERE {column} = $1 OR {column} IS NOT NULL AND {column} <> $2"
            )))
            .bind(other.uid)
            .bind(w.acme.uid)
            .fetch_one(&mut **tx)
            .await
            .unwrap();
            assert_eq!(foreign, 0, "{table}");
        }
    }
}

#[tokio::test]
async fn without_a_tenant_nothing_is_seen() {
    let (w, _) = two_tenants().await;
    let superuser = Database::pool(&w.database.superuser).await;
    for (table, ..) in tables(&superuser).await {
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(w.db.pool())
            .await
            .unwrap();
        assert_eq!(seen, 0, "{table}");
    }
    // The setting ends with its transaction: the next user of the connection starts without.
    for _ in 0..20 {
        w.db.tenant(w.acme.uid).await.unwrap().commit().await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(w.db.pool()).await.unwrap();
        assert_eq!(seen, 0);
    }
}

#[tokio::test]
async fn another_tenants_rows_cannot_be_written() {
    let (w, other) = two_tenants().await;
    for (what, sql) in [
        (
            "insert a tenant",
            format!("INSERT INTO tenants (uid, namespace) VALUES ('{}', 'forged')", Uuid::new_v4()),
        ),
        (
            "insert a user",
            format!(
                "INSERT INTO users (tenant, id, name, roles, password) VALUES ('{}', '{}', 'eve', '{{viewer}}', 'x')",
                other.uid,
                Uuid::new_v4()
            ),
        ),
        (
            "insert an entry",
            format!(
                "INSERT INTO audit (tenant, seq, at, actor, action, subject, detail, prev, hash) VALUES ('{}', 99, now(), 'a', 'b', 'c', '{{}}', decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'))",
                other.uid
            ),
        ),
        ("move a user", format!("UPDATE users SET tenant = '{}'", other.uid)),
        ("move a run", format!("UPDATE artifacts SET tenant = '{}'", other.uid)),
    ] {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let error = tx.execute(AssertSqlSafe(sql)).await.expect_err(what);
        let text = error.to_string();
        assert!(
            text.contains("row-level security") || text.contains("does not continue the chain"),
            "{what}: {text}"
        );
    }
    for sql in [
        "UPDATE runs SET phase = 'Forged'",
        "UPDATE deliveries SET state = 'Forged'",
        "DELETE FROM users",
        "DELETE FROM refresh_tokens",
        "DELETE FROM login_attempts",
    ] {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let touched = tx.execute(sql).await.unwrap().rows_affected();
        assert_eq!(touched, 1, "{sql}: its own row only");
    }
    for sql in [
        "DELETE FROM runs",
        "DELETE FROM tenants",
        "UPDATE tenants SET namespace = 'x'",
        "DELETE FROM artifacts",
        "TRUNCATE runs",
        "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
        "DROP POLICY by_tenant ON runs",
    ] {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let error = tx.execute(sql).await.expect_err(sql).to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_login_that_bypasses_row_level_security_is_refused() {
    let w = World::new().await;
    w.db.check().await.unwrap();
    // Not even a superuser's login gets around: the connection is openreg_app from its start.
    let db = openreg_api::db::Db::open(&w.database.superuser, 2).unwrap();
    db.check().await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM tenants").fetch_one(db.pool()).await.unwrap();
    assert_eq!(seen, 0);
    let pool = Database::pool(&w.database.superuser).await;
    pool.execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await
        .unwrap();
    assert!(w.db.check().await.unwrap_err().to_string().contains("openreg-api migrate"));
}

#[tokio::test]
async fn over_http_another_tenants_run_is_not_there() {
    let (w, other) = two_tenants().await;
    let list = async |tenant: &Tenant| {
        let token = w.token_of(tenant, "ann", &openreg_api::auth::policy::Role::ALL);
        let page = w.get("/api/v1/runs", &token).await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        (token, page["items"][0]["id"].as_str().unwrap().to_owned())
    };
    let ((mine, run), (_, foreign)) = (list(&w.acme).await, list(&other).await);
    assert_eq!(w.get(&format!("/api/v1/runs/{run}"), &mine).await.status, 200);
    for path in ["", "/violations", "/artifacts/a.csv/content"] {
        assert_eq!(w.get(&format!("/api/v1/runs/{foreign}{path}"), &mine).await.status, 404, "{path}");
    }
    let cancel = w.post(&format!("/api/v1/runs/{foreign}/cancel"), Some(&mine), json!({"reason": "x"})).await;
    assert_eq!(cancel.status, 404);
}

#[tokio::test]
async fn who_was_in_a_namespace_that_was_made_anew_does_not_reach_the_new_one() {
    let w = World::new().await;
    let anew = Tenant {
        uid: Uuid::new_v4(),
        namespace: "acme".into(),
    };
    let report = json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": {"name": "trades", "namespace": "acme"},
        "spec": {"version": "1.0.0", "title": "Trades", "source": {"datasets": [{"name": "trades", "connectorRef": "db", "query": "SELECT 1"}]}, "output": {"csv": {}}, "file": {"name": "a.csv"}}});
    let run = Uuid::new_v4();
    w.cluster.put(run_object(run, "trades-1", "2026-03-03T18:30:00Z", true, json!({})));
    {
        let mut state = w.cluster.state.lock().unwrap();
        state.tenants = vec![anew.clone()];
        state.reports.insert(("acme".into(), "trades".into()), serde_json::from_value(report).unwrap());
    }
    let all = openreg_api::auth::policy::Role::ALL;
    let (old, new) = (w.token_of(&w.acme, "ann", &all), w.token_of(&anew, "ann", &all));
    let start = json!({"report": "trades", "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}});
    for path in ["/api/v1/reports", "/api/v1/reports/trades", &format!("/api/v1/runs/{run}") as &str] {
        assert_eq!(w.get(path, &old).await.status, 404, "{path}");
        assert_eq!(w.get(path, &new).await.status, 200, "{path}: or the test shows nothing");
    }
    assert_eq!(w.post("/api/v1/runs", Some(&old), start.clone()).await.status, 404);
    let cancel = format!("/api/v1/runs/{run}/cancel");
    assert_eq!(w.post(&cancel, Some(&old), json!({"reason": "x"})).await.status, 404);
    assert!(w.cluster.log().is_empty(), "nothing was made or stopped");
    assert_eq!(w.get("/api/v1/runs", &old).await.status, 200, "their own history stays theirs");
}

#[tokio::test]
async fn who_read_a_moment_ago_changes_nothing_in_a_namespace_that_was_made_anew() {
    let w = World::new().await;
    let report = json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": {"name": "trades", "namespace": "acme"},
        "spec": {"version": "1.0.0", "title": "Trades", "source": {"datasets": [{"name": "trades", "connectorRef": "db", "query": "SELECT 1"}]}, "output": {"csv": {}}, "file": {"name": "a.csv"}}});
    let run = Uuid::new_v4();
    w.cluster.put(run_object(run, "trades-1", "2026-03-03T18:30:00Z", true, json!({})));
    w.cluster
        .state
        .lock()
        .unwrap()
        .reports
        .insert(("acme".into(), "trades".into()), serde_json::from_value(report).unwrap());
    let token = w.token_of(&w.acme, "ann", &openreg_api::auth::policy::Role::ALL);
    assert_eq!(w.get("/api/v1/reports", &token).await.status, 200, "the list is believed from here on");
    w.cluster.state.lock().unwrap().tenants[0].uid = Uuid::new_v4();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(w.get("/api/v1/reports", &token).await.status, 200, "for reading: or the test shows nothing");
    let cancel = format!("/api/v1/runs/{run}/cancel");
    assert_eq!(w.post(&cancel, Some(&token), json!({"reason": "x"})).await.status, 404);
    let start = json!({"report": "trades", "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}});
    assert_eq!(w.post("/api/v1/runs", Some(&token), start).await.status, 404);
    assert!(w.cluster.log().is_empty(), "nothing was made or stopped");
    assert!(w.audit().await.is_empty(), "and nothing was asked of the cluster");
}

#[tokio::test]
async fn who_was_in_a_namespace_that_was_made_anew_does_not_read_with_the_new_ones_store() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let (key, digest) = w.seal(id, "a.csv", b"x;y\n1;2\n");
    let bytes = std::fs::read(w.store.path().join(w.acme.uid.to_string()).join(&key)).unwrap();
    let status = json!({"conditions": [crate::support::condition("Complete", "True", "Generated")], "manifest": {"key": key, "sha256": digest}});
    let run = run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, status);
    let contents = openreg_api::recorder::manifest::read(&bytes, &digest, &id.to_string()).unwrap();
    w.db.record(&openreg_api::recorder::record::record(&w.acme, &run).unwrap(), Some(&contents))
        .await
        .unwrap();
    let token = w.token_of(&w.acme, "ann", &openreg_api::auth::policy::Role::ALL);
    w.cluster.state.lock().unwrap().tenants[0].uid = Uuid::new_v4();
    let before = w.audit().await.len();
    for path in ["violations", "artifacts/a.csv/content"] {
        let a = w.get(&format!("/api/v1/runs/{id}/{path}"), &token).await;
        assert_eq!(a.status, 404, "{path}");
        assert!(a.json()["detail"].as_str().unwrap().contains("namespace acme"), "{path}: {}", a.json());
    }
    assert_eq!(w.audit().await.len(), before);
    w.cluster.state.lock().unwrap().tenants[0].uid = w.acme.uid;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for path in ["violations", "artifacts/a.csv/content"] {
        assert_eq!(
            w.get(&format!("/api/v1/runs/{id}/{path}"), &token).await.status,
            200,
            "{path}: or the test shows nothing"
        );
    }
}
