//! `check` tries each permission that `run` needs, names those that are missing, and takes, publishes and changes nothing for it.

mod commands;
mod least;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::support::{
    Ended, Event, OwnBroker, Program, Stand, Worker, dlq_program, on_both_brokers,
    on_both_own_brokers, quorum,
};

/// The stand as a user of its own sees it.
struct User<'a> {
    broker: &'a OwnBroker,
    stand: &'a Stand,
    uri: String,
    /// Called otherwise than the queue, where what each needs is to be told apart.
    dead_letter_exchange: String,
}

impl<'a> User<'a> {
    fn of(broker: &'a OwnBroker, stand: &'a Stand) -> Self {
        let uri = format!("amqp://{}:planted@127.0.0.1:{}/%2f", stand.id, broker.port(0));
        Self { broker, stand, uri, dead_letter_exchange: stand.dead_letter_queue() }
    }

    async fn may(&self, patterns: [&str; 3]) {
        self.broker.permit_only(&self.stand.id, patterns).await;
    }

    fn program(&self, arguments: &[&str]) -> Program {
        Program::new(&[arguments, &["--config", "stand.toml"]].concat())
            .with_file("stand.toml", &self.stand.configuration())
            .with("AMQP__URI", &self.uri)
            .with("AMQP__DEAD_LETTER_EXCHANGE", &self.dead_letter_exchange)
            .with("FLEET__VIEW", "false")
    }

    async fn check(&self, declare: bool) -> Ended {
        let ended =
            self.program(&["check"]).with("AMQP__DECLARE", &declare.to_string()).run().await;
        assert!(!ended.all().contains("planted"), "{ended:?}");
        ended
    }

    /// The three expressions that `check` advises without any permission.
    async fn advised_to_who_may_nothing(&self, declare: bool) -> [String; 3] {
        self.may(["^$"; 3]).await;
        let ended = self.check(declare).await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert!(!ended.all().contains("create it"), "{}", ended.all());
        let line = ended.line("rabbitmqctl set_permissions -p '/' ");
        let words: Vec<_> = line.split('\'').collect();
        [words[5], words[7], words[9]].map(ToOwned::to_owned)
    }

    /// With these permissions a worker publishes an event and dead-letters another.
    async fn runs_a_worker(&self, declare: bool) {
        let (stand, declare) = (self.stand, declare.to_string());
        let settings = [
            ("AMQP__URI", &*self.uri),
            ("AMQP__DECLARE", &declare),
            ("AMQP__DEAD_LETTER_EXCHANGE", &self.dead_letter_exchange),
        ];
        let worker = Worker::start_with(stand, &settings).await;
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        stand.publish(Event::new("garbage")).await;
        stand.receive("pm", 1).await;
        stand.take_dead_letters(1).await;
        worker.stop().await;
    }
}

fn bad(ended: &Ended) -> Vec<&str> {
    ended.stdout.lines().filter(|line| line.starts_with("✗ ")).collect()
}

/// As a regular expression, which is also how `check` shows it.
fn exactly(name: &str) -> String {
    format!("^{}$", name.replace('.', "\\."))
}

/// Each permission on each thing, and what else one pattern takes away with it: a dead-letter queue is called as its exchange is.
fn lacking(stand: &Stand) -> Vec<(usize, Vec<String>, String)> {
    let (exchange, queue) = (stand.exchange(), stand.queue());
    let (held, dead) = (stand.held_queue(), stand.dead_letter_queue());
    let named = |kind: &str, name: &str| format!("{kind} `{name}`");
    vec![
        (0, vec![named("exchange", &exchange)], exchange.clone()),
        (0, vec![named("queue", &queue)], queue.clone()),
        (0, vec![named("queue", &held)], held),
        (0, vec![named("exchange", &dead), named("queue", &dead)], dead.clone()),
        (1, vec![named("queue", &queue)], queue.clone()),
        (1, vec![named("exchange", &dead)], dead.clone()),
        (1, vec![named("exchange", "amq.default")], "amq.default".to_owned()),
        (2, vec![named("queue", &queue)], queue),
        (2, vec![named("exchange", &exchange)], exchange),
        (2, vec![named("exchange", &dead)], dead),
    ]
}

