//! What the recorder wrote, read where it lies: with SQL, as the database's owner, so that neither the API nor row-level
//! security stands between a test and the truth.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Tenant, services};

/// A run as the database has it, with what belongs to it.
#[derive(Debug, Deserialize)]
pub struct RecordedRun {
    /// Name of the ReportRun.
    pub name: String,
    /// Its outcome, once it has ended.
    pub outcome: Option<String>,
    /// SHA-256 of each artifact.
    pub artifacts: Vec<String>,
    /// `STATE RECEIPT-SHA256` of each delivery.
    pub deliveries: Vec<String>,
    /// Actions of its audit entries, in order.
    pub audit: Vec<String>,
}

/// One value from the API's database.
pub async fn query(sql: &str) -> Result<String> {
    let out = services::postgres(&["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "openreg", "-c", sql]).await?;
    Ok(out.trim().to_owned())
}

/// All runs of a tenant, by name.
pub async fn runs(tenant: &Tenant) -> Result<Vec<RecordedRun>> {
    let namespace = &tenant.namespace;
    let json = query(&format!(
        "SELECT coalesce(json_agg(row ORDER BY row.name), '[]') FROM (SELECT r.name, r.outcome,
           ARRAY(SELECT a.sha256 FROM artifacts a WHERE (a.tenant, a.run) = (r.tenant, r.id) ORDER BY a.ordinal) AS artifacts,
           ARRAY(SELECT concat_ws(' ', d.state, d.receipt_sha256) FROM deliveries d WHERE (d.tenant, d.run) = (r.tenant, r.id) ORDER BY d.ordinal) AS deliveries,
           ARRAY(SELECT e.action FROM audit e WHERE e.tenant = r.tenant AND (e.subject = 'run/' || r.id OR e.subject LIKE 'run/' || r.id || '/%') ORDER BY e.seq) AS audit
         FROM runs r JOIN tenants t ON t.uid = r.tenant WHERE t.namespace = '{namespace}') row"
    ))
    .await?;
    serde_json::from_str(&json).with_context(|| format!("not rows: {json}"))
}
