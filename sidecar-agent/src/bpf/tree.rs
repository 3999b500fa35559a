//! The watched process tree, as the kernel keeps it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya::maps::{HashMap, Map, MapData};

use super::BpfError;

/// Reads the map of watched thread groups. The fork and exit programs keep it; this side only asks.
pub struct Tree {
    map: HashMap<MapData, u32, u32>,
    descriptor: OwnedFd,
}

impl Tree {
    pub(super) fn new(map: Map) -> Result<Self, BpfError> {
        let failed = |reason: String| BpfError::Map { map: "TREE", reason };
        let Map::HashMap(data) = map else { return Err(failed("it is no hash map".to_owned())) };
        let descriptor = data.fd().as_fd().try_clone_to_owned().map_err(|e| failed(e.to_string()))?;
        let map = HashMap::try_from(Map::HashMap(data)).map_err(|e| failed(e.to_string()))?;
        Ok(Self { map, descriptor })
    }

    /// A reader over a descriptor of the map that another process has handed down.
    ///
    /// # Errors
    /// When it is no such map.
    pub fn from_descriptor(descriptor: OwnedFd) -> Result<Self, BpfError> {
        let data =
            MapData::from_fd(descriptor).map_err(|e| BpfError::Map { map: "TREE", reason: e.to_string() })?;
        Self::new(Map::HashMap(data))
    }

    /// The map's descriptor, to hand down.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Whether this process (its id in the initial pid namespace) is watched.
    #[must_use]
    pub fn contains(&self, tgid: u32) -> bool {
        self.map.get(&tgid, 0).is_ok()
    }

    /// Number of watched processes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.keys().count()
    }

    /// Whether no process is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.keys().next().is_none()
    }

    pub(super) fn insert(&mut self, tgid: u32) -> Result<(), BpfError> {
        self.map.insert(tgid, 1, 0).map_err(|e| BpfError::Map { map: "TREE", reason: e.to_string() })
    }
}
