//! Every route and what it needs. A route cannot be added without saying so; who has a permission is `auth/policy.rs`.

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::guard::{Door, pass};
use crate::auth::policy::Permission;
use crate::http::{artifacts, audit, auth, reports, runs, start, stream, system, violations};
use crate::openapi;

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: everybody may ask.
    Public,
    /// A session whose user has that permission.
    Needs(Permission),
}

/// A route.
pub struct Route {
    /// What it needs.
    pub access: Access,
    routes: UtoipaMethodRouter<App>,
}

impl Route {
    /// Its method and path.
    pub fn name(&self) -> (HttpMethod, String) {
        let mut found = self
            .routes
            .1
            .paths
            .iter()
            .flat_map(|(path, item)| operations(item).into_iter().map(move |(method, _)| (method, path.clone())));
        // `routes!` was given one handler, which has one of each.
        found.next().unwrap_or((HttpMethod::Get, String::new()))
    }
}

fn needs(permission: Permission, routes: UtoipaMethodRouter<App>) -> Route {
    Route {
        access: Access::Needs(permission),
        routes,
    }
}

fn public(routes: UtoipaMethodRouter<App>) -> Route {
    Route {
        access: Access::Public,
        routes,
    }
}

/// All routes.
pub fn all() -> Vec<Route> {
    use Permission::*;
    vec![
        // These three act on the credentials that they are sent.
        public(routes!(auth::login)),
        public(routes!(auth::refresh)),
        public(routes!(auth::logout)),
        public(routes!(system::healthz)),
        public(routes!(system::readyz)),
        public(routes!(system::metrics)),
        public(routes!(system::openapi_json)),
        public(routes!(system::docs_page)),
        public(routes!(system::docs_style)),
        needs(AccountUse, routes!(auth::me)),
        needs(AccountUse, routes!(auth::set_password)),
        needs(ReportRead, routes!(reports::list_reports)),
        needs(ReportRead, routes!(reports::get_report)),
        needs(ReportRead, routes!(reports::list_report_versions)),
        needs(RunRead, routes!(runs::list_runs)),
        needs(RunRead, routes!(stream::stream_runs)),
        needs(RunRead, routes!(runs::get_run)),
        needs(ViolationRead, routes!(violations::list_violations)),
        needs(ArtifactDownload, routes!(artifacts::download_artifact)),
        needs(RunStart, routes!(start::start_run)),
        needs(RunCancel, routes!(runs::cancel_run)),
        needs(AuditRead, routes!(audit::list_audit)),
        needs(AuditExport, routes!(audit::export_audit)),
    ]
}

/// The routes, each behind its door.
pub fn router(app: &App) -> Router<App> {
    let mut router = OpenApiRouter::default();
    for route in all() {
        let routes = match route.access {
            Access::Public => route.routes,
            Access::Needs(permission) => route.routes.layer(from_fn_with_state(
                Door {
                    signer: app.signer.clone(),
                    permission,
                },
                pass,
            )),
        };
        router = router.routes(routes);
    }
    router.split_for_parts().0
}

/// The API's description.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut router: OpenApiRouter<App> = OpenApiRouter::with_openapi(openapi::Api::openapi());
    let mut access = Vec::new();
    for route in all() {
        access.push((route.name(), route.access));
        router = router.routes(route.routes);
    }
    let mut document = router.split_for_parts().1;
    for ((method, path), access) in access {
        let operation = document.paths.paths.get_mut(&path).and_then(|item| operation(item, &method));
        if let Some(operation) = operation {
            openapi::finish(operation, access);
        }
    }
    document
}

/// A method's word.
pub fn word(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Delete => "DELETE",
        _ => "OTHER",
    }
}

/// The operations of a path, in a fixed order.
pub fn operations(item: &PathItem) -> Vec<(HttpMethod, &Operation)> {
    [
        (HttpMethod::Get, &item.get),
        (HttpMethod::Post, &item.post),
        (HttpMethod::Put, &item.put),
        (HttpMethod::Patch, &item.patch),
        (HttpMethod::Delete, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|o| (method, o)))
    .collect()
}

fn operation<'a>(item: &'a mut PathItem, method: &HttpMethod) -> Option<&'a mut Operation> {
    match method {
        HttpMethod::Get => item.get.as_mut(),
        HttpMethod::Post => item.post.as_mut(),
        HttpMethod::Put => item.put.as_mut(),
        HttpMethod::Patch => item.patch.as_mut(),
        HttpMethod::Delete => item.delete.as_mut(),
        _ => None,
    }
}
