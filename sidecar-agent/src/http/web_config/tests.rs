//! What web configurations are taken, and how others are refused.

use std::path::Path;

use super::file::parse;

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

fn refused(text: &str) -> String {
    let path = Path::new("/etc/sidecar/web.yml");
    let error = parse(path, text).and_then(|web| web.tls(path).map(drop)).unwrap_err().to_string();
    assert!(error.contains("/etc/sidecar/web.yml") && error.contains("http.web_config"), "{error}");
    error
}

#[test]
fn a_file_without_content_protects_nothing() {
    for text in ["", "# nothing\n\n", "{}", "basic_auth_users:\n", "http_server_config: {http2: false}"] {
        let web = parse(Path::new("web.yml"), text).unwrap();
        assert!(web.tls(Path::new("web.yml")).unwrap().is_none() && web.users().is_empty(), "{text}");
    }
}

#[test]
fn users_and_paths_are_read() {
    let text = format!(
        "basic_auth_users:\n  prom: {HASH}\ntls_server_config:\n  cert_file: a.crt\n  key_file: /b.key\n"
    );
    let web = parse(Path::new("/etc/sidecar/web.yml"), &text).unwrap();
    assert_eq!(web.users()["prom"], HASH);
    let files: Vec<_> = web.files().collect();
    assert_eq!(files, [Path::new("/etc/sidecar/a.crt"), Path::new("/b.key")]);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (text, said) in [
        ("tls_sever_config: {}", "did you mean `tls_server_config`?"),
        ("tls_server_config: {cert_fil: a}", "did you mean `cert_file`?"),
        ("basic_auth_user: {}", "did you mean `basic_auth_users`?"),
        ("http_server_config: {headers: {X-Other: a}}", "unknown field `X-Other`"),
        ("- a", "invalid type"),
        ("basic_auth_users: [", "line 1"),
        ("\tkey: value", "cannot start any token"),
        ("basic_auth_users: {a: [1]}", "invalid type"),
    ] {
        let error = refused(text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let tls = |line: &str| {
        format!("tls_server_config:\n  cert_file: /nothing.crt\n  key_file: /nothing.key\n  {line}\n")
    };
    let headers = |line: &str| format!("http_server_config: {{headers: {{{line}}}}}");
    let user = |hash: &str| format!("basic_auth_users: {{prom: '{hash}'}}");
    for (text, said) in [
        ("rate_limit: {interval: 1s}".to_owned(), "rate_limit: is not supported"),
        ("http_server_config: {http2: true}".to_owned(), "HTTP/1.1 only"),
        (headers("X-Frame-Options: allowall"), "deny or sameorigin"),
        (headers("X-Content-Type-Options: sniff"), "takes nosniff"),
        (headers("Content-Security-Policy: \"a\\r\\nb: c\""), "can't go into a header"),
        (user("secret"), "no bcrypt hash"),
        (user(&HASH.replace("$10$", "$18$")), "cost 18"),
        (user(&HASH.replace("$10$", "$99$")), "cost 99"),
        (format!("basic_auth_users: {{'a:b': {HASH}}}"), "no user"),
        (tls(""), "cert_file: can't read /nothing.crt"),
        (tls("cert: text"), "given twice"),
        ("tls_server_config: {}".to_owned(), "cert_file: is missing"),
        ("tls_server_config: {cert: nonsense, key: x}".to_owned(), "holds no certificate"),
    ] {
        let error = refused(&text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in ('a'..'j').zip('b'..'k') {
        text.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", ")));
    }
    refused(&text);
}
