//! googletest.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::client::{Reported, expect_same};
use sidecar_tests::exec::{Exec, finish};
use sidecar_tests::libsidecar::{compile, folder, prefix, root, succeed};

use crate::program::{
    RUN, Suite, attribute, details, for_each_case, holds, in_every_fate, lacks, message, text,
};
use crate::{Case, Named};

const LIBRARIES: &[&str] = &["-lgtest", "-lgtest_main"];

/// Every outcome.
const EXAMPLE: Suite = Suite {
    name: "gtest-example",
    source: "gtest.cpp",
    listener: Some("gtest.cpp"),
    flags: &["-std=c++14"],
    libraries: LIBRARIES,
    shared: false,
};

/// Bad texts, and a fork that goes on, with the shared library.
const BAD: Suite = Suite { name: "gtest-bad", source: "gtest_bad.cpp", shared: true, ..EXAMPLE };

/// Registered by hand in its own main, and linked with the file that registers before main too.
const BY_HAND: Suite = Suite {
    name: "gtest-by-hand",
    source: "gtest_main.cpp",
    flags: &["-std=c++20"],
    libraries: &["-lgtest"],
    ..EXAMPLE
};

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let needs = || lacks("gtest/gtest.h");
    let cases: [Named; 10] = [
        ("gtest_what_it_reports_was_seen", reports),
        ("gtest_details_are_what_it_knows", knows),
        ("gtest_rounds_are_attempts", rounds),
        ("gtest_shards_are_one_run", shards),
        ("gtest_bad_texts_and_forks_harm_nothing", bad),
        ("gtest_one_registers_once", by_hand),
        ("gtest_a_static_library_registers_too", library),
        ("gtest_a_library_of_another_version_is_refused_and_counted", mismatch),
        ("gtest_the_agents_own_preset_tells_for_itself", preset),
        ("gtest_no_fate_of_the_agent_is_noticed", fates),
    ];
    cases.into_iter().map(|(name, body)| Case { name, needs, body }).collect()
}

fn file(report: &Path) -> Vec<String> {
    vec![format!("--gtest_output=xml:{}", report.display())]
}

/// What a report of googletest tells.
fn reported(xml: &str) -> Result<Vec<Reported>> {
    let mut all = Vec::new();
    for_each_case(xml, |case| {
        // A failure outside of all tests has a case without a name; a disabled test is not run.
        if attribute(case, "status")? != "run" || attribute(case, "name")?.is_empty() {
            return Ok(());
        }
        let status = match attribute(case, "result")? {
            "skipped" => "skipped",
            _ if holds(case, "failure") => "failed",
            _ => "passed",
        };
        all.push(Reported {
            test_id: format!("{}.{}", attribute(case, "classname")?, attribute(case, "name")?),
            attempt: 1,
            status: status.to_owned(),
            seconds: Some(attribute(case, "time")?.parse()?),
        });
        Ok(())
    })?;
    Ok(all)
}

fn reports() -> Result<()> {
    let (xml, ran) = EXAMPLE.observed(&[], file)?;
    ran.expect_code(1)?;
    let reported = reported(&xml)?;
    ensure!(reported.len() == 19, "{} tests were run", reported.len());
    expect_same(&reported, &ran.events)?;
    let starts = ran.of_type("test_start");
    ensure!(starts.iter().all(|start| start["run_id"] == RUN), "{starts:?}");
    Ok(())
}

fn knows() -> Result<()> {
    let (_, ran) = EXAMPLE.observed(&["--gtest_filter=-*Death*"], file)?;
    let wrong = message(&ran, "Cart.IsWrong")?;
    for part in ["example/gtest.cpp:16: ", "the sum is off", "example/gtest.cpp:17: ", "and so is \"this\""] {
        ensure!(wrong.contains(part), "`{part}` is missing: {wrong}");
    }
    ensure!(message(&ran, "Checkout.IsLeftOut")?.contains("no card reader here"), "{:?}", ran.ends());
    ensure!(message(&ran, "Checkout.Throws")?.contains("out of paper"), "{:?}", ran.ends());
    ensure!(message(&ran, "Threads.FailTheirTest")?.contains("on a thread"), "{:?}", ran.ends());

    let told = details(&ran, "Cart.KeepsWhatItIsTold")?;
    let properties = &told["properties"];
    ensure!(properties["price"] == "12" && properties["note"] == "quotes \" and\nlines", "{told}");
    ensure!(told["line"] == 20 && told["file"].as_str().is_some_and(|f| f.ends_with("gtest.cpp")), "{told}");
    ensure!(details(&ran, "Some/Numbers.AreEven/1")?["value_param"] == "3", "{:?}", ran.events);
    ensure!(details(&ran, "Sizes/0.IsMoreThanAByte")?["type_param"] == "int", "{:?}", ran.events);

    let [outside] = ran.of_type("setup_failure")[..] else { anyhow::bail!("{:?}", ran.events) };
    let data = &outside["data"];
    ensure!(data["suite"] == "Broken" && data["message"].to_string().contains("no database"), "{outside}");
    Ok(())
}

