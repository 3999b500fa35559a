//! Functions: which are attached to, with which specs, and what is said of them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sidecar_common::{FRAME_ENTRY, FRAME_NONE, FRAME_RETURN, LOC_ELAPSED, LOC_REGISTER, NO_HISTOGRAM};

use super::*;
use crate::elf::DebugFiles;

const SOURCE: &str = "int one(int a, const char *text) { return a + (text != 0); }\n\
                      int two(int a) { return a * 2; }\nint data = 1;\n\
                      int main(void) { return one(1, \"\") + two(2); }\n";

/// A program of C, or of C++ with exceptions.
fn compile(bench: &Bench, name: &str, language: &str) -> PathBuf {
    let (source, program) = (bench.path("source.c"), bench.path(name));
    let more =
        "extern \"C\" int three(int a) { try { if (a) throw a; } catch (int) { return 1; } return 0; }\n";
    std::fs::write(&source, if language == "c" { SOURCE.to_owned() } else { format!("{SOURCE}{more}") })
        .unwrap();
    let compiler = if language == "c" { "gcc" } else { "g++" };
    let args = ["-x", language, "-O1", "-fno-inline", "-o"];
    let status = Command::new(compiler).args(args).args([&program, &source]).status().unwrap();
    assert!(status.success());
    program
}

/// What was said, but for what a hit costs: that is the compiler's choice.
fn remarks(bench: &mut Bench) -> Vec<(RemarkKind, String)> {
    let said = bench.manager.take_remarks().into_iter().map(|remark| (remark.kind, remark.message));
    said.filter(|(kind, _)| *kind != RemarkKind::Slow).collect()
}

fn anywhere(rest: &str) -> String {
    format!("- {{file: '/**', {rest}}}\n")
}

#[test]
fn entry_and_return_of_a_function_have_specs_that_belong_together() {
    let entry = "symbol: one, on: entry_and_return, args: [{type: i32}, {type: string, name: text}], result: plain:i32";
    let mut bench = Bench::of_functions(&anywhere(entry));
    let program = compile(&bench, "p", "c");
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 2, sites: 2 });
    {
        let kernel = bench.kernel();
        let [on_entry, on_return] = [&kernel.specs[&0], &kernel.specs[&1]];
        assert_eq!((on_entry.frame, on_entry.frame_id, on_entry.argc), (FRAME_ENTRY, 0, 2));
        assert_eq!((on_return.frame, on_return.frame_id, on_return.argc), (FRAME_RETURN, 0, 2));
        assert_eq!(on_entry.frame_base, on_return.frame_base);
        assert_eq!(on_return.args.map(|arg| arg.location)[..2], [LOC_REGISTER, LOC_ELAPSED]);
        assert_eq!((on_entry.histogram, on_return.histogram, on_return.duration_arg), (NO_HISTOGRAM, 0, 1));
        let offsets: Vec<_> = kernel.links.iter().map(|sites| (sites[0].offset, sites[0].cookie)).collect();
        assert_eq!(offsets[0].0, offsets[1].0);
        assert_eq!((offsets[0].1, offsets[1].1), (0, 1));
        assert_eq!((kernel.returns.len(), kernel.live), (1, 2));
    }
    let probes = bench.manager.registry().probes();
    let mut names: Vec<_> = probes.iter().map(|p| (p.mapping.marker.as_str(), p.kind.name())).collect();
    names.sort_unstable();
    assert_eq!(names, [("one", "function"), ("one%return", "return")]);
    assert!(probes.iter().all(|probe| probe.mapping.provider == "p"));
    assert_eq!(remarks(&mut bench), []);
    assert_eq!(bench.consider(&program), Outcome::AlreadyAttached);
    let id = bench.manager.images().next().unwrap().id;
    assert_eq!(bench.manager.forget(&id).len(), 2);
    assert_eq!(bench.kernel().live, 0);
}