on_both_own_brokers! {
    async fn each_permission_that_run_lacks_is_named_and_nothing_is_touched(broker: &OwnBroker, stand: Stand) {
        let user = User::of(broker, &stand);
        Worker::create_queue(&stand, &[]).await;
        stand.publish(Event::chat("ann@h", "bob@h", "hi")).await;
        stand.bury_numbers(0..1).await;
        user.may([".*"; 3]).await;
        let ended = user.check(true).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        ended.line(&format!("permissions: user `{}` has all that `run` needs", stand.id));
        for (permission, things, name) in lacking(&stand) {
            let mut patterns = [".*".to_owned(), ".*".to_owned(), ".*".to_owned()];
            patterns[permission] = format!("^(?!{})", &exactly(&name)[1..]);
            user.may([&patterns[0], &patterns[1], &patterns[2]]).await;
            let ended = user.check(true).await;
            assert_eq!(ended.code, Some(1), "{}", ended.all());
            let word = ["configure", "write", "read"][permission];
            for thing in things {
                let line = ended.line(&format!("lacks the {word} permission on {thing}"));
                assert!(line.starts_with("✗ permissions: user `"), "{line}");
                assert!(line.contains(&format!("is `{}`", exactly(&name))), "{line}");
            }
            let others = bad(&ended).into_iter().filter(|it| !it.contains(&format!("`{name}`")));
            assert_eq!(others.count(), 0, "{}", ended.all());
            assert!(!ended.all().contains("create it"), "{}", ended.all());
        }
        let (queue, dead) = (stand.queue(), stand.dead_letter_queue());
        assert_eq!((stand.ready(&queue).await, stand.ready(&dead).await), (1, 1));
        assert_eq!(stand.ready(&stand.held_queue()).await, 0);
        for queue in [queue, dead] {
            let delivery = stand.get(&queue).await.unwrap();
            assert!(!delivery.redelivered, "{queue}: {delivery:?}");
        }
        stand.leave_nothing().await;
    }

    async fn what_check_advises_is_enough_for_run(broker: &OwnBroker, stand: Stand) {
        let user = User::of(broker, &stand);
        let [configure, write, read] = user.advised_to_who_may_nothing(true).await;
        for name in [stand.queue(), stand.dead_letter_queue(), stand.held_queue()] {
            assert!(!stand.has_queue(&name).await, "check created queue {name}");
        }
        user.may([&configure, &write, &read]).await;
        user.check(true).await.line("has all that `run` needs");
        user.runs_a_worker(true).await;
        stand.leave_nothing().await;
    }

    async fn what_check_advises_is_enough_for_run_that_declares_nothing(broker: &OwnBroker, stand: Stand) {
        let user = User::of(broker, &stand);
        stand.declare_all("quorum").await;
        let [configure, write, read] = user.advised_to_who_may_nothing(false).await;
        assert_eq!(configure, "^$");
        user.may([&configure, &write, &read]).await;
        let checked = user.check(false).await;
        assert_eq!((checked.code, bad(&checked)), (Some(0), vec![]), "{}", checked.all());
        checked.line("has all that `run` needs");
        checked.line(&format!("can't tell whether `{}` can be browsed", stand.dead_letter_queue()));
        checked.line(&format!(
            "queue `{}` (no stream; type and arguments: can't tell without the configure permission on it): exists",
            stand.queue()
        ));
        user.runs_a_worker(false).await;
        stand.leave_nothing().await;
    }

    async fn a_queue_for_parked_events_that_exists_needs_configure_on_it_alone(broker: &OwnBroker, stand: Stand) {
        let user = User::of(broker, &stand);
        let parking = stand.held_queue();
        stand.declare_all("quorum").await;
        let mut back = quorum();
        for (name, value) in [("exchange", ""), ("routing-key", &*stand.queue())] {
            let value = lapin::types::AMQPValue::LongString(value.into());
            back.insert(format!("x-dead-letter-{name}").into(), value);
        }
        stand.declare_queue(&parking, back).await;
        let (write, read) = (exactly(&stand.dead_letter_queue()), exactly(&stand.queue()));
        let unseen = ["^$", &*write, &*format!("({read}|{})", exactly(&parking))];
        user.may(unseen).await;
        let ended = user.check(false).await;
        ended.line("can't tell without the configure permission on it whether parked events come back");
        let line = ended.line(&format!("lacks the configure permission on queue `{parking}`"));
        assert!(line.starts_with("✗ ") && line.contains(&exactly(&parking)), "{line}");
        let worker = Worker::start_with(&stand, &[("AMQP__URI", &*user.uri), ("AMQP__DECLARE", "false")]).await;
        let said = worker.logged("queue_unfit").await;
        assert!(said["queue"] == *parking && said["problem"].to_string().contains("`run` parks none"), "{said}");
        worker.stop().await;
        let words: Vec<_> = ended.line("rabbitmqctl set_permissions -p '/' ").split('\'').collect();
        assert_eq!(words[5], exactly(&parking));
        user.may([words[5], words[7], words[9]]).await;
        let ended = user.check(false).await;
        assert_eq!((ended.code, bad(&ended)), (Some(0), vec![]), "{}", ended.all());
        user.runs_a_worker(false).await;
        stand.leave_nothing().await;
    }

    async fn each_user_of_several_addresses_gets_a_command_and_those_untried_are_named(broker: &OwnBroker, stand: Stand) {
        let user = User::of(broker, &stand);
        user.may(["^$"; 3]).await;
        let other = user.uri.replace(&stand.id, "somebody");
        let ended = Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .with("AMQP__URI", "")
            .with("AMQP__URIS", &format!("{},{other}", user.uri))
            .run()
            .await;
        assert!(!ended.all().contains("planted"), "{ended:?}");
        ended.line(&format!("only those of user `{}` in vhost `/` were tried", stand.id));
        ended.line("not those of user `somebody` in vhost `/`");
        let line = ended.line("rabbitmqctl set_permissions");
        for name in [&*stand.id, "somebody"] {
            assert!(line.contains(&format!("`rabbitmqctl set_permissions -p '/' '{name}' ")), "{line}");
        }
    }
}

