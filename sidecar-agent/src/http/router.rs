//! From a request to its answer: the one file that makes and takes axum's types.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Query as DecodedQuery, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http_body_util::{BodyExt, Limited};

use super::access::{self, Peer};
use super::api::{self, Query};
use super::connection::Streaming;
use super::endpoints::{Access, Change, Endpoint, ROUTES};
use super::reply::{Content, Reply, problem};
use super::{Served, routes, sse};

/// The routes, ready to be asked.
pub(super) type Router = axum::Router;

/// The routes of [`ROUTES`].
pub(super) fn router(served: &Served) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let served = served.clone();
        let endpoint = route.endpoint;
        let filter = match route.method {
            "PUT" => MethodFilter::PUT,
            "POST" => MethodFilter::POST,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let handler =
            move |request: Request| async move { answer(&served, Asked::Endpoint(endpoint), request).await };
        router = router.route(route.path, on(filter, handler));
    }
    let (unknown, wrong_method) = (served.clone(), served.clone());
    router
        .fallback(async move |request: Request| answer(&unknown, Asked::Unknown, request).await)
        .method_not_allowed_fallback(async move |request: Request| {
            answer(&wrong_method, Asked::WrongMethod, request).await
        })
}

/// What the router made of a request.
enum Asked {
    Endpoint(Endpoint),
    Unknown,
    WrongMethod,
}

/// Looks who asks, then answers.
async fn answer(served: &Served, asked: Asked, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Every connection inserts both; without them nobody is known, and nothing is allowed.
    let peer = parts.extensions.get::<Peer>().copied().unwrap_or(Peer::Unknown);
    let streaming = parts.extensions.get::<Streaming>().cloned().unwrap_or_default();
    let wanted = match asked {
        Asked::Endpoint(endpoint) => endpoint.access(),
        Asked::Unknown | Asked::WrongMethod => Access::Open,
    };
    let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let reply = match access::check(&served.guard, peer, wanted, authorization).await {
        Err(refusal) => refusal,
        Ok(()) => match asked {
            Asked::Endpoint(endpoint) => of_endpoint(served, endpoint, &parts, body).await,
            Asked::Unknown => routes::not_found(parts.uri.path()),
            Asked::WrongMethod => routes::method_not_allowed(parts.method.as_str(), parts.uri.path()),
        },
    };
    if wanted == Access::Write {
        tracing::info!("API: {} {} by {peer}: {}", parts.method, parts.uri.path(), reply.status);
    }
    let mut response = response(reply, served, &streaming);
    if let Peer::Tcp(_) = peer {
        for (name, value) in &served.guard.current().headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}

async fn of_endpoint(served: &Served, endpoint: Endpoint, parts: &Parts, body: Body) -> Reply {
    let (state, limits) = (&served.state, served.limits);
    match endpoint {
        Endpoint::Index => routes::index(),
        Endpoint::Livez => routes::livez(),
        Endpoint::Readyz => routes::readyz(state, parts.uri.query()),
        Endpoint::Health => routes::health(state, Instant::now()),
        Endpoint::Metrics => routes::metrics(state, limits.read_timeout).await,
        Endpoint::OpenApi => api::openapi(),
        Endpoint::Read(reading) => match query(parts) {
            Ok(query) => api::read(state, reading, &query, limits).await,
            Err(reply) => reply,
        },
        Endpoint::Events => match query(parts) {
            Ok(query) => api::events(state, &query),
            Err(reply) => reply,
        },
        Endpoint::Change(change) => {
            let body = match change {
                Change::SetRate | Change::Boost | Change::Anomaly => json_body(served, parts, body).await,
                Change::Reload | Change::ClearBoost => Ok(Vec::new()),
            };
            let signal = parts.uri.path().split('/').nth(4).unwrap_or("");
            match body {
                Ok(body) => api::change(state, change, signal, &body, limits).await,
                Err(reply) => reply,
            }
        }
    }
}

fn query(parts: &Parts) -> Result<Query, Reply> {
    DecodedQuery::<Query>::try_from_uri(&parts.uri)
        .map(|query| query.0)
        .map_err(|_| problem(400, "the query can't be read", "write it as ?name=value&name=value, in UTF-8"))
}

/// The body, if it says that it is JSON, is short enough and arrives in time.
async fn json_body(served: &Served, parts: &Parts, body: Body) -> Result<Vec<u8>, Reply> {
    let limits = served.limits;
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(problem(415, "the body is not said to be JSON", "send `content-type: application/json`"));
    }
    let too_long = || {
        problem(413, &format!("the body is longer than {} bytes", limits.body_bytes), "a body has one object")
    };
    let announced =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.body_bytes as u64) {
        return Err(too_long());
    }
    let whole = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.body_timeout, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(problem(400, "the body broke off", "send as much as `content-length` says")),
        Err(_) => Err(problem(
            408,
            &format!("the body did not arrive within {:?}", limits.body_timeout),
            "send it at once",
        )),
    }
}

fn response(reply: Reply, served: &Served, streaming: &Streaming) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        (header::CONTENT_TYPE, reply.content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = match reply.content {
        Content::Text(text) => Body::from(text),
        Content::Events(subscriber) => {
            streaming.begin();
            Body::from_stream(sse::frames(subscriber, served.limits.heartbeat))
        }
    };
    let mut response = (status, headers, body).into_response();
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
