//! A table in the place of the kernel, a manager on it, and files to look at.

use std::{
    cell::{Ref, RefCell},
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    rc::Rc,
};

use sidecar_common::{Spec, StatusTable};
use tempfile::TempDir;

use super::super::{Attacher, Capacity, Manager, Outcome, Reason, WantedFunctions};
use crate::{
    bpf::Site,
    config::{ArgConfig, FileText, ProbeConfig, Source, Sources, load},
    elf::{
        Arch, DebugFiles,
        testing::{Build, BuildNote},
    },
    mapping::{Mapping, from_config},
};

const X86_64: bool = cfg!(target_arch = "x86_64");
/// Arguments in registers.
pub(super) const ARGS: &str = if X86_64 { "8@%rdi 8@%rsi" } else { "8@x0 8@x1" };
/// Others.
pub(super) const OTHER_ARGS: &str = if X86_64 { "8@%rax 8@%rsi" } else { "8@x4 8@x1" };
/// Three, of which the second is none.
pub(super) const PARTLY: &str = if X86_64 { "8@%rdi 8@%nonsense(((: 8@%rsi" } else { "8@x0 8@[[[: 8@x1" };

/// What the kernel holds.
#[derive(Default)]
pub(super) struct Table {
    pub(super) specs: HashMap<u32, Spec>,
    pub(super) tables: HashMap<u8, StatusTable>,
    /// Sites of every attachment that was ever made.
    pub(super) links: Vec<Vec<Site>>,
    /// Attachments that were not let go.
    pub(super) live: usize,
    /// Those of them that are at returns.
    pub(super) returns: Vec<Vec<Site>>,
    /// Attachments to refuse.
    pub(super) refuse_links: bool,
    /// Those at returns.
    pub(super) refuse_returns: bool,
    /// The first spec to refuse.
    pub(super) refuse_specs_from: Option<u32>,
    while_attaching: Option<Box<dyn Fn()>>,
    while_putting: Option<Box<dyn FnMut()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the kernel says no")]
pub(super) struct No;

pub(super) struct Fake(Rc<RefCell<Table>>);

pub(super) struct Link(Rc<RefCell<Table>>);

impl Drop for Link {
    fn drop(&mut self) {
        self.0.borrow_mut().live -= 1;
    }
}

impl Attacher for Fake {
    type Link = Link;
    type Error = No;

    fn put_spec(&mut self, index: u32, spec: &Spec) -> Result<(), No> {
        let meanwhile = self.0.borrow_mut().while_putting.take();
        if let Some(mut meanwhile) = meanwhile {
            meanwhile();
            self.0.borrow_mut().while_putting = Some(meanwhile);
        }
        let mut table = self.0.borrow_mut();
        if table.refuse_specs_from.is_some_and(|from| index >= from) {
            return Err(No);
        }
        table.specs.insert(index, *spec);
        Ok(())
    }

    fn put_status_table(&mut self, index: u8, rows: &StatusTable) -> Result<(), No> {
        self.0.borrow_mut().tables.insert(index, *rows);
        Ok(())
    }

    fn attach(&mut self, _: &File, sites: &[Site]) -> Result<Link, No> {
        if let Some(meanwhile) = &self.0.borrow().while_attaching {
            meanwhile();
        }
        let mut table = self.0.borrow_mut();
        if table.refuse_links {
            return Err(No);
        }
        table.links.push(sites.to_vec());
        table.live += 1;
        Ok(Link(Rc::clone(&self.0)))
    }

    fn attach_returns(&mut self, file: &File, sites: &[Site]) -> Result<Link, No> {
        if self.0.borrow().refuse_returns {
            return Err(No);
        }
        self.0.borrow_mut().returns.push(sites.to_vec());
        self.attach(file, sites)
    }
}

/// A manager, its kernel, and a folder of files.
pub(super) struct Bench {
    pub(super) manager: Manager<Fake>,
    table: Rc<RefCell<Table>>,
    folder: TempDir,
    files: usize,
}

impl Bench {
    pub(super) fn new(mappings: impl IntoIterator<Item = Mapping>) -> Self {
        Self::with_capacity(mappings, Capacity::default())
    }

    pub(super) fn with_capacity(mappings: impl IntoIterator<Item = Mapping>, capacity: Capacity) -> Self {
        let table = Rc::new(RefCell::new(Table::default()));
        let fake = Fake(Rc::clone(&table));
        let manager = Manager::new(fake, mappings.into_iter().collect(), HashMap::new(), capacity);
        Self { manager, table, folder: tempfile::tempdir().unwrap(), files: 0 }
    }

    /// One that wants functions: `functions` is the config's list.
    pub(super) fn of_functions(functions: &str) -> Self {
        Self::of_functions_with(functions, Capacity::default())
    }

    pub(super) fn of_functions_with(functions: &str, capacity: Capacity) -> Self {
        let file = FileText { name: "s.yml".to_owned(), text: format!("functions:\n{functions}") };
        let config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
        let mut bench = Self::with_capacity([mapping("app:one")], capacity);
        let wanted = WantedFunctions::new(&config).unwrap();
        bench.manager = bench.manager.with_functions(wanted);
        bench
    }

    pub(super) fn kernel(&self) -> Ref<'_, Table> {
        self.table.borrow()
    }

    pub(super) fn change_kernel(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.table.borrow_mut());
    }

    pub(super) fn while_attaching(&self, what: impl Fn() + 'static) {
        self.table.borrow_mut().while_attaching = Some(Box::new(what));
    }

    pub(super) fn while_putting_a_spec(&self, what: impl FnMut() + 'static) {
        self.table.borrow_mut().while_putting = Some(Box::new(what));
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file for this processor.
    pub(super) fn write(&self, name: &str, build: &Build) -> PathBuf {
        let arch = if X86_64 { Arch::X86_64 } else { Arch::Aarch64 };
        self.write_raw(name, &Build { arch, ..build.clone() }.bytes())
    }

    pub(super) fn write_raw(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) fn consider(&mut self, path: &Path) -> Outcome {
        self.manager.consider(&File::open(path).unwrap(), path, &DebugFiles::system(path))
    }

    /// Looks at a new file with these markers.
    pub(super) fn consider_build(&mut self, notes: impl IntoIterator<Item = BuildNote>) -> Outcome {
        self.files += 1;
        let path = self.write(&format!("file-{}", self.files), &Build::with_notes(notes));
        self.consider(&path)
    }

    pub(super) fn refusals(&self, reason: Reason) -> u64 {
        self.manager.registry().figures().refusals[&reason]
    }
}

/// A mapping as the config makes it.
pub(super) fn probe(marker: &str) -> ProbeConfig {
    let (provider, marker) = marker.split_once(':').unwrap();
    ProbeConfig {
        at: Source::Default,
        provider: provider.to_owned(),
        marker: marker.to_owned(),
        event: None,
        event_type: None,
        signal: None,
        args: Vec::new(),
        status: Vec::new(),
    }
}

/// A marker whose arguments are plain numbers.
pub(super) fn mapping(marker: &str) -> Mapping {
    from_config(&[probe(marker)]).unwrap().remove(0)
}

/// The end of a test: id, status by these words, duration.
pub(super) fn end(marker: &str, status: &[(&str, &str)]) -> Mapping {
    let arg = |role: &str| ArgConfig { role: Some(role.to_owned()), ..ArgConfig::default() };
    let status = status.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect();
    let args = vec![arg("test_id"), arg("status"), arg("duration")];
    let end = ProbeConfig { event: Some("test_end".to_owned()), args, status, ..probe(marker) };
    from_config(&[end]).unwrap().remove(0)
}
