//! CMake: one target of the package brings a framework's listener into a program.

use std::process::Command;

use anyhow::{Result, ensure};
use sidecar_tests::exec::Exec;
use sidecar_tests::libsidecar::{missing, prefix, root, succeed};
use tempfile::TempDir;

use crate::program::lacks;
use crate::{Case, Named};

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let needs = || {
        let headers = lacks("gtest/gtest.h").or_else(|| lacks("doctest/doctest.h"));
        headers.or_else(|| lacks("catch2/catch.hpp")).or_else(|| missing("cmake"))
    };
    let cases: [Named; 1] = [("cmake_a_target_brings_the_listener", targets)];
    cases.into_iter().map(|(name, body)| Case { name, needs, body }).collect()
}

fn targets() -> Result<()> {
    let project = TempDir::new()?;
    let build = project.path().join("build");
    let example = root().join("clients/cpp/example");
    // Catch2's main takes long to compile, so its suite is compiled and not linked.
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(uses CXX)\nset(CMAKE_CXX_STANDARD 14)\n\
         find_package(GTest REQUIRED)\nfind_package(sidecar REQUIRED)\n\
         add_executable(with_gtest {0}/gtest.cpp)\n\
         target_link_libraries(with_gtest sidecar::gtest GTest::gtest_main)\n\
         add_executable(with_doctest {0}/doctest.cpp)\ntarget_link_libraries(with_doctest sidecar::doctest pthread)\n\
         add_library(with_catch2 OBJECT {0}/catch2.cpp)\ntarget_link_libraries(with_catch2 sidecar::catch2)\n",
        example.display()
    );
    std::fs::write(project.path().join("CMakeLists.txt"), lists)?;
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(project.path()).arg("-B").arg(&build);
    succeed(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix()?.display())))?;
    succeed(Command::new("cmake").arg("--build").arg(&build))?;
    for (program, filter, tests) in
        [("with_gtest", "--gtest_filter=Cart.*", 4), ("with_doctest", "-tc=adds up,throws", 2)]
    {
        let ran = Exec::new()?.run(&[build.join(program).as_os_str(), filter.as_ref()])?;
        ran.expect_code(1)?;
        let run = ran.ends().iter().filter(|end| end["status"] != "skipped").count();
        ensure!(run == tests, "{program}: {:?}\n{}", ran.events, ran.err());
    }
    Ok(())
}
