//! What the operator knows of the cluster: one watch and one cache a kind, shared by all controllers.
//!
//! Why not a watch in each controller: memory (10,000 schedules once, not twice), one place for health and for objects
//! that do not parse, and a broken watch holds up nothing but its own kind. Controllers register hooks and get names;
//! they read objects here. A cache may be behind the cluster: whoever writes sends the resourceVersion it saw.
//!
//! An object that does not parse (written by a newer version, say) is counted, logged and treated as absent: it stops
//! nobody else. So all kinds are watched unparsed, by one watcher, and each object is parsed on its own.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ApiResource;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use openreg_crds as crds;
use parking_lot::RwLock;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::labels;
use crate::metrics::Metrics;
use crate::read::Raw;

type Hook<K> = Box<dyn Fn(&K) + Send + Sync>;

/// The objects of one kind, and who wants to hear of changes.
pub struct Cache<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    hooks: Arc<RwLock<Vec<Hook<K>>>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            hooks: Arc::clone(&self.hooks),
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    fn new() -> (Self, Writer<K>) {
        let writer = Writer::<K>::default();
        (
            Self {
                store: writer.as_reader(),
                hooks: Arc::default(),
            },
            writer,
        )
    }

    /// The object of that name; a cluster-scoped kind has the namespace `""`.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = ObjectRef::<K>::new(name);
        self.store.get(&if namespace.is_empty() { key } else { key.within(namespace) })
    }

    /// The objects of a namespace for which `wanted` holds.
    pub fn in_namespace(&self, namespace: &str, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.store.state_filter(|k| k.meta().namespace.as_deref() == Some(namespace) && wanted(k))
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// What the controller runtime of kube reads.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Calls `hook` for each object that is there, and from then on for each that came, changed or went. It must be quick
    /// and must not wait: it runs in the watch.
    pub fn on_change(&self, hook: impl Fn(&K) + Send + Sync + 'static) {
        let hook: Hook<K> = Box::new(hook);
        let mut hooks = self.hooks.write();
        for object in self.store.state() {
            hook(&object);
        }
        hooks.push(hook);
    }

    /// Waits for the first complete list.
    pub async fn ready(&self) -> bool {
        self.store.wait_until_ready().await.is_ok()
    }

    fn tell(&self, event: &Event<K>) {
        let hooks = self.hooks.read();
        match event {
            Event::Apply(object) | Event::Delete(object) => hooks.iter().for_each(|hook| hook(object)),
            Event::InitDone => {
                for object in self.store.state() {
                    hooks.iter().for_each(|hook| hook(&object));
                }
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }
}

macro_rules! stores {
    ($($(#[$doc:meta])* $field:ident: $kind:ty, $selector:expr, $parse:expr, $prune:expr;)*) => {
        /// The caches of all kinds that the operator watches.
        #[derive(Clone)]
        pub struct Stores {
            $($(#[$doc])* pub $field: Cache<$kind>,)*
        }

        /// The other ends of the caches: what fills them.
        pub struct Watches {
            $($field: Writer<$kind>,)*
        }

        /// Empty caches, and what fills them once started.
        pub fn stores() -> (Stores, Watches) {
            $(let $field = Cache::<$kind>::new();)*
            (Stores { $($field: $field.0,)* }, Watches { $($field: $field.1,)* })
        }

        impl Watches {
            /// Watches until shutdown; returns when all watches have ended.
            pub async fn run(self, client: Client, stores: Stores, metrics: Metrics, shutdown: CancellationToken) {
                tokio::join!($(fill(
                    stores.$field,
                    self.$field,
                    watch(&client, ApiResource::erase::<$kind>(&()), $selector, &shutdown),
                    $parse,
                    $prune,
                    metrics.clone(),
                ),)*);
            }
        }

        impl Stores {
            /// Waits until every cache has its first complete list.
            pub async fn ready(&self) -> bool {
                $(if !self.$field.ready().await { return false; })*
                true
            }
        }

        /// The plural names of the kinds, as they stand in a watch's URL.
        pub fn plurals() -> Vec<String> {
            vec![$(<$kind as Resource>::plural(&()).into_owned(),)*]
        }
    };
}

stores! {
    /// Where artifacts live.
    stores: crds::Store, None, serde_json::from_value, nothing;
    /// Where data comes from.
    connectors: crds::Connector, None, serde_json::from_value, nothing;
    /// Where files go.
    destinations: crds::Destination, None, serde_json::from_value, nothing;
    /// What is made.
    reports: crds::Report, None, serde_json::from_value, nothing;
    /// Its accepted contents.
    versions: crds::ReportVersion, None, serde_json::from_value, nothing;
    /// When.
    schedules: crds::Schedule, None, serde_json::from_value, keep_edits;
    /// Runs.
    runs: crds::ReportRun, None, serde_json::from_value, nothing;
    /// Namespaces that are tenants; without spec and status.
    tenants: Namespace, Some(crds::TENANT_LABEL), serde_json::from_value, prune_namespace;
    /// Jobs that the operator made; without their spec.
    jobs: Job, Some(labels::SELECTOR), crate::read::job, nothing;
    /// Their pods; of the spec only the node's name.
    pods: Pod, Some(labels::SELECTOR), crate::read::pod, prune_pod;
}

impl Stores {
    /// The tenant of that namespace; `None` when the namespace carries no tenant label.
    pub fn tenant(&self, namespace: &str) -> Option<Arc<Namespace>> {
        self.tenants.get("", namespace)
    }

    /// The pods of a Job.
    pub fn pods_of(&self, namespace: &str, job: &str) -> Vec<Arc<Pod>> {
        self.pods
            .in_namespace(namespace, |pod| pod.labels().get(labels::JOB_NAME).is_some_and(|name| name == job))
    }
}

fn nothing<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// Of the managed fields only who wrote when, without the fields: a schedule must know when its spec was changed.
fn keep_edits(schedule: &mut crds::Schedule) {
    for entry in schedule.metadata.managed_fields.iter_mut().flatten() {
        entry.fields_v1 = None;
    }
}

fn prune_namespace(namespace: &mut Namespace) {
    nothing(namespace);
    namespace.metadata.annotations = None;
    namespace.spec = None;
    namespace.status = None;
}

fn prune_pod(pod: &mut Pod) {
    nothing(pod);
    pod.metadata.annotations = None;
    if let Some(status) = &mut pod.status {
        status.host_ips = None;
        status.pod_ips = None;
    }
}

/// How many objects are listed at once: so many are held unparsed, at some 50 kB each.
const PAGE: u32 = 100;

/// Everything that happens to the objects of a kind, until shutdown.
fn watch(client: &Client, kind: ApiResource, selector: Option<&str>, shutdown: &CancellationToken) -> BoxStream<'static, watcher::Result<Event<Raw>>> {
    let config = watcher::Config::default().page_size(PAGE);
    let config = if let Some(selector) = selector { config.labels(selector) } else { config };
    let api = Api::<Raw>::all_with(client.clone(), &kind);
    watcher::watcher(api, config)
        .default_backoff()
        .take_until(shutdown.clone().cancelled_owned())
        .boxed()
}

/// Keeps one cache equal to the cluster, for ever; errors are logged, counted and tried again.
async fn fill<K>(
    cache: Cache<K>,
    mut writer: Writer<K>,
    mut events: BoxStream<'static, watcher::Result<Event<Raw>>>,
    parse: fn(Value) -> serde_json::Result<K>,
    prune: fn(&mut K),
    metrics: Metrics,
) where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let plural = K::plural(&()).into_owned();
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                metrics.watch_failed(&plural);
                tracing::warn!(kind = plural, error = crate::telemetry::chain(&error), "could not watch {plural}, trying again");
                continue;
            }
        };
        let Some(event) = parsed(event, parse, &cache, &plural, &metrics) else {
            continue;
        };
        let event = event.modify(|object| {
            if let Some(annotations) = &mut object.meta_mut().annotations {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            prune(object);
        });
        writer.apply_watcher_event(&event);
        cache.tell(&event);
    }
}

/// The event with an object that parses. One that does not is forgotten: what the cache knew of it is no longer true.
fn parsed<K>(event: Event<Raw>, parse: fn(Value) -> serde_json::Result<K>, cache: &Cache<K>, plural: &str, metrics: &Metrics) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let object = |raw: Raw| {
        let (namespace, name) = (raw.namespace().unwrap_or_default(), raw.name_any());
        parse(raw.value).map_err(|error| {
            metrics.undecodable(plural);
            tracing::error!(
                kind = plural,
                object.namespace = namespace,
                object.name = name,
                error = error.to_string(),
                "could not read {plural} {namespace}/{name}, leaving it out"
            );
            cache.get(&namespace, &name)
        })
    };
    let forget = |old: Option<Arc<K>>| old.map(|old| Event::Delete((*old).clone()));
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(raw) => object(raw).ok().map(Event::InitApply),
        Event::Apply(raw) => object(raw).map_or_else(forget, |object| Some(Event::Apply(object))),
        Event::Delete(raw) => object(raw).or_else(|old| old.map(|old| (*old).clone()).ok_or(())).ok().map(|mut object| {
            // What was deleted without a grace period does not say so, nor does what the cache had of one whose last state does
            // not parse; whoever hears of it must know it from one that changed.
            object.meta_mut().deletion_timestamp.get_or_insert_with(|| Time(Timestamp::now()));
            Event::Delete(object)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn schedule(name: &str) -> crds::Schedule {
        let mut schedule: crds::Schedule = serde_json::from_value(serde_json::json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "Schedule", "metadata": {"name": name, "namespace": "acme"},
            "spec": {"reportRef": "trades", "cron": ["0 1 * * *"]}
        }))
        .unwrap();
        schedule.metadata.managed_fields = Some(Vec::new());
        schedule
    }

    fn valid(name: &str) -> Raw {
        serde_json::from_value(serde_json::to_value(schedule(name)).unwrap()).unwrap()
    }

    fn invalid(name: &str) -> Raw {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "Schedule", "metadata": {"name": name, "namespace": "acme"}, "spec": {"cron": 5}
        }))
        .unwrap()
    }

    #[test]
    fn bad_object_is_forgotten_and_stops_nobody() {
        let (cache, mut writer) = Cache::<crds::Schedule>::new();
        let metrics = Metrics::new();
        let heard = Arc::new(AtomicUsize::new(0));
        let mut feed = |event: Event<Raw>| {
            if let Some(event) = parsed(event, serde_json::from_value, &cache, "schedules", &metrics) {
                writer.apply_watcher_event(&event);
                cache.tell(&event);
            }
        };
        cache.on_change({
            let heard = Arc::clone(&heard);
            move |_| {
                heard.fetch_add(1, Ordering::Relaxed);
            }
        });
        feed(Event::Init);
        feed(Event::InitApply(valid("good")));
        feed(Event::InitApply(invalid("bad")));
        feed(Event::InitDone);
        assert!(cache.get("acme", "good").is_some());
        assert!(cache.get("acme", "bad").is_none());
        assert_eq!(heard.load(Ordering::Relaxed), 1);

        // It was fine and no longer is: the cache must not go on with the old one.
        feed(Event::Apply(invalid("good")));
        assert!(cache.get("acme", "good").is_none());
        assert_eq!(heard.load(Ordering::Relaxed), 2);
        feed(Event::Apply(valid("good")));
        assert!(cache.get("acme", "good").is_some());
        feed(Event::Delete(invalid("good")));
        assert!(cache.get("acme", "good").is_none());
        assert!(
            metrics.encode().contains(r#"openreg_undecodable_objects_total{kind="schedules"} 3"#),
            "{}",
            metrics.encode()
        );
    }

    #[test]
    fn deleted_object_says_so_to_whoever_hears_of_it() {
        let (cache, mut writer) = Cache::<crds::Schedule>::new();
        writer.apply_watcher_event(&Event::Apply(schedule("good")));
        let metrics = Metrics::new();
        let deleted = |event| parsed(event, serde_json::from_value, &cache, "schedules", &metrics);
        let Some(Event::Delete(gone)) = deleted(Event::Delete(valid("good"))) else {
            panic!()
        };
        assert!(gone.metadata.deletion_timestamp.is_some());
        // Its last state does not parse: what the cache had of it goes, and it went all the same.
        let Some(Event::Delete(gone)) = deleted(Event::Delete(invalid("good"))) else {
            panic!()
        };
        assert!(gone.metadata.deletion_timestamp.is_some());
        // One that only changed into something that does not parse is still there.
        let Some(Event::Delete(changed)) = deleted(Event::Apply(invalid("good"))) else {
            panic!()
        };
        assert!(changed.metadata.deletion_timestamp.is_none());
        assert!(deleted(Event::Delete(invalid("never seen"))).is_none());
        let Some(Event::Apply(there)) = deleted(Event::Apply(valid("good"))) else {
            panic!()
        };
        assert!(there.metadata.deletion_timestamp.is_none());
    }

    #[test]
    fn late_hook_hears_of_what_is_there() {
        let (cache, mut writer) = Cache::<crds::Schedule>::new();
        writer.apply_watcher_event(&Event::Apply(schedule("early")));
        let heard = Arc::new(AtomicUsize::new(0));
        cache.on_change({
            let heard = Arc::clone(&heard);
            move |_| {
                heard.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(heard.load(Ordering::Relaxed), 1);
    }
}
