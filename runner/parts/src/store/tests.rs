//! Both stores against the suite, and what only a real S3 server can show.

use bytes::Bytes;

use super::key::Key;
use super::{Created, DirectoryStoreOptions, Fault, Store, StoreOptions};
use crate::conformance::servers::{S3Server, secret};
use crate::conformance::store::suite;
use crate::error::{Class, Classified};
use crate::secrets::ALLOWED_HOSTS;

fn key(pod: &str, name: &str) -> Key {
    Key::Artifact {
        run: "r".into(),
        pod: pod.into(),
        name: name.into(),
    }
}

#[tokio::test]
async fn a_directory_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::Directory(DirectoryStoreOptions {
        path: directory.path().join("new").display().to_string(),
    });
    let store = Store::open(&options, None, "tenant/").await.unwrap();
    suite(&store, "r1").await;
    let mut left = Vec::new();
    let mut open = vec![directory.path().to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path())
            } else {
                left.push(entry.file_name().into_string().unwrap())
            }
        }
    }
    assert!(!left.is_empty() && left.iter().all(|name| !name.starts_with(".tmp-")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_is_a_store() {
    let Some(server) = S3Server::start() else { return };
    let store = Store::open(&server.store(), Some(&server.secret()), "tenant/").await.unwrap();
    suite(&store, "r1").await;
    // What is dropped is aborted in the background.
    for _ in 0..100 {
        if server.unfinished_uploads() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(server.unfinished_uploads(), 0, "nothing is left of aborted uploads");
}

#[tokio::test]
async fn prefixes_keep_tenants_apart() {
    let Some(server) = S3Server::start() else { return };
    let a = Store::open(&server.store(), Some(&server.secret()), "a/").await.unwrap();
    let b = Store::open_with(&server.store(), S3Server::ACCESS_KEY, S3Server::SECRET_KEY, "b/").unwrap();
    a.create(&key("p", "x"), "a's".into()).await.unwrap();
    assert_eq!(b.get(&key("p", "x").to_string(), 100).await.unwrap(), None);
    assert_eq!(b.create(&key("p", "x"), "b's".into()).await.unwrap(), Created::New);
}

#[tokio::test]
async fn mistakes_are_told_apart() {
    let Some(server) = S3Server::start() else { return };
    let good = server.options();
    let port = good.host_and_port().1;
    let directory = tempfile::tempdir().unwrap();
    let with = |name: &str, access: &str, secret_key: &str| {
        let allowed = format!("127.0.0.1:{port}\n127.0.0.1:1\nno-such-host.invalid:80\n");
        secret(
            directory.path(),
            name,
            &[("accessKeyId", access), ("secretAccessKey", secret_key), (ALLOWED_HOSTS, &allowed)],
        )
    };
    let right = with("right", S3Server::ACCESS_KEY, S3Server::SECRET_KEY);
    let cases = [
        (
            good.clone(),
            with("stranger", "nobody", S3Server::SECRET_KEY),
            Fault::CredentialsRefused,
            Class::Config,
            "StoreCredentialsRefused",
        ),
        (
            good.clone(),
            with("wrong", S3Server::ACCESS_KEY, "wrong"),
            Fault::CredentialsRefused,
            Class::Config,
            "StoreCredentialsRefused",
        ),
        (
            super::S3Options {
                bucket: "no-such-bucket".into(),
                ..good.clone()
            },
            right.clone(),
            Fault::BucketMissing,
            Class::Config,
            "BucketMissing",
        ),
        (
            super::S3Options {
                endpoint: Some("http://127.0.0.1:1".into()),
                ..good.clone()
            },
            right.clone(),
            Fault::ConnectionRefused,
            Class::Transient,
            "StoreConnectionRefused",
        ),
        (
            super::S3Options {
                endpoint: Some("http://no-such-host.invalid".into()),
                ..good.clone()
            },
            right.clone(),
            Fault::HostUnknown,
            Class::Transient,
            "StoreHostUnknown",
        ),
        (
            super::S3Options {
                region: "eu-central-9".into(),
                ..good.clone()
            },
            right.clone(),
            Fault::RegionWrong,
            Class::Config,
            "RegionWrong",
        ),
    ];
    for (options, credentials, fault, class, code) in cases {
        let store = Store::open(&StoreOptions::S3(options), Some(&credentials), "").await.unwrap();
        let error = store.create(&key("p", code), "x".into()).await.unwrap_err();
        assert_eq!((error.fault(), error.class(), error.code()), (Some(fault), class, code), "{error:?}");
        assert!(error.hint().is_some());
        let error = store.get(&key("p", code).to_string(), 10).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(!format!("{error:?}").contains(S3Server::SECRET_KEY), "no secret in an error");
    }
}

#[tokio::test]
async fn credentials_go_nowhere_else() {
    let Some(server) = S3Server::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = secret(
        directory.path(),
        "s",
        &[("accessKeyId", "a"), ("secretAccessKey", "b"), (ALLOWED_HOSTS, "s3.example:443\n")],
    );
    let error = Store::open(&server.store(), Some(&elsewhere), "").await.err().map(|e| e.code());
    assert_eq!(error, Some("SecretHostNotAllowed"));
    assert_eq!(
        Store::open(&server.store(), None, "").await.err().map(|e| e.code()),
        Some("StoreCredentialsMissing")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_in_the_middle_of_an_upload_is_transient() {
    let Some(mut server) = S3Server::start() else { return };
    let store = Store::open(&server.store(), Some(&server.secret()), "").await.unwrap();
    let mut writer = store.writer(&key("pod-1", "big")).await.unwrap();
    writer.write(Bytes::from(vec![1; 20 << 20])).await.unwrap();
    server.stop();
    let mut result = Ok(());
    for _ in 0..4 {
        result = writer.write(Bytes::from(vec![1; 8 << 20])).await;
        if result.is_err() {
            break;
        }
    }
    let error = result.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error:?}");
    drop(writer);
    server.resume();
    // The next attempt is another pod's and succeeds; nothing of the first is visible.
    assert_eq!(store.get(&key("pod-1", "big").to_string(), 10).await.unwrap(), None);
    let mut writer = store.writer(&key("pod-2", "big")).await.unwrap();
    writer.write(Bytes::from(vec![1; 20 << 20])).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), Created::New);
}

/// It accepts connections and never says a word, as a stopped process or a filter that drops does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_is_not_waited_for_without_end() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = super::S3Options {
        endpoint: Some(format!("http://{}", mute.local_addr().unwrap())),
        region: "us-east-1".into(),
        bucket: "artifacts".into(),
        prefix: None,
        path_style: Some(true),
        ca_key: None,
    };
    let s3 = super::s3::S3::patient(&options, ("a", "b"), None, "", std::time::Duration::from_secs(1)).unwrap();
    let begun = std::time::Instant::now();
    let error = s3.create("runs/r/manifest.json", "x".into()).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("StoreTimeout", Class::Transient), "{error:?}");
    let mut upload = super::upload::Upload::new(s3, "runs/r/p/artifacts/big".into());
    let error = upload.write(Bytes::from(vec![1; 20 << 20])).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("StoreTimeout", Class::Transient), "{error:?}");
    assert!(error.hint().is_some());
    upload.abort().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let (Some(server), Some(other)) = (S3Server::start_tls(), S3Server::start_tls()) else {
        return;
    };
    let store = Store::open(&server.store(), Some(&server.secret()), "t/").await.unwrap();
    suite(&store, "r1").await;

    let directory = tempfile::tempdir().unwrap();
    let allowed = format!("127.0.0.1:{}", server.options().host_and_port().1);
    let with = |name: &str, authority: &str| {
        let values = [
            ("accessKeyId", S3Server::ACCESS_KEY),
            ("secretAccessKey", S3Server::SECRET_KEY),
            (ALLOWED_HOSTS, allowed.as_str()),
            ("ca.crt", authority),
        ];
        secret(directory.path(), name, &values)
    };
    let foreign = with("foreign", other.secret().get("ca.crt").unwrap().expose());
    let store = Store::open(&server.store(), Some(&foreign), "t/").await.unwrap();
    let error = store.create(&key("p", "x"), "x".into()).await.unwrap_err();
    assert_eq!((error.fault(), error.class()), (Some(Fault::CertificateRefused), Class::Config), "{error:?}");
    let system = StoreOptions::S3(super::S3Options {
        ca_key: None,
        ..server.options()
    });
    let store = Store::open(&system, Some(&foreign), "t/").await.unwrap();
    assert_eq!(
        store.get("x", 10).await.unwrap_err().fault(),
        Some(Fault::CertificateRefused),
        "the system's list does not know it"
    );
    for (name, authority) in [
        ("empty", ""),
        ("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("text", "hello"),
    ] {
        let error = Store::open(&server.store(), Some(&with(name, authority)), "t/").await.err().unwrap();
        assert_eq!(error.fault(), Some(Fault::CaUnreadable), "{name}");
    }
}
