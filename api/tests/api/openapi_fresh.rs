//! The committed description is the one that the program gives; the client of the page is generated from it.

use openreg_api::router::document;
use serde_json::Value;

#[test]
fn the_committed_document_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let now = document().to_pretty_json().unwrap();
    assert!(
        committed.trim_end() == now.trim_end(),
        "api/openapi.json is old: write it anew with `cargo run -p openreg-api -- openapi > api/openapi.json`"
    );
}

#[test]
fn every_operation_has_an_id_a_permission_and_errors() {
    let document: Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
    let mut ids = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(
                operation["responses"]["default"]["content"]["application/problem+json"].is_object(),
                "{method} {path}"
            );
            assert_eq!(operation["x-permission"].is_string(), operation["security"].is_array(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    // No reference leads nowhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = openreg_api::docs::page(&document());
    assert!(page.contains("/api/v1/runs/{id}/artifacts/{name}/content"));
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "no script, nothing from elsewhere"
    );
}
