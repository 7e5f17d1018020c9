//! From options to a session that can only read: name, socket, TLS, log-in, settings. Nothing is retried.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::NoTls;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{Access, SourceError};
use super::failure::Place;
use super::options::{PostgresOptions, TlsMode};
use super::tls;

/// Silence after which the server's machine is asked whether it is there. With [`PROBE`] and [`PROBES`] one that is off,
/// or a firewall that has forgotten the connection, is noticed after a minute, also while a long query computes.
const IDLE: Duration = Duration::from_secs(30);
/// How long each answer may take.
const PROBE: Duration = Duration::from_secs(10);
/// Questions without an answer that end the connection.
const PROBES: u32 = 3;

/// A session, and what is needed to tell the server to stop.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) canceller: Canceller,
    /// Drives the connection; ends when it does.
    pub(super) connection: tokio::task::JoinHandle<()>,
}

/// How the server is told to stop a query.
#[derive(Clone)]
pub(super) struct Canceller {
    tls: Option<rustls::ClientConfig>,
}

/// Connects and makes the session read-only.
pub(super) async fn connect(options: &PostgresOptions, access: Access<'_>, place: &Place) -> Result<Session, SourceError> {
    let (host, port) = (options.host.as_str(), options.port());
    let credentials = access.credentials.ok_or_else(|| SourceError::CredentialsMissing {
        address: place.address.clone(),
    })?;
    credentials.allow(host, port)?;
    let mut config = Config::new();
    config
        .user(credentials.get("username")?.expose())
        .password(credentials.get("password")?.expose())
        .dbname(&options.database)
        .application_name("openreg")
        .host(host)
        .port(port)
        .keepalives_idle(IDLE)
        .keepalives_interval(PROBE)
        .keepalives_retries(PROBES)
        .tcp_user_timeout(IDLE + PROBE * PROBES);
    let failed = |reason| SourceError::TlsFailed {
        address: place.address.clone(),
        reason,
    };
    let ca_key = options.tls.as_ref().and_then(|t| t.ca_key.as_deref());
    let tls = match options.tls_mode() {
        TlsMode::VerifyFull => {
            let ca = ca_key.map(|key| credentials.get(key)).transpose()?;
            Some(tls::verify_full(ca.as_ref().map(|c| c.expose())).map_err(failed)?)
        }
        TlsMode::RequireUnverified => Some(tls::unverified().map_err(failed)?),
        TlsMode::Disable => None,
    };
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
    // Each with the whole limit: a name that does not resolve must not look like a server that does not answer.
    let limit = access.limits.connect_timeout();
    let addresses = resolve(host, port, limit).await?;
    timeout(limit, log_in(config, &addresses, access, place, Canceller { tls }))
        .await
        .map_err(|_| SourceError::ConnectTimeout {
            address: place.address.clone(),
            seconds: limit.as_secs(),
        })?
}

async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<IpAddr>, SourceError> {
    let found: Vec<IpAddr> = match timeout(limit, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if found.is_empty() {
        return Err(SourceError::HostUnknown { host: host.to_owned() });
    }
    Ok(found)
}

async fn log_in(config: Config, addresses: &[IpAddr], access: Access<'_>, place: &Place, canceller: Canceller) -> Result<Session, SourceError> {
    let mut last = None;
    let mut connected = None;
    for address in addresses {
        let mut config = config.clone();
        config.hostaddr(*address);
        match open(&config, canceller.tls.as_ref()).await {
            Ok(both) => {
                connected = Some(both);
                break;
            }
            Err(error) => {
                let judged = place.judge(&error);
                // Only a machine that nobody could talk to leaves a reason to try its other address.
                let next = matches!(
                    judged,
                    SourceError::ConnectionRefused { .. } | SourceError::HostUnreachable { .. } | SourceError::ConnectTimeout { .. }
                );
                last = Some(judged);
                if !next {
                    break;
                }
            }
        }
    }
    let (client, connection) = match (connected, last) {
        (Some(both), _) => both,
        (None, Some(error)) => return Err(error),
        (None, None) => return Err(SourceError::HostUnknown { host: place.address.clone() }),
    };
    // `timestamp` columns are compared with bound instants by the session's zone, so it is the connector's.
    let settings = format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET TIME ZONE {}; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 0; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        literal(access.time_zone),
        access.limits.statement_timeout().as_millis().clamp(1, i32::MAX as u128)
    );
    client.batch_execute(&settings).await.map_err(|e| place.judge(&e))?;
    Ok(Session { client, canceller, connection })
}

async fn open(config: &Config, tls: Option<&rustls::ClientConfig>) -> Result<(Client, tokio::task::JoinHandle<()>), tokio_postgres::Error> {
    match tls {
        Some(tls) => {
            let (client, connection) = config.connect(MakeRustlsConnect::new(tls.clone())).await?;
            Ok((client, tokio::spawn(drive(connection))))
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, tokio::spawn(drive(connection))))
        }
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Its error reaches whoever waits for rows as well, as a closed connection.
    if let Err(error) = connection.await {
        let sqlstate = error.code().map(|c| c.code().to_owned());
        tracing::debug!(sqlstate, "the connection to PostgreSQL ended");
    }
}

impl Canceller {
    /// Asks the server to stop; best effort, within two seconds.
    pub(super) async fn cancel(self, client: CancelToken) {
        let ask = async {
            // It is told where it was connected to; nothing more can be done when that fails.
            let _ = match self.tls {
                Some(tls) => client.cancel_query(MakeRustlsConnect::new(tls)).await,
                None => client.cancel_query(NoTls).await,
            };
        };
        let _ = timeout(Duration::from_secs(2), ask).await;
    }
}

/// A text as SQL; quotes doubled. Only for settings that PostgreSQL does not let anybody bind.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "").replace('\'', "''"))
}
