//! Compiles suites of C++ test frameworks with their listeners, and runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use roxmltree::{Document, Node};
use serde_json::Value;
use sidecar_tests::client::{Fate, Reported, expect_same_in_every_fate};
use sidecar_tests::exec::{Exec, Ran, finish};
use sidecar_tests::libsidecar::{compile, folder, missing, prefix, root};
use tempfile::TempDir;

/// The id of the run of every suite here.
pub(crate) const RUN: &str = "cpp-run";

/// What all warnings are that a user may have made errors.
pub(crate) const STRICT: [&str; 7] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wnon-virtual-dtor", "-Werror"];

/// A suite.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    /// What its program is called.
    pub(crate) name: &'static str,
    /// Its source, in `clients/cpp/example`.
    pub(crate) source: &'static str,
    /// The file of `PREFIX/share/sidecar` that it links, if any.
    pub(crate) listener: Option<&'static str>,
    /// What the compiler is told besides.
    pub(crate) flags: &'static [&'static str],
    /// The framework's libraries; for some a file of the examples.
    pub(crate) libraries: &'static [&'static str],
    /// Linked with the shared library, not with the static one.
    pub(crate) shared: bool,
}

impl Suite {
    /// The program, compiled where it is not there.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = folder("cpp")?.join(self.name);
        let prefix = prefix()?;
        let mut compiler = Command::new("g++");
        compiler.args(STRICT).args(["-O1", "-I"]).arg(prefix.join("include")).args(self.flags);
        compiler.arg(root().join("clients/cpp/example").join(self.source));
        if let Some(listener) = self.listener {
            compiler.arg(prefix.join("share/sidecar").join(listener));
        }
        let lib = prefix.join("lib");
        if self.shared {
            compiler.arg("-L").arg(&lib).arg("-lsidecar").arg(format!("-Wl,-rpath,{}", lib.display()));
        } else {
            compiler.arg(lib.join("libsidecar.a"));
        }
        compile(&program, compiler.args(self.libraries).arg("-pthread"))?;
        Ok(program)
    }

    /// Runs it under `sidecar exec`: its report, and what was seen. `report` names the file in a way of the framework.
    pub(crate) fn observed(
        &self,
        arguments: &[&str],
        report: fn(&Path) -> Vec<String>,
    ) -> Result<(String, Ran)> {
        let exec = Exec::new()?.config("sampling: {enabled: false}\n")?;
        let file = exec.folder().join("report.xml");
        let program = self.program()?.display().to_string();
        let mut argv = vec![program];
        argv.extend(report(&file));
        argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let ran = exec.ran(finish(exec.command(&argv)?.env("SIDECAR_RUN_ID", RUN))?)?;
        Ok((text(&file).with_context(|| ran.err())?, ran))
    }
}

/// Runs a suite that writes its report to a file in every fate of the agent; `outcomes` reads the report.
pub(crate) fn in_every_fate(
    suite: Suite,
    arguments: fn(&Path) -> Vec<String>,
    outcomes: fn(&str) -> Result<Vec<Reported>>,
) -> Result<()> {
    let folder = TempDir::new()?;
    let report = |fate: Fate| folder.path().join(format!("{fate:?}.xml"));
    expect_same_in_every_fate(
        |fate| {
            let mut command = Command::new(suite.program()?);
            command.args(arguments(&report(fate)));
            Ok(command)
        },
        |fate, _| {
            let mut all = outcomes(&text(&report(fate))?)?;
            all.iter_mut().for_each(|one| one.seconds = None);
            Ok(all)
        },
    )
}

/// A report, of which not every byte has to be text.
pub(crate) fn text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Each `<testcase>` of a report.
pub(crate) fn for_each_case(xml: &str, mut of: impl FnMut(Node<'_, '_>) -> Result<()>) -> Result<()> {
    let document = Document::parse(xml).with_context(|| format!("the report is not XML: {xml}"))?;
    document.descendants().filter(|node| node.has_tag_name("testcase")).try_for_each(&mut of)
}

/// An attribute that has to be there.
pub(crate) fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    node.attribute(name).with_context(|| format!("<{}> has no attribute {name}", node.tag_name().name()))
}

/// Whether a `<testcase>` holds an element of this name.
pub(crate) fn holds(case: Node<'_, '_>, name: &str) -> bool {
    case.children().any(|child| child.has_tag_name(name))
}

/// The details that were told of a test.
pub(crate) fn details<'a>(ran: &'a Ran, test_id: &str) -> Result<&'a Value> {
    let mut of_it = ran.of_type("test_info").into_iter().filter(|event| event["test_id"] == test_id);
    let event = of_it.next().with_context(|| format!("nothing was told of {test_id}"))?;
    ensure!(event["data"].is_object(), "these are no details: {event}");
    Ok(&event["data"])
}

/// The message with which a test ended.
pub(crate) fn message<'a>(ran: &'a Ran, test_id: &str) -> Result<&'a str> {
    let end = ran.ends().into_iter().find(|event| event["test_id"] == test_id);
    let end = end.with_context(|| format!("{test_id} has no end"))?;
    end["message"].as_str().with_context(|| format!("no message: {end}"))
}

/// Why no C++ can be compiled here, or the header of a framework is not there.
pub(crate) fn lacks(header: &str) -> Option<String> {
    let path = Path::new("/usr/include").join(header);
    missing("g++")
        .or_else(|| missing("objcopy"))
        .or_else(|| (!path.exists()).then(|| format!("no {}", path.display())))
}
