//! What every transport must do. Call [`suite`] with a receiver and a directory there that nobody else uses; it panics at
//! the first thing that is not as it should be.

use bytes::Bytes;
use futures::StreamExt;
use sha2::Digest as _;

use super::must;
use crate::transport::{Body, Fault, RemoteName, Stopped, Transport};

/// Everything.
pub async fn suite(transport: &dyn Transport, directory: &str) {
    must("probe", transport.probe(directory).await);
    a_missing_directory_is_said(transport, directory).await;
    a_file_goes_there_whole(transport, directory).await;
    any_size_and_name(transport, directory).await;
    a_name_is_not_taken_twice(transport, directory).await;
    one_of_two_renames_wins(transport, directory).await;
    what_is_not_there_is_said(transport, directory).await;
    an_upload_replaces_what_an_earlier_one_left(transport, directory).await;
    a_stopped_body_stops_the_upload(transport, directory).await;
}

fn name(directory: &str, file: &str) -> RemoteName {
    must("name", RemoteName::new(directory, file))
}

/// Bytes in pieces that fit no block.
fn body(content: &Bytes) -> Body<'static> {
    let pieces: Vec<_> = content.chunks(50_021).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    futures::stream::iter(pieces).boxed()
}

fn pattern(size: usize) -> Bytes {
    (0..size).map(|i| u8::try_from((i ^ (i >> 8) ^ (i >> 16)) & 0xff).unwrap_or(0)).collect()
}

async fn holds(transport: &dyn Transport, name: &RemoteName, content: &Bytes) -> bool {
    let digest = must("digest", transport.digest(name).await);
    digest.is_some_and(|d| d.size == content.len() as u64 && d.sha256 == hex::encode(sha2::Sha256::digest(content)))
}

async fn a_missing_directory_is_said(transport: &dyn Transport, directory: &str) {
    let missing = format!("{directory}/not-there");
    assert_eq!(
        transport.probe(&missing).await.err().and_then(|e| e.fault().cloned()),
        Some(Fault::DirectoryMissing)
    );
    let inside = name(&missing, "a");
    assert_eq!(
        transport.upload(&inside, body(&pattern(10))).await.err().and_then(|e| e.fault().cloned()),
        Some(Fault::DirectoryMissing)
    );
    assert_eq!(must("inspect", transport.inspect(&inside).await), None);
}

async fn a_file_goes_there_whole(transport: &dyn Transport, directory: &str) {
    let (temporary, last, content) = (name(directory, ".one.pod"), name(directory, "one"), pattern(300_000));
    assert_eq!(must("upload", transport.upload(&temporary, body(&content)).await), 300_000);
    assert_eq!(must("inspect", transport.inspect(&temporary).await), Some(300_000));
    assert_eq!(must("inspect", transport.inspect(&last).await), None, "nothing is visible before the rename");
    assert!(holds(transport, &temporary, &content).await);
    must("commit", transport.commit(&temporary, &last).await);
    assert_eq!(must("inspect", transport.inspect(&temporary).await), None);
    assert!(holds(transport, &last, &content).await);
}

async fn any_size_and_name(transport: &dyn Transport, directory: &str) {
    for (i, size) in [0, 1, 32 << 10, (32 << 10) + 1, 20 << 20].into_iter().enumerate() {
        let (temporary, last, content) = (
            name(directory, &format!(".größe {i}%2F.pod")),
            name(directory, &format!("größe {i}%2F'\"")),
            pattern(size),
        );
        assert_eq!(must("upload", transport.upload(&temporary, body(&content)).await), size as u64);
        assert!(holds(transport, &temporary, &content).await, "{size} bytes");
        must("commit", transport.commit(&temporary, &last).await);
        assert!(holds(transport, &last, &content).await, "{size} bytes");
    }
}

async fn a_name_is_not_taken_twice(transport: &dyn Transport, directory: &str) {
    let (temporary, last) = (name(directory, ".two.pod"), name(directory, "two"));
    let (first, second) = (pattern(1000), pattern(2000));
    must("upload", transport.upload(&temporary, body(&first)).await);
    must("commit", transport.commit(&temporary, &last).await);
    must("upload", transport.upload(&temporary, body(&second)).await);
    assert_eq!(
        transport.commit(&temporary, &last).await.err().and_then(|e| e.fault().cloned()),
        Some(Fault::NameTaken)
    );
    assert!(holds(transport, &last, &first).await, "the first file stays");
    assert!(holds(transport, &temporary, &second).await, "so does what was not renamed");
}

async fn one_of_two_renames_wins(transport: &dyn Transport, directory: &str) {
    for round in 0..20 {
        let last = name(directory, &format!("race-{round}"));
        let contents = [pattern(100), pattern(200)];
        let temporaries = [name(directory, ".race.a"), name(directory, ".race.b")];
        for (temporary, content) in temporaries.iter().zip(&contents) {
            must("upload", transport.upload(temporary, body(content)).await);
        }
        let [a, b] = &temporaries;
        let (a, b) = tokio::join!(transport.commit(a, &last), transport.commit(b, &last));
        let winner = match (a, b) {
            (Ok(()), Err(e)) if e.fault() == Some(&Fault::NameTaken) => &contents[0],
            (Err(e), Ok(())) if e.fault() == Some(&Fault::NameTaken) => &contents[1],
            other => panic!("one wins, the other is told so: {other:?}"),
        };
        assert!(holds(transport, &last, winner).await);
    }
}

async fn what_is_not_there_is_said(transport: &dyn Transport, directory: &str) {
    let (missing, last) = (name(directory, ".missing.pod"), name(directory, "missing"));
    assert_eq!(must("inspect", transport.inspect(&missing).await), None);
    assert_eq!(must("digest", transport.digest(&missing).await), None);
    assert_eq!(
        transport.commit(&missing, &last).await.err().and_then(|e| e.fault().cloned()),
        Some(Fault::Missing)
    );
    must("remove", transport.remove(&missing).await);
    must("upload", transport.upload(&missing, body(&pattern(10))).await);
    must("remove", transport.remove(&missing).await);
    assert_eq!(must("inspect", transport.inspect(&missing).await), None);
}

async fn an_upload_replaces_what_an_earlier_one_left(transport: &dyn Transport, directory: &str) {
    let temporary = name(directory, ".again.pod");
    for size in [100_000, 10] {
        let content = pattern(size);
        must("upload", transport.upload(&temporary, body(&content)).await);
        assert!(holds(transport, &temporary, &content).await, "{size} bytes and no more");
    }
}

async fn a_stopped_body_stops_the_upload(transport: &dyn Transport, directory: &str) {
    let temporary = name(directory, ".stopped.pod");
    let broken = futures::stream::iter([Ok(pattern(200_000)), Err(Stopped)]).boxed();
    assert_eq!(
        transport.upload(&temporary, broken).await.err().and_then(|e| e.fault().cloned()),
        Some(Fault::BodyStopped)
    );
    must("remove", transport.remove(&temporary).await);
    assert_eq!(must("inspect", transport.inspect(&temporary).await), None, "the receiver is still well");
}