on_both_brokers! {
    async fn a_queue_of_another_connection_alone_is_not_to_be_created(stand: Stand) {
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = stand.queue();
        let declared = stand.channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
        declared.await.unwrap();
        let ended = Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .run()
            .await;
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        let bad = bad(&ended);
        assert_eq!(bad.len(), 1, "{}", ended.all());
        for part in [&*format!("queue `{queue}`"), "for itself alone", "RESOURCE_LOCKED"] {
            assert!(bad[0].contains(part), "{part}: {}", bad[0]);
        }
        assert!(!ended.all().contains("create it"), "{}", ended.all());
        stand.leave_nothing().await;
    }

    async fn the_real_type_and_arguments_of_a_queue_are_shown(stand: Stand) {
        stand.declare_all("quorum").await;
        let mut classic = FieldTable::default();
        let text = |text: &str| lapin::types::AMQPValue::LongString(text.into());
        classic.insert("x-queue-type".into(), text("classic"));
        classic.insert("x-dead-letter-exchange".into(), text(""));
        classic.insert("x-dead-letter-routing-key".into(), text(&stand.queue()));
        classic.insert("x-max-length".into(), 7_i64.into());
        stand.declare_queue(&stand.held_queue(), classic).await;
        let ended = Program::new(&["check", "--config", "stand.toml"])
            .with_file("stand.toml", &stand.configuration())
            .with("AMQP__DECLARE", "false")
            .run()
            .await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        ended.line(&format!(
            "queue `{}` (classic, x-dead-letter-exchange = \"\", x-dead-letter-routing-key = {}, x-max-length = 7): exists, used as it is",
            stand.held_queue(),
            stand.queue()
        ));
        ended.line(&format!("queue `{}` (quorum, x-dead-letter-exchange = ", stand.queue()));
        assert_eq!(dlq_program(&stand, &["list"]).run().await.code, Some(0));
        stand.leave_nothing().await;
    }
}
