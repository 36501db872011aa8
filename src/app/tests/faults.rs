//! What SNS answers to some entries of a batch.

use super::service::answered;
use super::*;

const EVENTS: usize = 300;

#[test]
fn only_the_failed_entries_of_a_batch_are_sent_again() {
    let settings = "[sns]\npublish_retry_count = 8\n";
    let totals = simulate(settings, &Plugins::default(), async |it| {
        let mut number = 0;
        it.sns.fail_entries(move |_| {
            number += 1;
            (number % 4 == 0).then(|| answered("InternalError"))
        });
        it.publish((0..EVENTS).map(chat));
        it.settles(EVENTS as u64).await;
        it.has_once("pm", EVENTS).await;
    });
    assert_eq!((totals.published, totals.handed_back), (EVENTS as u64, 0), "{totals}");
}
