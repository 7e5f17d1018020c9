//! The directory against the suite.

use super::{Directory, DirectoryOptions};
use crate::conformance::transport::suite;
use crate::transport::{RemoteName, Transport};

#[tokio::test]
async fn a_directory_is_a_receiver() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    suite(&Directory::new(&DirectoryOptions { path: path.clone() }), &path).await;
}

#[tokio::test]
async fn nothing_lies_outside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root");
    std::fs::create_dir_all(path.join("in")).unwrap();
    let transport = Directory::new(&DirectoryOptions {
        path: path.display().to_string(),
    });
    std::fs::write(path.join("in/x"), "1234").unwrap();
    assert_eq!(
        transport.inspect(&RemoteName::new("/in", "x").unwrap()).await.unwrap(),
        Some(4),
        "another path is relative to the directory"
    );
    assert_eq!(transport.inspect(&RemoteName::new("/etc", "passwd").unwrap()).await.unwrap(), None);
}

/// A link under the temporary name must not lead the bytes to what it points to.
#[tokio::test]
async fn an_upload_follows_no_link() {
    use futures::StreamExt as _;
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    let path = directory.path().join("in");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(&elsewhere, "theirs").unwrap();
    std::os::unix::fs::symlink(&elsewhere, path.join(".x.pod")).unwrap();
    let transport = Directory::new(&DirectoryOptions {
        path: path.display().to_string(),
    });
    let name = |n: &str| RemoteName::new(&path.display().to_string(), n).unwrap();
    let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"ours"))]).boxed();
    assert_eq!(transport.upload(&name(".x.pod"), body).await.unwrap(), 4);
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"theirs");
    transport.commit(&name(".x.pod"), &name("x")).await.unwrap();
    assert!(std::fs::symlink_metadata(path.join("x")).unwrap().is_file());
    // A final name that is a link, even one that leads nowhere, is taken.
    std::os::unix::fs::symlink("/nonexistent", path.join("y")).unwrap();
    assert!(transport.inspect(&name("y")).await.unwrap().is_some());
    let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"ours"))]).boxed();
    transport.upload(&name(".y.pod"), body).await.unwrap();
    let error = transport.commit(&name(".y.pod"), &name("y")).await.unwrap_err();
    assert_eq!(error.fault(), Some(&crate::transport::Fault::NameTaken));
}
