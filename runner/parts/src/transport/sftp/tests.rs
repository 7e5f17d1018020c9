//! SFTP against OpenSSH's server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Sftp, SftpAuth};
use crate::conformance::servers::Sshd;
use crate::conformance::transport::suite;
use crate::error::{Class, Classified};
use crate::transport::{Body, RemoteName, Transport};

fn password() -> SftpAuth {
    SftpAuth::PasswordKey("password".into())
}

fn private_key() -> SftpAuth {
    SftpAuth::PrivateKey("id".into())
}

fn zeros(size: usize) -> Body<'static> {
    let chunk = Bytes::from(vec![0; 64 << 10]);
    futures::stream::iter((0..size.div_ceil(64 << 10)).map(move |_| Ok(chunk.clone()))).boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sftp_is_a_receiver() {
    let Some(server) = Sshd::start() else { return };
    let directory = server.directory("in");
    let (options, secret) = server.with_password(&directory);
    let transport = Sftp::connect(&options, Some(&secret)).await.unwrap();
    suite(&transport, &directory).await;
    Box::new(transport).close().await;
}

/// Name, way to log in, what the Secret holds, code and class of the refusal.
type LoginCase = (&'static str, SftpAuth, Vec<(&'static str, String)>, Option<(&'static str, Class)>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_log_in() {
    let Some(server) = Sshd::start() else { return };
    let (port, directory) = (server.port(), server.directory("in"));
    let key = |name: &str| server.private_key(name);
    let cases: Vec<LoginCase> = vec![
        ("password", password(), vec![("password", Sshd::PASSWORD.into())], None),
        ("password-line", password(), vec![("password", format!("{}\n", Sshd::PASSWORD))], None),
        ("key", private_key(), vec![("id", key("user"))], None),
        ("rsa-key", private_key(), vec![("id", key("user_rsa"))], None),
        (
            "locked-key",
            private_key(),
            vec![("id", key("user_locked")), ("passphrase", "open sesame".into())],
            None,
        ),
        (
            "useless-passphrase",
            private_key(),
            vec![("id", key("user")), ("passphrase", "open sesame".into())],
            None,
        ),
        (
            "wrong-password",
            password(),
            vec![("password", "wrong".into())],
            Some(("PasswordRefused", Class::Config)),
        ),
        ("no-password", password(), vec![], Some(("SecretKeyMissing", Class::Config))),
        ("stranger", private_key(), vec![("id", key("stranger"))], Some(("KeyRefused", Class::Config))),
        (
            "wrong-passphrase",
            private_key(),
            vec![("id", key("user_locked")), ("passphrase", "wrong".into())],
            Some(("KeyUnreadable", Class::Config)),
        ),
        (
            "no-passphrase",
            private_key(),
            vec![("id", key("user_locked"))],
            Some(("KeyUnreadable", Class::Config)),
        ),
        (
            "no-key",
            private_key(),
            vec![("id", "ssh-ed25519 AAAA".into())],
            Some(("KeyUnreadable", Class::Config)),
        ),
    ];
    for (name, auth, values, expected) in cases {
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let secret = server.secret(port, name, &values);
        let result = Sftp::connect(&server.options(port, &directory, auth), Some(&secret)).await;
        match (result, expected) {
            (Ok(transport), None) => transport.probe(&directory).await.unwrap(),
            (Err(e), Some((code, class))) => {
                assert_eq!((e.code(), e.class()), (code, class), "{name}: {e:?}");
                assert!(e.hint().is_some(), "{name}");
                assert!(
                    !format!("{e:?} {e}").contains("wrong") || !name.starts_with("wrong"),
                    "{name}: no secret in an error"
                );
            }
            (Ok(_), Some((code, _))) => panic!("{name}: logged in, not {code}"),
            (Err(e), None) => panic!("{name}: {e:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_pinned_host_key_is_trusted() {
    let Some(server) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let (port, directory) = (server.port(), server.directory("in"));
    let secret = server.secret(port, "s", &[("password", Sshd::PASSWORD)]);
    for (pinned, code) in [
        (vec![server.host_key("ed25519")], None),
        (vec![server.host_key("rsa")], None),
        (vec![server.host_key("ecdsa")], None),
        (vec![other.host_key("ed25519"), server.host_key("ed25519")], None),
        (vec![other.host_key("ed25519")], Some("HostKeyUnknown")),
        (vec![other.host_key("rsa"), other.host_key("ecdsa")], Some("HostKeyUnknown")),
        (vec![], Some("HostKeyUnknown")),
        (vec!["ssh-ed25519 AAAA".to_owned()], Some("HostKeyUnreadable")),
    ] {
        let mut options = server.options(port, &directory, password());
        options.host_keys = pinned;
        let error = Sftp::connect(&options, Some(&secret)).await.err();
        assert_eq!(error.as_ref().map(|e| e.code()), code, "{error:?}");
        if let Some(error) = error {
            assert_eq!(error.class(), Class::Config);
            assert!(
                code != Some("HostKeyUnknown") || options.host_keys.is_empty() || error.to_string().matches("SHA256:").count() >= 2,
                "both fingerprints: {error}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_host_key_is_known() {
    let Some(server) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let directory = server.directory("in");
    let (proxy, sent) = proxy(server.port(), u64::MAX).await;
    let secret = server.secret(proxy, "s", &[("password", Sshd::PASSWORD)]);
    let mut options = server.options(proxy, &directory, password());
    options.host_keys = vec![other.host_key("ed25519")];
    assert_eq!(Sftp::connect(&options, Some(&secret)).await.err().map(|e| e.code()), Some("HostKeyUnknown"));
    let refused = sent.load(Ordering::SeqCst);
    options.host_keys = vec![server.host_key("ed25519")];
    let before = sent.load(Ordering::SeqCst);
    Sftp::connect(&options, Some(&secret)).await.unwrap();
    let whole = sent.load(Ordering::SeqCst) - before;
    assert!(refused + 100 < whole, "a refused server got {refused} bytes, a trusted one {whole}");
}

#[tokio::test]
async fn secrets_go_to_allowed_hosts_only() {
    let Some(server) = Sshd::start() else { return };
    let directory = server.directory("in");
    let secret = server.secret(server.port() ^ 1, "elsewhere", &[("password", Sshd::PASSWORD)]);
    let error = Sftp::connect(&server.options(server.port(), &directory, password()), Some(&secret)).await.err();
    assert_eq!(error.map(|e| e.code()), Some("SecretHostNotAllowed"));
    let error = Sftp::connect(&server.options(server.port(), &directory, password()), None).await.err();
    assert_eq!(error.map(|e| e.code()), Some("CredentialsMissing"));
}

#[tokio::test]
async fn servers_that_are_not_there() {
    let Some(server) = Sshd::start() else { return };
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs_up = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hang_up_port = hangs_up.local_addr().unwrap().port();
    let hanging = tokio::spawn(async move {
        loop {
            drop(hangs_up.accept().await);
        }
    });
    for (host, port, code) in [
        ("127.0.0.1", 1, "ConnectionRefused"),
        ("no-such-host.invalid", 22, "HostUnknown"),
        ("127.0.0.1", hang_up_port, "ConnectionLost"),
        ("127.0.0.1", mute.local_addr().unwrap().port(), "ConnectTimeout"),
    ] {
        let mut options = server.options(port, "/in", password());
        options.host = host.into();
        let secret = server.secret(
            port,
            &format!("s{port}"),
            &[("password", Sshd::PASSWORD), ("allowedHosts", &format!("{host}:{port}"))],
        );
        let begun = Instant::now();
        let error = Sftp::connect(&options, Some(&secret)).await.err().unwrap();
        assert_eq!((error.code(), error.class()), (code, Class::Transient), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(45));
    }
    hanging.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_and_a_closed_directory_are_said() {
    let Some(server) = Sshd::start() else { return };
    let small = server.directory("small");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=777", "openreg-test", &small])
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        println!("SKIPPED: could not mount a small file system");
        return;
    }
    let (options, secret) = server.with_password(&small);
    let result = async {
        let transport = Sftp::connect(&options, Some(&secret)).await.unwrap();
        let name = RemoteName::new(&small, ".full").unwrap();
        let error = transport.upload(&name, zeros(3 << 20)).await.unwrap_err();
        transport.remove(&name).await.unwrap();
        // The same session goes on once there is space.
        let size = transport.upload(&name, zeros(512 << 10)).await.unwrap();
        (error, size)
    }
    .await;
    let unmounted = std::process::Command::new("umount").args(["-l", &small]).status();
    assert!(unmounted.is_ok_and(|s| s.success()));
    assert_eq!(
        (result.0.code(), result.0.class(), result.1),
        ("DiskFull", Class::Transient, 512 << 10),
        "{:?}",
        result.0
    );

    let transport = Sftp::connect(&options, Some(&secret)).await.unwrap();
    let closed = server.directory("closed");
    std::process::Command::new("chown").args(["root", &closed]).status().unwrap();
    let error = transport.upload(&RemoteName::new(&closed, ".x").unwrap(), zeros(10)).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("PermissionDenied", Class::Config), "{error:?}");
    assert_eq!(
        transport.probe(&format!("{closed}/nothing")).await.err().map(|e| e.code()),
        Some("DirectoryMissing")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_the_middle_is_transient() {
    let Some(server) = Sshd::start() else { return };
    let directory = server.directory("in");
    let (port, _) = proxy(server.port(), 2 << 20).await;
    let secret = server.secret(port, "s", &[("password", Sshd::PASSWORD)]);
    let transport = Sftp::connect(&server.options(port, &directory, password()), Some(&secret)).await.unwrap();
    let name = RemoteName::new(&directory, ".cut").unwrap();
    let begun = Instant::now();
    let error = transport.upload(&name, zeros(8 << 20)).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("ConnectionLost", Class::Transient), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "it is noticed at once");
    assert_eq!(transport.inspect(&name).await.err().map(|e| e.code()), Some("ConnectionLost"), "and stays so");

    let (options, secret) = server.with_password(&directory);
    let again = Sftp::connect(&options, Some(&secret)).await.unwrap();
    let part = again.inspect(&name).await.unwrap().unwrap();
    assert!(part < 8 << 20, "only a part lies there: {part}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_are_pipelined() {
    let Some(server) = Sshd::start() else { return };
    let directory = server.directory("in");
    let (options, secret) = server.with_password(&directory);
    let transport = Sftp::connect(&options, Some(&secret)).await.unwrap();
    let name = RemoteName::new(&directory, ".speed").unwrap();
    let size = 64usize << 20;
    let begun = Instant::now();
    transport.upload(&name, zeros(size)).await.unwrap();
    let up = begun.elapsed();
    let begun = Instant::now();
    transport.digest(&name).await.unwrap().unwrap();
    let down = begun.elapsed();
    let rate = |d: Duration| 64.0 / d.as_secs_f64();
    println!("64 MiB up at {:.0} MiB/s, read back at {:.0} MiB/s", rate(up), rate(down));
    // One block at a time, each with its answer, makes about 10 MiB/s even on the loopback interface of a busy machine.
    assert!(up < Duration::from_secs(20) && down < Duration::from_secs(20), "up {up:?}, down {down:?}");
}

/// Something in between that counts the bytes to the server and hangs up after `most`.
async fn proxy(to: u16, most: u64) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let port = listener.local_addr().expect("a socket").port();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = sent.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("a socket");
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut block = vec![0; 16 << 10];
                let mut here = 0;
                loop {
                    let read = from_client.read(&mut block).await.unwrap_or(0);
                    here += read as u64;
                    counter.fetch_add(read as u64, Ordering::SeqCst);
                    if read == 0 || here > most || to_server.write_all(&block[..read]).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    (port, sent)
}
