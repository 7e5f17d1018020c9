//! What every store must do. Call [`suite`] with a store that nobody else uses; it panics at the first thing that is not
//! as it should be.

use bytes::Bytes;
use futures::StreamExt;

use super::must;
use crate::store::key::Key;
use crate::store::{Created, Fault, Store};

/// Everything. `run` names a run that no earlier suite used.
pub async fn suite(store: &Store, run: &str) {
    must("probe", store.probe(&format!("{run}-probe")).await);
    creates_once(store, run).await;
    one_of_many_wins(store, run).await;
    reads_small_objects(store, run).await;
    streams_from_any_offset(store, run).await;
    streams_large_objects(store, run).await;
    a_writer_does_not_replace(store, run).await;
    nothing_is_left_of_an_aborted_writer(store, run).await;
    any_name_is_a_key(store, run).await;
    only_keys_are_paths(store).await;
}

fn artifact(run: &str, name: &str) -> Key {
    Key::Artifact {
        run: run.to_owned(),
        pod: "pod".to_owned(),
        name: name.to_owned(),
    }
}

/// Bytes that differ in every block, so that a swapped or lost block is noticed.
fn pattern(size: usize) -> Bytes {
    (0..size).map(|i| u8::try_from((i ^ (i >> 8) ^ (i >> 16)) & 0xff).unwrap_or(0)).collect()
}

async fn read(store: &Store, key: &Key, offset: u64) -> Option<(u64, Vec<u8>)> {
    let mut object = must("stream", store.stream(&key.to_string(), offset).await)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = object.body.next().await {
        bytes.extend_from_slice(&must("stream", chunk));
    }
    Some((object.size, bytes))
}

async fn creates_once(store: &Store, run: &str) {
    let key = Key::Manifest { run: run.to_owned() };
    assert_eq!(must("get", store.get(&key.to_string(), 100).await), None, "nothing is there yet");
    assert_eq!(must("create", store.create(&key, "first".into()).await), Created::New);
    assert_eq!(must("create", store.create(&key, "second".into()).await), Created::Existing);
    assert_eq!(
        must("create", store.create(&key, "first".into()).await),
        Created::Existing,
        "the same bytes again are no new object"
    );
    assert_eq!(
        must("get", store.get(&key.to_string(), 100).await),
        Some(Bytes::from("first")),
        "the first one stays"
    );
}

async fn one_of_many_wins(store: &Store, run: &str) {
    let key = Key::Claim {
        destination: run.to_owned(),
        remote: "/in/x".to_owned(),
        number: 1,
    };
    let bodies: Vec<Bytes> = (0..16).map(|i| Bytes::from(format!("pod {i}"))).collect();
    let results = futures::future::join_all(bodies.iter().map(|body| store.create(&key, body.clone()))).await;
    let winners: Vec<_> = results
        .into_iter()
        .zip(&bodies)
        .filter(|(r, _)| matches!(r, Ok(Created::New)))
        .map(|(_, b)| b.clone())
        .collect();
    assert_eq!(winners.len(), 1, "exactly one of 16 at once wins");
    assert_eq!(must("get", store.get(&key.to_string(), 100).await), winners.first().cloned());
}

async fn reads_small_objects(store: &Store, run: &str) {
    let key = artifact(run, "small");
    must("create", store.create(&key, "12345".into()).await);
    assert_eq!(must("get", store.get(&key.to_string(), 5).await), Some(Bytes::from("12345")));
    let error = store.get(&key.to_string(), 4).await.err().and_then(|e| e.fault());
    assert_eq!(error, Some(Fault::ObjectTooLarge { max: 4 }));
    let empty = artifact(run, "empty");
    must("create", store.create(&empty, Bytes::new()).await);
    assert_eq!(
        must("get", store.get(&empty.to_string(), 0).await),
        Some(Bytes::new()),
        "an empty object is an object"
    );
}

async fn streams_from_any_offset(store: &Store, run: &str) {
    let key = artifact(run, "offsets");
    must("create", store.create(&key, "0123456789".into()).await);
    for (offset, rest) in [(0, "0123456789"), (1, "123456789"), (9, "9"), (10, ""), (11, "")] {
        assert_eq!(read(store, &key, offset).await, Some((10, rest.into())), "from byte {offset}");
    }
    assert_eq!(read(store, &artifact(run, "nothing"), 0).await, None);
    assert_eq!(read(store, &artifact(run, "nothing"), 5).await, None);
}

async fn streams_large_objects(store: &Store, run: &str) {
    // Nothing, one byte, one S3 part, one byte more, several parts; in pieces that do not fit parts.
    for size in [0, 1, 8 << 20, (8 << 20) + 1, 27 << 20] {
        let key = artifact(run, &format!("large-{size}"));
        let content = pattern(size);
        let mut writer = must("writer", store.writer(&key).await);
        for piece in content.chunks(1_000_003) {
            must("write", writer.write(Bytes::copy_from_slice(piece)).await);
        }
        assert_eq!(
            must("get", store.stream(&key.to_string(), 0).await).map(|o| o.size),
            None,
            "nothing is visible before the end"
        );
        assert_eq!(must("finish", writer.finish().await), Created::New, "{size} bytes");
        let (found, bytes) = read(store, &key, 0).await.unwrap_or_default();
        assert!(found == size as u64 && bytes == content, "{size} bytes come back");
    }
}

async fn a_writer_does_not_replace(store: &Store, run: &str) {
    for size in [10, 17 << 20] {
        let key = artifact(run, &format!("taken-{size}"));
        let mut late = must("writer", store.writer(&key).await);
        must("write", late.write(pattern(size)).await);
        must("create", store.create(&key, "first".into()).await);
        assert_eq!(must("finish", late.finish().await), Created::Existing, "{size} bytes");
        assert_eq!(must("get", store.get(&key.to_string(), 100).await), Some(Bytes::from("first")));
    }
}

async fn nothing_is_left_of_an_aborted_writer(store: &Store, run: &str) {
    for size in [10, 17 << 20] {
        let key = artifact(run, &format!("aborted-{size}"));
        for dropped in [false, true] {
            let mut writer = must("writer", store.writer(&key).await);
            must("write", writer.write(pattern(size)).await);
            if dropped {
                drop(writer);
            } else {
                writer.abort().await;
            }
        }
        assert_eq!(read(store, &key, 0).await, None, "{size} bytes");
        assert_eq!(must("create", store.create(&key, "later".into()).await), Created::New, "the key is free");
    }
}

async fn any_name_is_a_key(store: &Store, run: &str) {
    for name in ["a b.csv", "ü€.csv", "a/b", "a%2Fb", "..", ".hidden", "a+b&c=d?e#f", "'\"<>\\"] {
        let key = artifact(run, name);
        assert_eq!(must("create", store.create(&key, Bytes::from(name.to_owned())).await), Created::New, "{name}");
        assert_eq!(
            must("get", store.get(&key.to_string(), 100).await),
            Some(Bytes::from(name.to_owned())),
            "{name}"
        );
    }
}

async fn only_keys_are_paths(store: &Store) {
    for path in ["../secret", "/etc/passwd", "runs//x", ""] {
        assert_eq!(store.get(path, 100).await.err().and_then(|e| e.fault()), Some(Fault::BadKey), "{path}");
        assert_eq!(store.stream(path, 0).await.err().and_then(|e| e.fault()), Some(Fault::BadKey), "{path}");
    }
}
