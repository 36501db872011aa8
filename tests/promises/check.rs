//! `check` says what is there, what is not and what to do, and leaves all as it was.

use lapin::options::QueueDeleteOptions;

use crate::support::{Ended, Event, Program, Stand, Worker};

/// Nothing listens there: it is a privileged port that no service uses.
const CLOSED: &str = "127.0.0.1:1";

async fn check(stand: &Stand, settings: &[(&str, &str)]) -> Ended {
    let program = Program::new(&["check", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration());
    let program = settings.iter().fold(program, |it, (key, value)| it.with(key, value));
    let ended = program.run().await;
    assert!(!ended.all().contains('\x1b'), "colours in a pipe: {ended:?}");
    ended
}

fn assert_all_well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.stdout.lines().all(|line| line.starts_with("✓ ")), "{}", ended.stdout);
}

/// Exactly these lines are bad, in any order; each is given by words that it has.
fn assert_problems(ended: &Ended, expected: &[&[&str]]) {
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let bad: Vec<_> = ended.stdout.lines().filter(|line| line.starts_with("✗ ")).collect();
    assert_eq!(bad.len(), expected.len(), "{}", ended.stdout);
    for words in expected {
        let found = bad.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no ✗ with {words:?} in\n{}", ended.stdout);
    }
    let s = if bad.len() == 1 { "" } else { "s" };
    assert!(ended.stdout.ends_with(&format!("\n{} problem{s}\n", bad.len())), "{}", ended.stdout);
}

#[tokio::test]
async fn what_run_will_declare_is_no_problem_and_is_not_created() {
    let stand = Stand::new("check-fresh").await;
    let ended = check(&stand, &[]).await;
    assert_all_well(&ended);
    let (exchange, queue, dead) = (stand.exchange(), stand.queue(), stand.dead_letter_queue());
    let wanted = [
        format!("exchange `{exchange}` (topic)"),
        format!("queue `{queue}` (quorum)"),
        format!("exchange `{dead}` (dead letters)"),
        format!("queue `{}` (quorum)", stand.held_queue()),
        format!("queue `{dead}` (quorum)"),
    ];
    for wanted in wanted {
        let line = ended.line(&format!("{wanted}:"));
        assert!(line.ends_with("does not exist yet; `run` declares it"), "{line}");
    }
    for name in [exchange, queue, dead] {
        assert!(!stand.has_queue(&name).await, "check created queue {name}");
        assert!(!stand.has_exchange(&name).await, "check created exchange {name}");
    }
}

#[tokio::test]
async fn after_a_run_all_is_there_as_configured() {
    let stand = Stand::new("check-there").await;
    Worker::start(&stand).await.stop().await;
    let ended = check(&stand, &[]).await;
    assert_all_well(&ended);
    assert_eq!(ended.stdout.matches(": exists, as configured\n").count(), 5, "{}", ended.stdout);
    let version = if stand.is_newest() { "4." } else { "3.10." };
    ended.line(&format!("broker: connected and logged in to RabbitMQ {version}"));
    ended.line("no limit of the length of");
    for (topic, key) in [
        ("presence", "sns.presence_updates_topic"),
        ("pm", "sns.pm_messages_topic"),
        ("muc", "sns.muc_messages_topic"),
    ] {
        let arn = stand.topic_arn(topic);
        assert_eq!(ended.line(&arn), format!("✓ topic {arn} ({key}): exists"));
    }
    stand.leave_nothing().await;
}

