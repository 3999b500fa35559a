//! Images of which the exec program tells without waking anybody, because there is nothing new to see in them.

use aya::maps::{Array, HashMap, Map, MapData};
use sidecar_common::{ImageKey, ImageOffsets};

use super::{BpfError, Kernel, kernel::map_error};
use crate::elf::ImageId;

/// The kernel's memory of images.
pub(super) struct Known {
    offsets: Array<MapData, ImageOffsets>,
    images: HashMap<MapData, ImageKey, u32>,
    /// What counts now.
    now: ImageOffsets,
}

impl Known {
    /// With these offsets; without any, the kernel knows no image.
    pub(super) fn new(
        offsets: Option<ImageOffsets>,
        take: &mut dyn FnMut(&'static str) -> Result<Map, BpfError>,
    ) -> Result<Self, BpfError> {
        let mut known = Self {
            offsets: Array::try_from(take("IMAGE_OFFSETS")?).map_err(map_error("IMAGE_OFFSETS"))?,
            images: HashMap::try_from(take("KNOWN")?).map_err(map_error("KNOWN"))?,
            now: offsets.unwrap_or_default(),
        };
        known.set()?;
        Ok(known)
    }

    fn set(&mut self) -> Result<(), BpfError> {
        self.offsets.set(0, self.now, 0).map_err(map_error("IMAGE_OFFSETS"))
    }
}

impl Kernel {
    /// Nobody is woken any more when this image is executed as it is, unless it was long ago that somebody was. On a file
    /// system that has other inode numbers within the kernel than without, it has no effect.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn know_image(&mut self, id: &ImageId) -> Result<(), BpfError> {
        let ImageId { ino, size, mtime_ns, ctime_ns, .. } = *id;
        let known = &mut self.known;
        let key = ImageKey { ino, size, mtime_ns, ctime_ns, epoch: known.now.epoch };
        known.images.insert(key, 1, 0).map_err(map_error("KNOWN"))
    }

    /// Every image is new again.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn forget_images(&mut self) -> Result<(), BpfError> {
        // What the keys of before take goes to others as they come: it is the longest unused.
        self.known.now.epoch += 1;
        self.known.set()
    }
}
