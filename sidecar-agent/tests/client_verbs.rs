//! The exit status of `sidecar health` and `sidecar status`, by the built program, for each answer that an agent can give.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

/// Somebody who answers each request so.
fn answering(status: &str, body: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Ok(address)
}

fn health(status: &str) -> String {
    format!(
        "{{\"status\":\"{status}\",\"uptime_seconds\":1.5,\"components\":{{\"data_path\":{{\"status\":\"{status}\",\
         \"message\":\"as it is\",\"last_seen_seconds\":0.5}}}}}}"
    )
}

/// The exit status of a verb, what it shows and what it complains of.
fn ask(verb: &str, address: SocketAddr, more: &[&str]) -> io::Result<(Option<i32>, String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecar"));
    command.args([verb, "--address", &address.to_string()]).args(more).env_clear();
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn the_exit_status_is_that_of_the_health() {
    for (answer, status, code) in
        [("200 OK", "healthy", 0), ("200 OK", "degraded", 1), ("503 Service Unavailable", "unhealthy", 2)]
    {
        let address = answering(answer, &health(status)).unwrap();
        for verb in ["health", "status"] {
            let (found, shown, said) = ask(verb, address, &[]).unwrap();
            assert_eq!(found, Some(code), "{verb} {status}: {said}");
            assert!(shown.starts_with(status) && shown.contains("data_path"), "{verb}: {shown}");
            let (found, shown, _) = ask(verb, address, &["--json"]).unwrap();
            assert_eq!(found, Some(code), "{verb} {status}");
            let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let at = if verb == "health" { "/status" } else { "/health/status" };
            assert_eq!(json.pointer(at), Some(&status.into()), "{verb}: {json}");
        }
    }
}

#[test]
fn an_agent_that_can_not_be_asked_is_two_with_the_reason() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, reason) in [
        (nobody, "no agent answers"),
        (answering("200 OK", "<html>").unwrap(), "did not answer"),
        (answering("200 OK", "{\"status\": 7}").unwrap(), "says"),
        (
            answering("401 Unauthorized", "{\"error\": \"no\", \"hint\": \"a token\"}").unwrap(),
            "no (status 401). a token",
        ),
    ] {
        for verb in ["health", "status"] {
            let (code, shown, said) = ask(verb, address, &[]).unwrap();
            assert_eq!((code, shown.as_str()), (Some(2), ""), "{verb}: {said}");
            assert!(
                said.starts_with("sidecar: ") && said.contains(reason),
                "{verb} wants `{reason}`: {said}"
            );
        }
    }
    // A word that no agent says is no health; neither is wrong usage.
    let (code, _, said) = ask("health", answering("200 OK", &health("splendid")).unwrap(), &[]).unwrap();
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = ask("health", nobody, &["--jsn"]).unwrap();
    assert_eq!(code, Some(2), "{said}");
}
