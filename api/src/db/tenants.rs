//! Table `tenants`.

use uuid::Uuid;

use super::{Db, DbError, Tx};

impl Db {
    /// The newest tenant of that name.
    pub async fn tenant_named(&self, namespace: &str) -> Result<Option<Uuid>, DbError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SELECT set_config('openreg.namespace', $1, true)")
            .bind(namespace)
            .execute(&mut *tx)
            .await?;
        let uid = sqlx::query_scalar("SELECT uid FROM tenants WHERE namespace = $1 ORDER BY created_at DESC LIMIT 1")
            .bind(namespace)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(uid)
    }
}

/// Makes the tenant known.
pub async fn ensure(tx: &mut Tx, uid: Uuid, namespace: &str) -> Result<(), DbError> {
    sqlx::query("INSERT INTO tenants (uid, namespace) VALUES ($1, $2) ON CONFLICT (uid) DO NOTHING")
        .bind(uid)
        .bind(namespace)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The name of the transaction's tenant.
pub async fn namespace(tx: &mut Tx) -> Result<Option<String>, DbError> {
    Ok(sqlx::query_scalar("SELECT namespace FROM tenants WHERE uid = openreg_tenant()")
        .fetch_optional(&mut **tx)
        .await?)
}
