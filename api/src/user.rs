//! `openreg-api user …`: for the first user of a tenant, and for whoever lost theirs. Each change is audited.

use std::io::{Read, Write};

use anyhow::{Context, bail};
use openreg_api::auth::password;
use openreg_api::cluster::Cluster;
use openreg_api::cluster::kubernetes::Kubernetes;
use openreg_api::db::audit::{self, NewEntry};
use openreg_api::db::{Db, tenants, users};
use serde_json::json;
use uuid::Uuid;

use crate::cli::{PasswordSource, UserCommand, UserCreate, UserNamed, UserReset, UserTenant};

const ACTOR: &str = "openreg-api user";

pub(crate) async fn run(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create(c) => create(c).await,
        UserCommand::Reset(c) => reset(c).await,
        UserCommand::Disable(c) => set_disabled(c, true).await,
        UserCommand::Enable(c) => set_disabled(c, false).await,
        UserCommand::List(c) => list(c).await,
    }
}

async fn create(c: UserCreate) -> anyhow::Result<()> {
    let (db, tenant) = open(&c.user.tenant).await?;
    let (password, hash) = new_password(&c.password).await?;
    let mut tx = db.tenant(tenant).await?;
    tenants::ensure(&mut tx, tenant, &c.user.tenant.tenant).await?;
    if !users::create(&mut tx, &c.user.name, &c.roles, &hash, c.password.one_time).await? {
        bail!("there is a user {} already: use `user reset` for another password", c.user.name);
    }
    let entry = NewEntry::new(
        ACTOR,
        "user.created",
        format!("user/{}", c.user.name),
        json!({"roles": c.roles, "oneTime": c.password.one_time}),
    );
    audit::append(&mut tx, tenant, &entry).await?;
    tx.commit().await?;
    print(&c.password, &password)
}

async fn reset(c: UserReset) -> anyhow::Result<()> {
    let (db, tenant) = open(&c.user.tenant).await?;
    let (password, hash) = new_password(&c.password).await?;
    let mut tx = db.tenant(tenant).await?;
    let Some(user) = users::by_name(&mut tx, &c.user.name).await? else {
        bail!("there is no user {}", c.user.name)
    };
    users::set_password(&mut tx, user.id, &hash, c.password.one_time, None).await?;
    users::forgive(&mut tx, &c.user.name).await?;
    audit::append(
        &mut tx,
        tenant,
        &NewEntry::new(ACTOR, "user.reset", format!("user/{}", c.user.name), json!({"oneTime": c.password.one_time})),
    )
    .await?;
    tx.commit().await?;
    print(&c.password, &password)
}

async fn set_disabled(c: UserNamed, disabled: bool) -> anyhow::Result<()> {
    let (db, tenant) = open(&c.tenant).await?;
    let mut tx = db.tenant(tenant).await?;
    if !users::set_disabled(&mut tx, &c.name, disabled).await? {
        bail!("there is no user {}", c.name);
    }
    let action = if disabled { "user.disabled" } else { "user.enabled" };
    audit::append(&mut tx, tenant, &NewEntry::new(ACTOR, action, format!("user/{}", c.name), json!({}))).await?;
    tx.commit().await?;
    Ok(())
}

async fn list(c: UserTenant) -> anyhow::Result<()> {
    let (db, tenant) = open(&c).await?;
    let mut tx = db.tenant(tenant).await?;
    let mut out = std::io::stdout().lock();
    for user in users::all(&mut tx).await? {
        let roles: Vec<&str> = user.roles.iter().map(|r| r.as_str()).collect();
        writeln!(
            out,
            "{}\t{}\t{}",
            user.name,
            roles.join(","),
            if user.admissible { "enabled" } else { "disabled" }
        )?;
    }
    tx.commit().await?;
    Ok(())
}

async fn open(c: &UserTenant) -> anyhow::Result<(Db, Uuid)> {
    let db = Db::open(&c.database.database_url, 2)?;
    db.check().await?;
    if let Some(uid) = c.tenant_uid {
        return Ok((db, uid));
    }
    let in_cluster = async { Kubernetes::connect().await?.tenants().await };
    match in_cluster.await {
        Ok(tenants) => {
            let found = tenants.into_iter().find(|t| t.namespace == c.tenant);
            let tenant = found.with_context(|| format!("there is no namespace {} with the label {}", c.tenant, openreg_crds::TENANT_LABEL))?;
            Ok((db, tenant.uid))
        }
        Err(e) => {
            tracing::debug!(error = %openreg_api::error::chain(&e), "the cluster was not asked");
            let known = db.tenant_named(&c.tenant).await?;
            let hint = format!("tenant {} is not in the database and the cluster does not answer: give --tenant-uid", c.tenant);
            Ok((db, known.context(hint)?))
        }
    }
}

async fn new_password(source: &PasswordSource) -> anyhow::Result<(String, String)> {
    let password = if source.one_time {
        password::random()
    } else {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(1024)
            .read_to_string(&mut text)
            .context("could not read the password")?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.chars().count() < password::MIN_LENGTH || password.len() > password::MAX_LENGTH {
        bail!(
            "a password needs {} characters or more, at most {} bytes",
            password::MIN_LENGTH,
            password::MAX_LENGTH
        );
    }
    let hash = password::hash(password.clone()).await?;
    Ok((password, hash))
}

fn print(source: &PasswordSource, password: &str) -> anyhow::Result<()> {
    if source.one_time {
        writeln!(std::io::stdout(), "{password}")?;
    }
    Ok(())
}
