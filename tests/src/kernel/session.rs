//! The kernel side, loaded for one test.

use std::fs::File;

use anyhow::{Context, Result};
use sidecar_agent::bpf::{Kernel, Link, LoadOptions, RingReader, Site};
use sidecar_common::{Counters, FRAME_ENTRY, FRAME_RETURN, RATE_ONE, Spec};

use super::program::Program;
use super::record::{Record, decode};

/// Names a BPF object that takes the embedded one's place.
pub const OBJECT_VARIABLE: &str = "SIDECAR_BPF_OBJECT";

/// The defaults, with the object that the environment names.
#[must_use]
pub fn options() -> LoadOptions {
    LoadOptions { object: std::env::var_os(OBJECT_VARIABLE).map(Into::into), ..LoadOptions::default() }
}

/// The stack pointer in x86-64's `struct pt_regs`.
const STACK: u16 = 152;

/// A loaded kernel side. Signal 0 keeps everything.
pub struct Session {
    /// Programs and maps.
    pub kernel: Kernel,
    /// The ring.
    pub reader: RingReader,
}

impl Session {
    /// Loads it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn load(options: &LoadOptions) -> Result<Self> {
        let mut kernel = Kernel::load(options)?;
        kernel.set_threshold(0, RATE_ONE)?;
        let reader = kernel.take_reader().context("the ring's reader")?;
        Ok(Self { kernel, reader })
    }

    /// Attaches to markers of the provider `raw`; their specs get the indices 0, 1, ...
    ///
    /// # Errors
    /// When the program lacks a marker or the kernel refuses.
    pub fn attach(&mut self, program: &Program, markers: &[(&str, Spec)]) -> Result<Link> {
        let mut sites = Vec::new();
        for (index, (marker, spec)) in (0..).zip(markers) {
            self.kernel.set_spec(index, spec)?;
            sites.push(program.notes().site("raw", marker, index)?);
        }
        Ok(self.kernel.attach(&File::open(program.path())?, &sites)?)
    }

    /// Attaches to the entry of a function of the program, and to its return by another spec.
    ///
    /// # Errors
    /// When the program lacks the function or the kernel refuses.
    pub fn attach_function(
        &mut self,
        program: &Program,
        function: &str,
        (entry, on_entry): (u32, Spec),
        (index, on_return): (u32, Spec),
    ) -> Result<[Link; 2]> {
        let offset = program.notes().symbol(function)?;
        let framed = |spec, frame, popped| Spec {
            frame_id: entry,
            frame_base: STACK,
            frame,
            frame_popped: popped,
            ..spec
        };
        self.kernel.set_spec(entry, &framed(on_entry, FRAME_ENTRY, 0))?;
        self.kernel.set_spec(index, &framed(on_return, FRAME_RETURN, 8))?;
        let point = self.kernel.probe_point();
        let file = File::open(program.path())?;
        let site = |cookie| Site { offset, semaphore: 0, cookie };
        let entries = point.attach(&file, &[site(entry.into())])?;
        Ok([point.attach_returns(&file, &[site(index.into())])?, entries])
    }

    /// Everything that is in the ring.
    ///
    /// # Errors
    /// When a record is not whole.
    pub fn records(&mut self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.reader.drain(usize::MAX, |bytes| records.push(decode(bytes)));
        records.into_iter().collect()
    }

    /// The counters of a spec, after checking that they balance.
    ///
    /// # Errors
    /// When the map can't be read.
    ///
    /// # Panics
    /// When they do not balance.
    pub fn counters(&self, spec: u32) -> Result<Counters> {
        let counters = self.kernel.counters(spec)?;
        assert_eq!(
            counters.hits,
            counters.kept + counters.sampled_out + counters.lost + counters.disabled,
            "{counters:?}"
        );
        Ok(counters)
    }
}
