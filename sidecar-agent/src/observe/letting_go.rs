//! Takes the probes off many images at once. Taking them off one waits for the kernel to be sure that no processor is in
//! them (some 40 ms), and many can wait for the same.

use std::{sync::Mutex, thread};

/// How many wait at a time.
const AT_ONCE: usize = 32;

/// Drops each image's links, in their order.
pub(super) fn drop_all<L: Send>(images: Vec<Vec<L>>) {
    let threads = images.len().min(AT_ONCE);
    let rest = Mutex::new(images);
    let next = || rest.lock().ok().and_then(|mut rest| rest.pop());
    let work = || {
        while let Some(links) = next() {
            links.into_iter().for_each(drop);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // One that can't be had is no matter: this thread does it all in the end.
            let _ = thread::Builder::new().name("sidecar-let-go".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Notes its number when it is dropped.
    struct Link(usize, Arc<Mutex<Vec<usize>>>);

    impl Drop for Link {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn every_link_is_dropped_and_those_of_an_image_in_their_order() {
        for count in [0, 1, 500] {
            let dropped = Arc::default();
            let image = |i: usize| (0..3).map(|j| Link(3 * i + j, Arc::clone(&dropped))).collect();
            drop_all((0..count).map(image).collect::<Vec<Vec<_>>>());
            let dropped = dropped.lock().unwrap().clone();
            assert_eq!(dropped.len(), 3 * count);
            let place = |link: usize| dropped.iter().position(|&found| found == link).unwrap();
            assert!(
                (0..count).all(|i| place(3 * i) < place(3 * i + 1) && place(3 * i + 1) < place(3 * i + 2))
            );
        }
    }
}
