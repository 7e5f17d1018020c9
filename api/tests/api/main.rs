//! The API and the recorder against a real PostgreSQL. One program, since each links the whole API; a module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::bool_assert_comparison,
    unreachable_pub,
    reason = "a test that cannot go on says where; what the modules share is in `support`"
)]

mod artifacts_download;
mod audit_append;
mod auth_login;
mod auth_refresh;
mod database_migrate;
mod openapi_fresh;
mod pages_serve;
mod recorder_faults;
mod recorder_guards;
mod routes_permit;
mod runs_list;
mod runs_record;
mod runs_start;
mod support;
mod tenants_isolate;
