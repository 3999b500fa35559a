//! Where functions have their arguments and results: the C calling conventions of Linux, and its stack.
//!
//! System V ABI for x86-64, section 3.2.3; Procedure Call Standard for aarch64, section 6.8.

use super::place::{ArgPlace, Place};
use crate::elf::Arch;
use crate::mapping::{Absent, ArgAt, Base, Step};

/// How a processor's functions are called. Registers are byte offsets within its `struct pt_regs`.
struct Convention {
    arguments: &'static [u16],
    result: u16,
    stack: u16,
    /// Bytes on the stack, at the entry, before the arguments that found no register.
    pushed: u8,
}

const X86_64: Convention =
    Convention { arguments: &[112, 104, 96, 88, 72, 64], result: 80, stack: 152, pushed: 8 };
const AARCH64: Convention =
    Convention { arguments: &[0, 8, 16, 24, 32, 40, 48, 56], result: 0, stack: 248, pushed: 0 };

const fn convention(arch: Arch) -> &'static Convention {
    match arch {
        Arch::X86_64 => &X86_64,
        Arch::Aarch64 => &AARCH64,
    }
}

/// Where the arguments are at a function's entry, or its result at its return.
#[must_use]
pub fn call_places(arch: Arch, args: &[ArgAt]) -> Vec<ArgPlace> {
    let place =
        |arg: &ArgAt| ArgPlace { place: place(convention(arch), arg), size: arg.size, signed: arg.signed };
    args.iter().map(place).collect()
}

/// The stack pointer's offset in `struct pt_regs`, and by how many bytes it is higher at a return than at the entry.
#[must_use]
pub const fn stack(arch: Arch) -> (u16, u8) {
    let convention = convention(arch);
    (convention.stack, convention.pushed)
}

fn place(convention: &Convention, arg: &ArgAt) -> Place {
    let base = match arg.base {
        Base::Elapsed => return Place::Elapsed,
        Base::Result => convention.result,
        Base::Argument(position) => {
            let position = usize::from(position);
            match convention.arguments.get(position) {
                Some(&base) => base,
                None => {
                    let words = position - convention.arguments.len();
                    return on_stack(convention, i64::from(convention.pushed) + 8 * words as i64, &arg.steps);
                }
            }
        }
    };
    match *arg.steps {
        [] => Place::Register { base },
        [Step { offset, .. }] => Place::Memory { base, displacement: offset.into() },
        [Step { offset, absent }, inner] => {
            Place::Pointed { base, displacement: offset.into(), inner: inner.offset, absent }
        }
        [_, _, _, ..] => too_deep(),
    }
}

fn on_stack(convention: &Convention, displacement: i64, steps: &[Step]) -> Place {
    let base = convention.stack;
    match *steps {
        [] => Place::Memory { base, displacement },
        [inner] => Place::Pointed { base, displacement, inner: inner.offset, absent: Absent::Never },
        [_, _, ..] => too_deep(),
    }
}

fn too_deep() -> Place {
    Place::unread("it is behind too many pointers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: Base, offsets: &[i32]) -> ArgAt {
        let steps = offsets.iter().map(|&offset| Step { offset, absent: Absent::Null }).collect();
        ArgAt { base, steps, size: 4, signed: true }
    }

    fn found(arch: Arch, base: Base, offsets: &[i32]) -> Place {
        call_places(arch, &[at(base, offsets)]).remove(0).place
    }

    #[test]
    fn arguments_are_in_registers_and_then_on_the_stack() {
        let x86 = |position| found(Arch::X86_64, Base::Argument(position), &[]);
        assert_eq!(x86(0), Place::Register { base: 112 });
        assert_eq!(x86(5), Place::Register { base: 64 });
        assert_eq!(x86(6), Place::Memory { base: 152, displacement: 8 });
        assert_eq!(x86(7), Place::Memory { base: 152, displacement: 16 });
        let arm = |position| found(Arch::Aarch64, Base::Argument(position), &[]);
        assert_eq!(arm(7), Place::Register { base: 56 });
        assert_eq!(arm(8), Place::Memory { base: 248, displacement: 0 });
        assert_eq!(found(Arch::X86_64, Base::Result, &[]), Place::Register { base: 80 });
        assert_eq!(found(Arch::Aarch64, Base::Result, &[]), Place::Register { base: 0 });
        assert_eq!(found(Arch::X86_64, Base::Elapsed, &[]), Place::Elapsed);
        assert_eq!((stack(Arch::X86_64), stack(Arch::Aarch64)), ((152, 8), (248, 0)));
    }

    #[test]
    fn pointers_are_followed_as_far_as_a_spec_can() {
        let of = |base, offsets: &[i32]| found(Arch::X86_64, base, offsets);
        let (first, seventh) = (Base::Argument(0), Base::Argument(6));
        assert_eq!(of(first, &[-8]), Place::Memory { base: 112, displacement: -8 });
        let pointed = Place::Pointed { base: 112, displacement: 8, inner: 4, absent: Absent::Null };
        assert_eq!(of(first, &[8, 4]), pointed);
        let pointed = Place::Pointed { base: 152, displacement: 8, inner: 4, absent: Absent::Never };
        assert_eq!(of(seventh, &[4]), pointed);
        assert!(!of(seventh, &[4, 4]).is_readable());
    }
}
