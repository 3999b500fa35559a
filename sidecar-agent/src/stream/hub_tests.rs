//! The hub: order, losses that add up, filters, limits, the end.

use super::super::testing::event;
use super::*;

fn hub(limits: HubLimits) -> Arc<Hub> {
    Arc::new(Hub::new(limits))
}

fn line(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn losses_are_told_before_what_is_left_and_add_up() {
    let hub = hub(HubLimits { events: 3, ..HubLimits::default() });
    let mut slow = hub.subscribe(Filter::default()).unwrap();
    let event = event("x", "t", None);
    for i in 0..10 {
        hub.publish(&event, &line(&i.to_string()));
    }
    assert_eq!(slow.next().await, Some(Item::Lost(7)));
    for i in 7..10_u64 {
        assert_eq!(slow.next().await, Some(Item::Event { id: i + 1, line: line(&i.to_string()) }));
    }
    assert_eq!(slow.hub.stats(), StreamEvents { offered: 10, taken: 3, lost: 7, left: 0, waiting: 0 });
    // What waits when its subscriber leaves is counted, and what comes then is offered to nobody.
    for _ in 0..2 {
        hub.publish(&event, &line("x"));
    }
    assert_eq!(hub.stats(), StreamEvents { offered: 12, taken: 3, lost: 7, left: 0, waiting: 2 });
    drop(slow);
    hub.publish(&event, &line("x"));
    assert_eq!(hub.stats(), StreamEvents { offered: 12, taken: 3, lost: 7, left: 2, waiting: 0 });
}

#[tokio::test]
async fn bytes_are_bounded_too_and_an_event_beyond_all_room_is_lost() {
    let hub = hub(HubLimits { bytes: 10, ..HubLimits::default() });
    let mut slow = hub.subscribe(Filter::default()).unwrap();
    let event = event("x", "t", None);
    for text in ["123456", "7890", "abc"] {
        hub.publish(&event, &line(text));
    }
    assert_eq!(slow.next().await, Some(Item::Lost(1)));
    assert_eq!(slow.next().await, Some(Item::Event { id: 2, line: line("7890") }));
    hub.publish(&event, &line("12345678901"));
    assert_eq!(slow.next().await, Some(Item::Lost(2)));
    hub.publish(&event, &line("fits"));
    assert_eq!(slow.next().await, Some(Item::Event { id: 5, line: line("fits") }));
}

#[tokio::test]
async fn readers_share_the_bytes_and_each_new_one_takes_its_part_of_them() {
    let hub = hub(HubLimits { bytes: 12, ..HubLimits::default() });
    let mut first = hub.subscribe(Filter::default()).unwrap();
    let event = event("x", "t", None);
    for text in ["1234", "5678", "9012"] {
        hub.publish(&event, &line(text));
    }
    let mut second = hub.subscribe(Filter::default()).unwrap();
    hub.publish(&event, &line("3456"));
    assert_eq!(first.next().await, Some(Item::Lost(3)), "it has 6 of the 12 bytes now");
    assert_eq!(first.next().await, Some(Item::Event { id: 4, line: line("3456") }));
    assert_eq!(second.next().await, Some(Item::Event { id: 4, line: line("3456") }));
}

#[tokio::test]
async fn nobody_elses_events_are_lost() {
    let hub = hub(HubLimits { events: 2, ..HubLimits::default() });
    let mut slow = hub.subscribe(Filter::default()).unwrap();
    let mut quick = hub.subscribe(Filter::default()).unwrap();
    let event = event("x", "t", None);
    for i in 1..=5 {
        hub.publish(&event, &line("x"));
        assert_eq!(quick.next().await, Some(Item::Event { id: i, line: line("x") }));
    }
    assert_eq!(slow.next().await, Some(Item::Lost(3)));
}

#[tokio::test]
async fn subscribers_are_bounded_and_their_end_frees_the_place() {
    let hub = hub(HubLimits { subscribers: 1, ..HubLimits::default() });
    assert!(!hub.wanted());
    let first = hub.subscribe(Filter::default()).unwrap();
    assert!(hub.wanted());
    assert_eq!(hub.subscribe(Filter::default()).err(), Some(TooMany { most: 1 }));
    drop(first);
    assert!(!hub.wanted() && hub.subscribe(Filter::default()).is_ok());
}

#[tokio::test]
async fn the_end_comes_after_what_waits() {
    let hub = hub(HubLimits::default());
    let mut subscriber = hub.subscribe(Filter::default()).unwrap();
    let event = event("x", "t", None);
    hub.publish(&event, &line("a"));
    hub.close();
    hub.publish(&event, &line("b"));
    assert_eq!(subscriber.next().await, Some(Item::Event { id: 1, line: line("a") }));
    assert_eq!(subscriber.next().await, None);
    assert_eq!(hub.subscribe(Filter::default()).unwrap().next().await, None);
}

#[tokio::test]
async fn a_waiting_subscriber_is_woken_from_another_thread() {
    let hub = hub(HubLimits::default());
    let mut subscriber = hub.subscribe(Filter::default()).unwrap();
    let publisher = Arc::clone(&hub);
    let thread = std::thread::spawn(move || publisher.publish(&event("x", "t", None), &line("a")));
    assert_eq!(subscriber.next().await, Some(Item::Event { id: 1, line: line("a") }));
    thread.join().unwrap();
}
