//! Table `refresh_tokens`: rotation, and the end of a family whose old token is used again.

use uuid::Uuid;

use super::{DbError, Tx};
use crate::auth::token::{REFRESH_SECONDS, RefreshToken};

/// What came of using a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// It was good, and is used up now.
    Good {
        /// Its family.
        family: Uuid,
        /// Its user.
        user: Uuid,
    },
    /// It had been used before: two hold it, one of them a thief. The family is revoked.
    Reused {
        /// Its user.
        user: Uuid,
    },
    /// It is unknown, revoked, or its time is over.
    Refused,
}

/// Stores a new token.
pub async fn insert(tx: &mut Tx, token: &RefreshToken, family: Uuid, user: Uuid) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO refresh_tokens (tenant, id, family, user_id, hash, expires_at) VALUES (openreg_tenant(), $1, $2, $3, $4, now() + make_interval(secs => $5))",
    )
    .bind(token.id)
    .bind(family)
    .bind(user)
    .bind(token.hash())
    .bind(REFRESH_SECONDS as f64)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Uses a token up. Two uses at the same time: the second waits for the first, and is reuse.
pub async fn spend(tx: &mut Tx, token: &RefreshToken) -> Result<Used, DbError> {
    let row: Option<(Uuid, Uuid, Vec<u8>, bool, bool)> = sqlx::query_as(
        "SELECT family, user_id, hash, used_at IS NOT NULL, revoked_at IS NOT NULL OR expires_at <= now() FROM refresh_tokens
         WHERE tenant = openreg_tenant() AND id = $1 FOR UPDATE",
    )
    .bind(token.id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some((family, user, hash, used, over)) = row else {
        return Ok(Used::Refused);
    };
    if hash != token.hash() || over {
        return Ok(Used::Refused);
    }
    if used {
        revoke(tx, family).await?;
        return Ok(Used::Reused { user });
    }
    sqlx::query("UPDATE refresh_tokens SET used_at = now() WHERE tenant = openreg_tenant() AND id = $1")
        .bind(token.id)
        .execute(&mut **tx)
        .await?;
    // What is over for a month tells nothing any more.
    sqlx::query("DELETE FROM refresh_tokens WHERE tenant = openreg_tenant() AND user_id = $1 AND expires_at < now() - interval '30 days'")
        .bind(user)
        .execute(&mut **tx)
        .await?;
    Ok(Used::Good { family, user })
}

/// Ends a family.
pub async fn revoke(tx: &mut Tx, family: Uuid) -> Result<(), DbError> {
    sqlx::query("UPDATE refresh_tokens SET revoked_at = now() WHERE tenant = openreg_tenant() AND family = $1 AND revoked_at IS NULL")
        .bind(family)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
