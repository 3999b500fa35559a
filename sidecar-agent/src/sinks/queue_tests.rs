//! The queue: its bounds, its counters, and its end.

use std::sync::Arc;
use std::thread;

use super::super::lanes::SPARE_PLACES;
use super::*;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn assert_balanced(stats: QueueStats) {
    assert_eq!(stats.received, stats.processed + stats.dropped() + stats.len, "{stats:?}");
}

#[test]
fn a_full_queue_drops_the_oldest_or_refuses_the_newest() {
    for (drop_on_full, left) in [(true, [3, 4]), (false, [1, 2])] {
        let queue = Queue::new(2, drop_on_full);
        assert!(queue.push(1));
        assert_eq!(queue.push_all(&mut vec![2, 3, 4]), 2);
        let stats = queue.stats();
        assert_eq!((stats.dropped_oldest, stats.dropped_newest), if drop_on_full { (2, 0) } else { (0, 2) });
        assert_eq!((stats.len, stats.high_water, stats.capacity), (2, 2, 2));
        let mut got = Vec::new();
        assert_eq!(block_on(queue.pop_many(&mut got, 10)), 2);
        assert_eq!(got, left);
        assert_balanced(queue.stats());
    }
}

#[test]
fn a_queue_of_size_zero_holds_one() {
    let queue = Queue::new(0, false);
    assert!(queue.push('a'));
    assert!(!queue.push('b'));
    assert_eq!(block_on(queue.pop()), Some('a'));
}

#[test]
fn a_closed_queue_gives_what_it_has_and_refuses_more() {
    let queue = Queue::new(10, true);
    queue.push_all(&mut vec![1, 2, 3]);
    queue.close();
    assert!(!queue.push(4));
    assert_eq!(block_on(queue.pop()), Some(1));
    assert_eq!(queue.discard(), 2);
    assert_eq!(block_on(queue.pop()), None);
    assert_eq!(block_on(queue.pop_many(&mut Vec::new(), 5)), 0);
    let stats = queue.stats();
    assert_eq!((stats.received, stats.processed, stats.dropped_shutdown), (4, 1, 3));
    assert_balanced(stats);
}

#[test]
fn closing_wakes_every_waiting_consumer() {
    let queue = Arc::new(Queue::<u32>::new(10, true));
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.pop()))
        })
        .collect();
    queue.close();
    for consumer in waiting {
        assert_eq!(consumer.join().unwrap(), None);
    }
}

/// Four producers, two consumers, one reader of the counters and of half of the queue, for both ways of dropping.
#[test]
fn counters_balance_to_the_unit_under_concurrency() {
    const EACH: u64 = 50_000;
    // Bounded by number, and by what a few items weigh.
    let queues = |drop_on_full| {
        [Queue::new(64, drop_on_full), Queue::bounded(64, 20 * Queue::<u64>::PLACE, |_| 7, drop_on_full)]
    };
    for queue in [true, false].into_iter().flat_map(queues) {
        let queue = Arc::new(queue);
        let producers: Vec<_> = (0..4)
            .map(|producer| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for start in (0..EACH).step_by(50) {
                        if producer % 2 == 0 {
                            queue.push_all(&mut (start..start + 50).collect());
                        } else {
                            (start..start + 50).for_each(|item| {
                                queue.push(item);
                            });
                        }
                    }
                })
            })
            .collect();
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    block_on(async {
                        let mut got = 0;
                        let mut items = Vec::new();
                        while queue.pop_many(&mut items, 7).await > 0 {
                            got += items.len() as u64;
                            items.clear();
                            got += u64::from(queue.pop().await.is_some());
                        }
                        got
                    })
                })
            })
            .collect();
        for _ in 0..1_000 {
            assert_balanced(queue.stats());
            queue.shed_half();
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        queue.close();
        let got: u64 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
        let stats = queue.stats();
        assert_eq!(stats.received, 4 * EACH);
        assert_eq!(stats.processed, got);
        assert_eq!((stats.len, stats.bytes), (0, 0));
        assert_balanced(stats);
    }
}

