//! When a line is due, and with which count.

use super::*;

const DEAD: IncidentKind = IncidentKind::DeadLettered;

fn count(incidents: &Incidents, now: Instant, kind: IncidentKind, cause: &str) -> Option<u64> {
    incidents.count(now, kind, "events", cause, &"error").map(|it| it.count)
}

#[test]
fn the_first_is_told_at_once_and_the_others_once_a_minute_with_their_number() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let at = |seconds| began + Duration::from_secs(seconds);
    assert_eq!(count(&incidents, at(0), DEAD, "rejected"), Some(1));
    for second in 1..=30 {
        assert_eq!(count(&incidents, at(second), DEAD, "rejected"), None);
    }
    assert_eq!(count(&incidents, at(30), DEAD, "too_large"), Some(1), "another cause");
    assert_eq!(incidents.due(at(59)), []);
    let due = incidents.due(at(60));
    assert_eq!(due.iter().map(|it| it.count).collect::<Vec<_>>(), [30], "though no more come");
    assert_eq!(due[0].within, QUIET);
    assert_eq!(incidents.due(at(61)), []);
    assert_eq!(count(&incidents, at(119), DEAD, "rejected"), None);
    assert_eq!(count(&incidents, at(120), DEAD, "rejected"), Some(2));
    assert_eq!(count(&incidents, at(9000), DEAD, "rejected"), Some(1), "after a quiet time");
}

#[test]
fn requests_that_fail_are_told_if_they_are_many_within_a_minute() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let at = |seconds| began + Duration::from_secs(seconds);
    let failed = |now| count(&incidents, now, IncidentKind::RequestFailed, "throttled");
    let failed = |now| {
        // Of ten requests, one.
        (0..10).for_each(|_| incidents.tried("events"));
        failed(now)
    };
    for second in 0..9 {
        assert_eq!(failed(at(second)), None);
    }
    assert_eq!(failed(at(9)), Some(10));
    assert_eq!(failed(at(10)), None);
    let rest = incidents.due(at(69));
    assert_eq!(rest.iter().map(|it| it.count).collect::<Vec<_>>(), [1], "the last is told, too");
    assert_eq!(rest[0].share_percent, Some(10));
    for second in 200..209 {
        assert_eq!(failed(at(second)), None);
    }
    assert_eq!(failed(at(400)), None, "those of three minutes ago count no more");
    assert_eq!(incidents.due(at(401)), []);
    for minute in 10..60 {
        assert_eq!(failed(at(50 * minute)), None, "never ten within a minute");
    }
    assert_eq!(incidents.rest(at(3000)), [], "and so no incident");
}

#[test]
fn three_that_fail_are_told_at_once_if_they_are_many_of_few() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let kind = IncidentKind::RequestFailed;
    let mut told = Vec::new();
    for second in 0..90 {
        let now = began + Duration::from_secs(second);
        incidents.tried("pm");
        if second % 2 == 1 {
            told.extend(incidents.count(now, kind, "pm", "throttled", &"Throttling"));
        }
    }
    let told: Vec<_> = told.iter().map(|it| (it.count, it.share_percent)).collect();
    assert_eq!(
        told,
        [(3, Some(60)), (30, Some(50))],
        "the first is of the requests since it failed"
    );
}

#[test]
fn a_worker_that_ends_tells_what_is_left() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let told: Vec<_> = (0..5).filter_map(|_| count(&incidents, began, DEAD, "rejected")).collect();
    assert_eq!(told, [1]);
    let rest = incidents.rest(began + Duration::from_secs(2));
    assert_eq!(rest.iter().map(|it| it.count).collect::<Vec<_>>(), [4]);
    assert_eq!(incidents.rest(began + Duration::from_secs(3)), []);
}

#[test]
fn causes_are_bounded_and_those_beyond_share_a_line() {
    let (incidents, now) = (Incidents::default(), Instant::now());
    let told = (0..MOST).filter(|it| count(&incidents, now, DEAD, &it.to_string()).is_some());
    assert_eq!(told.count(), MOST);
    assert_eq!(count(&incidents, now, DEAD, "more"), Some(1));
    assert_eq!(count(&incidents, now, DEAD, "still more"), None);
    assert_eq!(incidents.causes.borrow().len(), MOST + 1);
    let later = now + QUIET;
    assert_eq!(incidents.due(later).iter().map(|it| &*it.cause).collect::<Vec<_>>(), [OTHERS]);
    assert_eq!(count(&incidents, later + QUIET, DEAD, "new"), Some(1), "the old ones make room");
    assert!(incidents.causes.borrow().len() <= 2);
}

