//! From `tls_server_config` to what rustls needs.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::WebConfigError;
use super::file::{TlsConfig, WebConfig};
use super::names;

/// TLS as configured.
pub(in crate::http) struct Tls {
    pub(in crate::http) config: Arc<ServerConfig>,
    /// Names of which a client's certificate needs one; empty: any will do.
    allowed: Vec<ServerName<'static>>,
}

impl Tls {
    /// Whether a verified certificate has one of the allowed names.
    pub(in crate::http) fn allows(&self, leaf: &CertificateDer<'_>) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        let Ok(certificate) = webpki::EndEntityCert::try_from(leaf) else { return false };
        self.allowed.iter().any(|name| match name {
            // Verifying for a name would let a wildcard pass; the list asks for an exact match.
            ServerName::DnsName(name) => {
                certificate.valid_dns_names().any(|held| held.eq_ignore_ascii_case(name.as_ref()))
            }
            _ => certificate.verify_is_valid_for_subject_name(name).is_ok(),
        })
    }
}

/// A faulty value: its key and why.
type Fault = (&'static str, String);

impl WebConfig {
    /// TLS as configured, with the files that are named; none without the section. `path` is the file's own.
    pub(in crate::http) fn tls(&self, path: &Path) -> Result<Option<Tls>, WebConfigError> {
        let Some(config) = &self.tls_server_config else { return Ok(None) };
        build(config).map(Some).map_err(|(key, reason)| WebConfigError::Value {
            path: path.to_owned(),
            key,
            reason,
        })
    }
}

fn build(config: &TlsConfig) -> Result<Tls, Fault> {
    let chain = certificates("tls_server_config.cert_file", &config.cert, config.cert_file.as_deref())?;
    let key = pem("tls_server_config.key_file", &config.key, config.key_file.as_deref())?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| ("tls_server_config.key_file", format!("holds no private key: {error}")))?;
    let provider = Arc::new(provider(config)?);
    let verifier = verifier(config, &provider)?;
    let allowed = allowed(config, verifier.is_some())?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config)?)
        .map_err(|error| ("tls_server_config.cipher_suites", error.to_string()))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain, key).map_err(|error| {
        ("tls_server_config.cert_file", format!("certificate and key can't be used together: {error}"))
    })?;
    server.ignore_client_order = config.prefer_server_cipher_suites.unwrap_or(true);
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { config: Arc::new(server), allowed })
}

/// The text of a PEM that is written out or in a file.
fn pem(key: &'static str, inline: &Option<String>, file: Option<&Path>) -> Result<Vec<u8>, Fault> {
    match (inline, file) {
        (Some(_), Some(_)) => Err((key, "is given twice: in the file and as a file's name".to_owned())),
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(file)) => {
            std::fs::read(file).map_err(|error| (key, format!("can't read {}: {error}", file.display())))
        }
        (None, None) => Err((key, "is missing".to_owned())),
    }
}

fn certificates(
    key: &'static str,
    inline: &Option<String>,
    file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let text = pem(key, inline, file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| (key, format!("holds no certificate: {error}")))?;
    if chain.is_empty() { Err((key, "holds no certificate".to_owned())) } else { Ok(chain) }
}

fn provider(config: &TlsConfig) -> Result<CryptoProvider, Fault> {
    let mut provider = ring::default_provider();
    if !config.cipher_suites.is_empty() {
        let suites: Result<Vec<_>, _> = config.cipher_suites.iter().map(|name| names::suite(name)).collect();
        let mut suites = suites.map_err(|reason| ("tls_server_config.cipher_suites", reason))?;
        // The list is about versions up to 1.2, as in Go; a suite of 1.3 in it chooses among those too.
        if !suites.iter().any(|suite| suite.tls13().is_some()) {
            suites.extend(provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some()));
        }
        provider.cipher_suites = suites;
    }
    if !config.curve_preferences.is_empty() {
        let curves: Result<Vec<_>, _> =
            config.curve_preferences.iter().map(|name| names::curve(name)).collect();
        provider.kx_groups = curves.map_err(|reason| ("tls_server_config.curve_preferences", reason))?;
    }
    Ok(provider)
}

fn versions(config: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, Fault> {
    let bound = |key, name: &Option<String>, default| {
        let version = name.as_deref().map_or(Ok(default), names::version);
        version.map_err(|reason| (key, reason))
    };
    let min = bound("tls_server_config.min_version", &config.min_version, TLS12.version)?;
    let max = bound("tls_server_config.max_version", &config.max_version, TLS13.version)?;
    let within = |version: &&SupportedProtocolVersion| {
        (u16::from(min)..=u16::from(max)).contains(&u16::from(version.version))
    };
    let versions: Vec<_> = [&TLS13, &TLS12].into_iter().filter(within).collect();
    if versions.is_empty() {
        return Err(("tls_server_config.max_version", "is below min_version".to_owned()));
    }
    Ok(versions)
}

fn verifier(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Fault> {
    const TYPE: &str = "tls_server_config.client_auth_type";
    const CA: &str = "tls_server_config.client_ca_file";

    let has_ca = config.client_ca.is_some() || config.client_ca_file.is_some();
    let optional = match config.client_auth_type.as_deref() {
        None | Some("" | "NoClientCert") if has_ca => {
            let reason =
                "asks for no certificate, but there is a client_ca: set it to RequireAndVerifyClientCert";
            return Err((TYPE, reason.to_owned()));
        }
        None | Some("" | "NoClientCert") => return Ok(None),
        Some("RequireAndVerifyClientCert") => false,
        Some("VerifyClientCertIfGiven") => true,
        Some(name @ ("RequestClientCert" | "RequireClientCert" | "RequireAnyClientCert")) => {
            return Err((TYPE, format!("{name} verifies nothing; use RequireAndVerifyClientCert")));
        }
        Some(name) => {
            let reason = format!(
                "{name:?} is unknown; there are NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            );
            return Err((TYPE, reason));
        }
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(CA, &config.client_ca, config.client_ca_file.as_deref())? {
        roots
            .add(authority)
            .map_err(|error| (CA, format!("holds a certificate that can't be used: {error}")))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map(Some).map_err(|error| (CA, error.to_string()))
}

fn allowed(config: &TlsConfig, verifies: bool) -> Result<Vec<ServerName<'static>>, Fault> {
    const KEY: &str = "tls_server_config.client_allowed_sans";

    if !config.client_allowed_sans.is_empty() && !verifies {
        return Err((KEY, "needs client_auth_type RequireAndVerifyClientCert".to_owned()));
    }
    let name = |text: &String| {
        if let Ok(address) = IpAddr::from_str(text) {
            return Ok(ServerName::from(address));
        }
        ServerName::try_from(text.clone()).map_err(|_| {
            (
                KEY,
                format!("{text:?} is not supported: DNS names and IP addresses are, e-mail and URI are not"),
            )
        })
    };
    config.client_allowed_sans.iter().map(name).collect()
}