#[test]
fn a_pattern_takes_each_function_once_whatever_entries_name_it() {
    let functions = anywhere("symbol: two, provider: mine") + &anywhere("regex: '^(one|two)$'");
    let mut bench = Bench::of_functions(&functions);
    let program = compile(&bench, "p", "c");
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 2, sites: 2 });
    let specs = bench.kernel().specs.clone();
    assert!(specs.values().all(|spec| spec.frame == FRAME_NONE));
    let probes = bench.manager.registry().probes();
    let mut names: Vec<_> = probes.iter().map(|probe| probe.mapping.provider.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["mine", "p"]);
}

#[test]
fn returns_of_what_may_unwind_are_not_watched_without_a_word_from_the_config() {
    let mut bench = Bench::of_functions(&anywhere("symbol: three, on: entry_and_return"));
    let program = compile(&bench, "p", "c++");
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 1, sites: 1 });
    assert_eq!(bench.kernel().specs[&0].frame, FRAME_NONE);
    let said = remarks(&mut bench);
    assert!(said[0].0 == RemarkKind::Unwinds && said[0].1.contains("never_unwinds"), "{said:?}");
    let vouched = anywhere("symbol: three, on: entry_and_return, never_unwinds: true");
    let mut bench = Bench::of_functions(&vouched);
    let program = compile(&bench, "p", "c++");
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 2, sites: 2 });
}

#[test]
fn what_does_not_match_or_is_no_function_is_told_and_remembered() {
    let functions = anywhere("symbol: nosuch") + &anywhere("symbol: data");
    let mut bench = Bench::of_functions(&functions);
    let program = compile(&bench, "p", "c");
    assert_eq!(bench.consider(&program), Outcome::NothingWanted);
    let said = remarks(&mut bench);
    assert!(said.iter().any(|(kind, _)| *kind == RemarkKind::Nothing), "{said:?}");
    assert_eq!(bench.consider(&program), Outcome::NothingWanted);
    assert_eq!(remarks(&mut bench), [], "it was not read again");
}

#[test]
fn a_file_is_meant_by_its_path_a_glob_or_its_name() {
    let functions = |place: &str| format!("- {{{place}, symbol: two}}\n");
    for (place, meant) in [
        ("library: p", true),
        ("library: q", false),
        ("file: '/**/p'", true),
        ("file: '/*/p'", false),
        ("file: '/nowhere/p'", false),
    ] {
        let mut bench = Bench::of_functions(&functions(place));
        let program = compile(&bench, "p", "c");
        let outcome = bench.consider(&program);
        assert_eq!(matches!(outcome, Outcome::Attached { .. }), meant, "{place}: {outcome:?}");
    }
    // A file that was of no interest under one name is looked at under another.
    let mut bench = Bench::of_functions(&functions("file: '/**/wanted'"));
    let program = compile(&bench, "p", "c");
    assert_eq!(bench.consider(&program), Outcome::NothingWanted);
    let link = bench.path("wanted");
    std::os::unix::fs::symlink(&program, &link).unwrap();
    assert!(matches!(bench.consider(&link), Outcome::Attached { .. }));
    // A path that leads to the file means it under every name.
    let own = std::env::current_exe().unwrap();
    let entry = format!("- {{file: '{}', symbol: nosuch}}\n", own.display());
    let mut bench = Bench::of_functions(&entry);
    let outcome =
        bench.manager.consider(&File::open(&own).unwrap(), Path::new("/elsewhere"), &DebugFiles::none());
    assert_eq!(outcome, Outcome::NothingWanted);
    assert_eq!(remarks(&mut bench)[0].0, RemarkKind::Nothing);
}