/// What an item of the tests weighs in the queue besides itself.
const PLACE: usize = Queue::<String>::PLACE;

/// A queue for some bytes of text, in at most `most` texts.
fn weighed(most: usize, bytes: usize, drop_on_full: bool) -> Queue<String> {
    Queue::bounded(100, bytes + most * PLACE, String::len, drop_on_full)
}

fn texts(lens: &[usize]) -> Vec<String> {
    lens.iter().map(|len| "x".repeat(*len)).collect()
}

fn lens(queue: &Queue<String>) -> Vec<usize> {
    let mut got = Vec::new();
    queue.try_pop_many(&mut got, usize::MAX);
    got.iter().map(String::len).collect()
}

#[test]
fn a_queue_full_by_bytes_drops_the_oldest_or_refuses_the_newest() {
    for (drop_on_full, left) in [(true, vec![50, 60]), (false, vec![10, 20, 30])] {
        let queue = weighed(3, 110, drop_on_full);
        queue.push_all(&mut texts(&[10, 20, 30, 50, 60]));
        let stats = queue.stats();
        assert_eq!((stats.dropped_memory, stats.dropped()), (5 - left.len() as u64, 5 - left.len() as u64));
        assert_eq!(stats.max_bytes, (110 + 3 * PLACE) as u64);
        assert_eq!(stats.bytes, (left.iter().sum::<usize>() + left.len() * PLACE) as u64);
        assert_balanced(stats);
        assert_eq!(lens(&queue), left);
        assert_eq!(queue.stats().bytes, 0);
    }
}

#[test]
fn an_item_heavier_than_the_queue_displaces_nothing() {
    for drop_on_full in [true, false] {
        let queue = weighed(2, 100, drop_on_full);
        assert!(queue.push("x".repeat(10)));
        assert!(!queue.push("x".repeat(1000)));
        assert_eq!((queue.stats().dropped_memory, queue.stats().len), (1, 1));
        assert_balanced(queue.stats());
    }
    let endless = Queue::bounded(10, usize::MAX, |_: &u8| usize::MAX, true);
    assert!(endless.push(1) && !endless.push(2), "the sum of weights does not overflow");
}

#[test]
fn other_limits_drop_what_no_longer_fits() {
    for (drop_on_full, left) in [(true, [4, 5]), (false, [1, 2])] {
        let queue = weighed(10, 1000, true);
        queue.push_all(&mut texts(&[1, 2, 3, 4, 5]));
        queue.set_limits(3, usize::MAX, drop_on_full);
        let stats = queue.stats();
        assert_eq!(stats.dropped_oldest + stats.dropped_newest, 2);
        assert_eq!(stats.dropped_oldest, if drop_on_full { 2 } else { 0 });
        queue.set_limits(3, 2 * PLACE + 9, drop_on_full);
        assert_eq!((queue.stats().dropped_memory, queue.stats().capacity), (1, 3));
        assert_balanced(queue.stats());
        assert_eq!(lens(&queue), left);
        queue.set_limits(0, 2 * PLACE, drop_on_full);
        queue.push_all(&mut texts(&[0, 0]));
        assert_eq!(queue.stats().len, 1, "a queue of size zero holds one");
    }
    let plain = Queue::new(2, true);
    plain.push_all(&mut vec![1, 2]);
    plain.set_limits(5, 0, true);
    assert!(plain.push(3) && plain.stats().max_bytes == 0, "its items weigh nothing");
}

#[test]
fn the_older_half_is_given_up() {
    let queue = weighed(10, 1000, true);
    queue.push_all(&mut texts(&[1, 2, 3, 4, 5]));
    assert_eq!(queue.shed_half(), 3);
    let stats = queue.stats();
    assert_eq!((stats.dropped_memory, stats.bytes), (3, (9 + 2 * PLACE) as u64));
    assert_balanced(stats);
    assert_eq!((lens(&queue), queue.shed_half()), (vec![4, 5], 0));
}

