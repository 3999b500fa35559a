//! What sidecar refuses: it says what, where and what to do, and the command is not started.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use sidecar_tests::exec::{Exec, Ran, finish};

/// One line of sidecar's own that holds these texts, and nothing of the command.
fn check(ran: &Ran, code: i32, texts: &[&str]) -> Result<()> {
    ran.expect_code(code)?;
    ensure!(ran.out().is_empty(), "the command was started: {}", ran.out());
    for text in texts {
        ensure!(ran.said().iter().any(|line| line.contains(text)), "{text}: {}", ran.err());
    }
    Ok(())
}

pub(crate) fn not_found() -> Result<()> {
    let exec = Exec::new()?;
    // Another user's PATH may have folders that are closed to this one, and then it is 126, as with env(1).
    let mut command = exec.command(&["no-such-command"])?;
    let ran = exec.ran(finish(command.env("PATH", "/usr/bin:/bin"))?)?;
    check(&ran, 127, &["can't run \"no-such-command\": No such file"])?;
    check(&exec.run(&["/no/such/command"])?, 127, &["/no/such/command"])?;
    let script = exec.folder().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    check(&exec.run(&[&script])?, 127, &["script"])
}

pub(crate) fn not_executable() -> Result<()> {
    let exec = Exec::new()?;
    let file = exec.folder().join("größe\nfile");
    std::fs::write(&file, "no program")?;
    check(&exec.run(&[&file])?, 126, &["größe\\nfile", "Permission denied"])?;
    check(&exec.run(&[exec.folder()])?, 126, &["Permission denied"])
}

pub(crate) fn report() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (path, text) in [
        (folder.path().join("no/such/report.jsonl"), "does its directory exist?"),
        (folder.path().to_owned(), "Is a directory"),
        (PathBuf::from("/proc/version/x"), "Not a directory"),
        (folder.path().join("n".repeat(300)), "File name too long"),
    ] {
        let name = path.display().to_string();
        let ran = Exec::new()?.report(Some(path)).run(&["echo", "started"])?;
        check(&ran, 125, &[&name, text, "the command was not started"])?;
    }
    Ok(())
}

pub(crate) fn config() -> Result<()> {
    let run = |yaml: &str| Exec::new()?.config(yaml)?.run(&["echo", "started"]);
    check(
        &run("resources:\n  max_queue_sise: 5\n")?,
        125,
        &["sidecar.yml:2", "max_queue_sise", "max_queue_size"],
    )?;
    check(&run("enabled: true\nresources: [\n")?, 125, &["sidecar.yml:", "not YAML"])?;
    check(&run("enabled: true\ndiscovery:\n  ring_bytes: 5000\n")?, 125, &["sidecar.yml:3", "ring_bytes"])?;
    check(&run("probes:\n  - {provider: a}\n")?, 125, &["sidecar.yml:2", "marker"])?;
    check(&run("unrelated: 1\n")?, 125, &["sidecar.yml"])?;
    let missing = Exec::new()?.flags(&["--config", "/no/such.yml"]).run(&["echo", "started"])?;
    check(&missing, 125, &["/no/such.yml", "No such file"])?;
    let binary = Exec::new()?;
    let path = binary.folder().join("binary.yml");
    std::fs::write(&path, b"\xff\xfe\0\0")?;
    let ran = binary.flags(&[OsStr::new("--config"), path.as_os_str()]).run(&["echo", "started"])?;
    check(&ran, 125, &["binary.yml"])
}

pub(crate) fn flags() -> Result<()> {
    let wrong = Exec::new()?.flags(&["--reprot", "x"]).run(&["echo", "started"])?;
    wrong.expect_code(2)?;
    ensure!(wrong.out().is_empty() && wrong.err().contains("'--report'"), "{}", wrong.err());
    let none = Exec::new()?.run::<&str>(&[])?;
    none.expect_code(2)?;
    ensure!(none.err().contains("sidecar exec [OPTIONS] -- COMMAND"), "{}", none.err());
    let rate = Exec::new()?.flags(&["--rate", "2"]).run(&["echo", "started"])?;
    rate.expect_code(2)?;
    ensure!(rate.err().contains("from 0 to 1"), "{}", rate.err());
    Ok(())
}

pub(crate) fn object() -> Result<()> {
    let exec = Exec::new()?;
    let junk = exec.folder().join("junk.o");
    std::fs::write(&junk, "no object")?;
    for path in [junk, PathBuf::from("/no/such/object.o")] {
        let mut command = exec.command(&["sh", "-c", "echo ran; exit 3"])?;
        command = {
            let program = command.get_program().to_owned();
            let args: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
            let mut again = std::process::Command::new(program);
            again.arg("--bpf-object").arg(&path);
            again.args(without_object(args)).stdin(std::process::Stdio::null());
            again
        };
        let ran = exec.ran(finish(&mut command)?)?;
        ran.expect_code(3)?;
        ensure!(ran.out() == "ran\n" && ran.said().len() == 1, "{}", ran.err());
        ensure!(ran.said()[0].contains("not watching"), "{}", ran.err());
    }
    Ok(())
}

/// Arguments without the object that the environment names.
fn without_object(mut args: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    if let Some(at) = args.iter().position(|arg| arg == "--bpf-object") {
        args.drain(at..at + 2);
    }
    args
}