#[tokio::test]
async fn its_probe_stays_in_no_queue_not_even_behind_other_dead_letters() {
    let stand = Stand::new("check-probe").await;
    let worker = Worker::start(&stand).await;
    check(&stand, &[]).await;
    // What expires at once is gone a moment later.
    stand.has_ready(&stand.dead_letter_queue(), 0).await;
    stand.publish(Event::new("no event")).await;
    stand.has_ready(&stand.dead_letter_queue(), 1).await;
    for declare in ["true", "false"] {
        let ended = check(&stand, &[("AMQP__DECLARE", declare)]).await;
        assert_all_well(&ended);
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 1, "declare = {declare}");
    }
    stand.take_dead_letters(1).await;
    worker.stop().await;
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_a_problem_that_names_the_argument_and_its_key() {
    let stand = Stand::new("check-arguments").await;
    Worker::start(&stand).await.stop().await;
    let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
    let ended = check(&stand, &[("AMQP__DELIVERY_LIMIT", "7")]).await;
    let limit = "x-delivery-limit = 20 instead of 7 (amqp.delivery_limit)";
    assert_problems(&ended, &[&[&queue, limit, "amqp.delivery_limit = 20"]]);
    let ended = check(&stand, &[("AMQP__QUEUE_TYPE", "classic")]).await;
    let adopt = "adopt it (amqp.queue_type = \"quorum\" for all queues, or amqp.declare = false)";
    let queues = [dead, format!("`{queue}`"), stand.held_queue()];
    let problems = queues.each_ref().map(|queue| [queue.as_str(), adopt]);
    assert_problems(&ended, &problems.each_ref().map(|words| &words[..]));
    let ended = check(&stand, &[("AMQP__SOURCES__EVENTS__EXCHANGE_TYPE", "fanout")]).await;
    let kind = ["type = \"topic\" instead of \"fanout\"", "exchange_type = \"topic\""];
    assert_problems(&ended, &[&[&stand.exchange(), kind[0], kind[1]]]);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn a_missing_topic_is_a_problem_and_the_others_are_checked_all_the_same() {
    let stand = Stand::new("check-topic").await;
    let ended = check(&stand, &[("SNS__PM_MESSAGES_TOPIC", "gone")]).await;
    assert_problems(&ended, &[&[":gone (sns.pm_messages_topic)", "NotFound", "create the topic"]]);
    for topic in ["presence", "muc"] {
        assert!(ended.line(&stand.topic_arn(topic)).ends_with(": exists"));
    }
}

#[tokio::test]
async fn without_a_broker_the_topics_are_checked_all_the_same() {
    let stand = Stand::new("check-no-broker").await;
    let uri = format!("amqp://guest:planted@{CLOSED}/%2f");
    let ended = check(&stand, &[("AMQP__URI", &uri)]).await;
    let masked = format!("amqp://guest:***@{CLOSED}/%2f");
    assert_problems(&ended, &[&["cannot connect", &masked, "check that RabbitMQ is running"]]);
    assert!(!ended.all().contains("planted"), "{}", ended.all());
    assert_eq!(ended.stdout.matches("): exists\n").count(), 3, "{}", ended.stdout);
}

#[tokio::test]
async fn without_sns_all_topics_are_one_problem_and_the_broker_is_none() {
    let stand = Stand::new("check-no-sns").await;
    let ended = check(&stand, &[("SNS__SNS_HOST", CLOSED)]).await;
    let arns = ["presence", "pm", "muc"].map(|topic| stand.topic_arn(topic));
    assert_problems(&ended, &[&[&arns[0], &arns[1], &arns[2], "unreachable", "sns.sns_host"]]);
    assert!(ended.line("broker:").starts_with("✓ "));
}

#[tokio::test]
async fn what_is_missing_is_a_problem_where_run_declares_nothing() {
    let stand = Stand::new("check-no-declare").await;
    let ended = check(&stand, &[("AMQP__DECLARE", "false")]).await;
    let (exchange, queue, dead) = (stand.exchange(), stand.queue(), stand.dead_letter_queue());
    let [exchange, queue, dead_exchange, dead_queue] = [
        format!("exchange `{exchange}`"),
        format!("queue `{queue}`"),
        format!("exchange `{dead}`"),
        format!("queue `{dead}`"),
    ];
    assert_problems(
        &ended,
        &[
            &[&dead_exchange, "NOT_FOUND", "create it, or set amqp.declare = true"],
            &[&dead_queue, "NOT_FOUND", "create it"],
            &["dead letters:", "NOT_FOUND"],
            &[&exchange, "NOT_FOUND", "create it"],
            &[&queue, "NOT_FOUND", "create it"],
        ],
    );
}

#[tokio::test]
async fn a_dead_letter_exchange_that_leads_nowhere_is_a_problem() {
    let stand = Stand::new("check-unbound").await;
    stand.declare_all("quorum").await;
    let settings = [("AMQP__DECLARE", "false")];
    let dead = stand.dead_letter_queue();
    stand.unbind(&dead, &dead, "").await;
    let ended = check(&stand, &settings).await;
    assert_problems(&ended, &[&["dead letters: no queue is bound", &format!("bind `{dead}`")]]);

    stand.bind_dead_letter_queue().await;
    let ended = check(&stand, &settings).await;
    assert_all_well(&ended);
    assert_eq!(ended.stdout.matches(": exists, used as it is\n").count(), 4, "{}", ended.stdout);
    stand.leave_nothing().await;
}

#[tokio::test]
async fn offline_it_connects_to_nothing() {
    let ended = Program::new(&["check", "--offline"])
        .with("AMQP__URI", &format!("amqp://{CLOSED}/%2f"))
        .with("SNS__SNS_HOST", CLOSED)
        .with("SNS__PM_MESSAGES_TOPIC", "arn:aws:sns:us-east-1:123456789012:pm")
        .run()
        .await;
    assert_all_well(&ended);
    ended.line("configuration: valid; sources: events (chat.events → event-pusher-sns)");
    ended.line("sns.muc_messages_topic is not set");
    assert!(!ended.stdout.contains("RabbitMQ"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("FIFO"), "{}", ended.stdout);
}

#[tokio::test]
async fn that_a_fifo_topic_drops_what_is_alike_is_said_of_mongooseims_events() {
    let arn = "arn:aws:sns:us-east-1:123456789012:pm.fifo";
    let offline = Program::new(&["check", "--offline"]).with("SNS__PM_MESSAGES_TOPIC", arn);
    let ended = offline.with("AMQP__SOURCES__EVENTS__FORMAT", "mongooseim").run().await;
    assert_all_well(&ended);
    ended.line("source events: events of MongooseIM have no id, so a FIFO topic drops an event");
}

#[tokio::test]
async fn a_token_that_could_be_guessed_is_a_problem_and_one_character_more_is_none() {
    let arn = "arn:aws:sns:us-east-1:123456789012:pm";
    let checked = || Program::new(&["check", "--offline"]).with("SNS__PM_MESSAGES_TOPIC", arn);
    let offline = |token: &str| checked().with("ADMIN__TOKEN", token).run();
    let short = "x".repeat(23);
    let ended = offline(&short).await;
    assert_problems(&ended, &[&["admin.token", "24 characters", "openssl rand -hex 32"]]);
    assert!(!ended.all().contains(&short), "{ended:?}");
    assert_all_well(&offline(&"x".repeat(24)).await);
}

/// There is no room then for the name of the queue that locks it.
#[tokio::test]
async fn a_dead_letter_queue_with_the_longest_name_is_checked_and_listed() {
    let stand = Stand::new("check-long").await;
    let queue = format!("{:x<255}", stand.dead_letter_queue());
    let settings = [("AMQP__DEAD_LETTER_QUEUE", &*queue)];
    Worker::start_with(&stand, &settings).await.stop().await;
    assert_all_well(&check(&stand, &settings).await);
    let list = Program::new(&["dead-letters", "list", "--config", "stand.toml"])
        .with_file("stand.toml", &stand.configuration());
    let listed = list.with(settings[0].0, settings[0].1).run().await;
    assert_eq!(listed.code, Some(0), "{}", listed.all());
    let deleted = stand.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
    assert_eq!(deleted.await.unwrap(), 0);
    stand.leave_nothing().await;
}
