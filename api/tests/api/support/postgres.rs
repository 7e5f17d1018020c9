//! A real PostgreSQL for the tests of one process: started once, each test has a database of its own. Or the server of
//! `OPENREG_TEST_DATABASE_URL`, whose login must be a superuser.
//!
//! The server ends with the process: it is started by a thread that lives as long, with a parent-death signal.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::OnceCell;

static SERVER: OnceCell<String> = OnceCell::const_new();

/// A database of one test: `owner` may do what migrations do, `login` is what serve and record use.
pub struct Database {
    pub owner: String,
    pub login: String,
    pub superuser: String,
}

impl Database {
    /// A migrated database.
    pub async fn migrated() -> Self {
        let database = Self::empty().await;
        openreg_api::db::migrate(&database.owner, Some("openreg_test_login")).await.unwrap();
        database
    }

    pub async fn empty() -> Self {
        let base = SERVER.get_or_init(server).await;
        let name = format!("openreg_{}", uuid::Uuid::new_v4().simple());
        let mut connection = connect(base).await;
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name} OWNER openreg_test_owner")))
            .await
            .unwrap();
        connection.close().await.unwrap();
        let url = |user: &str, password: &str| {
            let mut url: PgConnectOptions = base.parse().unwrap();
            url = url.database(&name);
            if !user.is_empty() {
                url = url.username(user).password(password);
            }
            url.to_url_lossy().to_string()
        };
        Self {
            owner: url("openreg_test_owner", "owner"),
            login: url("openreg_test_login", "login"),
            superuser: url("", ""),
        }
    }

    /// A pool as that login, for SQL that the program would not send.
    pub async fn pool(url: &str) -> sqlx::PgPool {
        PgPoolOptions::new().max_connections(2).connect(url).await.unwrap()
    }
}

async fn connect(url: &str) -> sqlx::PgConnection {
    sqlx::PgConnection::connect(url).await.unwrap()
}

/// The URL of a superuser.
async fn server() -> String {
    let url = match std::env::var("OPENREG_TEST_DATABASE_URL") {
        Ok(url) => url,
        Err(_) => start(),
    };
    for _ in 0..200 {
        match sqlx::PgConnection::connect(&url).await {
            Ok(mut connection) => {
                for (role, rights, password) in [("openreg_test_owner", "LOGIN CREATEROLE", "owner"), ("openreg_test_login", "LOGIN", "login")] {
                    // Another process may be doing the same on a shared server.
                    let sql = format!(
                        "DO $$ BEGIN CREATE ROLE {role} {rights} PASSWORD '{password}'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                    );
                    connection.execute(AssertSqlSafe(sql)).await.unwrap();
                }
                return url;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("PostgreSQL did not start");
}

fn start() -> String {
    let programs = programs();
    let base = std::env::temp_dir();
    sweep(&base);
    let folder = base.join(format!("openreg-test-postgres-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    // The server refuses to run as root.
    let root = fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap() == 0;
    if root {
        run(Command::new("chown").arg("postgres").arg(&folder));
    }
    let data = folder.join("data");
    let mut initdb = as_postgres(root, &programs.join("initdb"));
    run(initdb
        .args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "-D"])
        .arg(&data));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut postgres = as_postgres(root, &programs.join("postgres"));
    postgres.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-k", "", "-p"]).arg(port.to_string());
    for setting in ["fsync=off", "max_connections=200", "log_min_messages=fatal"] {
        postgres.args(["-c", setting]);
    }
    postgres.stdout(Stdio::null()).stderr(fs::File::create(folder.join("log")).unwrap());
    // The parent-death signal is sent at the end of the thread, not of the process.
    std::thread::spawn(move || {
        let mut child = postgres.spawn().unwrap();
        let _ = child.wait();
        loop {
            std::thread::park();
        }
    });
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

fn as_postgres(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if root {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The newest PostgreSQL of this machine.
fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|p| p.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("no PostgreSQL server here: install what tests/packages.txt lists, or set OPENREG_TEST_DATABASE_URL")
}

/// Removes what processes that are gone left behind.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(pid) = name.strip_prefix("openreg-test-postgres-")
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