#[test]
fn a_consumer_holds_few_heavy_items() {
    let heavy = MOST_AT_ONCE / 2;
    let queue = weighed(10, 10 * heavy, true);
    queue.push_all(&mut texts(&[heavy; 5]));
    let mut got = Vec::new();
    assert_eq!(block_on(queue.pop_many(&mut got, 100)), 2);
    assert_eq!(queue.try_pop_many(&mut got, 1), 1);
    assert_eq!((queue.stats().processed, queue.stats().len), (3, 2));
}

#[test]
fn there_is_room_for_what_fits_for_certain() {
    let queue = weighed(4, 400, true);
    assert_eq!((queue.room(100), queue.room(200), queue.room(1_000_000)), (4, 2, 1));
    queue.push("x".repeat(100));
    assert_eq!((queue.room(100), queue.room(1_000_000)), (3, 0));
    let plain = Queue::new(4, true);
    plain.push(1);
    assert_eq!(plain.room(usize::MAX), 3);
}

#[test]
fn light_items_leave_no_large_buffer_behind() {
    let queue = Queue::bounded(1 << 20, usize::MAX, |_: &u64| 8, true);
    queue.push_all(&mut (0..100_000).collect());
    let buffer = || queue.lock().items.capacity();
    assert!(buffer() >= 100_000);
    while queue.stats().len > 10_000 {
        queue.try_pop_many(&mut Vec::new(), 1000);
        assert!(buffer() <= 2 * queue.stats().len as usize + SPARE_PLACES);
    }
    queue.shed_half();
    queue.shed_half();
    assert!(buffer() <= 2 * 2500 + SPARE_PLACES);
}

/// Numbers from 100 on are precious.
fn preferring(max_items: usize, drop_on_full: bool) -> Queue<u32> {
    Queue::new(max_items, drop_on_full).preferring(|number| *number >= 100)
}

fn rest(queue: &Queue<u32>) -> Vec<u32> {
    let mut got = Vec::new();
    queue.try_pop_many(&mut got, 100);
    got
}

#[test]
fn ordinary_items_make_room_for_precious_ones_and_the_order_stays() {
    for (drop_on_full, left) in [(true, [100, 3, 101, 4, 102]), (false, [1, 100, 2, 101, 102])] {
        let queue = preferring(5, drop_on_full);
        assert_eq!(queue.push_all(&mut vec![1, 100, 2, 3, 101, 4, 102]), 2, "{drop_on_full}");
        assert_eq!(queue.stats().high_water, 5);
        assert_balanced(queue.stats());
        assert_eq!(rest(&queue), left);
    }
}

#[test]
fn where_all_are_precious_the_rule_holds_among_them_and_ordinary_ones_are_refused() {
    for (drop_on_full, left) in [(true, [101, 102]), (false, [100, 101])] {
        let queue = preferring(2, drop_on_full);
        assert_eq!(queue.push_all(&mut vec![100, 101, 1, 102]), 2);
        let stats = queue.stats();
        assert_eq!(stats.dropped_newest, if drop_on_full { 1 } else { 2 });
        assert_balanced(stats);
        assert_eq!(rest(&queue), left);
    }
}

#[test]
fn precious_items_are_given_up_last_for_their_memory_too() {
    let queue = preferring(10, true);
    queue.push_all(&mut vec![100, 101, 1, 2, 102]);
    assert_eq!(queue.shed_half(), 3);
    assert_balanced(queue.stats());
    assert_eq!(rest(&queue), [101, 102]);
    let place = Queue::<u32>::PLACE;
    for drop_on_full in [true, false] {
        let queue = Queue::bounded(10, 3 * place, |_| 0, drop_on_full).preferring(|number| *number >= 100);
        queue.push_all(&mut vec![1, 100, 2, 101]);
        assert_eq!(queue.stats().dropped_memory, 1);
        queue.push_all(&mut vec![102, 103, 3]);
        assert_balanced(queue.stats());
        let left = rest(&queue);
        assert_eq!(left, if drop_on_full { [101, 102, 103] } else { [100, 101, 102] });
    }
}
