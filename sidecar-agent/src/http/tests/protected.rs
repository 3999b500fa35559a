//! Who may do what over TCP and on the socket: tokens, passwords, and the files that hold them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const RATE: &str = "/api/v1/sampling/events";

/// Writes a file for its owner alone.
pub(super) fn file(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    // As an editor does: a new file takes the old one's place.
    let fresh = directory.join("fresh");
    std::fs::write(&fresh, text).unwrap();
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&fresh, &path).unwrap();
    path
}

fn users(directory: &Path, password: &str) -> std::path::PathBuf {
    let hash = bcrypt::hash(password, 4).unwrap();
    file(directory, "web.yml", &format!("basic_auth_users:\n  prom: {hash}\n"))
}

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

impl Server {
    fn put(&self, header: &str) -> Answer {
        self.ask(self.connect(), "PUT", RATE, header, r#"{"rate": 0.5}"#)
    }
}

#[test]
fn without_authentication_tcp_is_for_reading() {
    let server = Server::start(Limits::default());
    assert_eq!(server.get("/api/v1/stats").status, 200);
    for header in [String::new(), bearer(TOKEN), basic("root", "")] {
        let refused = server.put(&header);
        assert_eq!(refused.status, 403);
        for way in ["http.socket", "security.token_file", "http.web_config"] {
            assert!(refused.hint().contains(way), "{refused:?}");
        }
    }
    assert!(server.control.calls.lock().unwrap().is_empty());
    assert_eq!(server.root("PUT", RATE, r#"{"rate": 0.5}"#).status, 200);
}

#[test]
fn the_token_opens_the_api() {
    let directory = tempfile::tempdir().unwrap();
    let token = Some(file(directory.path(), "token", &format!("{TOKEN}\n")));
    let server = Server::protected(SecurityFiles { token, ..SecurityFiles::default() });
    for path in ["/livez", "/health", "/metrics", "/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let with = |header: &str| (server.get_with("/api/v1/stats", header), server.put(header));
    for header in [
        String::new(),
        bearer("wrong"),
        bearer(""),
        bearer(&TOKEN[1..]),
        bearer(&format!("{TOKEN}0")),
        bearer(&TOKEN.to_uppercase()),
        basic("prom", TOKEN),
        "Authorization: \r\n".to_owned(),
        "Authorization: \u{ff}\u{fe}\r\n".to_owned(),
        format!("Authorization: {TOKEN}\r\n"),
    ] {
        let (read, write) = with(&header);
        assert_eq!((read.status, write.status), (401, 401), "{header}");
        assert!(read.head.contains("www-authenticate: bearer realm=\"sidecar\""), "{read:?}");
        assert!(!read.body.contains(TOKEN));
    }
    let (read, write) = with(&bearer(TOKEN));
    assert_eq!((read.status, write.status), (200, 200));
    assert_eq!(with(&format!("authorization: bearer   {TOKEN} \r\n")).1.status, 200);
    assert_eq!(*server.control.calls.lock().unwrap(), ["rate events 0.5", "rate events 0.5"]);
}

#[test]
fn passwords_open_everything_for_reading() {
    let directory = tempfile::tempdir().unwrap();
    let web_config = Some(users(directory.path(), "secret:with colon"));
    let server = Server::protected(SecurityFiles { web_config, ..SecurityFiles::default() });
    for path in ["/livez", "/metrics", "/api/v1/stats", "/nowhere"] {
        let refused = server.get(path);
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.head.contains("www-authenticate: basic realm=\"sidecar\""), "{refused:?}");
        for header in [
            basic("prom", "wrong"),
            basic("nobody", "secret:with colon"),
            basic("", ""),
            "Authorization: Basic !!!\r\n".to_owned(),
            "Authorization: Basic cHJvbQ==\r\n".to_owned(),
            bearer(TOKEN),
        ] {
            assert_eq!(server.get_with(path, &header).status, 401, "{path} {header}");
        }
    }
    let right = basic("prom", "secret:with colon");
    for path in ["/livez", "/metrics", "/api/v1/stats"] {
        assert_eq!(server.get_with(path, &right).status, 200, "{path}");
    }
    let refused = server.put(&right);
    assert_eq!(refused.status, 403);
    assert!(refused.error().contains("for reading"), "{refused:?}");
    assert_eq!(server.root("PUT", RATE, r#"{"rate": 0.5}"#).status, 200, "root needs none");
}

#[test]
fn a_token_is_good_for_what_takes_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let token = Some(file(directory.path(), "token", TOKEN));
    let web_config = Some(users(directory.path(), "secret"));
    let server = Server::protected(SecurityFiles { web_config, token });
    assert_eq!(server.get_with("/metrics", &bearer(TOKEN)).status, 200);
    assert_eq!(server.put(&bearer(TOKEN)).status, 200);
    assert_eq!(server.get_with("/api/v1/stats", &basic("prom", "secret")).status, 200);
    assert_eq!(server.put(&basic("prom", "secret")).status, 403);
    let refused = server.get("/metrics");
    let ways = "www-authenticate: basic realm=\"sidecar\", bearer realm=\"sidecar\"";
    assert!(refused.status == 401 && refused.head.contains(ways), "{refused:?}");
}

#[test]
fn passwords_and_tokens_can_be_changed_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let web_config = Some(users(directory.path(), "old"));
    let token = Some(file(directory.path(), "token", TOKEN));
    let server = Server::protected(SecurityFiles { web_config, token });
    assert_eq!(server.get_with("/livez", &basic("prom", "old")).status, 200);
    users(directory.path(), "new");
    until("the new password is good", || server.get_with("/livez", &basic("prom", "new")).status == 200);
    assert_eq!(server.get_with("/livez", &basic("prom", "old")).status, 401);

    // What is broken leaves what was good.
    file(directory.path(), "web.yml", "basic_auth_usrs: {}\n");
    assert!(server.guard.refresh().is_err());
    assert_eq!(server.get_with("/livez", &basic("prom", "new")).status, 200);
    std::fs::remove_file(directory.path().join("web.yml")).unwrap();
    assert!(server.guard.refresh().is_err());
    assert_eq!(server.get_with("/livez", &basic("prom", "new")).status, 200);
    users(directory.path(), "newer");
    until("it is mended", || server.get_with("/livez", &basic("prom", "newer")).status == 200);

    let other = "fedcba9876543210fedcba9876543210";
    file(directory.path(), "token", other);
    until("the new token is good", || server.put(&bearer(other)).status == 200);
    assert_eq!(server.put(&bearer(TOKEN)).status, 401);
}

/// Fifty guessers at a hash that takes a while: whoever is known gets through, and root too.
#[test]
fn guesses_do_not_lock_those_out_who_know() {
    let directory = tempfile::tempdir().unwrap();
    let hash = bcrypt::hash("right", 10).unwrap();
    let web_config = Some(file(directory.path(), "web.yml", &format!("basic_auth_users: {{prom: {hash}}}")));
    let server = Server::protected(SecurityFiles { web_config, ..SecurityFiles::default() });
    assert_eq!(server.get_with("/livez", &basic("prom", "right")).status, 200);
    let guessers: Vec<_> = (0..50)
        .map(|i| {
            let mut stream = server.connect();
            let header = basic("prom", &format!("guess {i}"));
            stream.write_all(request("GET", "/livez", &header, "").as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(server.get_with("/livez", &basic("prom", "right")).status, 200);
    assert_eq!(server.root("GET", "/health", "").status, 200);
    for mut guesser in guessers {
        let status = Answer::parse(&read_rest(&mut guesser)).status;
        assert!([401, 429].contains(&status), "{status}");
    }
}

#[test]
fn configured_headers_are_in_every_answer_over_tcp() {
    let directory = tempfile::tempdir().unwrap();
    let text = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: ''\n    \
                Strict-Transport-Security: max-age=60\n";
    let web_config = Some(file(directory.path(), "web.yml", text));
    let server = Server::protected(SecurityFiles { web_config, ..SecurityFiles::default() });
    for path in ["/livez", "/nowhere"] {
        let head = server.get(path).head;
        assert!(head.contains("x-frame-options: deny\r") && head.contains("max-age=60"), "{head}");
        assert!(!head.contains("x-xss-protection"), "{head}");
    }
}

/// Where CI must not leave it out.
fn skipped(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "it can't run here: {reason}");
    println!("SKIPPED the_socket_is_for_root_and_the_agents_own_user: {reason}");
}

/// Another user of this node reaches neither the socket nor, if it were open to them, anything behind it.
#[test]
fn the_socket_is_for_root_and_the_agents_own_user() {
    let server = Server::start(Limits::default());
    let path = server.directory.path().join("run/s.sock");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    if !nix::unistd::geteuid().is_root() {
        return skipped("only root can be somebody else");
    }
    for (directory, mode) in
        [(server.directory.path(), 0o755), (path.parent().unwrap(), 0o755), (&path, 0o666)]
    {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let client = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  s.sendall(b'GET /livez HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\nprint(s.recv(9999).decode())";
    let mut command = std::process::Command::new("python3");
    std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    let Ok(output) = command.args(["-c", client]).arg(&path).output() else {
        return skipped("there is no python3");
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("403 Forbidden") && said.contains("use sudo"), "{output:?}");
}
