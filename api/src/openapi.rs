//! The frame of the API's description, and what every operation says alike: its permission, its errors.

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::error::{PROBLEM_JSON, ProblemDocument};
use crate::router::Access;

const BEARER: &str = "bearer";

/// The frame.
#[derive(OpenApi)]
#[openapi(
    info(title = "OpenReg", version = "v1", description = "Regulatory reports on Kubernetes: reports, runs, files, the audit trail. Errors are problem documents (RFC 9457). Lists are paged by cursor. What is written is written as custom resources, and the answer is what the API server of the cluster returned.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(ProblemDocument)),
    modifiers(&Bearer),
    tags(
        (name = "auth", description = "Sessions and one's own account"),
        (name = "reports", description = "Reports and their versions"),
        (name = "runs", description = "Runs, their files and violations"),
        (name = "audit", description = "The audit trail"),
        (name = "system", description = "Probes, metrics, this description"),
    )
)]
pub struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The access token of a session; it lives 15 minutes"))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
}

/// Adds to an operation what its access implies.
pub fn finish(operation: &mut Operation, access: Access) {
    let mut add = |status: &str, description: &str| {
        let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("ProblemDocument")))).build();
        let response = ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    };
    add("default", "What went wrong");
    if let Access::Needs(permission) = access {
        add("401", "There is no valid access token");
        add("403", "The user's roles do not include the permission");
        operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
        operation.extensions = Some(ExtensionsBuilder::new().add("x-permission", permission.as_str()).build());
    }
}
