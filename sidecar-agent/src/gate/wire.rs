//! The messages between the agent and the gate: a datagram each, little-endian, parsed and never cast.

use super::stats::GateStats;
use thiserror::Error;

/// Longest message in bytes.
pub(super) const MAX_LEN: usize = 256;
/// Longest text in a message in bytes.
const MAX_TEXT: usize = MAX_LEN - 8;

/// A message that the other side should not have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The message's number is none of those known.
    #[error("unknown message {0}")]
    Unknown(u8),
    /// The message is shorter or longer than its kind is.
    #[error("message {kind} of {len} bytes has the wrong length")]
    Length {
        /// The message's number.
        kind: u8,
        /// Its length in bytes.
        len: usize,
    },
    /// A field holds a value that it can't have.
    #[error("message {kind} holds a value that it can't have")]
    Value {
        /// The message's number.
        kind: u8,
    },
}

/// Where the gate's start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Setting the process up.
    Setup,
    /// `fanotify_init`.
    Init,
    /// `fanotify_mark`, for every filesystem.
    Mark,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ToAgent {
    /// The gate holds from now on, on so many filesystems.
    Ready { filesystems: u32 },
    /// The gate can't do its work and ends.
    Failed { stage: Stage, errno: i32 },
    /// A filesystem is left out: the error, or 0 for one that is not local.
    Unmarked { errno: i32, what: String },
    /// A process wants to execute the file that comes along.
    Request { id: u64, pid: u32 },
    /// Counts so far.
    Stats(GateStats),
}

/// What the agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToGate {
    /// Let it go; `remember` that this image needs no question again.
    Answer { id: u64, remember: bool },
    /// Ask again for every image.
    Forget,
    /// Let everyone go and end.
    Shutdown,
}

const READY: u8 = 1;
const FAILED: u8 = 2;
const UNMARKED: u8 = 3;
const REQUEST: u8 = 4;
const STATS: u8 = 5;
const ANSWER: u8 = 16;
const FORGET: u8 = 17;
const SHUTDOWN: u8 = 18;

impl ToAgent {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready { filesystems } => message(READY, &[&filesystems.to_le_bytes()]),
            Self::Failed { stage, errno } => {
                let stage = match stage {
                    Stage::Setup => 0_u8,
                    Stage::Init => 1,
                    Stage::Mark => 2,
                };
                message(FAILED, &[&[stage], &errno.to_le_bytes()])
            }
            Self::Unmarked { errno, what } => {
                let text = &what[..what.floor_char_boundary(MAX_TEXT)];
                message(UNMARKED, &[&errno.to_le_bytes(), text.as_bytes()])
            }
            Self::Request { id, pid } => message(REQUEST, &[&id.to_le_bytes(), &pid.to_le_bytes()]),
            Self::Stats(stats) => {
                let counts = stats.to_array().map(u64::to_le_bytes);
                message(STATS, &[counts.as_flattened()])
            }
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(bytes)?;
        let decoded = match fields.kind {
            READY => Self::Ready { filesystems: u32::from_le_bytes(fields.take()?) },
            FAILED => {
                let stage = match fields.take()? {
                    [0] => Stage::Setup,
                    [1] => Stage::Init,
                    [2] => Stage::Mark,
                    [_] => return Err(WireError::Value { kind: FAILED }),
                };
                Self::Failed { stage, errno: i32::from_le_bytes(fields.take()?) }
            }
            UNMARKED => {
                let errno = i32::from_le_bytes(fields.take()?);
                Self::Unmarked { errno, what: String::from_utf8_lossy(fields.take_rest()).into_owned() }
            }
            REQUEST => Self::Request {
                id: u64::from_le_bytes(fields.take()?),
                pid: u32::from_le_bytes(fields.take()?),
            },
            STATS => {
                let mut counts = [0; GateStats::FIELDS];
                for count in &mut counts {
                    *count = u64::from_le_bytes(fields.take()?);
                }
                Self::Stats(GateStats::from_array(counts))
            }
            kind => return Err(WireError::Unknown(kind)),
        };
        fields.end(decoded)
    }
}

