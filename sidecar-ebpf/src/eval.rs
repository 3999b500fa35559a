//! Spec evaluation: from a site's registers to the value of an argument.

use sidecar_common::{
    ArgSpec, FLAG_EMPTY_IS_ZERO, FLAG_LEAST_OF_ALL, FLAG_NULL_IS_ZERO, FLAG_SIGNED, LOC_CONSTANT,
    LOC_ELAPSED, LOC_INDEXED, LOC_MEMORY, LOC_POINTED, LOC_REGISTER, MAX_ELEMENTS,
};

/// Why an argument has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The spec says that the argument can't be read.
    Unread,
    /// The program's memory was not there.
    Fault,
}

/// What evaluation reads from: the kernel's helpers, or a table in the tests.
pub trait Access {
    /// The 64-bit register at this byte offset of `pt_regs`.
    fn register(&self, offset: u16) -> u64;
    /// `size` bytes (1 to 8) of the program's memory, little-endian, zero-extended.
    fn memory(&self, address: u64, size: u8) -> Option<u64>;
    /// Nanoseconds since the function was entered that has returned here, if that is known.
    fn elapsed(&self) -> Option<u64>;
    /// Looks through a vector to the end.
    fn search(&self, vector: Vector) -> Found;
}

/// The elements of a vector, of which one is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Vector {
    /// The first element.
    pub begin: u64,
    /// The end of the last.
    pub end: u64,
    /// Size of an element.
    pub size: u64,
}

impl Vector {
    /// How many elements are looked at.
    #[inline(always)]
    #[must_use]
    pub const fn looked_at(&self) -> u32 {
        if self.size == 0 || self.end < self.begin {
            return 0;
        }
        let count = (self.end - self.begin) / self.size;
        if count > MAX_ELEMENTS as u64 { MAX_ELEMENTS } else { count as u32 }
    }
}

/// What a look through a vector has found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Found {
    /// The element whose first 4 bytes are the least number above 0; 0 if there is none.
    pub element: u64,
    /// That number.
    pub number: u32,
    /// Not 0: an element could not be read.
    pub fault: u32,
}

impl Found {
    /// Takes an element's first 4 bytes into account. Whether there is reason to go on.
    #[inline(always)]
    pub fn look(&mut self, element: u64, number: Option<u64>) -> bool {
        let Some(number) = number else {
            self.fault = 1;
            return false;
        };
        let number = number as u32;
        if number != 0 && (self.element == 0 || number < self.number) {
            self.element = element;
            self.number = number;
        }
        number != 1
    }
}

/// Extends the low `size` bytes of `raw` to 64 bits. A size that is not 1, 2 or 4 leaves all 64 bits.
#[inline(always)]
#[must_use]
pub const fn extend(raw: u64, size: u8, signed: bool) -> u64 {
    let shift = match size {
        1 => 56,
        2 => 48,
        4 => 32,
        _ => return raw,
    };
    if signed { (((raw << shift) as i64) >> shift) as u64 } else { (raw << shift) >> shift }
}

/// `value` in units of `unit` nanoseconds (at most a second) as nanoseconds. More than 2^64 / 10^9 units count
/// as that many (5 hours of microseconds), because saturating multiplication needs 128 bits, which BPF has not.
#[inline(always)]
#[must_use]
pub const fn nanoseconds(value: u64, unit: u64) -> u64 {
    const MOST: u64 = u64::MAX / 1_000_000_000;
    if unit == 1 {
        value
    } else {
        let value = if value > MOST { MOST } else { value };
        value.wrapping_mul(unit)
    }
}

