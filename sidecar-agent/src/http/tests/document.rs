//! docs/openapi.json: made of the routes and of the answers' types, and held against what the server answers.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::super::api::{Boost, OPENAPI, ReportAnomaly, SetRate};
use super::super::endpoints::{Access, Change, Endpoint, ROUTES, Reading, Route};
use super::{Answer, Limits, Server, schema};
use crate::control;

/// The document as the code says it should be.
fn generated() -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route, &mut schemas);
    }
    let mut components = schemas.take_definitions(true);
    components.extend(by_hand());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sidecar",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Health, metrics and control of the agent. Everything is allowed to root on the Unix \
                socket (http.socket); over TCP, what changes the agent takes the token (security.token_file) or a \
                client certificate (http.web_config). Every path that takes GET takes HEAD too.",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:9808"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    })
}

/// Components that are not made of a type.
fn by_hand() -> Map<String, Value> {
    let level = json!({"enum": ["healthy", "degraded", "unhealthy"]});
    let counts = |names: &[&str]| -> Value {
        let count = json!({"type": "integer", "minimum": 0});
        let members: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), count.clone())).collect();
        json!({"type": "object", "required": names, "properties": members})
    };
    let queue = counts(&[
        "capacity",
        "len",
        "high_water",
        "received",
        "processed",
        "dropped_oldest",
        "dropped_newest",
        "dropped_memory",
        "dropped_shutdown",
        "bytes",
        "max_bytes",
    ]);
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 1});
    let place = json!({
        "file": text, "line": number, "column": number, "variable": text, "flag": text, "key": text, "reason": text,
    });
    let mut problem = json!({
        "error": text, "hint": text, "needs_restart": {"type": "array", "items": text},
    });
    for (name, kind) in place.as_object().unwrap() {
        problem[name] = kind.clone();
    }
    let value = json!({
        "Problem": {
            "description": "What is wrong and what to do. A refused reload adds where the fault is.",
            "type": "object",
            "required": ["error", "hint"],
            "properties": problem,
        },
        "Fault": {
            "description": "Where the configuration is wrong, and why.",
            "type": "object",
            "required": ["reason"],
            "properties": place,
        },
        "Health": {
            "description": "The state of every component; the whole is as bad as the worst of them.",
            "type": "object",
            "required": ["status", "uptime_seconds", "components"],
            "properties": {
                "status": level.clone(),
                "uptime_seconds": {"type": "number", "minimum": 0},
                "components": {"type": "object", "additionalProperties": {
                    "type": "object",
                    "required": ["status", "message"],
                    "properties": {"status": level, "message": {"type": "string"},
                        "fault": {"$ref": "#/components/schemas/Fault"}},
                    "additionalProperties": {"type": "number"},
                }},
                "queue": queue,
                "resources": {
                    "type": "object",
                    "required": ["cpu_seconds", "rss_bytes"],
                    "properties": {
                        "cpu_seconds": {"type": "number", "minimum": 0},
                        "rss_bytes": {"type": "integer", "minimum": 0},
                        "cpu_percent": {"type": "number", "minimum": 0},
                        "memory_bytes": {"type": "integer", "minimum": 0},
                    },
                },
            },
        },
    });
    value.as_object().cloned().unwrap()
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut operation = json!({"summary": route.what});
    let mut parameters = Vec::new();
    let mut statuses: Vec<u16> = vec![401, 403, 429];
    let text = |kind: &str| json!({kind: {"schema": {"type": "string"}}});
    let schema = |reference: Value| json!({"application/json": {"schema": reference}});
    let good = match route.endpoint {
        Endpoint::Index | Endpoint::Livez => text("text/plain"),
        Endpoint::Readyz => {
            let about = "List the steps of the start-up.";
            parameters.push(json!({"name": "verbose", "in": "query", "description": about,
                "allowEmptyValue": true, "schema": {"type": "string"}}));
            operation["responses"]["503"] =
                json!({"description": "Not ready; the steps say why.", "content": text("text/plain")});
            text("text/plain")
        }
        Endpoint::Metrics => {
            statuses.push(503);
            text("text/plain")
        }
        Endpoint::Health => {
            let content = schema(json!({"$ref": "#/components/schemas/Health"}));
            operation["responses"]["503"] = json!({"description": "Unhealthy.", "content": content});
            content
        }
        Endpoint::OpenApi => schema(json!({"type": "object", "additionalProperties": true})),
        Endpoint::Events => {
            statuses.push(400);
            for (name, about) in FILTERS {
                parameters.push(json!({"name": name, "in": "query", "description": about,
                    "schema": {"type": "string"}}));
            }
            text("text/event-stream")
        }
        Endpoint::Read(reading) => {
            statuses.extend([400, 503]);
            if reading == Reading::Profile {
                let about = "Seconds that the summary is about; 60 if left out.";
                parameters.push(json!({"name": "window", "in": "query", "description": about,
                    "schema": {"type": "number", "minimum": 1, "maximum": 3600}}));
            }
            schema(match reading {
                Reading::Stats => of::<control::Stats>(schemas),
                Reading::Sampling => of::<control::Sampling>(schemas),
                Reading::Profile => of::<control::Profile>(schemas),
                Reading::Budget => of::<control::Budget>(schemas),
                Reading::Probes => of::<control::Probes>(schemas),
                Reading::Images => of::<control::Images>(schemas),
                Reading::Tests => of::<control::Tests>(schemas),
                Reading::Config => of::<control::ConfigReport>(schemas),
            })
        }
        Endpoint::Change(change) => {
            statuses.push(503);
            let body = match change {
                Change::SetRate => Some(of::<SetRate>(schemas)),
                Change::Boost => Some(of::<Boost>(schemas)),
                Change::Anomaly => Some(of::<ReportAnomaly>(schemas)),
                Change::Reload | Change::ClearBoost => None,
            };
            if let Some(body) = body {
                statuses.extend([400, 408, 413, 415]);
                operation["requestBody"] = json!({"required": true, "content": schema(body)});
            }
            statuses.extend(match change {
                Change::Reload => &[422][..],
                Change::ClearBoost => &[404, 422],
                Change::SetRate | Change::Boost | Change::Anomaly => &[404, 422],
            });
            schema(match change {
                Change::Reload => of::<control::ReloadReport>(schemas),
                Change::SetRate | Change::Boost | Change::ClearBoost => of::<control::SignalState>(schemas),
                Change::Anomaly => of::<control::Anomaly>(schemas),
            })
        }
    };
    operation["responses"]["200"] = json!({"description": "Done.", "content": good});
    for status in statuses {
        let content = schema(json!({"$ref": "#/components/schemas/Problem"}));
        operation["responses"][status.to_string()] =
            json!({"description": meaning(status), "content": content});
    }
    if route.path.contains("{signal}") {
        parameters
            .push(json!({"name": "signal", "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    operation["security"] = match route.endpoint.access() {
        Access::Open => json!([{}, {"password": []}]),
        Access::Read => json!([{}, {"password": []}, {"token": []}, {"certificate": []}]),
        Access::Write => json!([{}, {"token": []}, {"certificate": []}]),
    };
    operation
}

const FILTERS: [(&str, &str); 5] = [
    ("event_type", "Types of events; a list with commas."),
    ("status", "Outcomes: passed, failed, skipped, error, timeout, aborted, xfail, xpass, unknown."),
    ("signal", "Signals; a list with commas."),
    ("provider", "Providers of markers; a list with commas."),
    ("test_id", "Patterns of test ids, with * and ?; a list with commas."),
];

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request can't be read.",
        401 => "Authentication is missing or wrong.",
        403 => "Not allowed to this client.",
        404 => "There is no such signal.",
        408 => "The body came too slowly.",
        413 => "The body is too long.",
        415 => "The body is not JSON.",
        422 => "The value or the configuration is refused.",
        429 => "Too much at a time; the header `retry-after` says when to ask again.",
        503 => "The agent does not answer now.",
        _ => panic!("{status} has no meaning"),
    }
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

fn committed() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Panics unless the document foresees this answer to this request.
pub(super) fn conforms(method: &str, path: &str, answer: &Answer) {
    let document = committed();
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (left, right): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| *left == right || (*left == "{signal}" && !right.is_empty()))
    };
    let paths = document["paths"].as_object().unwrap();
    let found = paths.iter().find(|(template, _)| fits(template)).map(|(_, found)| found);
    let method = if method == "HEAD" { "GET" } else { method };
    let Some(operation) = found.and_then(|found| found.get(method.to_lowercase())) else {
        let expected = if found.is_some() { 405 } else { 404 };
        assert!([expected, 401, 403].contains(&answer.status), "{method} {path}: {answer:?}");
        return schema::validate(&document, &json!({"$ref": "#/components/schemas/Problem"}), &answer.json());
    };
    let declared = &operation["responses"][answer.status.to_string()];
    assert!(declared.is_object(), "{method} {path} does not declare {answer:?}");
    let (content_type, content) = declared["content"].as_object().unwrap().iter().next().unwrap();
    assert!(answer.head.contains(&format!("content-type: {content_type}")), "{method} {path}: {answer:?}");
    if content_type == "application/json" && !answer.body.is_empty() {
        schema::validate(&document, &content["schema"], &answer.json());
    }
}

