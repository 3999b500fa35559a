//! How the kernel programs read one site's arguments and what they do with them.

use crate::{MAX_ARGS, STATUS_ROWS};

/// The argument can't be read (a float register, or text that no rule understands); it stays unread.
pub const LOC_UNREAD: u8 = 0;
/// The argument is [`ArgSpec::value`] itself.
pub const LOC_CONSTANT: u8 = 1;
/// The argument is the register at [`ArgSpec::base`].
pub const LOC_REGISTER: u8 = 2;
/// The argument is in memory at register `base` + `value`.
pub const LOC_MEMORY: u8 = 3;
/// The argument is in memory at register `base` + (register `index` << `scale`) + `value`.
pub const LOC_INDEXED: u8 = 4;
/// The argument is the time since the function was entered, in nanoseconds; it has none where that is not known.
pub const LOC_ELAPSED: u8 = 5;
/// The argument is in memory at the pointer that lies at register `base` + `value`, plus [`ArgSpec::inner`].
pub const LOC_POINTED: u8 = 6;

/// The argument is sign-extended from its size to 64 bits.
pub const FLAG_SIGNED: u8 = 1;
/// A NULL pointer on the way of [`LOC_POINTED`] makes the argument 0, where it would else be a fault.
pub const FLAG_NULL_IS_ZERO: u8 = 2;
/// The pointer on the way of [`LOC_POINTED`] is to the first element of a vector, and the word behind it to the end of the
/// last. Where both are the same, the argument is 0.
pub const FLAG_EMPTY_IS_ZERO: u8 = 4;
/// As [`FLAG_EMPTY_IS_ZERO`], but of the vector's elements, which are [`ArgSpec::index`] bytes long, that one is meant whose
/// first 4 bytes are the least number above 0. Where there is none, the argument is 0.
pub const FLAG_LEAST_OF_ALL: u8 = 8;
/// Most elements of a vector that are looked at.
pub const MAX_ELEMENTS: u32 = 1024;

/// The site is no function whose returns are watched.
pub const FRAME_NONE: u8 = 0;
/// The site is a function's entry: its time is remembered until the function returns.
pub const FRAME_ENTRY: u8 = 1;
/// The site is where a function has returned to.
pub const FRAME_RETURN: u8 = 2;

/// The argument is an integer.
pub const KIND_INTEGER: u8 = 0;
/// The argument is a pointer to a NUL-terminated string.
pub const KIND_STRING: u8 = 1;
/// The argument is a pointer to bytes whose number is the argument [`ArgSpec::len_arg`].
pub const KIND_BYTES: u8 = 2;

/// "No argument" where a spec names one by its position.
pub const NO_ARG: u8 = 0xff;
/// "No histogram" in [`Spec::histogram`].
pub const NO_HISTOGRAM: u32 = u32::MAX;

/// A hit that is neither a test's start nor its end: a custom event, or a foreign marker.
pub const EVENT_GENERIC: u8 = 0;
/// A test, or an attempt of it, starts.
pub const EVENT_TEST_START: u8 = 1;
/// A test, or an attempt of it, ends.
pub const EVENT_TEST_END: u8 = 2;
/// A program reports an anomaly.
pub const EVENT_ANOMALY: u8 = 3;
/// A hit that is counted and whose record is only for the agent itself.
pub const EVENT_EXTERNAL: u8 = 4;

/// Where one argument is and what it is. 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArgSpec {
    /// The constant, or the displacement in bytes that is added to the registers.
    pub value: i64,
    /// Byte offset of the base register in the processor's `pt_regs`.
    pub base: u16,
    /// Byte offset of the index register in `pt_regs`; for [`FLAG_LEAST_OF_ALL`] the size of an element.
    pub index: u16,
    /// One of the `LOC_` constants.
    pub location: u8,
    /// Size of the value in bytes: 1, 2, 4 or 8. Narrower values are zero- or sign-extended.
    pub size: u8,
    /// Power of two by which the index is scaled: 0 to 3.
    pub scale: u8,
    /// The `FLAG_` constants.
    pub flags: u8,
    /// One of the `KIND_` constants.
    pub kind: u8,
    /// For `KIND_BYTES`, the position of the argument that holds the length; else `NO_ARG`.
    pub len_arg: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// For `LOC_POINTED`, the bytes added to the pointer.
    pub inner: i32,
}

