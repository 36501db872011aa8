//! Whose turn it is where order is kept.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_next_of_a_key_does_not_wait_until_the_one_before_is_settled() {
    let test = async {
        let fates = RefCell::new(vec![Some(Fate::Refused(Scope::Message))]);
        let place = Flaky { fates, ..Flaky::default() };
        let worker = worker(MemoryQueue::default(), place, IN_ORDER);
        let deadline = worker.budget.deadline();
        let [mut first, mut second] = [0, 1].map(|number| worker.relay.start(&chat(1, number)));
        // It is kept until its dead letter is safe, which may take long.
        let dead = worker.relay.finish(&mut first, &deadline).await;
        assert!(matches!(dead, Outcome::DeadLettered(_)), "{dead:?}");
        let next =
            timeout(Duration::from_secs(10), worker.relay.finish(&mut second, &deadline)).await;
        assert!(matches!(next, Ok(Outcome::Published(_))), "{next:?}");
        drop(first);
    };
    LocalSet::new().run_until(test).await;
}
