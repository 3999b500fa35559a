//! The file's keys and their checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::WebConfigError;
use crate::config::nearest;

/// Longest file, in bytes.
const LONGEST: u64 = 1 << 20;
/// Highest cost of a hash: above it, one login takes seconds of a core.
const HIGHEST_COST: u32 = 14;

/// Every key, for the hint at a wrong one.
const KEYS: [&str; 18] = [
    "tls_server_config",
    "http_server_config",
    "basic_auth_users",
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
    "http2",
    "headers",
];

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct WebConfig {
    pub(super) tls_server_config: Option<TlsConfig>,
    http_server_config: Option<HttpConfig>,
    basic_auth_users: Option<BTreeMap<String, String>>,
    /// Known, and refused.
    rate_limit: Option<serde_yaml::Value>,
}

/// `tls_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsConfig {
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Vec<String>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpConfig {
    http2: Option<bool>,
    headers: Headers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    x_frame_options: Option<String>,
    #[serde(rename = "X-Content-Type-Options")]
    x_content_type_options: Option<String>,
    #[serde(rename = "X-XSS-Protection")]
    x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    strict_transport_security: Option<String>,
}

/// Reads and checks the file, but not yet the files that it names.
pub(in crate::http) fn read(path: &Path) -> Result<WebConfig, WebConfigError> {
    let unread = |reason: String| WebConfigError::Read { path: path.to_owned(), reason };
    let data = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?;
    if !data.is_file() {
        return Err(unread("it is no file".to_owned()));
    }
    if data.len() > LONGEST {
        return Err(unread(format!("it has {} bytes; {LONGEST} are the most", data.len())));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))?;
    parse(path, &text)
}

/// The text of the file at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<WebConfig, WebConfigError> {
    let mut web = if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        WebConfig::default()
    } else {
        serde_yaml::from_str::<WebConfig>(text).map_err(|error| WebConfigError::Format {
            path: path.to_owned(),
            hint: hint(&error.to_string()),
            reason: error.to_string(),
        })?
    };
    web.check(path)?;
    if let Some(tls) = &mut web.tls_server_config {
        let directory = path.parent().unwrap_or(Path::new(""));
        for file in [&mut tls.cert_file, &mut tls.key_file, &mut tls.client_ca_file].into_iter().flatten() {
            *file = directory.join(&*file);
        }
    }
    Ok(web)
}

/// A key like the unknown one.
fn hint(error: &str) -> String {
    let unknown = error.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`'));
    unknown
        .and_then(|(key, _)| nearest(key, KEYS.into_iter()))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

impl WebConfig {
    fn check(&self, path: &Path) -> Result<(), WebConfigError> {
        let wrong = |key, reason: String| Err(WebConfigError::Value { path: path.to_owned(), key, reason });
        if self.rate_limit.is_some() {
            let reason = "is not supported: the server has limits of its own; leave it out".to_owned();
            return wrong("rate_limit", reason);
        }
        if let Some(http) = &self.http_server_config {
            if http.http2 == Some(true) {
                let reason = "the server speaks HTTP/1.1 only; leave it out or set it to false".to_owned();
                return wrong("http_server_config.http2", reason);
            }
            for (name, value) in self.headers() {
                if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                    return wrong("http_server_config.headers", format!("{name} can't go into a header"));
                }
                let allowed: &[&str] = match name {
                    "x-frame-options" => &["deny", "sameorigin"],
                    "x-content-type-options" => &["nosniff"],
                    _ => continue,
                };
                if !allowed.contains(&value.to_ascii_lowercase().as_str()) {
                    let reason = format!("{name} takes {}", allowed.join(" or "));
                    return wrong("http_server_config.headers", reason);
                }
            }
        }
        for (user, hash) in self.basic_auth_users.iter().flatten() {
            if user.is_empty() || user.contains(':') {
                return wrong("basic_auth_users", format!("{user:?} is no user: no colon, not empty"));
            }
            match bcrypt::HashParts::from_str(hash).map(|parts| parts.get_cost()) {
                Ok(4..=HIGHEST_COST) => {}
                Ok(cost) => {
                    let reason =
                        format!("the hash of {user:?} has cost {cost}; 4 to {HIGHEST_COST} are allowed");
                    return wrong("basic_auth_users", reason);
                }
                Err(_) => {
                    let reason = format!(
                        "the password of {user:?} is no bcrypt hash; make one with `htpasswd -nBC 10 \"\"`"
                    );
                    return wrong("basic_auth_users", reason);
                }
            }
        }
        Ok(())
    }

    /// The files that it names.
    pub(in crate::http) fn files(&self) -> impl Iterator<Item = &Path> {
        let tls = self.tls_server_config.iter();
        tls.flat_map(|tls| [&tls.cert_file, &tls.key_file, &tls.client_ca_file])
            .flatten()
            .map(PathBuf::as_path)
    }

    /// Headers of every answer; an empty one is none.
    pub(in crate::http) fn headers(&self) -> Vec<(&'static str, String)> {
        let Some(HttpConfig { headers, .. }) = &self.http_server_config else { return Vec::new() };
        [
            ("content-security-policy", &headers.content_security_policy),
            ("x-frame-options", &headers.x_frame_options),
            ("x-content-type-options", &headers.x_content_type_options),
            ("x-xss-protection", &headers.x_xss_protection),
            ("strict-transport-security", &headers.strict_transport_security),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            value.clone().filter(|value| !value.is_empty()).map(|value| (name, value))
        })
        .collect()
    }

    /// Users with their hashes.
    pub(in crate::http) fn users(&self) -> BTreeMap<String, String> {
        self.basic_auth_users.clone().unwrap_or_default()
    }
}
