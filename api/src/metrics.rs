//! Counters for Prometheus, of the API and of the recorder.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What requests are counted by. The route is the pattern, never the path: a label must not grow with the data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// GET, POST, …
    pub method: String,
    /// `/api/v1/runs/{id}`; `other` for what is no route.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
}

/// Counters of requests.
#[derive(Clone)]
pub struct HttpMetrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
}

/// From 1 ms to about 16 s until the head of the answer.
fn buckets() -> impl Iterator<Item = f64> {
    prometheus_client::metrics::histogram::exponential_buckets(0.001, 2.0, 15)
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let duration = Histogram::new(buckets());
        registry.register("openreg_api_requests", "Requests, by method, route and status", requests.clone());
        registry.register("openreg_api_request_duration_seconds", "Time until the head of the answer", duration.clone());
        Self {
            registry: Arc::new(registry),
            requests,
            duration,
        }
    }
}

impl HttpMetrics {
    /// Counts a request.
    pub fn count(&self, labels: RequestLabels, seconds: f64) {
        self.requests.get_or_create(&labels).inc();
        self.duration.observe(seconds);
    }

    /// All of it as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// How the recorder is.
#[derive(Clone)]
pub struct RecorderMetrics {
    registry: Arc<Registry>,
    /// Runs seen and not yet written.
    pub pending: Gauge,
    /// Age of the oldest of them; 0 when nothing waits.
    pub oldest_unrecorded: Gauge<f64, AtomicU64>,
    /// When a run was last written, seconds since 1970.
    pub last_success: Gauge,
    /// Writes done.
    pub recorded: Counter,
    /// Tries that failed.
    pub failures: Counter,
    /// Objects that could not be read as a run.
    pub unreadable: Gauge,
    /// 1 while this process is the one that writes.
    pub leader: Gauge,
    /// When the watch last said something, seconds since 1970.
    pub watch_progress: Gauge,
}

impl Default for RecorderMetrics {
    fn default() -> Self {
        let mut r = Registry::default();
        let m = Self {
            registry: Arc::new(Registry::default()),
            pending: Gauge::default(),
            oldest_unrecorded: Gauge::default(),
            last_success: Gauge::default(),
            recorded: Counter::default(),
            failures: Counter::default(),
            unreadable: Gauge::default(),
            leader: Gauge::default(),
            watch_progress: Gauge::default(),
        };
        r.register("openreg_recorder_pending_runs", "Runs seen and not yet written", m.pending.clone());
        r.register(
            "openreg_recorder_oldest_unrecorded_seconds",
            "Age of the oldest change that is not yet written; 0 when nothing waits",
            m.oldest_unrecorded.clone(),
        );
        r.register(
            "openreg_recorder_last_success_timestamp_seconds",
            "When a run was last written",
            m.last_success.clone(),
        );
        r.register("openreg_recorder_recorded", "Writes done", m.recorded.clone());
        r.register("openreg_recorder_failures", "Tries that failed", m.failures.clone());
        r.register(
            "openreg_recorder_unreadable_runs",
            "Objects that could not be read as a run",
            m.unreadable.clone(),
        );
        r.register("openreg_recorder_leader", "1 while this process is the one that writes", m.leader.clone());
        r.register(
            "openreg_recorder_watch_last_progress_timestamp_seconds",
            "When the watch last said something",
            m.watch_progress.clone(),
        );
        Self { registry: Arc::new(r), ..m }
    }
}

impl RecorderMetrics {
    /// Notes a write.
    pub fn succeeded(&self) {
        self.recorded.inc();
        self.last_success.set(now());
    }

    /// Notes a sign of life of the watch.
    pub fn progressed(&self) {
        self.watch_progress.set(now());
    }

    /// Seconds since the watch's last sign of life.
    pub fn silence(&self) -> i64 {
        now() - self.watch_progress.get()
    }

    /// Notes how far behind the recorder is.
    pub fn behind(&self, pending: usize, oldest_seconds: f64) {
        self.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.oldest_unrecorded.set(oldest_seconds);
    }

    /// All of it as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