/// The events of a test's ends: attempt and status, in their order.
fn ends(events: &[Value], test_id: &str) -> Vec<(u64, String)> {
    let ends = events.iter().filter(|event| event.get("status").is_some() && event["test_id"] == test_id);
    ends.map(|end| (end["attempt"].as_u64().unwrap_or(0), end["status"].as_str().unwrap_or("").to_owned()))
        .collect()
}

fn rounds() -> Result<()> {
    let arguments = ["--gtest_repeat=3", "--gtest_filter=Rounds.*:Cart.AddsUp"];
    let (_, ran) = EXAMPLE.observed(&arguments, file)?;
    ran.expect_code(1)?;
    let expected = |statuses: [&str; 3]| (1..).zip(statuses.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(ends(&ran.events, "Rounds.FirstFails"), expected(["failed", "passed", "passed"]));
    assert_eq!(ends(&ran.events, "Cart.AddsUp"), expected(["passed"; 3]));
    assert_eq!(ran.of_type("test_start").len(), 6);
    Ok(())
}

fn shards() -> Result<()> {
    let exec = Exec::new()?.config("sampling: {enabled: false}\n")?;
    let program = EXAMPLE.program()?.display().to_string();
    // Both at once, as a runner starts them.
    let script = "for i in 0 1; do GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$i \"$0\" \
                  --gtest_output=xml:\"$1\"/$i.xml & done; wait";
    let folder = exec.folder().display().to_string();
    let mut command = exec.command(&["sh", "-c", script, &program, &folder])?;
    let ran = exec.ran(finish(command.env("SIDECAR_RUN_ID", RUN))?)?;
    let mut all = reported(&text(&exec.folder().join("0.xml"))?)?;
    ensure!((1..19).contains(&all.len()), "one shard ran {} tests", all.len());
    all.extend(reported(&text(&exec.folder().join("1.xml"))?)?);
    ensure!(all.len() == 19, "both ran {} tests", all.len());
    expect_same(&all, &ran.events)?;
    let workers: BTreeSet<&str> =
        ran.of_type("test_info").into_iter().filter_map(|event| event["data"]["worker"].as_str()).collect();
    assert_eq!(workers, BTreeSet::from(["shard 0 of 2", "shard 1 of 2"]));
    Ok(())
}

fn bad() -> Result<()> {
    let (xml, ran) = BAD.observed(&[], file)?;
    ran.expect_code(1)?;
    let reported = reported(&xml)?;
    ensure!(reported.len() == 7, "{reported:?}");
    // The id of 3,000 letters arrives cut.
    let (long, rest): (Vec<_>, Vec<_>) = reported.into_iter().partition(|one| one.test_id.len() > 1_000);
    let of_long = |event: &Value| event["test_id"].as_str().is_some_and(|id| id.starts_with("A/Long"));
    let others: Vec<Value> = ran.events.iter().filter(|event| !of_long(event)).cloned().collect();
    expect_same(&rest, &others)?;
    ensure!(long.len() == 1 && ran.events.iter().filter(|event| of_long(event)).count() == 3, "{long:?}");

    ensure!(message(&ran, "Bad.MessagesOfAMegabyte")?.contains("mmmm"), "{:?}", ran.ends());
    ensure!(message(&ran, "Bad.MessagesThatAreNoText")?.contains('😀'), "{:?}", ran.ends());
    let much = details(&ran, "Bad.MuchToRecord")?;
    let properties = much["properties"].as_object().with_context(|| much.to_string())?;
    ensure!(properties.len() > 5 && properties["key3"] == "\u{fffd}\u{fffd}\u{fffd}\t\"\\", "{much}");
    ensure!(ran.of_type("test_info").iter().all(|event| event["data"].is_object()), "{:?}", ran.events);
    Ok(())
}

fn by_hand() -> Result<()> {
    for suite in [BY_HAND, Suite { name: "gtest-by-hand-alone", listener: None, ..BY_HAND }] {
        let (xml, ran) = suite.observed(&[], file)?;
        ran.expect_code(0)?;
        expect_same(&reported(&xml)?, &ran.events)?;
    }
    Ok(())
}

/// The listener compiled into a static library, and taken out of it by its symbol or as a whole.
fn library() -> Result<()> {
    let folder = folder("cpp")?;
    let (object, archive) = (folder.join("gtest-listener.o"), folder.join("libsidecar_gtest.a"));
    let include = prefix()?.join("include");
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++14", "-fno-exceptions", "-fno-rtti", "-c", "-I"]).arg(&include);
    compile(&object, compiler.arg(root().join("clients/cpp/src/gtest.cpp")))?;
    succeed(Command::new("ar").arg("rcsD").args([&archive, &object]))?;
    let archive = archive.display().to_string();
    for (name, ways) in [
        ("gtest-undefined", vec!["-Wl,--undefined=sidecar_gtest".to_owned(), archive.clone()]),
        ("gtest-whole", vec!["-Wl,--whole-archive".to_owned(), archive, "-Wl,--no-whole-archive".to_owned()]),
    ] {
        let program = folder.join(name);
        let mut compiler = Command::new("g++");
        compiler.args(["-std=c++14", "-I"]).arg(&include).arg(root().join("clients/cpp/example/gtest.cpp"));
        compiler.args(ways).arg(prefix()?.join("lib/libsidecar.a")).args(LIBRARIES);
        compile(&program, &mut compiler)?;
        let exec = Exec::new()?;
        let ran = exec.run(&[program.as_os_str(), "--gtest_filter=Cart.*".as_ref()])?;
        ran.expect_code(1)?;
        ensure!(ran.ends().len() == 4, "{name}: {:?}", ran.events);
    }
    Ok(())
}

/// Compiled with the header of another version, it tells nothing but that.
fn mismatch() -> Result<()> {
    let exec = Exec::new()?.config("sampling: {enabled: false}\n")?;
    let include = exec.folder().join("include");
    std::fs::create_dir(&include)?;
    let header = std::fs::read_to_string(prefix()?.join("include/sidecar.h"))?;
    let other = header.replace("#define SIDECAR_ABI_VERSION ", "#define SIDECAR_ABI_VERSION 9");
    ensure!(other != header, "the header has no version");
    std::fs::write(include.join("sidecar.h"), other)?;
    let program = exec.folder().join("other-version");
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++14", "-I"]).arg(include).arg("-I").arg(prefix()?.join("include"));
    let clients = root().join("clients/cpp");
    compiler.arg(clients.join("example/gtest_main.cpp")).arg(clients.join("src/gtest.cpp"));
    compiler.arg(prefix()?.join("lib/libsidecar.a")).arg("-lgtest").arg("-o").arg(&program);
    succeed(&mut compiler)?;
    let ran = exec.run(&[program])?;
    ran.expect_code(0)?;
    let [refusal] = &ran.events[..] else { anyhow::bail!("{:?}", ran.events) };
    ensure!(refusal["marker"] == "anomaly" && refusal.to_string().contains("abi_mismatch"), "{refusal}");
    Ok(())
}

/// Where both look, each tells of a test once, under its own provider.
fn preset() -> Result<()> {
    let config = "sampling: {enabled: false}\npresets: [nextest, sidecar, googletest]\n";
    let exec = Exec::new()?.config(config)?;
    let ran = exec.run(&[EXAMPLE.program()?.as_os_str(), "--gtest_filter=Cart.AddsUp".as_ref()])?;
    ran.expect_code(0)?;
    let mut providers: Vec<_> = ran.ends().iter().map(|end| end["provider"].to_string()).collect();
    providers.sort();
    ensure!(providers == ["\"googletest\"", "\"sidecar\""], "{:?}\n{}", ran.events, ran.err());
    Ok(())
}

fn fates() -> Result<()> {
    in_every_fate(EXAMPLE, file, reported)
}