#[test]
fn what_finds_no_room_is_left_out_and_told() {
    let capacity = Capacity { specs: 3, ..Capacity::default() };
    let entry = anywhere("regex: '^(one|two)$', on: entry_and_return");
    let mut bench = Bench::of_functions_with(&entry, capacity);
    let program = compile(&bench, "p", "c");
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 2, sites: 2 });
    let said = remarks(&mut bench);
    assert!(said[0].0 == RemarkKind::Omitted && said[0].1.contains("1 functions find no room"), "{said:?}");
}

#[test]
fn functions_that_the_kernel_refuses_leave_nothing_behind() {
    let mut bench = Bench::of_functions(&anywhere("symbol: one, on: entry_and_return"));
    bench.change_kernel(|kernel| kernel.refuse_returns = true);
    let program = compile(&bench, "p", "c");
    assert!(matches!(bench.consider(&program), Outcome::Refused { reason: Reason::Kernel, .. }));
    assert_eq!(bench.kernel().live, 0);
    assert_eq!(bench.manager.registry().probes().len(), 0);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_the_kernel_has_to_step_over_is_told_with_its_price() {
    let mut bench = Bench::of_functions(&anywhere("symbol: slow"));
    let (source, program) = (bench.path("slow.c"), bench.path("slow"));
    let text = "__attribute__((naked)) void slow(void) { __asm__(\"sub $8, %rsp; add $8, %rsp; ret\"); }\n\
                int main(void) { slow(); }\n";
    std::fs::write(&source, text).unwrap();
    assert!(Command::new("gcc").arg("-o").args([&program, &source]).status().unwrap().success());
    assert!(matches!(bench.consider(&program), Outcome::Attached { .. }));
    let [remark] = &bench.manager.take_remarks()[..] else { panic!("one remark") };
    assert!(remark.kind == RemarkKind::Slow && remark.message.contains("about 12 us"), "{remark:?}");
}

#[test]
fn a_pattern_that_is_none_is_refused_with_its_place() {
    let text = "functions:\n- {file: /x, regex: '(', signal: events}\n".to_owned();
    let file = crate::config::FileText { name: "s.yml".to_owned(), text };
    let sources = crate::config::Sources { file: Some(&file), ..Default::default() };
    let config = crate::config::load(&sources).unwrap();
    let error = WantedFunctions::new(&config).unwrap_err().to_string();
    assert!(error.starts_with("s.yml:2: functions[0].regex: not a regular expression"), "{error}");
}

#[test]
fn a_return_that_there_is_none_of_is_not_watched_and_the_entry_is() {
    let entry = "regex: '^(_start|one)$', on: entry_and_return";
    let mut bench = Bench::of_functions(&anywhere(entry));
    let program = compile(&bench, "p", "c");
    // Two entries, and one return.
    assert_eq!(bench.consider(&program), Outcome::Attached { probes: 3, sites: 3 });
    let said = remarks(&mut bench);
    let [(RemarkKind::NoReturn, message)] = &said[..] else { panic!("{said:?}") };
    assert!(message.starts_with("the return of _start is not watched: it is not called"), "{message}");
    assert_eq!(bench.kernel().returns.len(), 1);
}

#[test]
fn a_separate_debug_file_in_the_root_of_a_process_is_found() {
    let mut bench = Bench::of_functions(&anywhere("symbol: two"));
    let program = compile(&bench, "p", "c");
    let root = bench.path("root");
    std::fs::create_dir_all(root.join("app/.debug")).unwrap();
    let (debug, inside) = (root.join("app/.debug/p.debug"), root.join("app/p"));
    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    run(Command::new("objcopy").arg("--only-keep-debug").args([&program, &debug]));
    let link = format!("--add-gnu-debuglink={}", debug.display());
    run(Command::new("objcopy").args(["--strip-all", &link]).args([&program, &inside]));
    let (file, path) = (File::open(&inside).unwrap(), Path::new("/app/p"));
    let debug = DebugFiles::in_root(&root, path);
    assert_eq!(bench.manager.consider(&file, path, &debug), Outcome::Attached { probes: 1, sites: 1 });
}
