//! The object's programs: relocated against maps that exist, and loaded in the best variant that this kernel takes.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
};

use aya_obj::{Function, btf::BtfFeatures};

use super::{AttachMethod, BpfError, Features, Footprint, LoadOptions, features, sys};

/// The relocated programs by name.
pub(super) struct Programs {
    functions: HashMap<String, Function>,
    license: CString,
    btf: OwnedFd,
}

impl Programs {
    /// Relocates the object's programs against maps that exist already. aya has no way to load them with another
    /// attach type than its own, so its object crate is used by itself.
    pub(super) fn relocate(bytes: &[u8], maps: &HashMap<String, i32>) -> Result<Self, BpfError> {
        let failed = |error: String| BpfError::Object(error);
        let mut object = aya_obj::Object::parse(bytes).map_err(|e| failed(e.to_string()))?;
        let definitions = std::mem::take(&mut object.maps);
        let text = object.functions.keys().map(|(section, _)| *section).collect();
        let known = definitions.iter().filter_map(|(name, map)| Some((name.as_str(), *maps.get(name)?, map)));
        object.relocate_maps(known, &text).map_err(|e| failed(e.to_string()))?;
        object.relocate_calls(&text).map_err(|e| failed(e.to_string()))?;
        // Every kernel with bpf_loop (5.17) knows all of these.
        let all = BtfFeatures::new(true, true, true, true, true, true, true, true);
        let btf = object
            .fixup_and_sanitize_btf(&all)
            .map_err(|e| failed(e.to_string()))?
            .ok_or_else(|| failed("it has no type information".to_owned()))?
            .to_bytes();
        let btf = sys::load_btf(&btf).map_err(|source| BpfError::of("type information (BTF)", source))?;
        let license = object.license.clone();
        let functions = object
            .programs
            .iter()
            .filter_map(|(name, program)| {
                Some((name.clone(), object.functions.get(&program.function_key())?.clone()))
            })
            .collect();
        Ok(Self { functions, license, btf })
    }

    /// Loads one program.
    pub(super) fn load(
        &self,
        name: &str,
        kind: sys::ProgramType,
        attach_type: u32,
        flags: u32,
    ) -> Result<OwnedFd, BpfError> {
        let function =
            self.functions.get(name).ok_or_else(|| BpfError::Object(format!("it has no program {name}")))?;
        let program = sys::Program {
            name,
            kind,
            instructions: &function.instructions,
            license: &self.license,
            attach_type,
            flags,
            btf: Some(self.btf.as_fd()),
            functions: &function.func_info.func_info,
        };
        features::load_with_log(&program).map_err(|(source, log)| match source.raw_os_error() {
            Some(libc::EPERM) => BpfError::Privilege,
            _ => BpfError::Verifier { name: name.to_owned(), source, log },
        })
    }

    /// Loads a tracepoint's program and attaches it.
    pub(super) fn tracepoint(
        &self,
        name: &'static str,
        tracepoint: &CStr,
        footprint: &mut Footprint,
    ) -> Result<OwnedFd, BpfError> {
        let program = self.load(name, sys::ProgramType::RawTracepoint, 0, 0)?;
        footprint
            .add_program(name, program.as_fd())
            .map_err(|source| BpfError::of("another descriptor", source))?;
        sys::link_raw_tracepoint(program.as_fd(), tracepoint).map_err(|source| {
            BpfError::of(format!("the tracepoint {}", tracepoint.to_string_lossy()), source)
        })
    }
}

/// Loads the best variant of the probe program that this kernel takes.
pub(super) fn load_probe(
    programs: &Programs,
    options: &LoadOptions,
) -> Result<(OwnedFd, Features), BpfError> {
    let multi = !options.no_uprobe_multi && features::has_uprobe_multi();
    let sleepable = !options.no_sleepable && features::has_sleepable();
    let load = |sleepable: bool| {
        let name = if sleepable { "probe_hit_sleepable" } else { "probe_hit" };
        let attach_type = if multi { sys::UPROBE_MULTI } else { 0 };
        let flags = if sleepable { sys::SLEEPABLE } else { 0 };
        programs.load(name, sys::ProgramType::Probe, attach_type, flags)
    };
    let (program, sleepable) = match load(sleepable) {
        // A verifier that does not follow the longer program may follow the shorter one.
        Err(BpfError::Verifier { .. }) if sleepable => (load(false)?, false),
        other => (other?, sleepable),
    };
    let attach = if multi {
        AttachMethod::UprobeMulti
    } else {
        let pmu = features::uprobe_pmu().map_err(|source| BpfError::Unsupported {
            what: "uprobes (CONFIG_UPROBE_EVENTS)".to_owned(),
            source,
        })?;
        if !features::may_open_events(pmu) {
            return Err(BpfError::PerfEvents);
        }
        AttachMethod::PerfEvent { pmu }
    };
    Ok((program, Features { attach, sleepable, exits: false }))
}
