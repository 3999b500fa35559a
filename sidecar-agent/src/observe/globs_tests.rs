//! What globs match, which folders they lead through, and what a walk does not do.

use std::os::unix::fs::symlink;

use super::*;

fn globs(texts: &[&str]) -> Globs {
    Globs::new(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
}

/// What a walk from every base finds, relative to `root`, and the folders that it enters.
fn walk(globs: &Globs, root: &Path, remote: &Remote) -> (Vec<String>, Vec<String>, Found) {
    let (mut found, mut entered) = (Found::default(), Vec::new());
    for glob in globs.all() {
        globs.walk(&glob.base, remote, &mut found, &mut |folder, _| entered.push(folder.to_owned()));
    }
    let relative = |paths: &[PathBuf]| {
        let mut names: Vec<String> =
            paths.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect();
        names.sort();
        names
    };
    (relative(&found.files), relative(&entered), found)
}

#[test]
fn globs_find_files_and_enter_only_folders_on_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    for name in ["a/one.bin", "a/b/two.bin", "a/three.txt", "a/c/d/four.bin"] {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    symlink(&root, root.join("a/loop")).unwrap();
    symlink("one.bin", root.join("a/link.bin")).unwrap();
    nix::unistd::mkfifo(&root.join("a/fifo.bin"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let look = |glob: &str| {
        let globs = globs(&[&format!("{}/{glob}", root.display())]);
        let (files, entered, _) = walk(&globs, &root, &Remote::default());
        (files, entered)
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(look("a/*.bin"), (names(&["a/link.bin", "a/one.bin"]), names(&["a"])));
    let all = names(&["a/b/two.bin", "a/c/d/four.bin", "a/link.bin", "a/one.bin"]);
    assert_eq!(look("a/**/*.bin"), (all, names(&["a", "a/b", "a/c", "a/c/d"])));
    assert_eq!(look("a/one.bin"), (names(&["a/one.bin"]), names(&["a"])));
    assert_eq!(look("*/b/*.bin"), (names(&["a/b/two.bin"]), names(&["", "a", "a/b"])));
    assert_eq!(look("a/{b,c/d}/*").0, names(&["a/b/two.bin", "a/c/d/four.bin"]));
    assert_eq!(look("/a//./one.*").0, names(&["a/one.bin"]));
    assert_eq!(look("none/*"), (Vec::new(), Vec::new()));
    assert!(globs(&["[", "**/anything"]).all().is_empty());
}

#[test]
fn a_folder_of_a_server_is_not_entered_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("net")).unwrap();
    std::fs::write(root.join("net/file"), "").unwrap();
    symlink("net", root.join("link")).unwrap();
    let remote = Remote::of(vec![("/".into(), false), (root.join("net"), true)]);
    for glob in ["**/*", "net/*", "link/*"] {
        let globs = globs(&[&format!("{}/{glob}", root.display())]);
        let (files, entered, found) = walk(&globs, &root, &remote);
        assert!(!files.contains(&"net/file".to_owned()), "{glob}: {files:?}");
        assert!(!entered.contains(&"net".to_owned()), "{glob}: {entered:?}");
        assert_eq!(found.remote.len(), 1, "{glob}: {found:?}");
    }
}

#[test]
fn a_hundred_thousand_matches_are_cut() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::write(root.join("0"), "").unwrap();
    for i in 1..100_000 {
        // A file system has fewer links to a file than this needs files.
        let of = root.join((i / 1_000 * 1_000).to_string());
        let name = root.join(i.to_string());
        if i % 1_000 == 0 { std::fs::write(name, "").unwrap() } else { std::fs::hard_link(of, name).unwrap() }
    }
    let globs = globs(&[&format!("{}/*", root.display())]);
    let (files, _, found) = walk(&globs, &root, &Remote::default());
    assert_eq!((files.len(), found.cut), (MOST_FILES, true));
}
