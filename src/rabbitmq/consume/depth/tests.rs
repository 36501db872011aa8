//! What is told of a queue that refuses, falls silent, and answers again.

use std::cell::{Cell, RefCell};

use tokio::time::timeout;

use super::*;

const FIVE: QueueState = QueueState { ready: 5, consumers: 0 };
const EMPTY: QueueState = QueueState { ready: 0, consumers: 0 };

fn missing() -> SourceError {
    SourceError::NotFound("no queue".to_owned())
}

fn failed() -> SourceError {
    SourceError::Failed("no answer".to_owned())
}

/// What was told by the paused clock, in seconds; the same again is left out.
#[derive(Default)]
struct Told(RefCell<Vec<(u64, Option<u32>)>>);

impl Told {
    fn last(&self) -> Option<(u64, Option<u32>)> {
        self.0.borrow().last().copied()
    }
}

/// Asks for so long; `answer` gets the seconds since the beginning, and `None` never answers. Returns also how often it asked.
async fn ask_for(
    time: Duration,
    mut answer: impl FnMut(u64) -> Option<Result<QueueState, SourceError>>,
) -> (Told, u32) {
    let (began, told, asked) = (Instant::now(), Told::default(), Cell::new(0));
    let mut debounce = EmptyDebounce::default();
    let asking = keep_asking(
        async || {
            asked.set(asked.get() + 1);
            match answer(began.elapsed().as_secs()) {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        },
        |state| debounce.accepts(state),
        |depth| {
            let now = (began.elapsed().as_secs(), depth.ready().map(|(count, _)| count));
            if told.last().is_none_or(|(_, before)| before != now.1) {
                told.0.borrow_mut().push(now);
            }
        },
    );
    assert!(timeout(time, asking).await.is_err(), "it never ends by itself");
    (told, asked.get())
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_refused_is_asked_again_more_and_more_rarely_until_it_is_there() {
    let hour = 3600;
    let answer = |now| Some(if now < hour { Err(missing()) } else { Ok(FIVE) });
    let (told, asked) = ask_for(Duration::from_secs(2 * hour), answer).await;
    let told = told.0.into_inner();
    assert_eq!((told[0], told.len()), ((0, None), 2), "{told:?}");
    let (known, count) = told[1];
    assert_eq!(count, Some(5));
    assert!((hour..hour + 301).contains(&known), "{told:?}");
    // In the second hour every five seconds, in the first rarely.
    assert!((500..1000).contains(&asked), "{asked}");
    let (_, asked) = ask_for(Duration::from_secs(hour), |_| Some(Err(missing()))).await;
    assert!((12..40).contains(&asked), "RabbitMQ logs {asked} refusals in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_makes_what_was_known_unknown_at_once() {
    let answer = |now| Some(if now < 60 { Ok(FIVE) } else { Err(missing()) });
    let (told, _) = ask_for(Duration::from_secs(90), answer).await;
    let (second, count) = told.last().unwrap();
    assert!((60..67).contains(&second) && count.is_none(), "{second}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_keeps_its_depth_for_a_moment_only() {
    // It fails, or gives no answer at all.
    for silence in [|| Some(Err(failed())), || None] {
        let answer = |now| if now < 60 { Some(Ok(FIVE)) } else { silence() };
        let (told, _) = ask_for(Duration::from_secs(80), answer).await;
        assert_eq!(told.last(), Some((0, Some(5))), "some failures change nothing");
        let (told, _) = ask_for(Duration::from_secs(100), answer).await;
        let (second, count) = told.last().unwrap();
        assert!((84..97).contains(&second) && count.is_none(), "at {second}");
    }
}

/// RabbitMQ answers with zeros for a queue that is too busy; they are believed when they come twice in a row.
#[tokio::test(start_paused = true)]
async fn zeros_are_no_answer_until_they_are_said_again() {
    let answer = |now| Some(Ok(if now < 60 { FIVE } else { EMPTY }));
    let (told, _) = ask_for(Duration::from_secs(100), answer).await;
    let (second, count) = told.last().unwrap();
    assert!((64..73).contains(&second) && count == Some(0), "at {second}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_answered_is_said_to_be_silent_and_known_once_it_answers() {
    let answer = |now| Some(if now < 300 { Err(failed()) } else { Ok(FIVE) });
    let (told, _) = ask_for(Duration::from_secs(400), answer).await;
    let told = told.0.into_inner();
    assert!((30..37).contains(&told[0].0) && told[0].1.is_none(), "{told:?}");
    assert!((300..307).contains(&told[1].0) && told[1].1 == Some(5), "{told:?}");
}

/// What a refusal made unknown stays so: silence tells less.
#[tokio::test(start_paused = true)]
async fn a_refusal_holds_until_there_is_an_answer() {
    let (began, mut told) = (Instant::now(), Vec::new());
    let asking = keep_asking(
        async || match began.elapsed().as_secs() {
            0..60 => Err(missing()),
            60..600 => Err(failed()),
            _ => Ok(FIVE),
        },
        |_| true,
        |depth| told.push(depth),
    );
    assert!(timeout(Duration::from_mins(25), asking).await.is_err(), "it never ends by itself");
    let refused = told.iter().take_while(|it| **it == Depth::Refused).count();
    let known = told.iter().filter(|it| matches!(it, Depth::Known(..))).count();
    assert!(refused > 0 && known > 0, "{refused} refusals, then {known} answers");
    assert_eq!(refused + known, told.len(), "nothing else, and nothing between");
}
