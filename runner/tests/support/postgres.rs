//! A private PostgreSQL on the loopback interface, gone when it is dropped. `OPENREG_TEST_POSTGRES=host:port:database:user:password`
//! names another one instead. Where neither can be had, the test says `SKIPPED: why`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";
/// How long the server may take to answer.
const START: Duration = Duration::from_secs(60);

/// A server, and a directory of Secrets for it.
pub(crate) struct Postgres {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: String,
    directory: tempfile::TempDir,
    server: Option<Child>,
}

impl Postgres {
    /// Starts the server, or says why not.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let found = match std::env::var("OPENREG_TEST_POSTGRES") {
            Ok(text) => Self::named(&text),
            Err(_) => Self::private(),
        };
        match found {
            Ok(postgres) => {
                postgres.wait().await;
                Some(postgres)
            }
            Err(why) => {
                println!("SKIPPED: {test}: {why}");
                None
            }
        }
    }

    fn named(text: &str) -> Result<Self, String> {
        let [host, port, database, user, password] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err("OPENREG_TEST_POSTGRES is not host:port:database:user:password".to_owned());
        };
        let (host, database, user, password) = (host.to_owned(), database.to_owned(), user.to_owned(), password.to_owned());
        Ok(Self {
            host,
            port: port.parse().map_err(|_| "no port")?,
            database,
            user,
            password,
            directory: tempfile::tempdir().unwrap(),
            server: None,
        })
    }

    fn private() -> Result<Self, String> {
        let bin = newest_bin()?;
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let root = run("id", &["-u"])?.trim() == "0";
        std::fs::create_dir(&data).unwrap();
        let secret = directory.path().join("password");
        std::fs::write(&secret, PASSWORD).unwrap();
        certificates(directory.path())?;
        if root {
            // The server refuses to run as root.
            run("chown", &["-R", "postgres:postgres", &directory.path().to_string_lossy()])?;
        }
        let as_postgres = |program: &str| {
            if !root {
                return Command::new(bin.join(program));
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(bin.join(program));
            command
        };
        let made = as_postgres("initdb")
            .current_dir("/")
            .args(["-U", "postgres", "--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
            .arg(&data)
            .arg("--pwfile")
            .arg(&secret)
            .output()
            .map_err(|e| format!("initdb: {e}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "ssl=on",
            "ssl_cert_file=../server.crt",
            "ssl_key_file=../server.key",
        ];
        let mut command = as_postgres("postgres");
        command
            .current_dir("/")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .args(settings.iter().flat_map(|s| ["-c", s]))
            .stdout(Stdio::null())
            .stderr(log);
        let server = command.spawn().map_err(|e| format!("postgres: {e}"))?;
        Ok(Self {
            host: "127.0.0.1".to_owned(),
            port,
            database: "postgres".to_owned(),
            user: "postgres".to_owned(),
            password: PASSWORD.to_owned(),
            directory,
            server: Some(server),
        })
    }

    async fn wait(&self) {
        let began = Instant::now();
        while self.connect().await.is_err() {
            let log = || std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < START, "the server does not answer:\n{}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .password(&self.password)
            .ssl_mode(tokio_postgres::config::SslMode::Disable);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs statements as the administrator.
    pub(crate) async fn execute(&self, sql: &str) {
        self.connect().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// PEM certificates of the server's authority; only a private server has one.
    pub(crate) fn authority(&self) -> Option<String> {
        self.server.as_ref()?;
        std::fs::read_to_string(self.directory.path().join("ca.crt")).ok()
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// A Secret `name` for the administrator, allowed for this server, with `changes`; a key without a value is left out.
    pub(crate) fn secret(&self, name: &str, changes: &[(&str, Option<&str>)]) -> Value {
        let path = self.directory.path().join("secrets").join(name);
        std::fs::create_dir_all(&path).unwrap();
        let allowed = format!("{}\nlocalhost:{}\n", self.address(), self.port);
        for (key, value) in [
            ("username", Some(self.user.as_str())),
            ("password", Some(self.password.as_str())),
            ("allowedHosts", Some(allowed.as_str())),
        ]
        .iter()
        .chain(changes)
        {
            match value {
                Some(value) => std::fs::write(path.join(key), value).unwrap(),
                None => drop(std::fs::remove_file(path.join(key))),
            }
        }
        json!({"name": name, "path": path})
    }

    /// The connector `db` for this server.
    pub(crate) fn connector(&self) -> Value {
        json!({
            "source": {"postgres": {"host": self.host, "port": self.port, "database": self.database, "tls": {"mode": "Disable"}}},
            "credentials": self.secret("db", &[]),
            "limits": {},
            "timeZone": "Europe/Berlin",
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // SIGQUIT ends all its processes at once.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }
}

fn newest_bin() -> Result<PathBuf, String> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|b| b.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| "PostgreSQL is not installed (Debian package postgresql)".to_owned())
}

/// An authority, and a certificate by it for `localhost`.
fn certificates(directory: &Path) -> Result<(), String> {
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    std::fs::write(directory.join("san"), "subjectAltName=DNS:localhost\n").unwrap();
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test authority",
            "-keyout",
            &file("ca.key"),
            "-out",
            &file("ca.crt"),
        ],
    )?;
    run(
        "openssl",
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            &file("server.key"),
            "-out",
            &file("server.csr"),
        ],
    )?;
    run(
        "openssl",
        &[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &file("server.csr"),
            "-CA",
            &file("ca.crt"),
            "-CAkey",
            &file("ca.key"),
            "-set_serial",
            "2",
            "-extfile",
            &file("san"),
            "-out",
            &file("server.crt"),
        ],
    )?;
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
