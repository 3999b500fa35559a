//! The manager's part for functions: a spec for each entry and each return, and the links that watch them.

use std::{fs::File, path::Path, sync::Arc};

use sidecar_common::{FRAME_ENTRY, FRAME_RETURN, Spec};

use super::{
    super::{
        Attacher, ImageInfo, ProbeInfo, ProbeKind, Reason, Remark, RemarkKind,
        functions::{Found, shown},
    },
    Manager,
};
use crate::{
    bpf::Site,
    elf::Arch,
    mapping::{Mapping, Moment, RETURN},
    spec::{self, call_places, stack},
};

/// Specs that are in place, and where their probes go.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) probes: Vec<Arc<ProbeInfo>>,
    entries: Vec<Site>,
    returns: Vec<Site>,
}

/// Specs that a function takes.
fn specs(found: &Found) -> usize {
    1 + usize::from(found.returns)
}

impl<A: Attacher> Manager<A> {
    /// As many of the functions as find room beside `others` specs. What does not is told.
    pub(super) fn fitting<'f>(&mut self, functions: &'f [Found], others: usize) -> &'f [Found] {
        let mut left = self.specs.left().saturating_sub(others);
        let fits = |found: &&Found| {
            let rest = left.checked_sub(specs(found));
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let count = functions.iter().take_while(fits).count();
        let (fitting, rest) = functions.split_at(count);
        if let Some(first) = rest.first() {
            self.remarks.push(Remark {
                key: first.wanted.mapping.key.clone(),
                kind: RemarkKind::Omitted,
                message: format!("{} functions find no room (discovery.max_specs)", rest.len()),
            });
        }
        fitting
    }

    /// Takes a spec for each entry and each return, and puts it in place; for all of them or for none.
    pub(super) fn place_functions(
        &mut self,
        image: &Arc<ImageInfo>,
        arch: Arch,
        functions: &[Found],
    ) -> Result<Placed, (Reason, String)> {
        let mut placed = Placed::default();
        for found in functions {
            let site = |cookie: u32| Site {
                offset: found.function.entry.offset,
                semaphore: 0,
                cookie: cookie.into(),
            };
            let wanted = &found.wanted.mapping;
            let provider = wanted.provider.clone().unwrap_or_else(|| file_name(&image.path));
            let name = wanted.name.clone().unwrap_or_else(|| shown(&found.function));
            let named = |moment: &Moment, suffix: &str| {
                let marker = format!("{name}{suffix}");
                Arc::new(Mapping { provider: provider.clone(), marker, ..moment.mapping.clone() })
            };
            let framed = |spec, id, frame, popped| Spec {
                frame,
                frame_id: id,
                frame_base: stack(arch).0,
                frame_popped: popped,
                ..spec
            };
            let entry = named(&wanted.entry, "");
            let kind = ProbeKind::Function;
            let histogram = self.histogram(&entry);
            let result = self.put(&entry, image, (kind, String::new(), 1), histogram, |index, slots| {
                let spec = spec::compile(&entry, &call_places(arch, &wanted.entry.places), slots);
                if found.returns { framed(spec, index, FRAME_ENTRY, 0) } else { spec }
            });
            let entry = result.inspect_err(|_| self.release(&placed.probes))?;
            let id = entry.spec;
            placed.entries.push(site(id));
            placed.probes.push(Arc::new(entry));
            let Some(moment) = wanted.on_return.as_ref().filter(|_| found.returns) else { continue };
            let leave = named(moment, RETURN);
            let histogram = self.histogram_of(&leave);
            let kind = ProbeKind::Return;
            let result = self.put(&leave, image, (kind, String::new(), 1), histogram, |_, slots| {
                let spec = spec::compile(&leave, &call_places(arch, &moment.places), slots);
                framed(spec, id, FRAME_RETURN, stack(arch).1)
            });
            let leave = result.inspect_err(|_| self.release(&placed.probes))?;
            placed.returns.push(site(leave.spec));
            placed.probes.push(Arc::new(leave));
        }
        Ok(placed)
    }

    /// Attaches to functions. The links are to be let go in their order: first no return is watched any more.
    pub(super) fn link_functions(&mut self, file: &File, placed: &Placed) -> Result<Vec<A::Link>, A::Error> {
        let mut links = Vec::new();
        if !placed.entries.is_empty() {
            links.push(self.attacher.attach(file, &placed.entries)?);
        }
        if !placed.returns.is_empty() {
            links.insert(0, self.attacher.attach_returns(file, &placed.returns)?);
        }
        Ok(links)
    }

    /// What people should know of functions since this was asked last.
    pub fn take_remarks(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.remarks)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
