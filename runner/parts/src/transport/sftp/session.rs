//! Getting to a logged-in SFTP session: address, host key, login, subsystem, in this order, each with its own time limit.
//! A server whose key is not pinned is left before anything about the user is sent. Nothing is ever learned.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, MethodKind, MethodSet};
use russh_sftp::client::RawSftpSession;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::options::{SftpAuth, SftpOptions};
use crate::secrets::{SecretFiles, SecretValue};
use crate::transport::error::{Cause, Fault, TransportError};

/// How long to wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long key exchange, login and the start of SFTP may each take; servers that ask a directory service are slow.
const STEP: Duration = Duration::from_secs(30);
/// Silence after which the server is asked whether it is there; three unanswered questions end the connection.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Seconds that one SFTP request may take.
const REQUEST_SECONDS: u64 = 60;
/// Rounds of questions in a keyboard-interactive login.
const ROUNDS: usize = 4;

/// The key of the Secret that holds the user's name.
const USERNAME: &str = "username";
/// The key of the Secret that holds the private key's passphrase.
const PASSPHRASE: &str = "passphrase";

/// An SFTP session and the connection under it.
pub(super) struct Session {
    pub(super) connection: Handle<Pinned>,
    pub(super) sftp: RawSftpSession,
    pub(super) extensions: Vec<String>,
}

enum Login {
    Password(SecretValue),
    Key(Arc<PrivateKey>),
}

/// The host keys that may be met, and the one that was.
pub(super) struct Pinned {
    keys: Vec<PublicKey>,
    seen: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, met: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = met else {
            return Ok(false);
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.fingerprint(HashAlg::Sha256).to_string());
        Ok(self.keys.iter().any(|pinned| pinned.key_data() == key.key_data()))
    }
}

pub(super) async fn connect(options: &SftpOptions, credentials: Option<&SecretFiles>) -> Result<Session, TransportError> {
    let address = format!("{}:{}", options.host, options.port());
    let failed = |what: &str, fault, cause: Option<Cause>| TransportError::new(format!("{what} {address}"), fault, cause);
    let Some(credentials) = credentials else {
        return Err(failed("log in to", Fault::CredentialsMissing, None));
    };
    credentials.allow(&options.host, options.port())?;
    let keys = pinned(options).map_err(|cause| failed("connect to", Fault::HostKeyUnreadable, Some(cause)))?;
    let user = credentials.get(USERNAME)?;
    let login = login(options, credentials, &address)?;

    let stream = dial(options, &address).await?;
    let seen = Arc::new(Mutex::new(None));
    let fingerprints = keys.iter().map(|k| k.fingerprint(HashAlg::Sha256).to_string()).collect::<Vec<_>>().join(", ");
    let config = Arc::new(config(&keys));
    let connected = timeout(STEP, client::connect_stream(config, stream, Pinned { keys, seen: seen.clone() })).await;
    let mut connection = match connected {
        Err(e) => return Err(failed("connect to", Fault::ConnectTimeout, Some(e.into()))),
        Ok(Ok(connection)) => connection,
        Ok(Err(e)) => {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (fault, cause) = handshake(e, seen, fingerprints);
            return Err(failed("connect to", fault, cause));
        }
    };
    match timeout(STEP, authenticate(&mut connection, user.expose(), &login)).await {
        Err(e) => return Err(failed("log in to", Fault::ConnectTimeout, Some(e.into()))),
        Ok(Err(e)) => return Err(failed("log in to", Fault::ConnectionLost, Some(e.into()))),
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => {
            let fault = if matches!(login, Login::Password(_)) {
                Fault::PasswordRefused
            } else {
                Fault::KeyRefused
            };
            return Err(failed("log in to", fault, None));
        }
    }
    let (sftp, extensions) = match timeout(STEP, subsystem(&connection)).await {
        Err(e) => return Err(failed("start SFTP at", Fault::ConnectTimeout, Some(e.into()))),
        Ok(Err((fault, cause))) => return Err(failed("start SFTP at", fault, cause)),
        Ok(Ok(started)) => started,
    };
    Ok(Session { connection, sftp, extensions })
}

fn pinned(options: &SftpOptions) -> Result<Vec<PublicKey>, Cause> {
    options
        .host_keys
        .iter()
        .map(|line| PublicKey::from_openssh(line.trim()).map_err(Cause::from))
        .collect()
}

fn login(options: &SftpOptions, credentials: &SecretFiles, address: &str) -> Result<Login, TransportError> {
    match &options.auth {
        SftpAuth::PasswordKey(key) => Ok(Login::Password(credentials.get(key)?)),
        SftpAuth::PrivateKey(key) => {
            let text = credentials.get(key)?;
            let passphrase = credentials.find(PASSPHRASE)?;
            let unreadable = |e: russh::keys::Error| TransportError::new(format!("log in to {address}"), Fault::KeyUnreadable, Some(e.into()));
            // A passphrase beside a key without one is no mistake worth failing for.
            let decoded = match (russh::keys::decode_secret_key(text.expose(), None), &passphrase) {
                (Err(_), Some(passphrase)) => russh::keys::decode_secret_key(text.expose(), Some(passphrase.expose())),
                (result, _) => result,
            };
            Ok(Login::Key(Arc::new(decoded.map_err(unreadable)?)))
        }
    }
}