impl ToGate {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Answer { id, remember } => message(ANSWER, &[&id.to_le_bytes(), &[u8::from(remember)]]),
            Self::Forget => message(FORGET, &[]),
            Self::Shutdown => message(SHUTDOWN, &[]),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(bytes)?;
        let decoded = match fields.kind {
            ANSWER => {
                let id = u64::from_le_bytes(fields.take()?);
                let remember = match fields.take()? {
                    [0] => false,
                    [1] => true,
                    [_] => return Err(WireError::Value { kind: ANSWER }),
                };
                Self::Answer { id, remember }
            }
            FORGET => Self::Forget,
            SHUTDOWN => Self::Shutdown,
            kind => return Err(WireError::Unknown(kind)),
        };
        fields.end(decoded)
    }
}

fn message(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    fields.iter().for_each(|field| bytes.extend_from_slice(field));
    bytes
}

/// The bytes of a message that are not read yet.
struct Fields<'a> {
    kind: u8,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (&kind, rest) = bytes.split_first().ok_or(WireError::Length { kind: 0, len: 0 })?;
        Ok(Self { kind, len: bytes.len(), rest })
    }

    fn wrong_length(&self) -> WireError {
        WireError::Length { kind: self.kind, len: self.len }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(self.wrong_length())?;
        self.rest = rest;
        Ok(*field)
    }

    fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn end<T>(self, decoded: T) -> Result<T, WireError> {
        if self.rest.is_empty() { Ok(decoded) } else { Err(self.wrong_length()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_agent() -> Vec<ToAgent> {
        vec![
            ToAgent::Ready { filesystems: 7 },
            ToAgent::Failed { stage: Stage::Setup, errno: 1 },
            ToAgent::Failed { stage: Stage::Init, errno: 1 },
            ToAgent::Failed { stage: Stage::Mark, errno: -1 },
            ToAgent::Unmarked { errno: 13, what: "/mnt/ä (nfs4)".to_owned() },
            ToAgent::Request { id: u64::MAX, pid: 4_000_000_000 },
            ToAgent::Stats(GateStats { events: 3, max_hold_ns: 9, ..GateStats::default() }),
        ]
    }

    fn to_gate() -> Vec<ToGate> {
        let answer = |remember| ToGate::Answer { id: 1 << 40, remember };
        vec![answer(true), answer(false), ToGate::Forget, ToGate::Shutdown]
    }

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        for message in to_agent() {
            assert!(message.encode().len() <= MAX_LEN);
            assert_eq!(ToAgent::decode(&message.encode()), Ok(message));
        }
        for message in to_gate() {
            assert_eq!(ToGate::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn every_cut_and_every_extra_byte_is_refused() {
        let agent = to_agent().into_iter().filter(|message| !matches!(message, ToAgent::Unmarked { .. }));
        for bytes in agent.map(|message| message.encode()) {
            for cut in 0..bytes.len() {
                assert!(
                    matches!(ToAgent::decode(&bytes[..cut]), Err(WireError::Length { .. })),
                    "{bytes:?} {cut}"
                );
            }
            assert!(matches!(ToAgent::decode(&[&bytes[..], &[0]].concat()), Err(WireError::Length { .. })));
        }
        for bytes in to_gate().into_iter().map(ToGate::encode) {
            for cut in 0..bytes.len() {
                assert!(
                    matches!(ToGate::decode(&bytes[..cut]), Err(WireError::Length { .. })),
                    "{bytes:?} {cut}"
                );
            }
            assert!(matches!(ToGate::decode(&[&bytes[..], &[0]].concat()), Err(WireError::Length { .. })));
        }
    }

    #[test]
    fn unknown_numbers_and_values_are_refused() {
        assert_eq!(ToAgent::decode(&[99]), Err(WireError::Unknown(99)));
        assert_eq!(ToGate::decode(&[READY, 0, 0, 0, 0]), Err(WireError::Unknown(READY)));
        assert_eq!(ToAgent::decode(&[FAILED, 3, 0, 0, 0, 0]), Err(WireError::Value { kind: FAILED }));
        let answer = [ANSWER, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        assert_eq!(ToGate::decode(&answer), Err(WireError::Value { kind: ANSWER }));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let message = ToAgent::Unmarked { errno: 1, what: "ä".repeat(MAX_LEN) };
        let bytes = message.encode();
        assert!(bytes.len() <= MAX_LEN);
        let Ok(ToAgent::Unmarked { what, .. }) = ToAgent::decode(&bytes) else { panic!("not what was sent") };
        assert_eq!(what, "ä".repeat(MAX_TEXT / 2));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ToAgent::decode(&bytes);
            let _ = ToGate::decode(&bytes);
        }
    }
}
