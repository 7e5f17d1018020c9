//! The custom resources of OpenReg: group `openreg.io`, version `v1alpha1`, all namespaced.
//!
//! ```text
//! Schedule ──reportRef──► Report ──made into──► ReportVersion ◄──version── ReportRun
//!     └─calendarRef► Calendar  │ source.datasets[].connectorRef ► Connector
//!                              └ delivery[].destinationRef      ► Destination      Store (name `default`, one a tenant)
//! ```
//!
//! One kind a file: spec, status, CEL rules, printer columns. Options of sources, rules, formats, stores and transports
//! belong to `openreg-parts`. No defaults in any schema: they are applied when the plan is made, so Git and cluster stay
//! equal. This crate must not contain a client, a runtime or a decision.

pub mod calendar;
pub mod common;
pub mod connector;
pub mod definition;
pub mod destination;
pub mod report;
pub mod report_run;
pub mod report_version;
pub mod schedule;
pub mod store;
pub mod words;

pub use calendar::{Calendar, CalendarSpec};
pub use common::condition::Condition;
pub use connector::{Connector, ConnectorSpec};
pub use destination::{Destination, DestinationSpec};
pub use report::{Report, ReportSpec};
pub use report_run::{ReportRun, ReportRunSpec, ReportRunStatus};
pub use report_version::{ReportVersion, ReportVersionSpec};
pub use schedule::{Schedule, ScheduleSpec};
pub use store::{Store, StoreSpec};

/// The API group of all kinds.
pub const GROUP: &str = "openreg.io";

/// The label of a namespace that is a tenant.
pub const TENANT_LABEL: &str = "openreg.io/tenant";

/// The finalizer that holds a run until the recorder has stored its history.
pub const RECORDED_FINALIZER: &str = "openreg.io/recorded";

/// The name of a tenant's only Store.
pub const STORE_NAME: &str = "default";
