//! Separate debug files: right ones, wrong ones, and names that lead astray.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::testing::*;
use super::*;

/// A folder as the root of a process, with a program in it.
struct Root {
    dir: tempfile::TempDir,
}

const ID: [u8; 4] = [0xab, 1, 2, 0xcd];
const BY_ID: &str = "usr/lib/debug/.build-id/ab/0102cd.debug";

impl Root {
    fn new(program: &Image) -> Self {
        let root = Self { dir: tempfile::tempdir().unwrap() };
        root.put("opt/app", &program.bytes());
        root
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn find(&self) -> FileFunctions {
        self.find_within(&FunctionLimits::default())
    }

    fn find_within(&self, most: &FunctionLimits) -> FileFunctions {
        let file = crate::elf::open(&self.dir.path().join("opt/app")).unwrap();
        let debug = DebugFiles::in_root(self.dir.path(), Path::new("/opt/app"));
        functions(&file, &Limits::default(), most, &[FunctionPattern::glob("*").unwrap()], &debug).unwrap()
    }
}

/// A program without symbols, and its debug file.
fn pair() -> (Image, Image) {
    let program = Image { build_id: Some(ID.to_vec()), ..Image::default() };
    let debug = Image { build_id: Some(ID.to_vec()), ..Image::with(&[("hidden", 16, 16)]) };
    (program, debug)
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[test]
fn symbols_of_a_stripped_program_come_from_the_debug_file_of_its_build_id() {
    let (program, debug) = pair();
    let root = Root::new(&program);
    root.put(BY_ID, &debug.bytes());
    let found = root.find();
    assert_eq!(names(&found.matched[0]), ["hidden"]);
    assert_eq!(found.matched[0].found[0].offset, TEXT + 16);
    assert_eq!(found.debug_file, Some(root.dir.path().join(BY_ID)));
    assert_eq!(found.incomplete, [""; 0]);
}

#[test]
fn the_code_is_the_program_s_whatever_its_debug_file_holds() {
    let (mut program, debug) = pair();
    program.text = vec![0x06; 256];
    let root = Root::new(&program);
    root.put(BY_ID, &debug.bytes());
    assert!(why(&root.find().matched[0]).contains("no instruction"));
}

#[test]
fn a_program_with_symbols_of_its_own_needs_no_debug_file() {
    let (_, debug) = pair();
    let root = Root::new(&Image { build_id: Some(ID.to_vec()), ..Image::with(&[("own", 0, 16)]) });
    root.put(BY_ID, &debug.bytes());
    let found = root.find();
    assert_eq!((names(&found.matched[0]), found.debug_file), (vec!["own"], None));
}

#[test]
fn symbols_that_stripping_leaves_and_those_of_the_debug_file_are_one_list() {
    let (mut program, debug) = pair();
    program.symbols = vec![("exported".into(), 0, 16, FUNC), ("alias".into(), 16, 16, FUNC)];
    program.dynamic = true;
    let root = Root::new(&program);
    root.put(BY_ID, &debug.bytes());
    assert_eq!(names(&root.find().matched[0]), ["hidden", "exported"]);
}

#[test]
fn a_debug_file_of_another_build_is_passed_over_and_that_is_said() {
    let (program, mut debug) = pair();
    debug.build_id = Some(vec![9; 4]);
    let root = Root::new(&program);
    root.put(BY_ID, &debug.bytes());
    let found = root.find();
    assert_eq!(names(&found.matched[0]), [""; 0]);
    assert!(found.incomplete[0].ends_with("its build id is not the program's"), "{found:?}");
    debug.build_id = None;
    root.put(BY_ID, &debug.bytes());
    assert!(root.find().debug_file.is_none());
}

#[test]
fn the_name_that_a_program_carries_leads_to_its_debug_file_if_the_checksum_fits() {
    let (mut program, mut debug) = pair();
    (program.build_id, debug.build_id) = (None, None);
    let bytes = debug.bytes();
    program.debuglink = Some(("app.debug".into(), checksum(&bytes)));
    for place in ["opt/app.debug", "opt/.debug/app.debug", "usr/lib/debug/opt/app.debug"] {
        let root = Root::new(&program);
        root.put(place, &bytes);
        assert_eq!(root.find().debug_file, Some(root.dir.path().join(place)));
    }
    let root = Root::new(&program);
    root.put("opt/app.debug", &bytes);
    let small = FunctionLimits { checksum: 100, ..FunctionLimits::default() };
    assert!(root.find_within(&small).incomplete[0].contains("more than the limit of 100"));
    program.debuglink = Some(("app.debug".into(), 1));
    root.put("opt/app", &program.bytes());
    assert!(root.find().incomplete[0].contains("checksum is not the one"));
    program.build_id = Some(ID.to_vec());
    program.debuglink = Some(("app.debug".into(), checksum(&bytes)));
    root.put("opt/app", &program.bytes());
    assert!(root.find().incomplete[0].contains("its build id is not"), "both have to fit");
}

#[test]
fn a_name_with_a_path_is_not_followed() {
    let (mut program, mut debug) = pair();
    (program.build_id, debug.build_id) = (None, None);
    let bytes = debug.bytes();
    for name in ["../app.debug", "/app.debug", "..", ""] {
        program.debuglink = Some((name.into(), checksum(&bytes)));
        let root = Root::new(&program);
        root.put("app.debug", &bytes);
        let found = root.find();
        assert_eq!((found.debug_file, found.incomplete.len()), (None, 0), "{name}");
    }
}

#[test]
fn links_stay_in_the_root_and_pipes_and_devices_are_not_opened() {
    let (program, debug) = pair();
    let outside = Root::new(&program);
    outside.put("hidden.debug", &debug.bytes());
    let root = Root::new(&program);
    root.put("usr/lib/debug/.build-id/ab/x", b"");
    let place = root.dir.path().join(BY_ID);
    symlink(outside.dir.path().join("hidden.debug"), &place).unwrap();
    assert_eq!(root.find().debug_file, None);

    root.put("real.debug", &debug.bytes());
    std::fs::remove_file(&place).unwrap();
    symlink("/real.debug", &place).unwrap();
    assert_eq!(names(&root.find().matched[0]), ["hidden"], "an absolute link is one of the root's");

    std::fs::remove_file(&place).unwrap();
    nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(root.find().debug_file, None);
}

#[test]
fn a_debug_file_that_is_no_elf_file_or_cut_off_is_passed_over() {
    let (program, debug) = pair();
    let root = Root::new(&program);
    root.put(BY_ID, b"nothing");
    assert!(root.find().incomplete[0].ends_with("not an ELF file"));
    let bytes = debug.bytes();
    for end in (64..bytes.len()).step_by(61) {
        root.put(BY_ID, &bytes[..end]);
        assert_eq!(names(&root.find().matched[0]), [""; 0]);
    }
}
