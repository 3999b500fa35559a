//! The BPF object: the one in this binary, or a file that takes its place.

use std::path::Path;

use object::{Object as _, ObjectSection as _};
use sidecar_common::ABI_VERSION;

use super::BpfError;

/// Wraps bytes so that they begin at a multiple of 8, as the ELF parser wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!("../../bpf/sidecar.bpf.o"));

/// The committed object, built from `sidecar-ebpf` by `cargo xtask build-ebpf`.
pub static EMBEDDED: &[u8] = &ALIGNED.0;

/// The first digits of the embedded object's SHA-256, from the record that is committed beside it.
#[must_use]
pub fn embedded_digest() -> String {
    let record: Result<serde_json::Value, _> =
        serde_json::from_str(include_str!("../../bpf/sidecar.bpf.json"));
    let digest = record.ok().and_then(|record| Some(record.get("object_sha256")?.as_str()?.to_owned()));
    digest.and_then(|digest| Some(digest.get(..12)?.to_owned())).unwrap_or_else(|| "unknown".to_owned())
}

/// An object whose ABI is this program's.
#[derive(Clone, Debug)]
pub struct Object {
    bytes: std::borrow::Cow<'static, [u8]>,
}

impl Object {
    /// The embedded object, or the file at `path`.
    ///
    /// # Errors
    /// When the file can't be read, is no ELF object, or speaks another ABI.
    pub fn open(path: Option<&Path>) -> Result<Self, BpfError> {
        let bytes = match path {
            None => EMBEDDED.into(),
            Some(path) => std::fs::read(path)
                .map_err(|source| BpfError::ReadObject { path: path.to_owned(), source })?
                .into(),
        };
        let object = Self { bytes };
        match object.abi()? {
            ABI_VERSION => Ok(object),
            other => Err(BpfError::Object(format!("it speaks ABI {other}, this program {ABI_VERSION}"))),
        }
    }

    /// The ELF bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn abi(&self) -> Result<u32, BpfError> {
        let elf = object::File::parse(&*self.bytes).map_err(|error| BpfError::Object(error.to_string()))?;
        let section = elf
            .section_by_name("sidecar_abi")
            .ok_or_else(|| BpfError::Object("it has no section sidecar_abi".to_owned()))?;
        let data = section.data().map_err(|error| BpfError::Object(error.to_string()))?;
        let bytes: [u8; 4] = data
            .try_into()
            .map_err(|_| BpfError::Object("its section sidecar_abi is not 4 bytes".to_owned()))?;
        Ok(u32::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_object_speaks_this_abi() {
        assert!(Object::open(None).is_ok());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Object::open(Some(Path::new("/nonexistent/x.o"))).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/x.o") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn what_is_no_object_is_refused_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.o");
        for bytes in [&b""[..], b"not ELF", &EMBEDDED[..100], &EMBEDDED[..EMBEDDED.len() / 2]] {
            std::fs::write(&path, bytes).unwrap();
            let error = Object::open(Some(&path)).unwrap_err().to_string();
            assert!(error.contains("not usable") && error.contains("cargo xtask build-ebpf"), "{error}");
        }
    }

    #[test]
    fn another_abi_is_refused_by_number() {
        let elf = object::File::parse(EMBEDDED).unwrap();
        let (offset, _) = elf.section_by_name("sidecar_abi").unwrap().file_range().unwrap();
        let mut bytes = EMBEDDED.to_vec();
        bytes[offset as usize] = 99;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.o");
        std::fs::write(&path, bytes).unwrap();
        let error = Object::open(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("ABI 99"), "{error}");
    }
}
