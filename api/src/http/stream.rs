//! Changes of runs as server-sent events, for live views. Read with `fetch`, since the access token is a header.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::extract::Asking;
use crate::app::{App, Change};
use crate::auth::token::Session;
use crate::db::runs;
use crate::error::ApiError;
use crate::model::RunSummary;

/// Streams changes of the tenant's runs until the access token's time is over: then connect again with a new one.
/// Event `run`: a run as lists show it. Event `gap`: changes may have been missed, read the list again.
#[utoipa::path(get, path = "/api/v1/runs/stream", tag = "runs", responses((status = 200, description = "Events `run` (data: RunSummary) and `gap` (no data)", content_type = "text/event-stream", body = RunSummary)))]
pub async fn stream_runs(State(app): State<App>, Asking(session): Asking) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let left = u64::try_from(session.exp - jiff::Timestamp::now().as_second()).unwrap_or(0);
    let changes = app.changes.subscribe();
    let events = stream::unfold((app, session, changes), |(app, session, mut changes)| async move {
        loop {
            let event = match changes.recv().await {
                Ok(Change::Run { tenant, run }) if tenant == session.tenant => match summary(&app, &session, run).await {
                    Some(Ok(run)) => Event::default().event("run").json_data(Sent(run)).unwrap_or_default(),
                    Some(Err(())) => gap(),
                    None => continue,
                },
                Ok(Change::Run { .. }) => continue,
                // This reader is too slow, or the database was away.
                Ok(Change::Gap) | Err(RecvError::Lagged(_)) => gap(),
                Ok(Change::Stop) | Err(RecvError::Closed) => return None,
            };
            return Some((Ok(event), (app, session, changes)));
        }
    });
    let first = stream::once(async { Ok(Event::default().comment("connected")) });
    let events = first.chain(events).take_until(tokio::time::sleep(Duration::from_secs(left)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

#[derive(Serialize)]
#[serde(transparent)]
struct Sent(RunSummary);

fn gap() -> Event {
    Event::default().event("gap").data("{}")
}

async fn summary(app: &App, session: &Session, run: uuid::Uuid) -> Option<Result<RunSummary, ()>> {
    let read = async {
        let mut tx = app.db.tenant(session.tenant).await?;
        let run = runs::one(&mut tx, run).await?;
        tx.commit().await?;
        Ok::<_, crate::db::DbError>(run)
    };
    read.await.map_err(|_| ()).transpose()
}