/// `UPDATE_DOCS=1 cargo test -p sidecar-agent document` writes it.
#[test]
fn the_document_is_that_of_the_code() {
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        return std::fs::write(path, text).unwrap();
    }
    assert!(OPENAPI == text, "run the test with UPDATE_DOCS=1, which writes the document, and build again");
}

/// Every operation of the document is asked for, and answers 200 as declared; every route is in the document.
#[test]
fn every_operation_answers_as_declared_and_every_route_is_an_operation() {
    let document = committed();
    let server = Server::start(Limits::default());
    server.health.step_done("kernel", "");
    server.health.step_done("attach", "");
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            operations.insert((method.to_uppercase(), path.clone()));
            if path == "/api/v1/events" {
                // It does not end; the tests of streams are about it.
                continue;
            }
            let body = match (method.as_str(), path.as_str()) {
                ("put", _) => r#"{"rate": 0.5}"#,
                ("post", "/api/v1/sampling/{signal}/boost") => r#"{"factor": 2, "duration_sec": 1}"#,
                ("post", "/api/v1/anomalies") => r#"{"signal": "events", "kind": "slow"}"#,
                _ => "",
            };
            let answer = server.root(&method.to_uppercase(), &path.replace("{signal}", "events"), body);
            assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        }
    }
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(operations, routes);
}
