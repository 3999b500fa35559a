//! Who can compile and link with it.

use std::process::Command;

use anyhow::{Result, ensure};
use sidecar_tests::exec::finish;
use sidecar_tests::libsidecar::{missing, prefix, root, succeed};
use tempfile::TempDir;

use crate::Case;

/// Languages that the header is compiled in, each without a warning.
const LANGUAGES: [(&str, &[&str]); 7] = [
    ("gcc", &["-std=c99", "-xc"]),
    ("gcc", &["-std=c11", "-xc", "-fno-exceptions"]),
    ("gcc", &["-std=c2x", "-xc"]),
    ("g++", &["-std=c++11", "-xc++"]),
    ("g++", &["-std=c++17", "-xc++", "-fno-exceptions", "-fno-rtti"]),
    ("g++", &["-std=c++20", "-xc++"]),
    ("g++", &["-std=c++23", "-xc++"]),
];

/// Every warning that a project may have made an error.
const STRICT: [&str; 7] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wstrict-aliasing=2", "-Wundef", "-Werror"];

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let mut cases = Vec::new();
    for (compiler, language) in LANGUAGES {
        let name = format!("the_header_is_clean::{compiler}{}", language.join("").replace("-xc", ""));
        cases.push(Case::new(&name, missing(compiler), move || header(compiler, language)));
    }
    let pkg_config = || missing("gcc").or_else(|| missing("pkg-config"));
    cases.push(Case::new("pkg_config_is_enough_to_compile_and_link", pkg_config(), through_pkg_config));
    // musl-gcc says its version as gcc does.
    cases.push(Case::new("a_program_of_musl_links_the_static_library", missing("musl-gcc"), musl));
    let cmake = || missing("g++").or_else(|| missing("cmake"));
    cases.push(Case::new("cmake_finds_the_library_and_refuses_another_version", cmake(), through_cmake));
    cases
}

fn header(compiler: &str, language: &[&str]) -> Result<()> {
    let mut command = Command::new(compiler);
    command.args(STRICT).args(language).arg("-fsyntax-only");
    succeed(command.arg(prefix()?.join("include/sidecar.h")))?;
    Ok(())
}

fn source(name: &str) -> std::path::PathBuf {
    root().join("tests/tests/client_c").join(name)
}

fn through_pkg_config() -> Result<()> {
    let mut ask = Command::new("pkg-config");
    ask.args(["--cflags", "--libs", "sidecar"]).env("PKG_CONFIG_PATH", prefix()?.join("lib/pkgconfig"));
    let flags = succeed(&mut ask)?;
    let folder = TempDir::new()?;
    let program = folder.path().join("program");
    let mut compiler = Command::new("gcc");
    compiler.arg(source("constructor.c")).args(flags.split_whitespace()).arg("-o").arg(&program);
    succeed(&mut compiler)?;
    let output = finish(Command::new(&program).env("LD_LIBRARY_PATH", prefix()?.join("lib")))?;
    ensure!(output.status.code() == Some(7), "{output:?}");
    let needed = succeed(Command::new("readelf").args(["-d", "-W"]).arg(&program))?;
    ensure!(needed.contains("[libsidecar.so."), "it is not linked by its soname: {needed}");
    Ok(())
}

fn musl() -> Result<()> {
    let folder = TempDir::new()?;
    let program = folder.path().join("program");
    let mut compiler = Command::new("musl-gcc");
    compiler.args(["-static", "-I"]).arg(prefix()?.join("include")).arg(source("constructor.c"));
    compiler.arg(prefix()?.join("lib/libsidecar.a"));
    succeed(compiler.arg("-o").arg(&program))?;
    let output = finish(&mut Command::new(&program))?;
    ensure!(output.status.code() == Some(7), "{output:?}");
    let notes = succeed(Command::new("readelf").args(["-n", "-W"]).arg(&program))?;
    ensure!(notes.contains("Name: test_start\n"), "its markers are lost: {notes}");
    Ok(())
}

fn through_cmake() -> Result<()> {
    let project = TempDir::new()?;
    let lists = |version: &str| {
        format!(
            "cmake_minimum_required(VERSION 3.16)\nproject(uses C)\nfind_package(sidecar {version} REQUIRED)\n\
             foreach(kind sidecar static)\nadd_executable(with_${{kind}} {})\n\
             target_link_libraries(with_${{kind}} sidecar::${{kind}})\nendforeach()\n",
            source("constructor.c").display()
        )
    };
    let configure = |version: &str| -> Result<Command> {
        std::fs::write(project.path().join("CMakeLists.txt"), lists(version))?;
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(project.path()).arg("-B").arg(project.path().join("build"));
        cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix()?.display()));
        Ok(cmake)
    };
    let refused = finish(&mut configure("99")?)?;
    ensure!(!refused.status.success(), "version 99 was found");
    succeed(&mut configure("")?)?;
    succeed(Command::new("cmake").arg("--build").arg(project.path().join("build")))?;
    for program in ["with_sidecar", "with_static"] {
        let output = finish(&mut Command::new(project.path().join("build").join(program)))?;
        ensure!(output.status.code() == Some(7), "{program}: {output:?}");
    }
    Ok(())
}
