//! Violations of a run: counts out of the history, the first ones out of the store.

use axum::Json;
use axum::extract::State;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Asking, Path, Query, page_size};
use crate::app::App;
use crate::db::runs;
use crate::error::ApiError;
use crate::model::RuleCounts;
use crate::stores::StoresError;

/// The most bytes read for one answer: 200 lines of 20 KB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ViolationQuery {
    /// Lines, at most 200 [50].
    limit: Option<u32>,
}

/// Violations of a run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViolationPage {
    /// All of them, counted by rule.
    rules: Vec<RuleCounts>,
    /// All of them, counted.
    total: u64,
    /// The first ones, as the runner wrote them: `rule`, `dataset`, `row`, `columns`, and `key` or `sameAs` as far as they apply.
    #[schema(value_type = Vec<Object>)]
    items: Vec<serde_json::Value>,
    /// Whether `items` are all.
    complete: bool,
}

/// Reads the first violations of a run.
#[utoipa::path(get, path = "/api/v1/runs/{id}/violations", tag = "runs", params(("id" = Uuid, Path, description = "Identity of the run"), ViolationQuery),
    responses((status = 200, description = "Counts and the first violations", body = ViolationPage)))]
pub async fn list_violations(
    State(app): State<App>,
    Asking(session): Asking,
    Path(id): Path<Uuid>,
    Query(query): Query<ViolationQuery>,
) -> Result<Json<ViolationPage>, ApiError> {
    let limit = usize::try_from(page_size(query.limit)).unwrap_or(usize::MAX);
    let mut tx = app.db.tenant(session.tenant).await?;
    let found = runs::violations(&mut tx, id).await?.ok_or_else(|| ApiError::NotFound(format!("run {id}")))?;
    tx.commit().await?;
    let total = found.rules.iter().map(|r| r.violations).sum();
    let Some(object) = found.object else {
        return Ok(Json(ViolationPage {
            rules: found.rules,
            total,
            items: Vec::new(),
            complete: total == 0,
        }));
    };
    let stream = app
        .store(&session)
        .await?
        .stream(&object.key, 0)
        .await
        .map_err(StoresError::from)?
        .ok_or_else(|| ApiError::NotFound(format!("object {} in the store", object.key)))?;
    let (items, complete) = first_lines(stream.body, limit).await.map_err(StoresError::from)?;
    Ok(Json(ViolationPage {
        rules: found.rules,
        total,
        items,
        complete,
    }))
}

/// The first lines that are JSON objects, and whether there are no more.
async fn first_lines<E>(mut body: impl futures::Stream<Item = Result<bytes::Bytes, E>> + Unpin, limit: usize) -> Result<(Vec<serde_json::Value>, bool), E> {
    let (mut items, mut rest, mut seen) = (Vec::new(), Vec::new(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        seen += chunk.len();
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            if items.len() == limit {
                return Ok((items, false));
            }
            let line: Vec<u8> = rest.drain(..=end).collect();
            items.extend(serde_json::from_slice(&line).ok());
        }
        if seen > MAX_BYTES {
            return Ok((items, false));
        }
    }
    if !rest.is_empty() {
        if items.len() == limit {
            return Ok((items, false));
        }
        items.extend(serde_json::from_slice(&rest).ok());
    }
    Ok((items, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::stream;

    async fn lines(chunks: &[&'static str], limit: usize) -> (usize, bool) {
        let body = stream::iter(chunks.iter().map(|c| Ok::<_, ()>(Bytes::from_static(c.as_bytes()))));
        let (items, complete) = first_lines(body, limit).await.unwrap();
        (items.len(), complete)
    }

    #[tokio::test]
    async fn lines_are_cut_where_they_end() {
        for (what, chunks, limit, expected) in [
            ("nothing", &[][..], 2, (0, true)),
            ("over chunks", &["{\"rule\":", "\"a\"}\n{\"rule\":\"b\"}\n"][..], 2, (2, true)),
            ("no line break at the end", &["{}\n{}"][..], 2, (2, true)),
            ("more than asked for", &["{}\n{}\n{}\n"][..], 2, (2, false)),
            ("more than asked for, no line break at the end", &["{}\n{}\n{}"][..], 2, (2, false)),
        ] {
            assert_eq!(lines(chunks, limit).await, expected, "{what}");
        }
    }
}