#[test]
fn an_error_is_one_bounded_line() {
    let incidents = Incidents::default();
    let error = format!("a\n{}", "x".repeat(1000));
    let told = incidents.count(Instant::now(), DEAD, "events", "rejected", &error).unwrap();
    assert!(told.error.len() <= LONGEST + 4 && !told.error.contains('\n'), "{}", told.error);
}

#[test]
fn what_lasts_is_told_ever_more_rarely_until_it_ends_and_then_at_once() {
    for kind in
        [IncidentKind::NotConsuming, IncidentKind::CannotPark, IncidentKind::CannotDeadLetter]
    {
        let (incidents, began) = (Incidents::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        let try_at = |second| count(&incidents, at(second), kind, "refused").map(|it| (second, it));
        // A try each half a minute, for four hours.
        let told: Vec<_> = (0..480).filter_map(|it| try_at(30 * it)).collect();
        let seconds: Vec<_> = told.iter().map(|it| it.0).collect();
        assert_eq!(seconds[..5], [0, 60, 180, 420, 900], "{kind:?}");
        assert!(seconds.len() <= 10, "{seconds:?}");
        let untold = incidents.causes.borrow()[0].untold;
        assert_eq!(told.iter().map(|it| it.1).sum::<u64>() + untold, 480, "each is counted");
        assert_eq!(incidents.due(at(14_400)), [], "the next try tells it");
        incidents.ended(kind, "another");
        assert_eq!(try_at(14_400), None, "it lasts");
        incidents.ended(kind, "events");
        assert_eq!(incidents.due(at(14_500)), [], "the log tells its beginning and its end");
        assert_eq!(try_at(14_500), Some((14_500, 1)), "a second one, after a pause of an hour");
    }
}

#[test]
fn what_ends_and_begins_again_and_again_is_told_once_a_minute_with_its_number() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let kind = IncidentKind::NotConsuming;
    let mut told = Vec::new();
    for second in (0..600).step_by(10) {
        let now = began + Duration::from_secs(second);
        told.extend(incidents.due(now).iter().map(|it| (second, it.count)));
        told.extend(count(&incidents, now, kind, "lost").map(|count| (second, count)));
        incidents.ended(kind, "events");
    }
    told.extend(incidents.rest(began + Duration::from_mins(10)).iter().map(|it| (600, it.count)));
    let minutes: Vec<_> = told.iter().map(|it| it.0 / 60).collect();
    assert!(minutes.is_sorted_by(|one, next| one < next) && minutes.len() >= 10, "{told:?}");
    assert_eq!(told.iter().map(|it| it.1).sum::<u64>(), 60, "none is left out: {told:?}");
}

#[test]
fn what_is_skipped_is_told_once_an_hour_and_not_at_a_stop() {
    let (incidents, began) = (Incidents::default(), Instant::now());
    let at = |minutes| began + Duration::from_mins(minutes);
    let told: Vec<_> = (0..180)
        .filter_map(|minute| count(&incidents, at(minute), IncidentKind::Skipped, "no_text"))
        .collect();
    assert_eq!(told, [1, 60, 60]);
    assert_eq!(incidents.rest(at(179)), [], "the totals tell of them");
    assert_eq!(incidents.due(at(180)).iter().map(|it| it.count).collect::<Vec<_>>(), [59]);
}

#[test]
fn errors_of_what_lasts_are_one_cause_if_they_differ_in_numbers_only() {
    let incidents = Incidents::default();
    let failed = |error: &str| {
        let told = incidents.lasts(IncidentKind::NotConsuming, "events", &error);
        told.map(|it| it.count)
    };
    assert_eq!(failed("no answer from 10.0.0.7:5672"), Some(1));
    assert_eq!(failed("no answer from 10.0.0.8:5672"), None);
    assert_eq!(failed("refused"), Some(1));
}
