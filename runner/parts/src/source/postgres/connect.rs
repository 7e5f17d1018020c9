//! From options to a session that can only read: name, socket, TLS, log-in, settings. Nothing is retried.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, NoTls};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{Access, SourceError};
use super::failure::Place;
use super::options::{PostgresOptions, TlsMode};
use super::tls;

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
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
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
        .application_name("openreg");
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
    let canceller = Canceller {
        host: host.to_owned(),
        port,
        tls: tls.map(Arc::new),
    };
    let limit = access.limits.connect_timeout();
    timeout(limit, log_in(config, access, place, canceller))
        .await
        .map_err(|_| SourceError::ConnectTimeout {
            address: place.address.clone(),
            seconds: limit.as_secs(),
        })?
}

async fn log_in(mut config: Config, access: Access<'_>, place: &Place, canceller: Canceller) -> Result<Session, SourceError> {
    let socket = dial(&canceller.host, canceller.port, &place.address).await?;
    let (client, connection) = match &canceller.tls {
        Some(tls) => {
            config.ssl_mode(SslMode::Require);
            let connector = connector(tls, &canceller.host, place)?;
            let (client, connection) = config.connect_raw(socket, connector).await.map_err(|e| place.judge(&e))?;
            (client, tokio::spawn(drive(connection)))
        }
        None => {
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect_raw(socket, NoTls).await.map_err(|e| place.judge(&e))?;
            (client, tokio::spawn(drive(connection)))
        }
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

async fn dial(host: &str, port: u16, address: &str) -> Result<TcpStream, SourceError> {
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(|e| {
        // What getaddrinfo says when the name server cannot be asked (EAI_AGAIN) differs from a name that does not exist.
        let text = e.to_string();
        SourceError::HostUnknown {
            host: host.to_owned(),
            temporary: text.contains("Temporary failure") || text.contains("Try again"),
        }
    })?;
    let mut last = std::io::Error::other("the name has no address");
    for candidate in addresses {
        match TcpStream::connect(candidate).await {
            Ok(socket) => {
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(SourceError::ConnectionRefused {
        address: address.to_owned(),
        source: last,
    })
}

fn connector(tls: &rustls::ClientConfig, host: &str, place: &Place) -> Result<<MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect, SourceError> {
    let mut make = MakeRustlsConnect::new(tls.clone());
    MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, host).map_err(|e| SourceError::TlsFailed {
        address: place.address.clone(),
        reason: e.to_string(),
    })
}

impl Canceller {
    /// Asks the server to stop; best effort, within two seconds.
    pub(super) async fn cancel(self, client: tokio_postgres::CancelToken, place: Place) {
        let ask = async {
            let Ok(socket) = dial(&self.host, self.port, &place.address).await else {
                return;
            };
            let _ = match &self.tls {
                Some(tls) => match connector(tls, &self.host, &place) {
                    Ok(connector) => client.cancel_query_raw(socket, connector).await,
                    Err(_) => return,
                },
                None => client.cancel_query_raw(socket, NoTls).await,
            };
        };
        let _ = timeout(std::time::Duration::from_secs(2), ask).await;
    }
}

/// A text as SQL; quotes doubled. Only for settings that PostgreSQL does not let anybody bind.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "").replace('\'', "''"))
}
