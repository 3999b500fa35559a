//! Specs and what belongs to them: taken, put in place.

use std::sync::Arc;

use sidecar_common::{ArgSpec, LOC_UNREAD, Spec};

use super::{
    super::{Attacher, ImageInfo, ProbeInfo, ProbeKind, Reason, image::Symbols},
    Manager,
};
use crate::{
    elf::{Arch, Note},
    mapping::{EventKind, Mapping},
    spec::{self, Slots},
};

impl<A: Attacher> Manager<A> {
    /// Takes a spec for sites that read their arguments alike, and puts it in place.
    pub(super) fn place(
        &mut self,
        symbols: &Symbols<'_>,
        arch: Arch,
        mapping: &Arc<Mapping>,
        image: &Arc<ImageInfo>,
        args: &str,
        notes: &[&Note],
    ) -> Result<ProbeInfo, (Reason, String)> {
        let resolve = |name: &str| symbols.address(name);
        let site = notes.first().map_or(0, |note| note.address);
        let places = spec::parse_args(args, arch, site, Some(&resolve));
        for (i, why) in places.iter().enumerate().filter_map(|(i, arg)| Some((i, arg.place.obstacle()?))) {
            let Mapping { provider, marker, .. } = &**mapping;
            tracing::debug!("{:?}: argument {i} of {provider}:{marker} stays unread: {why}", image.path);
        }
        let histogram = self.histogram(mapping);
        let what = (ProbeKind::Marker, args.to_owned(), notes.len());
        self.put(mapping, image, what, histogram, |_, slots| spec::compile(mapping, &places, slots))
    }

    /// Takes a spec, has it built for its index, and puts it in place.
    pub(super) fn put(
        &mut self,
        mapping: &Arc<Mapping>,
        image: &Arc<ImageInfo>,
        (kind, args, sites): (ProbeKind, String, usize),
        histogram: Option<u32>,
        build: impl FnOnce(u32, &Slots) -> Spec,
    ) -> Result<ProbeInfo, (Reason, String)> {
        let full = |what: &str| (Reason::Full, format!("all {what} are used"));
        let (table, new) = self.tables.index(&mapping.status).ok_or_else(|| full("255 status tables"))?;
        if new {
            let rows = spec::status_table(&mapping.status).map_err(|e| (Reason::Unusable, e.to_string()))?;
            self.attacher.put_status_table(table, &rows).map_err(|e| (Reason::Kernel, e.to_string()))?;
        }
        let spec = self.specs.take().ok_or_else(|| full("specs (discovery.max_specs)"))?;
        let generation = self.generations.entry(spec).or_insert(0);
        *generation = generation.wrapping_add(1);
        let slots = Slots {
            signal: self.signals.get(&mapping.signal).copied().unwrap_or(0),
            status_table: table,
            histogram: histogram.unwrap_or(sidecar_common::NO_HISTOGRAM),
            generation: *generation,
            max_string: self.capacity.max_string,
        };
        let compiled = build(spec, &slots);
        let probe = ProbeInfo {
            spec,
            generation: *generation,
            mapping: Arc::clone(mapping),
            image: Arc::clone(image),
            args,
            sites,
            histogram,
            unreadable: unreadable(&compiled),
            kind,
        };
        self.registry.insert(probe.clone());
        if let Err(error) = self.attacher.put_spec(spec, &compiled) {
            self.release(&[Arc::new(probe)]);
            return Err((Reason::Kernel, error.to_string()));
        }
        Ok(probe)
    }

    /// The histogram of a test's end with a duration; the mapping goes without if none is left.
    pub(super) fn histogram(&mut self, mapping: &Mapping) -> Option<u32> {
        let is_end = mapping.event == EventKind::TestEnd && mapping.duration_arg().is_some();
        if is_end { self.histogram_of(mapping) } else { None }
    }

    /// The histogram of a mapping.
    pub(super) fn histogram_of(&mut self, mapping: &Mapping) -> Option<u32> {
        let key = (mapping.provider.clone(), mapping.marker.clone());
        if let Some(&index) = self.histograms_of.get(&key) {
            return Some(index);
        }
        let index = self.histograms.take()?;
        self.histograms_of.insert(key, index);
        Some(index)
    }
}

/// Which arguments of a spec stay unread.
fn unreadable(spec: &Spec) -> u16 {
    let unread = |bits, (i, arg): (usize, &ArgSpec)| bits | u16::from(arg.location == LOC_UNREAD) << i;
    spec.args.iter().take(spec.argc.into()).enumerate().fold(0, unread)
}
