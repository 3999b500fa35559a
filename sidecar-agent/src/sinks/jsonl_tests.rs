//! The JSON-lines sink against writers that fail in every way.

use std::collections::HashMap;

use nix::errno::Errno;
use serde_json::json;

use super::*;

/// A disk that takes `room` bytes in all, then fails with ENOSPC until it is given more.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

impl Disk {
    fn give(&self, room: usize) {
        self.0.lock().unwrap().1 += room;
    }
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (content, room) = &mut *self.0.lock().unwrap();
        // At most 5 bytes a call, so that every write is a partial one.
        let count = bytes.len().min(*room).min(5);
        if count == 0 {
            return Err(Errno::ENOSPC.into());
        }
        *room -= count;
        content.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sink(disk: &Disk, torn: bool) -> JsonlSink {
    JsonlSink::over("test".to_owned(), Output { writer: Box::new(disk.clone()), torn })
}

fn stats(sink: &JsonlSink) -> SinkStats {
    sink.probe().stats(QueueStats::default())
}

#[test]
fn items_and_lines_are_written_when_flushed_and_when_the_buffer_is_full() {
    let disk = Disk::default();
    disk.give(usize::MAX);
    let mut sink = sink(&disk, false);
    sink.write(&json!({"a": "x\ny"}));
    sink.write_line(b"{\"b\":\n1}");
    assert_eq!(disk.text(), "");
    sink.flush();
    assert_eq!(disk.text(), "{\"a\":\"x\\ny\"}\n{\"b\": 1}\n");
    sink.write(&"z".repeat(BUFFER));
    assert_eq!(stats(&sink).written, 3);
    sink.write(&1);
    drop(sink);
    assert!(disk.text().ends_with("z\"\n1\n"));
}

#[test]
fn a_full_disk_is_counted_shown_and_tried_again_and_tears_no_later_line() {
    let line = "{\"n\":1}\n";
    // Every place where the write of two lines can break off.
    for room in 0..2 * line.len() {
        let disk = Disk::default();
        disk.give(room);
        let mut sink = sink(&disk, false);
        sink.write(&json!({"n": 1}));
        sink.write(&json!({"n": 1}));
        sink.flush();
        let whole = ((room + 1) / line.len()) as u64;
        let seen = stats(&sink);
        assert_eq!(
            (seen.written, seen.write_failed, seen.write_errors),
            (whole, 2 - whole, 1),
            "room {room}"
        );
        assert!(seen.last_error.unwrap().contains("No space left"));

        disk.give(1000);
        sink.write(&json!({"n": 2}));
        sink.flush();
        let seen = stats(&sink);
        assert_eq!((seen.written, seen.write_failed, seen.last_error), (whole + 1, 2 - whole, None));
        let text = disk.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.iter().filter(|l| **l == "{\"n\":1}").count() as u64, whole, "{text:?}");
        assert_eq!(lines.last(), Some(&"{\"n\":2}"), "{text:?}");
        assert!(!text.starts_with('\n') && !text.contains("\n\n"), "{text:?}");
        assert_eq!(seen.bytes, text.len() as u64);
    }
}

#[test]
fn a_torn_line_stays_torn_until_its_newline_is_out() {
    let disk = Disk::default();
    disk.give(3);
    let mut sink = sink(&disk, false);
    sink.write(&json!({"n": 1}));
    sink.flush();
    for _ in 0..3 {
        sink.write(&json!({"n": 2}));
        sink.flush();
    }
    disk.give(1);
    sink.write(&json!({"n": 3}));
    sink.flush();
    assert_eq!(disk.text(), "{\"n\n");
    disk.give(1000);
    sink.write(&json!({"n": 4}));
    sink.flush();
    assert_eq!(disk.text(), "{\"n\n{\"n\":4}\n");
    let seen = stats(&sink);
    assert_eq!((seen.written, seen.write_failed, seen.write_errors), (1, 5, 5));
}

#[test]
fn a_file_cut_short_by_an_earlier_run_is_mended_by_the_first_line() {
    let disk = Disk::default();
    disk.give(1000);
    let mut sink = sink(&disk, true);
    sink.flush();
    assert_eq!(disk.text(), "");
    sink.write(&1);
    sink.flush();
    assert_eq!((disk.text().as_str(), stats(&sink).written), ("\n1\n", 1));
}

#[test]
fn an_item_without_json_form_is_counted_and_leaves_no_trace() {
    let disk = Disk::default();
    disk.give(1000);
    let mut sink = sink(&disk, false);
    sink.write(&1);
    sink.write(&HashMap::from([(vec![1], 2)]));
    sink.write(&3);
    sink.flush();
    assert_eq!(disk.text(), "1\n3\n");
    assert_eq!(stats(&sink).serialize_failed, 1);
}

#[test]
fn the_full_device_and_a_broken_pipe_of_the_real_system_are_counted() {
    let mut full = JsonlSink::open(&Target::Append("/dev/full".into())).unwrap();
    full.write(&1);
    full.flush();
    assert_eq!((stats(&full).write_failed, stats(&full).write_errors), (1, 1));

    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = Output { writer: Box::new(writer), torn: false };
    let mut broken = JsonlSink::over("pipe".to_owned(), output);
    broken.write(&1);
    broken.write(&2);
    broken.flush();
    assert_eq!(stats(&broken).write_failed, 2);
    assert!(stats(&broken).last_error.unwrap().contains("Broken pipe"));
}
