//! Tests of the decoder, and the encoder that other tests make records with.

use proptest::prelude::*;
use sidecar_common::RATE_ONE;

use super::*;

/// An argument to encode.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Integer(u64),
    Text(Vec<u8>, bool),
    Unread,
    Fault,
    Dropped,
}

pub(crate) fn text(text: &str) -> Arg {
    Arg::Text(text.as_bytes().to_vec(), false)
}

pub(crate) fn header_of(kind: u16) -> RecordHeader {
    RecordHeader {
        kind,
        spec: 7,
        generation: 3,
        time_ns: 1_000_000_007,
        pid: 4711,
        tid: 4712,
        cgroup_id: 99,
        rate: RATE_ONE,
        comm: *b"runner\0\0\0\0\0\0\0\0\0\0",
        ..RecordHeader::default()
    }
}

/// The bytes of a record, as the kernel programs lay them out.
pub(crate) fn encode(mut header: RecordHeader, args: &[Arg]) -> Vec<u8> {
    let mut body = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        let (value, bytes): (u64, &[u8]) = match arg {
            Arg::Integer(value) => (*value, &[]),
            Arg::Text(bytes, cut) => {
                header.strings |= 1 << i;
                header.truncated |= u16::from(*cut) << i;
                (bytes.len() as u64, bytes)
            }
            Arg::Unread => {
                header.unread |= 1 << i;
                (0, &[])
            }
            Arg::Fault => {
                header.faults |= 1 << i;
                header.strings |= 1 << i;
                (0, &[])
            }
            Arg::Dropped => {
                header.dropped |= 1 << i;
                header.strings |= 1 << i;
                (0, &[])
            }
        };
        body.extend(value.to_ne_bytes());
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(8), 0xee);
    }
    header.argc = args.len() as u8;
    header.len = RecordHeader::LEN + body.len() as u32;
    let mut out = Vec::new();
    out.extend(header.len.to_ne_bytes());
    out.extend(header.kind.to_ne_bytes());
    out.extend([header.argc, header.status]);
    out.extend(header.spec.to_ne_bytes());
    out.extend(header.generation.to_ne_bytes());
    out.extend(header.time_ns.to_ne_bytes());
    out.extend(header.pid.to_ne_bytes());
    out.extend(header.tid.to_ne_bytes());
    out.extend(header.cgroup_id.to_ne_bytes());
    out.extend(header.rate.to_ne_bytes());
    for bits in [header.strings, header.faults, header.truncated, header.unread, header.dropped] {
        out.extend(bits.to_ne_bytes());
    }
    out.extend(header.flags.to_ne_bytes());
    out.extend(header.exit_code.to_ne_bytes());
    out.extend(header.comm);
    out.extend(body);
    out
}

fn some_args() -> Vec<Arg> {
    vec![
        Arg::Integer(u64::MAX),
        text("seven b"),
        Arg::Unread,
        Arg::Fault,
        Arg::Dropped,
        text(""),
        Arg::Text(vec![0xff; 1024], true),
    ]
}

fn patched(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn what_is_encoded_is_decoded() {
    let record = decode(&encode(header_of(RECORD_HIT), &some_args())).unwrap();
    assert_eq!((record.header.pid, record.header.tid, record.header.cgroup_id), (4711, 4712, 99));
    assert_eq!((record.header.spec, record.header.generation, record.header.argc), (7, 3, 7));
    assert_eq!(record.header.time_ns, 1_000_000_007);
    let bytes = |bytes: &[u8]| Value::Bytes(Bytes::copy_from_slice(bytes));
    let expected = [
        (Value::Integer(u64::MAX), false),
        (bytes(b"seven b"), false),
        (Value::Unread, false),
        (Value::Fault, false),
        (Value::Dropped, false),
        (bytes(b""), false),
        (bytes(&[0xff; 1024]), true),
    ];
    assert_eq!(record.args, expected);
}

#[test]
fn noise_behind_the_used_bytes_is_not_read() {
    let mut bytes = encode(header_of(RECORD_HIT), &some_args());
    let record = decode(&bytes).unwrap();
    bytes.resize(4096, 0xaa);
    assert_eq!(decode(&bytes).unwrap(), record);
}

#[test]
fn process_records_have_no_arguments() {
    for kind in [RECORD_EXEC, RECORD_EXIT] {
        assert_eq!(decode(&encode(header_of(kind), &[])).unwrap().header.kind, kind);
        let bytes = encode(header_of(kind), &[Arg::Integer(1)]);
        assert_eq!(decode(&bytes), Err(DecodeError::Args { kind, argc: 1 }));
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = encode(header_of(RECORD_HIT), &some_args());
    for len in 0..bytes.len() {
        let cut = decode(&bytes[..len]);
        if len < 80 {
            assert_eq!(cut, Err(DecodeError::NoHeader { has: len, wants: 80 }));
        } else {
            assert_eq!(cut, Err(DecodeError::Length { says: bytes.len() as u32, has: len }));
        }
        // The same with a header that admits it.
        if (80..bytes.len()).contains(&len) {
            let admitted = patched(&bytes[..len], 0, &(len as u32).to_ne_bytes());
            assert!(matches!(decode(&admitted), Err(DecodeError::Cut { .. })), "{len}");
        }
    }
}

#[test]
fn bad_lengths_kinds_and_counts_are_errors() {
    let bytes = encode(header_of(RECORD_HIT), &[text("abc")]);
    assert_eq!(
        decode(&patched(&bytes, 0, &79u32.to_ne_bytes())),
        Err(DecodeError::Length { says: 79, has: 96 })
    );
    assert_eq!(
        decode(&patched(&bytes, 0, &u32::MAX.to_ne_bytes())),
        Err(DecodeError::Length { says: u32::MAX, has: 96 })
    );
    for kind in [0u16, 5, u16::MAX] {
        assert_eq!(decode(&patched(&bytes, 4, &kind.to_ne_bytes())), Err(DecodeError::Kind(kind)));
    }
    assert_eq!(decode(&patched(&bytes, 6, &[13])), Err(DecodeError::Args { kind: RECORD_HIT, argc: 13 }));
    assert_eq!(decode(&patched(&bytes, 6, &[2])), Err(DecodeError::Cut { arg: 1 }));
    assert_eq!(decode(&patched(&bytes, 6, &[0])), Err(DecodeError::Trailing(16)));
    assert_eq!(decode(&patched(&bytes, 80, &9u64.to_ne_bytes())), Err(DecodeError::Cut { arg: 0 }));
    for len in [1025, u64::from(u32::MAX) + 4, u64::MAX] {
        assert_eq!(
            decode(&patched(&bytes, 80, &len.to_ne_bytes())),
            Err(DecodeError::TooLong { arg: 0, len })
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    /// Bytes that get past the header: the used length is right, the kind is a hit, the lengths are small.
    #[test]
    fn no_arguments_make_the_decoder_panic(
        argc in 0u8..13, strings: u16, faults: u16, unread: u16, dropped: u16,
        body in prop::collection::vec(0u64..40, 0..40),
    ) {
        let header = RecordHeader { strings, faults, unread, dropped, ..header_of(RECORD_HIT) };
        let mut bytes = encode(header, &[]);
        bytes.extend(body.iter().flat_map(|word| word.to_ne_bytes()));
        let len = bytes.len() as u32;
        let bytes = patched(&patched(&bytes, 0, &len.to_ne_bytes()), 6, &[argc]);
        if let Ok(record) = decode(&bytes) {
            prop_assert_eq!(record.args.len(), usize::from(argc));
        }
    }
}
