//! Handing out files: from the store to the client, hashed on the way; the audit entry stands before the first byte leaves.

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use openreg_parts::store::StoreError;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::extract::{Asking, Path};
use crate::app::App;
use crate::db::audit::{self, NewEntry};
use crate::db::runs;
use crate::error::ApiError;
use crate::model::Artifact;
use crate::stores::StoresError;

/// Downloads a file. When the bytes in the store are not those that the run sealed, the transfer breaks off before its end.
#[utoipa::path(get, path = "/api/v1/runs/{id}/artifacts/{name}/content", tag = "runs",
    params(("id" = Uuid, Path, description = "Identity of the run"), ("name" = String, Path, description = "Name of the file")),
    responses((status = 200, description = "The file's bytes", content_type = "application/octet-stream", body = Vec<u8>,
        headers(("Repr-Digest" = String, description = "`sha-256=:…:` (RFC 9530)"), ("Content-Length" = u64, description = "Bytes"))),
    (status = 503, description = "The store does not answer; nothing was handed out", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn download_artifact(
    State(app): State<App>,
    method: Method,
    Asking(session): Asking,
    Path((id, name)): Path<(Uuid, String)>,
) -> Result<Response, ApiError> {
    let mut tx = app.db.tenant(session.tenant).await?;
    let artifact = runs::artifact_named(&mut tx, id, &name)
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("file {name} of run {id}")))?;
    tx.commit().await?;
    if method == Method::HEAD {
        // No byte leaves, so nothing is written down.
        return response(&artifact, stream::empty().boxed());
    }
    let object = app
        .store(&session)
        .await?
        .stream(&artifact.key, 0)
        .await
        .map_err(StoresError::from)?
        .ok_or_else(|| ApiError::NotFound(format!("object {} in the store any more, though run {id} sealed it", artifact.key)))?;
    if i64::try_from(object.size) != Ok(artifact.size) {
        return Err(ApiError::Damaged(format!(
            "object {} in the store has {} bytes, the run sealed {}: nothing was handed out",
            artifact.key, object.size, artifact.size
        )));
    }
    let detail = json!({"artifact": artifact.name, "key": artifact.key, "size": artifact.size, "sha256": artifact.sha256});
    let mut tx = app.db.tenant(session.tenant).await?;
    audit::append(
        &mut tx,
        session.tenant,
        &NewEntry::new(&session.name, "artifact.downloaded", format!("run/{id}"), detail),
    )
    .await?;
    tx.commit().await?;
    response(&artifact, verified(object.body, artifact.sha256.clone()))
}

fn response(artifact: &Artifact, body: BoxStream<'static, Result<Bytes, BodyError>>) -> Result<Response, ApiError> {
    let digest = hex::decode(&artifact.sha256).map_err(ApiError::internal)?;
    let media_type = HeaderValue::from_str(&artifact.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_LENGTH, artifact.size)
        .header(header::CONTENT_DISPOSITION, disposition(&artifact.name))
        .header(header::ETAG, format!("\"{}\"", artifact.sha256))
        .header(header::ACCEPT_RANGES, "none")
        .header(header::CACHE_CONTROL, "private, no-store")
        .header("repr-digest", format!("sha-256=:{}:", STANDARD.encode(digest)))
        .body(HttpBody::from_stream(body))
        .map_err(ApiError::internal)
}

/// RFC 6266: always to be saved, never shown in the page; any name survives.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
        .collect();
    let encoded: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"._-".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Why a transfer breaks off.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("could not read the object")]
    Store(#[from] StoreError),
    #[error("could not hand the object out: its SHA-256 is {found}, the run sealed {sealed}")]
    Changed { found: String, sealed: String },
}

struct Verifying {
    body: BoxStream<'static, Result<Bytes, StoreError>>,
    hash: Sha256,
    sealed: String,
    held: Option<Bytes>,
    done: bool,
}

/// The same bytes, one chunk late: the last is given only when the digest of all is right, so that a changed file never
/// arrives whole.
fn verified(body: BoxStream<'static, Result<Bytes, StoreError>>, sealed: String) -> BoxStream<'static, Result<Bytes, BodyError>> {
    let state = Verifying {
        body,
        hash: Sha256::new(),
        sealed,
        held: None,
        done: false,
    };
    stream::unfold(state, |mut s| async move {
        while !s.done {
            match s.body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    s.hash.update(&chunk);
                    if let Some(before) = s.held.replace(chunk) {
                        return Some((Ok(before), s));
                    }
                }
                Some(Err(e)) => {
                    s.done = true;
                    s.held = None;
                    tracing::error!(error = %crate::error::chain(&e), "a download broke off");
                    return Some((Err(e.into()), s));
                }
                None => {
                    s.done = true;
                    let found = hex::encode(std::mem::take(&mut s.hash).finalize());
                    if found != s.sealed {
                        let e = BodyError::Changed {
                            found,
                            sealed: s.sealed.clone(),
                        };
                        tracing::error!(error = %e, "a download broke off");
                        return Some((Err(e), s));
                    }
                    return s.held.take().map(|last| (Ok(last), s));
                }
            }
        }
        None
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn received(chunks: &[&'static str], sealed: &str) -> (String, bool) {
        let body = stream::iter(chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect::<Vec<_>>()).boxed();
        let (mut text, mut whole) = (String::new(), true);
        let mut out = verified(body, sealed.to_owned());
        while let Some(chunk) = out.next().await {
            match chunk {
                Ok(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Err(_) => whole = false,
            }
        }
        (text, whole)
    }

    #[tokio::test]
    async fn a_changed_file_never_arrives_whole() {
        let right = hex::encode(Sha256::digest(b"abcdef"));
        assert_eq!(received(&["ab", "cd", "ef"], &right).await, ("abcdef".to_owned(), true));
        assert_eq!(received(&["ab", "cd", "eX"], &right).await, ("abcd".to_owned(), false));
        assert_eq!(received(&["abcdeX"], &right).await, (String::new(), false));
        let empty = hex::encode(Sha256::digest(b""));
        assert_eq!(received(&[], &empty).await, (String::new(), true));
    }

    #[test]
    fn any_name_survives_in_the_header() {
        assert_eq!(disposition("a.csv"), "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv");
        assert_eq!(
            disposition("ä\"\r\n.csv"),
            "attachment; filename=\"____.csv\"; filename*=UTF-8''%C3%A4%22%0D%0A.csv"
        );
    }
}
