//! Events in the form of server-sent events.
//!
//! An event is `id: N` and `data: JSON`, a loss `event: lost` and `data: {"lost": N}`. JSON holds no bare newline, and
//! nothing that a program said stands outside of it, so no name can break the frames.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};

use crate::stream::{Item, Subscriber};

/// The frames of a subscription: a greeting at once, then what comes, and a comment whenever nothing came for
/// `heartbeat`.
pub(super) fn frames(
    subscriber: Subscriber,
    heartbeat: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let hello = Some(Bytes::from_static(b": sidecar\n\n"));
    unfold((subscriber, hello), move |(mut subscriber, hello)| async move {
        if let Some(hello) = hello {
            return Some((Ok(hello), (subscriber, None)));
        }
        let frame = match tokio::time::timeout(heartbeat, subscriber.next()).await {
            Ok(Some(Item::Event { id, line })) => event(id, &line),
            Ok(Some(Item::Lost(lost))) => Bytes::from(format!("event: lost\ndata: {{\"lost\": {lost}}}\n\n")),
            Ok(None) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(frame), (subscriber, None)))
    })
}

fn event(id: u64, line: &[u8]) -> Bytes {
    let mut frame = format!("id: {id}\ndata: ").into_bytes();
    frame.reserve(line.len() + 2);
    // What published the line promised that it is one; a frame is not left to that promise.
    frame.extend(line.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_breaks_stays_one_line() {
        let frame = event(7, b"{\"a\": 1}\r\n\nevent: lost\n");
        assert_eq!(frame, b"id: 7\ndata: {\"a\": 1}   event: lost \n\n".as_slice());
    }
}
