//! Files that protect: which tokens are taken, and when files are read again.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn write(path: &Path, text: &[u8], mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn open(token: &Path) -> Result<Guard, SecurityError> {
    Guard::open(SecurityFiles { token: Some(token.to_owned()), web_config: None })
}

#[test]
fn tokens_that_others_could_know_or_guess_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let good = b"0123456789abcdef";
    for (text, mode, said) in [
        (good.as_slice(), 0o644, "mode 0644"),
        (good, 0o604, "others can read"),
        (good, 0o660, "chmod it to 0600"),
        (b"short", 0o600, "5 characters"),
        (b"", 0o600, "0 characters"),
        (b"0123456789 abcdef", 0o600, "characters that a header can't"),
        (b"0123456789abc\xff\xfe\xfd", 0o600, "characters that a header can't"),
        (&[b'a'; 5000], 0o600, "5000 characters"),
        (&[b'a'; 100_000], 0o600, "100000 bytes"),
    ] {
        write(&path, text, mode);
        let error = open(&path).err().unwrap().to_string();
        assert!(error.contains(said) && error.contains("security.token_file"), "{error}");
        assert!(!error.contains("0123"), "{error}");
    }
    for mode in [0o600, 0o400, 0o640] {
        write(&path, b"  0123456789abcdef\n", mode);
        let guard = open(&path).unwrap();
        let security = guard.current();
        let token = security.token.as_ref().unwrap();
        assert!(token.is(good) && !token.is(b"0123456789abcdeF") && !token.is(b""));
    }
    for (missing, said) in [("nothing", "No such file"), ("", "no file")] {
        let error = open(&directory.path().join(missing)).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn files_are_read_again_when_they_change_and_only_then() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write(&path, b"0123456789abcdef", 0o600);
    let guard = open(&path).unwrap();
    assert!(!guard.refresh().unwrap());
    write(&path, b"bad", 0o600);
    assert!(guard.refresh().is_err() && guard.refresh().is_err());
    assert!(guard.current().token.as_ref().unwrap().is(b"0123456789abcdef"));
    write(&path, b"fedcba98765432100", 0o600);
    assert!(guard.refresh().unwrap() && !guard.refresh().unwrap());
    assert!(guard.current().token.as_ref().unwrap().is(b"fedcba98765432100"));
}
