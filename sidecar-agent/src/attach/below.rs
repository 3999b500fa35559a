//! One file that is seen through an overlay and without it, as a container and its host see a file of an image's layer.

use std::collections::HashMap;

use crate::elf::{ImageId, OVERLAY};

/// Bits of an inode's number that an overlay leaves as they are; above them it may say which layer it is of.
const OWN_BITS: u64 = 0xffff_ffff;

/// Whether these are one file for the kernel, one of them as an overlay shows it.
pub(super) fn is_same(one: &ImageId, other: &ImageId) -> bool {
    (one.dev == OVERLAY) != (other.dev == OVERLAY)
        && one.ino & OWN_BITS == other.ino & OWN_BITS
        && (one.size, one.mtime_ns, one.ctime_ns) == (other.size, other.mtime_ns, other.ctime_ns)
}

/// Identities of images that have probes by another identity.
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<ImageId, ImageId>);

impl Aliases {
    pub(super) fn contains(&self, id: &ImageId) -> bool {
        self.0.contains_key(id)
    }

    /// There is one for each attached image at most, for every other identity has another number, size or time.
    pub(super) fn insert(&mut self, id: ImageId, attached: ImageId) {
        self.0.insert(id, attached);
    }

    /// An attached image has another identity now.
    pub(super) fn rename(&mut self, old: &ImageId, new: ImageId) {
        for attached in self.0.values_mut().filter(|attached| *attached == old) {
            *attached = new;
        }
    }

    /// An image has no probes any more.
    pub(super) fn forget(&mut self, gone: &ImageId) {
        self.0.retain(|_, attached| attached != gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_overlay_shows_another_file_as_the_same() {
        let below = ImageId { dev: 7, ino: 42, size: 1, mtime_ns: 2, ctime_ns: 3 };
        let shown = ImageId { dev: OVERLAY, ..below };
        assert!(is_same(&below, &shown) && is_same(&shown, &below));
        assert!(is_same(&below, &ImageId { ino: 42 | 1 << 63, ..shown }), "the layer's number");
        assert!(!is_same(&below, &below) && !is_same(&shown, &shown));
        assert!(!is_same(&below, &ImageId { dev: 8, ..below }));
        for other in [
            ImageId { ino: 43, ..shown },
            ImageId { size: 9, ..shown },
            ImageId { mtime_ns: 9, ..shown },
            ImageId { ctime_ns: 9, ..shown },
        ] {
            assert!(!is_same(&below, &other), "{other:?}");
        }
    }

    #[test]
    fn an_alias_follows_its_image_and_goes_with_it() {
        let id = |ino| ImageId { dev: 7, ino, size: 1, mtime_ns: 2, ctime_ns: 3 };
        let mut aliases = Aliases::default();
        aliases.insert(id(1), id(2));
        aliases.rename(&id(2), id(3));
        aliases.forget(&id(2));
        assert!(aliases.contains(&id(1)));
        aliases.forget(&id(3));
        assert!(!aliases.contains(&id(1)));
    }
}
