//! Server-sent events, out of the pieces in which they arrive.

/// Longest frame, in bytes. An event has at most some 100 KB.
const LONGEST: usize = 4 << 20;

/// What the stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An event's JSON.
    Event(String),
    /// So many events were lost.
    Lost(u64),
}

/// Puts pieces together.
#[derive(Debug, Default)]
pub(super) struct Parser {
    buffer: Vec<u8>,
}

/// The stream is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("what arrives is no stream of events")]
pub(super) struct Nonsense;

impl Parser {
    /// Takes a piece; gives what is whole by now.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<Vec<Said>, Nonsense> {
        self.buffer.extend_from_slice(piece);
        let mut said = Vec::new();
        let mut from = 0;
        while let Some(length) = self.buffer[from..].windows(2).position(|pair| pair == b"\n\n") {
            said.extend(frame(&self.buffer[from..from + length])?);
            from += length + 2;
        }
        self.buffer.drain(..from);
        if self.buffer.len() > LONGEST { Err(Nonsense) } else { Ok(said) }
    }
}

/// What a frame says; a comment says nothing.
fn frame(bytes: &[u8]) -> Result<Option<Said>, Nonsense> {
    let text = std::str::from_utf8(bytes).map_err(|_| Nonsense)?;
    let (mut lost, mut data) = (false, None);
    for line in text.lines() {
        match line.split_once(':') {
            Some(("event", value)) => lost = value.trim() == "lost",
            Some(("data", value)) => data = Some(value.strip_prefix(' ').unwrap_or(value)),
            Some(_) | None => {}
        }
    }
    match data {
        None => Ok(None),
        Some(data) if lost => {
            let value: serde_json::Value = serde_json::from_str(data).map_err(|_| Nonsense)?;
            value["lost"].as_u64().map(|lost| Some(Said::Lost(lost))).ok_or(Nonsense)
        }
        Some(data) => Ok(Some(Said::Event(data.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let stream =
            b": sidecar\n\nid: 1\ndata: {\"a\": \"b: c\"}\n\nevent: lost\ndata: {\"lost\": 7}\n\n:\n\n";
        let wanted = [Said::Event("{\"a\": \"b: c\"}".to_owned()), Said::Lost(7)];
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let said: Vec<_> = stream.chunks(size).flat_map(|piece| parser.take(piece).unwrap()).collect();
            assert_eq!(said, wanted, "{size}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_no_memory_is_filled() {
        for bad in [&b"event: lost\ndata: {}\n\n"[..], b"event: lost\ndata: x\n\n", b"data: \xff\n\n"] {
            assert_eq!(Parser::default().take(bad), Err(Nonsense));
        }
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1 << 20];
        assert!((0..10).any(|_| parser.take(&piece).is_err()));
    }
}
