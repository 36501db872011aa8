//! The faults that it can be asked for.

use super::*;

#[tokio::test]
async fn requests_are_refused_with_the_code_that_was_asked_for() {
    let sns = FakeSns::start();
    let client = client(&sns);
    for (fault, want) in [
        (RequestFault::INTERNAL_ERROR, (500, Some("InternalError"))),
        (RequestFault::THROTTLING, (400, Some("Throttling"))),
        (RequestFault::TOO_MANY_REQUESTS, (429, None)),
        (RequestFault::UNAVAILABLE, (503, None)),
        (RequestFault::NOT_AUTHORISED, (403, Some("AuthorizationError"))),
        (RequestFault::EXPIRED_TOKEN, (403, Some("ExpiredToken"))),
        (RequestFault::NOT_FOUND, (404, Some("NotFound"))),
    ] {
        sns.fail_requests(next(2, fault));
        let single = publish(&client, "text").await.unwrap_err();
        assert_eq!((status(&single).unwrap(), code(&single)), want);
        let batch = publish_batch(&client, [entry(1, "text")]).await.unwrap_err();
        assert_eq!((status(&batch).unwrap(), code(&batch)), want);
        publish(&client, "text").await.expect("the next one is well");
    }
    assert_eq!(sns.counts().messages, 7);
}

#[tokio::test]
async fn a_share_of_the_requests_fails() {
    let sns = FakeSns::start();
    let client = client(&sns);
    sns.fail_requests(share(30, 7, RequestFault::THROTTLING));
    for _ in 0..200 {
        let _ = publish(&client, "text").await;
    }
    let accepted = sns.counts().messages;
    assert!((120..160).contains(&accepted), "{accepted} of 200 came through");
    sns.heal();
    publish(&client, "text").await.expect("healed");
}

#[tokio::test]
async fn entries_fail_one_by_one() {
    let sns = FakeSns::start();
    sns.record();
    sns.fail_entries(|message| match &*message.body {
        "bad" => Some(EntryFault::Failed { code: "InvalidParameter", sender_fault: true }),
        "slow" => Some(EntryFault::Failed { code: "InternalError", sender_fault: false }),
        "lost" => Some(EntryFault::Omitted),
        "odd" => Some(EntryFault::Renamed),
        _ => None,
    });
    let client = client(&sns);
    let bodies = ["good", "bad", "slow", "lost", "odd", "fine"];
    let entries = bodies.iter().map(|body| entry(body, body));
    let answer = publish_batch(&client, entries).await.unwrap();
    let successful: Vec<_> = answer.successful().iter().filter_map(|it| it.id()).collect();
    assert_eq!(successful, ["good", "nobody-sent-this", "fine"]);
    let failed: Vec<_> =
        answer.failed().iter().map(|it| (it.id(), it.code(), it.sender_fault())).collect();
    assert_eq!(failed, [("bad", "InvalidParameter", true), ("slow", "InternalError", false)]);
    let accepted: Vec<_> = sns.accepted().into_iter().map(|it| it.body).collect();
    assert_eq!(accepted, ["good", "fine"]);

    let bad = publish(&client, "bad").await.unwrap_err();
    assert_eq!((status(&bad), code(&bad)), (Some(400), Some("InvalidParameter")));
    let slow = publish(&client, "slow").await.unwrap_err();
    assert_eq!((status(&slow), code(&slow)), (Some(500), Some("InternalError")));
    assert_eq!(publish(&client, "lost").await.unwrap(), None);
    assert_eq!(sns.counts().messages, 2);
}

#[tokio::test]
async fn answers_can_be_ones_that_sns_never_gives() {
    let sns = FakeSns::start();
    sns.fail_entries(|message| match &*message.body {
        "empty" => Some(EntryFault::WithoutMessageId),
        "twice" => Some(EntryFault::Doubled),
        "both" => Some(EntryFault::Contradicted),
        _ => None,
    });
    let client = client(&sns);
    let entries = ["empty", "twice", "both"].map(|body| entry(body, body));
    let answer = publish_batch(&client, entries).await.unwrap();
    let successful: Vec<_> = answer.successful().iter().filter_map(|it| it.id()).collect();
    assert_eq!(successful, ["empty", "twice", "twice", "both"]);
    assert_eq!(answer.successful()[0].message_id().unwrap_or_default(), "");
    let [failed] = answer.failed() else { panic!("{:?}", answer.failed()) };
    assert_eq!(failed.id(), "both");
    assert_eq!(sns.counts().messages, 2);

    assert_eq!(publish(&client, "empty").await.unwrap().unwrap_or_default(), "");
    assert!(publish(&client, "twice").await.unwrap().is_some());
    assert_eq!(publish(&client, "both").await.unwrap(), None);
    assert_eq!(sns.counts().messages, 4);
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up() {
    let sns = FakeSns::start();
    sns.fail_requests(next(1, RequestFault::Silence));
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2));
    let impatient = patient_client(&sns, &timeouts.build());
    let error = publish(&impatient, "text").await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    sns.until(|counts| counts.requests == 1 && counts.in_flight == 0).await;
    assert_eq!(sns.counts().messages, 0);
    publish(&client(&sns), "text").await.unwrap();
}

#[tokio::test]
async fn a_reset_leaves_it_open_what_was_accepted() {
    let sns = FakeSns::start();
    sns.fail_requests(next(1, RequestFault::Reset));
    let error = publish_batch(&client(&sns), [entry(1, "a"), entry(2, "b")]).await.unwrap_err();
    assert!(
        matches!(error, SdkError::DispatchFailure(_) | SdkError::ResponseError(_)),
        "{error:?}"
    );
    assert_eq!(sns.counts().messages, 2);
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let sns = FakeSns::start();
    let client = client(&sns);
    sns.fail_requests(next(2, RequestFault::Garbage));
    publish(&client, "text").await.unwrap_err();
    publish_batch(&client, [entry(1, "text")]).await.unwrap_err();
    assert_eq!(sns.counts().messages, 0);
}

#[tokio::test]
async fn a_drip_is_slow_but_complete() {
    let sns = FakeSns::start();
    sns.fail_requests(next(1, RequestFault::Drip { pause: Duration::from_millis(1) }));
    let began = Instant::now();
    assert!(publish(&client(&sns), "text").await.unwrap().is_some());
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
}
