//! Migrations: by two pods at once, again, and with a login that serves.

use openreg_api::db::{Db, migrate};

use crate::support::postgres::Database;

const LOGIN: Option<&str> = Some("openreg_test_login");

#[tokio::test]
async fn four_pods_at_once_migrate_once_and_once_more_changes_nothing() {
    let database = Database::empty().await;
    let (owner, pool) = (database.owner.clone(), Database::pool(&database.superuser).await);
    let applied = async || {
        let sql = "SELECT version, installed_on::text FROM _sqlx_migrations WHERE success ORDER BY version";
        sqlx::query_as::<_, (i64, String)>(sql).fetch_all(&pool).await.unwrap()
    };
    for outcome in futures::future::join_all((0..4).map(|_| migrate(&owner, LOGIN))).await {
        outcome.unwrap();
    }
    let first = applied().await;
    let versions: Vec<i64> = first.iter().map(|m| m.0).collect();
    assert_eq!(versions, openreg_api::db::MIGRATIONS.iter().map(|m| m.version).collect::<Vec<_>>());
    migrate(&owner, LOGIN).await.unwrap();
    assert_eq!(applied().await, first);
    Db::open(&database.login, 2).unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_migrated_says_so_and_what_to_do() {
    // The role belongs to the server: another database has made it.
    Database::migrated().await;
    let database = Database::empty().await;
    let says = async || Db::open(&database.superuser, 2).unwrap().check().await.unwrap_err().to_string();
    assert!(says().await.contains("newest migration is 0"), "{}", says().await);
    migrate(&database.owner, LOGIN).await.unwrap();
    let superuser = Database::pool(&database.superuser).await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 2").execute(&superuser).await.unwrap();
    assert!(
        says().await.contains("newest migration is 2") && says().await.contains("openreg-api migrate"),
        "{}",
        says().await
    );
}
