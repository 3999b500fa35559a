//! TLS and client certificates, with an authority of the tests' own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::protected::file;
use super::*;

const RATE: &str = "/api/v1/sampling/events";

/// An authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, as PEM.
struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    fn server(&self) -> Identity {
        self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self, name: &str) -> Identity {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// Writes a web configuration with the server's identity, and what else stands in its TLS section.
fn web_config(directory: &Path, server: &Identity, more: &str) -> PathBuf {
    file(directory, "server.crt", &server.certificate);
    file(directory, "server.key", &server.key);
    let text = format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}");
    file(directory, "web.yml", &text)
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn client(server: &Server, authority: &Authority, identity: Option<&Identity>, newest: bool) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[_] = if newest { &[&rustls::version::TLS13] } else { &[&rustls::version::TLS12] };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect())
}

/// Whether the server talked to the client at all.
fn talks(mut stream: Tls) -> bool {
    let _ = stream.write_all(request("GET", "/livez", "", "").as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes.starts_with(b"HTTP/1.1 200")
}

#[test]
fn the_server_speaks_tls_in_both_versions_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let web = web_config(directory.path(), &authority.server(), "");
    let server = Server::protected(SecurityFiles { web_config: Some(web), token: None });
    for newest in [true, false] {
        let answer = server.ask(client(&server, &authority, None, newest), "GET", "/api/v1/stats", "", "");
        assert_eq!(answer.status, 200);
    }
    let refused = server.ask(client(&server, &authority, None, true), "PUT", RATE, "", r#"{"rate": 1}"#);
    assert_eq!(refused.status, 403);
    assert!(!server.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").contains("200 OK"));
    assert!(!talks(client(&server, &Authority::new(), None, true)), "an unknown authority");
    assert_eq!(server.root("GET", "/livez", "").status, 200, "the socket is as before");
}

#[test]
fn versions_suites_and_curves_are_as_configured() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let start = |more: &str| {
        let web = web_config(directory.path(), &authority.server(), more);
        Server::protected(SecurityFiles { web_config: Some(web), token: None })
    };
    let server = start("  min_version: TLS13\n");
    assert!(
        talks(client(&server, &authority, None, true)) && !talks(client(&server, &authority, None, false))
    );
    let server = start("  max_version: TLS12\n");
    assert!(
        !talks(client(&server, &authority, None, true)) && talks(client(&server, &authority, None, false))
    );
    let server = start(
        "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384]\n  \
         prefer_server_cipher_suites: false\n",
    );
    let mut stream = client(&server, &authority, None, false);
    stream.write_all(request("GET", "/livez", "", "").as_bytes()).unwrap();
    let suite = stream.conn.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    assert!(talks(client(&server, &authority, None, true)), "suites of 1.3 are not in the list's reach");
}

#[test]
fn a_client_certificate_is_asked_for_and_opens_everything() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    file(directory.path(), "ca.crt", &authority.pem);
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";
    let web = web_config(directory.path(), &authority.server(), more);
    let server = Server::protected(SecurityFiles { web_config: Some(web), token: None });
    let right = authority.client("prometheus");
    let put =
        |identity| server.ask(client(&server, &authority, identity, true), "PUT", RATE, "", r#"{"rate": 1}"#);
    assert_eq!(put(Some(&right)).status, 200);
    let stranger = Authority::new().client("prometheus");
    let wrong_usage = authority.server();
    for newest in [true, false] {
        for identity in [None, Some(&stranger), Some(&wrong_usage)] {
            assert!(!talks(client(&server, &authority, identity, newest)));
        }
    }
}

#[test]
fn a_certificate_that_may_be_left_out_is_needed_for_changes() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let indented = authority.pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let more = format!("  client_auth_type: VerifyClientCertIfGiven\n  client_ca: |\n{indented}");
    let web = web_config(directory.path(), &authority.server(), &more);
    let server = Server::protected(SecurityFiles { web_config: Some(web), token: None });
    let ask = |identity: Option<&Identity>, method: &str, path: &str, body: &str| {
        server.ask(client(&server, &authority, identity, true), method, path, "", body).status
    };
    let right = authority.client("ops");
    assert_eq!(ask(None, "GET", "/api/v1/stats", ""), 200);
    assert_eq!(ask(None, "PUT", RATE, r#"{"rate": 1}"#), 403);
    assert_eq!(ask(Some(&right), "PUT", RATE, r#"{"rate": 1}"#), 200);
    assert!(!talks(client(&server, &authority, Some(&Authority::new().client("ops")), true)));
}

#[test]
fn only_allowed_names_are_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    file(directory.path(), "ca.crt", &authority.pem);
    let more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
                client_allowed_sans: [prometheus.internal, 10.1.2.3]\n";
    let web = web_config(directory.path(), &authority.server(), more);
    let server = Server::protected(SecurityFiles { web_config: Some(web), token: None });
    let status = |name: &str| {
        let identity = authority.client(name);
        server.ask(client(&server, &authority, Some(&identity), true), "GET", "/livez", "", "").status
    };
    assert_eq!((status("prometheus.internal"), status("10.1.2.3")), (200, 200));
    for name in ["other.internal", "*.internal", "a.prometheus.internal", "10.1.2.4"] {
        assert_eq!(status(name), 403, "{name}");
    }
}

#[test]
fn certificates_are_renewed_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let web = web_config(directory.path(), &old.server(), "");
    let server = Server::protected(SecurityFiles { web_config: Some(web), token: None });
    assert!(talks(client(&server, &old, None, true)));
    let fresh = new.server();
    // Between the two the key does not fit the certificate: what is in force stays.
    file(directory.path(), "server.crt", &fresh.certificate);
    assert!(server.guard.refresh().is_err());
    assert!(talks(client(&server, &old, None, true)));
    file(directory.path(), "server.key", &fresh.key);
    until("the new one is in force", || talks(client(&server, &new, None, true)));
    assert!(!talks(client(&server, &old, None, true)));
}

#[test]
fn what_rustls_does_not_have_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = file(directory.path(), "ca.crt", &authority.pem).display().to_string();
    let verify = format!("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {ca}\n");
    for (more, said) in [
        ("  min_version: TLS10\n".to_owned(), "min_version: \"TLS10\" is not supported"),
        ("  min_version: TLS13\n  max_version: TLS12\n".to_owned(), "max_version: is below min_version"),
        ("  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n".to_owned(), "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("  curve_preferences: [CurveP521]\n".to_owned(), "CurveP521"),
        ("  client_auth_type: RequireAnyClientCert\n".to_owned(), "verifies nothing"),
        ("  client_auth_type: Always\n".to_owned(), "\"Always\" is unknown"),
        (format!("  client_ca_file: {ca}\n"), "asks for no certificate"),
        ("  client_auth_type: RequireAndVerifyClientCert\n".to_owned(), "client_ca_file: is missing"),
        ("  client_allowed_sans: [a]\n".to_owned(), "needs client_auth_type"),
        (format!("{verify}  client_allowed_sans: ['spiffe://a/b']\n"), "e-mail and URI are not"),
    ] {
        let web = web_config(directory.path(), &authority.server(), &more);
        let files = SecurityFiles { web_config: Some(web), token: None };
        let error = Guard::open(files).err().unwrap_or_else(|| panic!("{more} was taken")).to_string();
        assert!(error.contains(said), "{error}");
    }
    let web = web_config(directory.path(), &authority.server(), "");
    file(directory.path(), "server.key", &authority.server().key);
    let error = Guard::open(SecurityFiles { web_config: Some(web), token: None }).err().unwrap().to_string();
    assert!(error.contains("can't be used together"), "{error}");
}

/// A client that connects and says nothing holds a place for a time, and no more.
#[test]
fn a_handshake_has_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let web = web_config(directory.path(), &authority.server(), "");
    let limits = Limits { connections: 2, header_timeout: Duration::from_millis(50), ..Limits::default() };
    let server =
        Server::with(limits, HubLimits::default(), SecurityFiles { web_config: Some(web), token: None });
    let silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    assert!(talks(client(&server, &authority, None, true)));
    drop(silent);
}