/// The value of one argument.
///
/// # Errors
/// [`Missing`] when the argument can't be had.
#[inline(always)]
pub fn value(arg: &ArgSpec, access: &impl Access) -> Result<u64, Missing> {
    let signed = arg.flags & FLAG_SIGNED != 0;
    let raw = match arg.location {
        LOC_CONSTANT => return Ok(arg.value as u64),
        LOC_REGISTER => access.register(arg.base),
        LOC_ELAPSED => return access.elapsed().ok_or(Missing::Unread),
        LOC_MEMORY | LOC_INDEXED | LOC_POINTED => {
            let mut address = access.register(arg.base).wrapping_add(arg.value as u64);
            if arg.location == LOC_INDEXED {
                address = address.wrapping_add(access.register(arg.index) << (arg.scale & 3));
            }
            if arg.location == LOC_POINTED {
                let Some(mut pointer) = access.memory(address, 8) else { return Err(Missing::Fault) };
                if arg.flags & FLAG_LEAST_OF_ALL != 0 {
                    let Some(end) = access.memory(address.wrapping_add(8), 8) else {
                        return Err(Missing::Fault);
                    };
                    let found = access.search(Vector { begin: pointer, end, size: u64::from(arg.index) });
                    if found.fault != 0 {
                        return Err(Missing::Fault);
                    }
                    if found.element == 0 {
                        return Ok(0);
                    }
                    pointer = found.element;
                } else if arg.flags & FLAG_EMPTY_IS_ZERO != 0 {
                    match access.memory(address.wrapping_add(8), 8) {
                        Some(end) if end == pointer => return Ok(0),
                        Some(_) => {}
                        None => return Err(Missing::Fault),
                    }
                } else if pointer == 0 && arg.flags & FLAG_NULL_IS_ZERO != 0 {
                    return Ok(0);
                }
                address = pointer.wrapping_add(i64::from(arg.inner) as u64);
            }
            match access.memory(address, arg.size) {
                Some(raw) => raw,
                None => return Err(Missing::Fault),
            }
        }
        _ => return Err(Missing::Unread),
    };
    Ok(extend(raw, arg.size, signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Registers at offsets 0, 8, 16, ...; memory from address 0x1000 on.
    struct Table {
        registers: Vec<u64>,
        memory: Vec<u8>,
        elapsed: Option<u64>,
    }

    impl Access for Table {
        fn register(&self, offset: u16) -> u64 {
            self.registers[usize::from(offset) / 8]
        }
        fn memory(&self, address: u64, size: u8) -> Option<u64> {
            let start = usize::try_from(address.checked_sub(0x1000)?).ok()?;
            let bytes = self.memory.get(start..start.checked_add(usize::from(size))?)?;
            Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
        }
        fn elapsed(&self) -> Option<u64> {
            self.elapsed
        }
        fn search(&self, vector: Vector) -> Found {
            let mut found = Found::default();
            for i in 0..u64::from(vector.looked_at()) {
                let element = vector.begin + i * vector.size;
                if !found.look(element, self.memory(element, 4)) {
                    break;
                }
            }
            found
        }
    }

    fn table() -> Table {
        Table {
            registers: vec![0xffff_ffff_ffff_fffe, 0x1000, 3],
            memory: (0x80..0xa0).collect(),
            elapsed: None,
        }
    }

    fn arg(location: u8, size: u8) -> ArgSpec {
        ArgSpec { location, size, ..ArgSpec::default() }
    }

    #[test]
    fn extends_every_width_with_and_without_sign() {
        for (raw, size, signed, expected) in [
            (0x1_80, 1, false, 0x80),
            (0x1_80, 1, true, 0xffff_ffff_ffff_ff80),
            (0x1_7f, 1, true, 0x7f),
            (0xf_8000, 2, true, 0xffff_ffff_ffff_8000),
            (0xf_8000, 2, false, 0x8000),
            (0xf_8000_0000, 4, true, 0xffff_ffff_8000_0000),
            (0xf_8000_0000, 4, false, 0x8000_0000),
            (u64::MAX, 8, true, u64::MAX),
            (u64::MAX, 8, false, u64::MAX),
            (0x1234_5678, 3, true, 0x1234_5678),
        ] {
            assert_eq!(extend(raw, size, signed), expected, "{raw:#x} {size} {signed}");
        }
    }

    #[test]
    fn durations_saturate() {
        assert_eq!(nanoseconds(5, 1_000_000), 5_000_000);
        assert_eq!(nanoseconds(u64::MAX, 1), u64::MAX);
        assert_eq!(nanoseconds(u64::MAX, 1000), u64::MAX / 1_000_000_000 * 1000);
        assert_eq!(nanoseconds(3, 1_000_000_000), 3_000_000_000);
        assert_eq!(nanoseconds(7, 0), 0);
    }

    #[test]
    fn a_constant_is_itself_whatever_its_size() {
        let constant = ArgSpec { value: -5, ..arg(LOC_CONSTANT, 4) };
        assert_eq!(value(&constant, &table()), Ok(-5i64 as u64));
    }

    #[test]
    fn a_register_is_cut_to_its_size() {
        assert_eq!(value(&arg(LOC_REGISTER, 4), &table()), Ok(0xffff_fffe));
        let signed = ArgSpec { flags: FLAG_SIGNED, ..arg(LOC_REGISTER, 4) };
        assert_eq!(value(&signed, &table()), Ok(-2i64 as u64));
    }

    #[test]
    fn memory_is_read_at_base_plus_displacement() {
        let memory = ArgSpec { base: 8, value: 4, ..arg(LOC_MEMORY, 2) };
        assert_eq!(value(&memory, &table()), Ok(0x8584));
        let signed = ArgSpec { flags: FLAG_SIGNED, ..memory };
        assert_eq!(value(&signed, &table()), Ok(0xffff_ffff_ffff_8584));
        let before = ArgSpec { value: -1, ..memory };
        assert_eq!(value(&before, &table()), Err(Missing::Fault));
    }

    #[test]
    fn an_index_is_scaled() {
        let indexed = ArgSpec { base: 8, index: 16, scale: 2, value: 1, ..arg(LOC_INDEXED, 1) };
        assert_eq!(value(&indexed, &table()), Ok(0x8d));
        let hostile_scale = ArgSpec { scale: 0xfe, ..indexed };
        assert_eq!(value(&hostile_scale, &table()), Ok(0x8d));
    }

    #[test]
    fn an_address_that_wraps_around_faults() {
        let wrapping = ArgSpec { base: 0, value: i64::MAX, ..arg(LOC_MEMORY, 8) };
        assert_eq!(value(&wrapping, &table()), Err(Missing::Fault));
    }

    #[test]
    fn the_time_since_the_entry_is_read_where_it_is_known() {
        let elapsed = arg(LOC_ELAPSED, 8);
        assert_eq!(value(&elapsed, &table()), Err(Missing::Unread));
        assert_eq!(value(&elapsed, &Table { elapsed: Some(7), ..table() }), Ok(7));
    }

    #[test]
    fn a_pointer_in_memory_is_followed() {
        let mut memory = 0x1010u64.to_le_bytes().to_vec();
        memory.extend([0; 8]);
        memory.extend([1, 2, 3, 4]);
        let table = Table { memory, ..table() };
        let pointed = ArgSpec { base: 8, inner: 1, ..arg(LOC_POINTED, 2) };
        assert_eq!(value(&pointed, &table), Ok(0x0302));
        assert_eq!(value(&ArgSpec { inner: -0x1010, ..pointed }, &table), Err(Missing::Fault));
        let null = ArgSpec { value: 8, ..pointed };
        assert_eq!(value(&null, &table), Err(Missing::Fault));
        assert_eq!(value(&ArgSpec { flags: FLAG_NULL_IS_ZERO, ..null }, &table), Ok(0));
        assert_eq!(value(&ArgSpec { value: 1 << 20, ..pointed }, &table), Err(Missing::Fault));
        // As the first of a vector: the word behind the pointer is another, or there is none.
        let first = ArgSpec { flags: FLAG_EMPTY_IS_ZERO, ..pointed };
        assert_eq!(value(&first, &table), Ok(0x0302));
        assert_eq!(value(&ArgSpec { value: 16, ..first }, &table), Err(Missing::Fault));
        let empty = Table { memory: 0x1000u64.to_le_bytes().repeat(2), ..table };
        assert_eq!(value(&first, &empty), Ok(0));
    }

    #[test]
    fn of_a_vector_the_element_of_the_least_number_is_found() {
        let with = |numbers: &[u32]| {
            let end = 0x1010 + 8 * numbers.len() as u64;
            let mut memory: Vec<u8> =
                [0x1010, end].iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
            for (i, number) in (100_u32..).zip(numbers) {
                memory.extend([*number, i].iter().flat_map(|word| word.to_le_bytes()));
            }
            Table { memory, ..table() }
        };
        let least = ArgSpec { base: 8, index: 8, flags: FLAG_LEAST_OF_ALL, ..arg(LOC_POINTED, 4) };
        let behind = ArgSpec { inner: 4, ..least };
        for (numbers, number, which) in [
            (&[][..], 0, 0),
            (&[0, 0], 0, 0),
            (&[0, 3, 0, 2, 2], 2, 103),
            (&[3, 1, 1], 1, 101),
            (&[7], 7, 100),
        ] {
            assert_eq!(value(&least, &with(numbers)), Ok(number), "{numbers:?}");
            assert_eq!(value(&behind, &with(numbers)), Ok(which), "{numbers:?}");
        }
        // Hostile: an end before the begin, elements without size, an end that is far away.
        let backwards = Table { memory: [0x1010, 0x1000_u64].map(u64::to_le_bytes).concat(), ..table() };
        assert_eq!(value(&least, &backwards), Ok(0));
        assert_eq!(value(&ArgSpec { index: 0, ..least }, &with(&[1])), Ok(0));
        let endless = Table { memory: [0x1000, u64::MAX].map(u64::to_le_bytes).concat(), ..table() };
        assert_eq!(value(&least, &endless), Err(Missing::Fault));
        assert_eq!(Vector { begin: 0, end: u64::MAX, size: 1 }.looked_at(), MAX_ELEMENTS);
    }

    #[test]
    fn an_unknown_location_is_unread() {
        for location in [0, 7, 0xff] {
            assert_eq!(value(&arg(location, 8), &table()), Err(Missing::Unread));
        }
    }
}
