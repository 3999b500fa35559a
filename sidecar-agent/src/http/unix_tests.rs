//! The socket's place: what is there already, who else could write there, and the end.

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/s.sock");
    (directory, path)
}

#[test]
fn a_socket_is_made_for_its_owner_and_removed() {
    let (_directory, path) = place();
    let socket = Socket::bind(&path).unwrap();
    let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let (_directory, path) = place();
    let first = Socket::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(SocketError::InUse { .. })));
    assert!(path.exists());
    let (listener, name) = first.into_parts();
    std::mem::forget(name);
    drop(listener);
    assert!(path.exists(), "left behind, as by a process that was killed");
    let second = Socket::bind(&path).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(second);
}

#[test]
fn only_the_own_socket_is_removed() {
    let (_directory, path) = place();
    let first = Socket::bind(&path).unwrap();
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    let second = Socket::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
}

#[test]
fn what_is_no_socket_stays() {
    let (_directory, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let refused = Socket::bind(&path).unwrap_err();
    assert!(refused.to_string().contains("no socket") && refused.to_string().contains("http.socket"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(matches!(Socket::bind(&path), Err(SocketError::NoSocket { .. })));
}

#[test]
fn a_directory_that_is_open_to_others_is_refused() {
    let (_directory, path) = place();
    let parent = path.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    for mode in [0o777, 0o1777, 0o770] {
        std::fs::set_permissions(parent, Permissions::from_mode(mode)).unwrap();
        let refused = Socket::bind(&path).unwrap_err();
        assert!(refused.to_string().contains("others can write"), "{mode:o} {refused}");
    }
    std::fs::set_permissions(parent, Permissions::from_mode(0o755)).unwrap();
    Socket::bind(&path).unwrap();
}

#[test]
fn what_the_system_refuses_is_told_with_the_path_and_the_key() {
    let long = Path::new("/tmp").join("x".repeat(200)).join("s.sock");
    for path in [Path::new("/dev/null/s.sock"), Path::new("/proc/nothing/s.sock")] {
        let said = Socket::bind(path).unwrap_err().to_string();
        assert!(said.contains(&path.display().to_string()) && said.contains("http.socket"), "{said}");
    }
    let said = Socket::bind(&long).unwrap_err().to_string();
    let _ = std::fs::remove_dir(long.parent().unwrap());
    assert!(said.contains("SUN_LEN"), "{said}");
}
