//! The one list of what the server answers. The router and the OpenAPI document's tests are made of it.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Index,
    Livez,
    Readyz,
    Health,
    Metrics,
    OpenApi,
    Read(Reading),
    Events,
    Change(Change),
}

/// What is read of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Stats,
    Sampling,
    Profile,
    Budget,
    Probes,
    Images,
    Tests,
    Config,
}

/// What is changed in the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Reload,
    SetRate,
    Boost,
    ClearBoost,
    Anomaly,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Scrapers and probes: everybody, unless basic authentication is configured.
    Open,
    /// Everybody, unless any authentication is configured.
    Read,
    /// Root on the Unix socket; over TCP only with a token or a client certificate.
    Write,
}

impl Endpoint {
    /// Who may ask for it.
    pub(super) const fn access(self) -> Access {
        match self {
            Self::Index | Self::Livez | Self::Readyz | Self::Health | Self::Metrics | Self::OpenApi => {
                Access::Open
            }
            Self::Read(_) | Self::Events => Access::Read,
            Self::Change(_) => Access::Write,
        }
    }
}

/// A method and a path, where `{signal}` stands for any name.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) endpoint: Endpoint,
    /// What it does, in a few words.
    pub(super) what: &'static str,
}

const fn get(path: &'static str, endpoint: Endpoint, what: &'static str) -> Route {
    Route { method: "GET", path, endpoint, what }
}

const fn change(method: &'static str, path: &'static str, change: Change, what: &'static str) -> Route {
    Route { method, path, endpoint: Endpoint::Change(change), what }
}

/// Everything that is answered.
pub(super) static ROUTES: &[Route] = &[
    get("/", Endpoint::Index, "this list"),
    get("/metrics", Endpoint::Metrics, "Prometheus metrics"),
    get("/health", Endpoint::Health, "state of every component, as JSON; 503 when unhealthy"),
    get("/livez", Endpoint::Livez, "200 while the agent lives"),
    get("/readyz", Endpoint::Readyz, "200 once the start-up is complete, else 503; ?verbose lists its steps"),
    get("/api/v1/stats", Endpoint::Read(Reading::Stats), "what was counted, and how it balances"),
    get("/api/v1/sampling", Endpoint::Read(Reading::Sampling), "the rates of every signal"),
    get("/api/v1/profile", Endpoint::Read(Reading::Profile), "the agent's own cost; ?window=SECONDS"),
    get("/api/v1/budget", Endpoint::Read(Reading::Budget), "the budget, and what is done to keep it"),
    get("/api/v1/probes", Endpoint::Read(Reading::Probes), "the watched markers and functions"),
    get("/api/v1/images", Endpoint::Read(Reading::Images), "the files with probes"),
    get("/api/v1/tests", Endpoint::Read(Reading::Tests), "tests that run now or ended lately"),
    get("/api/v1/config", Endpoint::Read(Reading::Config), "the configuration in force, without secrets"),
    get(
        "/api/v1/events",
        Endpoint::Events,
        "the events as they come (server-sent events); filters in the query",
    ),
    get("/api/v1/openapi.json", Endpoint::OpenApi, "the description of all this (OpenAPI 3.1)"),
    change("POST", "/api/v1/config/reload", Change::Reload, "read the configuration again"),
    change("PUT", "/api/v1/sampling/{signal}", Change::SetRate, "set a signal's rate"),
    change("POST", "/api/v1/sampling/{signal}/boost", Change::Boost, "raise a signal's rate for a time"),
    change("DELETE", "/api/v1/sampling/{signal}/boost", Change::ClearBoost, "end a boost"),
    change("POST", "/api/v1/anomalies", Change::Anomaly, "report an anomaly of a signal"),
];
