//! What the command line and the environment say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use openreg_api::auth::policy::Role;
use openreg_api::stores::MOUNT;
use uuid::Uuid;

/// The OpenReg API and recorder.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Which log lines: `info`, `openreg_api=debug`, …
    #[arg(long, env = "OPENREG_LOG", default_value = "info", global = true)]
    pub log: String,
    /// What is done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves the API and the page.
    Serve(ServeOptions),
    /// Records runs: watches ReportRuns and writes the history.
    Record(RecordOptions),
    /// Brings the database up to date.
    Migrate(MigrateOptions),
    /// Manages a tenant's users.
    #[command(subcommand)]
    User(UserCommand),
    /// Prints the API's description.
    Openapi,
}

/// Where the database is.
#[derive(Args)]
pub(crate) struct Database {
    /// postgres://user:password@host/database
    #[arg(long, env = "OPENREG_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

/// How the API is served.
#[derive(Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub database: Database,
    /// Address to listen on.
    #[arg(long, env = "OPENREG_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: String,
    /// Secret that signs access tokens: 32 bytes or more, the same for every replica.
    #[arg(long, env = "OPENREG_JWT_KEY", hide_env_values = true)]
    pub jwt_key: String,
    /// Folder of the built page.
    #[arg(long, env = "OPENREG_WEB_DIR")]
    pub web_dir: Option<PathBuf>,
    /// Folder of the stores' credentials: NAMESPACE/accessKeyId, secretAccessKey, allowedHosts.
    #[arg(long, env = "OPENREG_STORES_DIR", default_value = MOUNT)]
    pub stores: PathBuf,
    /// Lets browsers send the refresh cookie without TLS: for trying things out only.
    #[arg(long, env = "OPENREG_INSECURE_COOKIES", default_value_t = false)]
    pub insecure_cookies: bool,
    /// Connections to the database.
    #[arg(long, env = "OPENREG_DATABASE_CONNECTIONS", default_value_t = 10)]
    pub connections: u32,
}

/// How runs are recorded.
#[derive(Args)]
pub(crate) struct RecordOptions {
    #[command(flatten)]
    pub database: Database,
    /// Address of probes and metrics.
    #[arg(long, env = "OPENREG_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: String,
    /// Folder of the stores' credentials: NAMESPACE/accessKeyId, secretAccessKey, allowedHosts.
    #[arg(long, env = "OPENREG_STORES_DIR", default_value = MOUNT)]
    pub stores: PathBuf,
    /// Connections to the database.
    #[arg(long, env = "OPENREG_DATABASE_CONNECTIONS", default_value_t = 10)]
    pub connections: u32,
}

/// How the database is migrated.
#[derive(Args)]
pub(crate) struct MigrateOptions {
    #[command(flatten)]
    pub database: Database,
    /// The same database as the owner of its tables; absent: the database URL's own login is the owner.
    #[arg(long, env = "OPENREG_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_url: Option<String>,
    /// Login role of serve and record, which is made a member of openreg_app.
    #[arg(long, env = "OPENREG_APP_LOGIN")]
    pub app_login: Option<String>,
    /// Seconds to wait for a database that does not answer yet.
    #[arg(long, default_value_t = 120)]
    pub wait: u64,
}

/// Managing users.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Makes a user.
    Create(UserCreate),
    /// Gives a user another password and ends their sessions.
    Reset(UserReset),
    /// Keeps a user out and ends their sessions.
    Disable(UserNamed),
    /// Lets a user in again.
    Enable(UserNamed),
    /// Lists users.
    List(UserTenant),
}

/// Which tenant.
#[derive(Args)]
pub(crate) struct UserTenant {
    #[command(flatten)]
    pub database: Database,
    /// The tenant: its namespace.
    #[arg(long)]
    pub tenant: String,
    /// The namespace's UID; absent: the cluster is asked, else the database.
    #[arg(long)]
    pub tenant_uid: Option<Uuid>,
}

/// Which user.
#[derive(Args)]
pub(crate) struct UserNamed {
    #[command(flatten)]
    pub tenant: UserTenant,
    /// The user's name.
    #[arg(long)]
    pub name: String,
}

/// Where the password comes from: exactly one.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PasswordSource {
    /// Prints a one-time password: good for one log-in within 24 hours.
    #[arg(long)]
    pub one_time: bool,
    /// Reads the password from standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

/// A new user.
#[derive(Args)]
pub(crate) struct UserCreate {
    #[command(flatten)]
    pub user: UserNamed,
    /// A role; can be repeated.
    #[arg(long = "role", required = true, value_enum)]
    pub roles: Vec<Role>,
    #[command(flatten)]
    pub password: PasswordSource,
}

/// Another password.
#[derive(Args)]
pub(crate) struct UserReset {
    #[command(flatten)]
    pub user: UserNamed,
    #[command(flatten)]
    pub password: PasswordSource,
}