async fn dial(options: &SftpOptions, address: &str) -> Result<TcpStream, TransportError> {
    let failed = |fault, cause: Cause| TransportError::new(format!("connect to {address}"), fault, Some(cause));
    let addresses = tokio::net::lookup_host((options.host.as_str(), options.port()));
    let addresses: Vec<_> = match timeout(CONNECT, addresses).await {
        Err(e) => return Err(failed(Fault::HostUnknown, e.into())),
        Ok(Err(e)) => return Err(failed(Fault::HostUnknown, e.into())),
        Ok(Ok(found)) => found.collect(),
    };
    match timeout(CONNECT, TcpStream::connect(addresses.as_slice())).await {
        Err(e) => Err(failed(Fault::ConnectTimeout, e.into())),
        Ok(Ok(stream)) => {
            // Small requests and answers alternate: waiting to fill packets would double each round trip.
            stream.set_nodelay(true).map_err(|e| failed(Fault::ConnectionLost, e.into()))?;
            Ok(stream)
        }
        Ok(Err(e)) => {
            let fault = match e.kind() {
                io::ErrorKind::ConnectionRefused => Fault::ConnectionRefused,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Fault::HostUnreachable,
                io::ErrorKind::TimedOut => Fault::ConnectTimeout,
                _ => Fault::ConnectionLost,
            };
            Err(failed(fault, e.into()))
        }
    }
}

/// Only the pinned kinds of key are asked for, so that a server with several shows the one that is pinned.
fn config(keys: &[PublicKey]) -> client::Config {
    let mut algorithms: Vec<Algorithm> = Vec::new();
    for key in keys {
        let wanted = match key.algorithm() {
            // SHA-1 signatures (`ssh-rsa`) are left out on purpose.
            Algorithm::Rsa { .. } => vec![Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, Algorithm::Rsa { hash: Some(HashAlg::Sha256) }],
            other => vec![other],
        };
        for algorithm in wanted {
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
    }
    client::Config {
        keepalive_interval: Some(KEEPALIVE),
        preferred: russh::Preferred {
            key: Cow::Owned(algorithms),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn handshake(error: russh::Error, seen: Option<String>, pinned: String) -> (Fault, Option<Cause>) {
    match error {
        russh::Error::UnknownKey => (
            Fault::HostKeyUnknown {
                seen: seen.unwrap_or_else(|| "of another kind".to_owned()),
                pinned,
            },
            None,
        ),
        russh::Error::NoCommonAlgo {
            kind: russh::AlgorithmKind::Key,
            theirs,
            ..
        } => (
            Fault::HostKeyUnknown {
                seen: format!("({})", theirs.join(", ")),
                pinned,
            },
            None,
        ),
        e @ russh::Error::NoCommonAlgo { .. } => (Fault::NoCommonAlgorithm, Some(e.into())),
        e => (Fault::ConnectionLost, Some(e.into())),
    }
}

async fn authenticate(connection: &mut Handle<Pinned>, user: &str, login: &Login) -> Result<bool, russh::Error> {
    let result = match login {
        Login::Key(key) => {
            // Without an answer SHA-512: SHA-1 is never used.
            let hash = if key.algorithm().is_rsa() {
                connection.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512))
            } else {
                None
            };
            connection.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key.clone(), hash)).await?
        }
        Login::Password(password) => {
            let result = connection.authenticate_password(user, password.expose()).await?;
            match &result {
                // Servers that ask through PAM know no plain password.
                AuthResult::Failure { remaining_methods, .. } if remaining_methods.contains(&MethodKind::KeyboardInteractive) => {
                    return interactive(connection, user, password).await;
                }
                _ => result,
            }
        }
    };
    match result {
        AuthResult::Success => Ok(true),
        // A connection that broke looks like a refusal that leaves no method.
        AuthResult::Failure { remaining_methods, .. } if remaining_methods == MethodSet::empty() && connection.is_closed() => Err(russh::Error::Disconnect),
        AuthResult::Failure { .. } => Ok(false),
    }
}

/// Answers the one hidden question with the password; anything else is not a login that a machine can do.
async fn interactive(connection: &mut Handle<Pinned>, user: &str, password: &SecretValue) -> Result<bool, russh::Error> {
    let mut response = connection.authenticate_keyboard_interactive_start(user, None::<String>).await?;
    let mut asked = false;
    for _ in 0..ROUNDS {
        let answers = match response {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } if prompts.is_empty() => Vec::new(),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } if prompts.len() == 1 && !prompts[0].echo && !asked => {
                asked = true;
                vec![password.expose().to_owned()]
            }
            KeyboardInteractiveAuthResponse::InfoRequest { .. } => return Ok(false),
        };
        response = connection.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Ok(false)
}

async fn subsystem(connection: &Handle<Pinned>) -> Result<(RawSftpSession, Vec<String>), (Fault, Option<Cause>)> {
    let lost = |e: russh::Error| match e {
        russh::Error::ChannelOpenFailure(_) => (Fault::SftpUnavailable, Some(Cause::from(e))),
        e => (Fault::ConnectionLost, Some(Cause::from(e))),
    };
    let mut channel = connection.channel_open_session().await.map_err(lost)?;
    channel.request_subsystem(true, "sftp").await.map_err(lost)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(_) => return Err((Fault::SftpUnavailable, None)),
            None => return Err((Fault::ConnectionLost, None)),
        }
    }
    let config = russh_sftp::client::Config {
        request_timeout_secs: REQUEST_SECONDS,
        ..Default::default()
    };
    let sftp = RawSftpSession::new_with_config(channel.into_stream(), config);
    // A server that grants the subsystem and then runs something else, such as `nologin`, ends here.
    let version = sftp.init().await.map_err(|e| (Fault::SftpUnavailable, Some(Cause::from(e))))?;
    Ok((sftp, version.extensions.into_keys().collect()))
}
