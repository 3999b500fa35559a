//! Every form of argument: registers, memory, scaled index and constant, of each size and sign.

use std::fs::File;

use anyhow::Result;
use sidecar_agent::bpf::{Link, Site};
use sidecar_common::{ArgSpec, LOC_CONSTANT, LOC_UNREAD};
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::Arg;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec::{self, REGISTERS, indexed, memory, narrow, register};

/// Sizes and signs.
const WIDTHS: [(u8, bool); 8] =
    [(8, false), (8, true), (4, false), (4, true), (2, false), (2, true), (1, false), (1, true)];

const R14: u16 = REGISTERS[14].1;
const R15: u16 = REGISTERS[15].1;
const RSP: u16 = REGISTERS[7].1;

/// The script's site with known registers.
struct Forms {
    session: Session,
    running: Running,
    _program: Program,
    _link: Link,
}

impl Forms {
    fn new() -> Result<Self> {
        let session = Session::load(&options())?;
        let program = Program::copy("target_script")?;
        let site = Site { offset: program.notes().symbol("raw_forms_site")?, semaphore: 0, cookie: 0 };
        let link = session.kernel.attach(&File::open(program.path())?, &[site])?;
        Ok(Self { session, running: program.start(&[])?, _program: program, _link: link })
    }

    /// What the kernel reads for these arguments, and the address of the middle of the site's table.
    fn read(&mut self, args: &[ArgSpec]) -> Result<(u64, Vec<Arg>)> {
        let mut values = Vec::new();
        let mut middle = 0;
        for args in args.chunks(12) {
            self.session.kernel.set_spec(0, &spec::spec(args))?;
            middle = self.running.ask("forms")?.parse()?;
            let records = self.session.records()?;
            assert_eq!(records.len(), 1);
            values.extend(records.into_iter().flat_map(|record| record.args));
        }
        Ok((middle, values))
    }

    /// Compares values of all widths with the 64 bits that they are taken from.
    fn compare(&mut self, cases: &[(ArgSpec, Option<u64>)]) -> Result<()> {
        let all: Vec<_> = cases
            .iter()
            .flat_map(|(arg, whole)| WIDTHS.map(|(size, signed)| (narrow(*arg, size, signed), *whole)))
            .collect();
        let (middle, found) = self.read(&all.iter().map(|(arg, _)| *arg).collect::<Vec<_>>())?;
        assert_eq!(found.len(), all.len());
        for ((arg, whole), found) in all.iter().zip(found) {
            let expected = extended(whole.unwrap_or(middle), arg.size, arg.flags != 0);
            assert_eq!(found, Arg::Integer(expected), "{arg:?}");
        }
        Ok(())
    }
}

/// The low bytes of a value, extended.
fn extended(value: u64, size: u8, signed: bool) -> u64 {
    match (size, signed) {
        (1, false) => u64::from(value as u8),
        (1, true) => value as i8 as u64,
        (2, false) => u64::from(value as u16),
        (2, true) => value as i16 as u64,
        (4, false) => u64::from(value as u32),
        (4, true) => value as i32 as u64,
        _ => value,
    }
}

/// What register `i` holds at the site; none for rsp and for r15, which holds the table's address.
fn held(i: usize) -> Option<u64> {
    match REGISTERS[i].0 {
        "rsp" | "r15" => None,
        "r14" => Some(3),
        _ if i.is_multiple_of(2) => Some(0xf1e2_d3c4_b5a6_9780 + i as u64),
        _ => Some(0x0102_0304_0506_0710 + i as u64),
    }
}

/// Entry `i` of the site's table, whose middle is entry 4.
const fn entry(i: u64) -> Option<u64> {
    Some(0x8182_8384_8586_8700 + i)
}

pub(crate) fn registers() -> Result<()> {
    let cases: Vec<_> = (0..REGISTERS.len())
        .filter(|&i| REGISTERS[i].0 != "rsp")
        .map(|i| (register(REGISTERS[i].1), held(i)))
        .collect();
    let mut forms = Forms::new()?;
    forms.compare(&cases)?;
    let (_, found) = forms.read(&[register(RSP)])?;
    let Arg::Integer(stack) = found[0] else { panic!("{found:?}") };
    assert!(stack != 0 && stack.is_multiple_of(8), "{stack:#x}");
    Ok(())
}

pub(crate) fn memories() -> Result<()> {
    let last_bytes = Some(0x8586_8705_8182_8384);
    Forms::new()?.compare(&[
        (memory(RSP, 0), Some(0x1122_3344_5566_7788)),
        (memory(R15, 0), entry(4)),
        (memory(R15, 8), entry(5)),
        (memory(R15, -32), entry(0)),
        (memory(R15, 4), last_bytes),
        // r14 holds 3.
        (indexed(R15, R14, 3, 0), entry(7)),
        (indexed(R15, R14, 3, -56), entry(0)),
        (indexed(R15, R14, 2, -4), entry(5)),
        (indexed(R15, R14, 1, 2), entry(5)),
        (indexed(R15, R14, 0, 5), entry(5)),
    ])
}

pub(crate) fn others() -> Result<()> {
    let constant =
        |value: i64, size| ArgSpec { location: LOC_CONSTANT, value, ..narrow(register(0), size, false) };
    let unread = ArgSpec { location: LOC_UNREAD, ..register(0) };
    let unknown = ArgSpec { location: 77, ..register(0) };
    // rax holds no address; r14 is 3; a wild place outside pt_regs must not hurt, whatever it reads.
    let (_, found) = Forms::new()?.read(&[
        constant(-5, 4),
        constant(i64::MIN, 8),
        unread,
        unknown,
        memory(REGISTERS[0].1, 0),
        memory(R14, -3),
        indexed(REGISTERS[0].1, R14, 3, 0),
        narrow(memory(R15, 0), 0, false),
        narrow(memory(R15, 0), 200, false),
    ])?;
    let entry = Arg::Integer(entry(4).unwrap_or_default());
    let expected = [
        Arg::Integer(-5i64 as u64),
        Arg::Integer(i64::MIN as u64),
        Arg::Unread,
        Arg::Unread,
        Arg::Fault,
        Arg::Fault,
        Arg::Fault,
        Arg::Integer(0),
        entry,
    ];
    assert_eq!(found, expected);
    Ok(())
}
