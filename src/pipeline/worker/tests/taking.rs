//! How much is taken, and when.

use super::*;
use crate::rabbitmq::consume::{RabbitQueue, RabbitReceipt, RabbitSettler};
use crate::sns::Sns;

/// Never answers.
struct Silent;

impl Publish for Silent {
    async fn publish_batch(
        &self,
        _: &[&Notification],
    ) -> Result<Vec<Result<MessageId, Fault>>, Fault> {
        std::future::pending().await
    }
}

fn full_queue() -> MemoryQueue {
    let queue = MemoryQueue::default();
    for event in events_of(&[0; 500]) {
        queue.publish(event);
    }
    queue
}

#[tokio::test(start_paused = true)]
async fn what_requests_cannot_carry_yet_is_left_for_a_moment_and_no_longer() {
    let queue = full_queue();
    let case = Case { ordering: "none", ..IN_ORDER };
    let worker = worker(queue.clone(), Silent, case);
    let (_ask, stop) = watch::channel(false);
    let looking = async {
        tokio::time::sleep(LOOK / 2).await;
        let at_first = queue.unacked();
        tokio::time::sleep(LOOK).await;
        (at_first, queue.unacked())
    };
    let look = async {
        tokio::select! {
            () = worker.run(stop) => unreachable!("nobody stops it"),
            seen = looking => seen,
        }
    };
    let (at_first, then) = LocalSet::new().run_until(look).await;
    // Three requests of four are under way, and one more batch may gather.
    assert!(at_first <= 4 * 4 + AT_ONCE, "{at_first} were taken at once");
    assert_eq!(then, 500, "a stranger to the queue could not tell that they are here");
}

#[tokio::test(start_paused = true)]
async fn a_stop_publishes_what_had_come() {
    let queue = full_queue();
    let place = Flaky::default();
    let accepted = Rc::clone(&place.accepted);
    let worker = worker(queue.clone(), place, Case { ordering: "none", ..IN_ORDER });
    let (ask, stop) = watch::channel(false);
    let asking = async {
        tokio::time::sleep(LOOK / 2).await;
        assert!(queue.ready() > 0, "all was taken before");
        ask.send_replace(true);
    };
    LocalSet::new().run_until(join(worker.run(stop), asking)).await;
    assert_eq!((accepted.borrow().len(), queue.returns()), (500, (0, 0)));
}

/// A set of futures allocates each of them, with a little of its own beside. The allocator has a quick way for
/// what is smaller than 1 KiB, and what is small stays in the processor's caches.
#[test]
fn what_an_event_carries_along_is_small() {
    type Real = Worker<RabbitQueue, Sns>;
    fn size_of_output<T>(_: impl FnOnce(&'static Real, &'static RabbitSettler) -> T) -> usize {
        size_of::<T>()
    }
    let size = size_of_output(|worker, settler| {
        let delivery = || -> Delivery<RabbitReceipt> { unreachable!("nobody calls this") };
        worker.handle(delivery(), settler)
    });
    assert!(size <= 960, "{size} bytes");
}
