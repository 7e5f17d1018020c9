//! Whether the operator is well: `/healthz`, `/readyz`, `/metrics`.
//!
//! A quiet cluster and a dead watch look alike from above, because the watcher swallows bookmarks. So a layer below it
//! stamps every byte that a watch receives (the API server sends a bookmark about once a minute), and liveness fails when
//! a kind's watch has been silent for too long.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use http_body::{Body, Frame, SizeHint};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// When the last byte of each kind's watch came. Cloning shares it.
#[derive(Clone, Default)]
pub struct WatchProgress {
    last: Arc<RwLock<HashMap<String, (Instant, jiff::Timestamp)>>>,
}

impl WatchProgress {
    /// From now on the kind is expected to make progress.
    pub fn expect(&self, plural: &str) {
        self.stamp(plural);
    }

    fn stamp(&self, plural: &str) {
        self.last.write().insert(plural.to_owned(), (Instant::now(), jiff::Timestamp::now()));
    }

    /// The kinds that made no progress for longer than `limit`, with how long.
    pub fn stalled(&self, now: Instant, limit: Duration) -> Vec<(String, Duration)> {
        let mut stalled: Vec<_> = self
            .last
            .read()
            .iter()
            .map(|(kind, (last, _))| (kind.clone(), now.saturating_duration_since(*last)))
            .filter(|(_, silent)| *silent > limit)
            .collect();
        stalled.sort();
        stalled
    }

    fn export(&self, metrics: &Metrics) {
        for (kind, (_, at)) in self.last.read().iter() {
            metrics.watch_progress(kind, at.as_second());
        }
    }
}

/// The plural name of the kind that a request watches; `None` for any other request.
fn watched(uri: &http::Uri) -> Option<&str> {
    let query = uri.query()?;
    query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
        .then(|| uri.path().rsplit('/').next())
        .flatten()
}

/// A layer of the Kubernetes client that stamps [`WatchProgress`].
#[derive(Clone)]
pub struct StampLayer(pub WatchProgress);

impl<S> Layer<S> for StampLayer {
    type Service = Stamp<S>;
    fn layer(&self, inner: S) -> Stamp<S> {
        Stamp {
            inner,
            progress: self.0.clone(),
        }
    }
}

/// See [`StampLayer`].
#[derive(Clone)]
pub struct Stamp<S> {
    inner: S,
    progress: WatchProgress,
}

impl<S, RequestBody, ResponseBody> Service<http::Request<RequestBody>> for Stamp<S>
where
    S: Service<http::Request<RequestBody>, Response = http::Response<ResponseBody>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Stamped<ResponseBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<RequestBody>) -> Self::Future {
        let kind = watched(request.uri()).map(str::to_owned);
        let progress = self.progress.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // A refused watch is no progress.
            let kind = kind.filter(|_| answer.status().is_success());
            if let Some(kind) = &kind {
                progress.stamp(kind);
            }
            Ok(answer.map(|body| Stamped {
                body,
                watch: kind.map(|kind| (kind, progress)),
            }))
        })
    }
}

/// A body that stamps each frame of a watch.
pub struct Stamped<B> {
    body: B,
    watch: Option<(String, WatchProgress)>,
}

impl<B: Body + Unpin> Body for Stamped<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(_))), Some((kind, progress))) = (&polled, &self.watch) {
            progress.stamp(kind);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the probes ask.
#[derive(Clone)]
pub struct Health {
    /// When watches last moved.
    pub progress: WatchProgress,
    /// How long a watch may be silent.
    pub stall: Duration,
    /// Set once the process does, or could at once begin to do, its work.
    pub ready: Arc<std::sync::atomic::AtomicBool>,
    /// What Prometheus reads.
    pub metrics: Metrics,
}

impl Health {
    /// The three pages.
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    /// Answers on `listener` until shutdown.
    pub async fn serve(self, listener: tokio::net::TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(shutdown.cancelled_owned()).await
    }
}

async fn healthz(State(health): State<Health>) -> impl IntoResponse {
    let stalled = health.progress.stalled(Instant::now(), health.stall);
    if stalled.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let list: Vec<_> = stalled.iter().map(|(kind, silent)| format!("{kind} for {} s", silent.as_secs())).collect();
    let text = format!("no watch progress: {}\n", list.join(", "));
    tracing::error!(stalled = list.join(", "), "watches made no progress, liveness fails");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    if health.ready.load(std::sync::atomic::Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "caches are not filled yet\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    health.progress.export(&health.metrics);
    (
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        health.metrics.encode(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt;

    #[test]
    fn watch_is_known_by_its_query() {
        for (uri, kind) in [
            ("/apis/openreg.io/v1alpha1/reportruns?watch=true&resourceVersion=5", Some("reportruns")),
            ("/api/v1/pods?labelSelector=a&watch=true", Some("pods")),
            ("/apis/openreg.io/v1alpha1/reportruns?limit=500", None),
            ("/apis/openreg.io/v1alpha1/reportruns", None),
        ] {
            assert_eq!(watched(&uri.parse().unwrap()), kind, "{uri}");
        }
    }

    #[tokio::test]
    async fn liveness_fails_when_a_watch_is_silent_and_heals_with_its_next_byte() {
        let progress = WatchProgress::default();
        let health = Health {
            progress: progress.clone(),
            stall: Duration::from_millis(30),
            ready: Arc::default(),
            metrics: Metrics::new(),
        };
        let ask = |health: Health| async move {
            let request = axum::http::Request::get("/healthz").body(axum::body::Body::empty()).unwrap();
            health.router().oneshot(request).await.unwrap().status()
        };
        assert_eq!(ask(health.clone()).await, StatusCode::OK, "nothing is expected yet");
        progress.expect("reportruns");
        assert_eq!(ask(health.clone()).await, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(ask(health.clone()).await, StatusCode::SERVICE_UNAVAILABLE);

        // A byte through the layer is progress; an answer that is not a success is none.
        let answer = |status: u16| {
            let service = tower::service_fn(move |_: http::Request<()>| async move {
                Ok::<_, std::convert::Infallible>(http::Response::builder().status(status).body(axum::body::Body::from("{}")).unwrap())
            });
            let stamped = StampLayer(progress.clone()).layer(service);
            async move {
                stamped
                    .oneshot(http::Request::get("/apis/openreg.io/v1alpha1/reportruns?watch=true").body(()).unwrap())
                    .await
                    .unwrap()
            }
        };
        let _ = answer(403).await;
        assert_eq!(ask(health.clone()).await, StatusCode::SERVICE_UNAVAILABLE);
        let _ = answer(200).await;
        assert_eq!(ask(health).await, StatusCode::OK);
    }
}
