//! The API's description as a page: no script, nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

use crate::router::{operations, word};

/// The page's style.
pub const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
code,pre{font:14px ui-monospace,monospace}h2{margin-top:2.5rem}details{border:1px solid #ccc;border-radius:6px;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer}.m{display:inline-block;min-width:3.5rem;font-weight:700}.p{color:#666;float:right}pre{overflow:auto;background:#f4f4f4;padding:.75rem;border-radius:6px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ddd;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}details,td,th{border-color:#444}pre{background:#242424}.p{color:#aaa}a{color:#8ab4f8}}";

/// The page.
pub fn page(document: &utoipa::openapi::OpenApi) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>OpenReg API</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><main><h1>OpenReg API</h1>",
    );
    let description = document.info.description.clone().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(html, "<p>{}</p><p><a href=\"/api/v1/openapi.json\">openapi.json</a></p>", escape(&description));
    for tag in document.tags.iter().flatten() {
        let _ = write!(
            html,
            "<h2>{}</h2><p>{}</p>",
            escape(&tag.name),
            escape(tag.description.as_deref().unwrap_or_default())
        );
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if operation.tags.iter().flatten().any(|t| *t == tag.name) {
                    let value = serde_json::to_value(operation).unwrap_or_default();
                    one(&mut html, word(&method), path, &value);
                }
            }
        }
    }
    html.push_str("<h2>Schemas</h2>");
    let schemas = document.components.as_ref().map(|c| serde_json::to_value(&c.schemas).unwrap_or_default());
    for (name, schema) in schemas.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        let _ = write!(
            html,
            "<details id=\"{0}\"><summary><code>{0}</code></summary><pre>{1}</pre></details>",
            escape(name),
            escape(&text)
        );
    }
    html.push_str("</main></body></html>");
    html
}

fn one(html: &mut String, method: &str, path: &str, operation: &Value) {
    let text = |key: &str| operation[key].as_str().map(escape).unwrap_or_default();
    let permission = operation["x-permission"].as_str().unwrap_or("public");
    let _ = write!(
        html,
        "<details><summary><span class=\"m\">{method}</span> <code>{}</code><span class=\"p\">{}</span></summary><p>{} {}</p>",
        escape(path),
        escape(permission),
        text("summary"),
        text("description")
    );
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|p| !p.is_empty()) {
        html.push_str("<table><tr><th>parameter</th><th>in</th><th></th></tr>");
        for p in parameters {
            let cell = |key: &str| escape(p[key].as_str().unwrap_or_default());
            let _ = write!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                cell("name"),
                cell("in"),
                cell("description")
            );
        }
        html.push_str("</table>");
    }
    if let Some(schema) = reference(&operation["requestBody"]["content"]) {
        let _ = write!(html, "<p>Body: <a href=\"#{0}\">{0}</a></p>", escape(&schema));
    }
    html.push_str("<table><tr><th>status</th><th></th><th>schema</th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let schema = reference(&response["content"])
            .map(|s| format!("<a href=\"#{0}\">{0}</a>", escape(&s)))
            .unwrap_or_default();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{schema}</td></tr>",
            escape(status),
            escape(response["description"].as_str().unwrap_or_default())
        );
    }
    html.push_str("</table></details>");
}

/// The name of the first schema that a content refers to.
fn reference(content: &Value) -> Option<String> {
    let text = content.to_string();
    let (_, rest) = text.split_once("#/components/schemas/")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