/// What the kernel programs do at one site. The attach cookie is its index. 336 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The arguments; those from `argc` on are unused.
    pub args: [ArgSpec; MAX_ARGS],
    /// Number of arguments.
    pub argc: u8,
    /// One of the `EVENT_` constants.
    pub event: u8,
    /// Index of the signal whose rate applies, below [`crate::MAX_SIGNALS`].
    pub signal: u8,
    /// 1: hits count as kept, sampled out or lost; 0: they count as disabled.
    pub enabled: u8,
    /// Position of the 64-bit sampling key, or `NO_ARG`.
    pub key_arg: u8,
    /// Position of the test id (hashed where there is no key), or `NO_ARG`.
    pub id_arg: u8,
    /// Position of the status, or `NO_ARG`.
    pub status_arg: u8,
    /// Index of the [`StatusTable`] that classifies the status.
    pub status_table: u8,
    /// Position of the duration, or `NO_ARG`.
    pub duration_arg: u8,
    /// Position of the name of the signal that an anomaly is about, or `NO_ARG`.
    pub signal_arg: u8,
    /// Bit i: argument i is a payload, which records can go without.
    pub payload_args: u16,
    /// Index of the duration histogram, or `NO_HISTOGRAM`.
    pub histogram: u32,
    /// The duration argument times this is nanoseconds (1 for ns, 1000 for us, ...).
    pub duration_unit_ns: u64,
    /// Changes each time the index is used for another site, so that late records are told apart.
    pub generation: u32,
    /// Longest string or byte block copied, in bytes with the NUL: 1 to [`crate::MAX_STRING`].
    pub max_string: u32,
    /// Hash seed mixed into keys that the kernel makes itself.
    pub seed: u64,
    /// What entry and return of one function have in common and no other function has: the entry's index.
    pub frame_id: u32,
    /// Byte offset of the stack pointer in `pt_regs`.
    pub frame_base: u16,
    /// Bytes by which the stack pointer at the return is above that at the entry.
    pub frame_popped: u8,
    /// One of the `FRAME_` constants.
    pub frame: u8,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            args: [ArgSpec { len_arg: NO_ARG, ..ArgSpec::default() }; MAX_ARGS],
            argc: 0,
            event: EVENT_GENERIC,
            signal: 0,
            enabled: 1,
            key_arg: NO_ARG,
            id_arg: NO_ARG,
            status_arg: NO_ARG,
            status_table: 0,
            duration_arg: NO_ARG,
            signal_arg: NO_ARG,
            payload_args: 0,
            histogram: NO_HISTOGRAM,
            duration_unit_ns: 1,
            generation: 0,
            max_string: crate::MAX_STRING,
            seed: 0,
            frame_id: 0,
            frame_base: 0,
            frame_popped: 0,
            frame: FRAME_NONE,
        }
    }
}

/// One value of a foreign marker's status argument. 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusEntry {
    /// The integer, or [`crate::fnv1a`] of the word.
    pub value: u64,
    /// The [`crate::Status`] it stands for.
    pub status: u8,
    /// 1 if the row is in use.
    pub used: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

/// Which values of a status argument mean which status. Values in no row are `Unknown`. 256 bytes.
///
/// A table whose first row is unused is direct: the integer is the [`crate::Status`] number itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusTable {
    /// The rows; the used ones come first.
    pub rows: [StatusEntry; STATUS_ROWS],
}

const _: () = assert!(size_of::<ArgSpec>() == 24 && align_of::<ArgSpec>() == 8);
const _: () = assert!(size_of::<Spec>() == 336 && align_of::<Spec>() == 8);
const _: () = assert!(size_of::<StatusEntry>() == 16);
const _: () = assert!(size_of::<StatusTable>() == 256);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), integers only, no implicit padding (the sizes are asserted above), so every bit
    // pattern is a value and every byte is initialised.
    unsafe impl aya::Pod for super::Spec {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::StatusTable {}
}
