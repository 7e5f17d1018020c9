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
