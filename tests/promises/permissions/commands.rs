//! Each command works with its least permissions, and says what it lacks with one less.

use lapin::ExchangeKind;

use super::least::{BROWSE, CANARY, FEED, FEED_AS_IT_IS, IMPORT, Least, REPLAY, RUN, RUN_AS_IT_IS};
use super::{User, bad, exactly};
use crate::fake_sns::{FakeSns, RequestFault};
use crate::support::{Ended, Event, OwnBroker, Stand, Worker, on_both_own_brokers};

const LETTERS: usize = 3;

/// The names of things, by configure, write and read.
#[derive(Clone)]
struct Granted([Vec<String>; 3]);

impl Granted {
    /// The three expressions.
    fn patterns(&self) -> [String; 3] {
        self.0.each_ref().map(|names| match &names[..] {
            [] => "^$".to_owned(),
            [one] => exactly(one),
            several => {
                let names: Vec<_> = several.iter().map(|it| it.replace('.', "\\.")).collect();
                format!("^({})$", names.join("|"))
            }
        })
    }

    /// Each with one less, and which.
    fn one_less(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for (at, word) in ["configure", "write", "read"].into_iter().enumerate() {
            for name in &self.0[at] {
                let mut less = self.clone();
                less.0[at].retain(|it| it != name);
                all.push((format!("{word} on {name}"), less));
            }
        }
        all
    }
}

impl<'a> User<'a> {
    /// Without anything there.
    fn alone(broker: &'a OwnBroker, stand: &'a Stand) -> Self {
        let dead_letter_exchange = format!("{}.letters", stand.id);
        Self { dead_letter_exchange, ..Self::of(broker, stand) }
    }

    /// Where all is there.
    async fn beside_all(broker: &'a OwnBroker, stand: &'a Stand) -> Self {
        let user = Self::alone(broker, stand);
        let exchange = &user.dead_letter_exchange;
        let settings = [("AMQP__DEAD_LETTER_EXCHANGE", &**exchange)];
        Worker::create_queue(stand, &settings).await;
        // By this one the test brings its letters.
        stand.declare_exchange(&stand.dead_letter_queue(), ExchangeKind::Fanout, true).await;
        stand.bind_dead_letter_queue().await;
        user
    }

    /// What is least, by its names on this stand, each once and in their order.
    fn granted(&self, least: &Least) -> Granted {
        let stand = self.stand;
        let name = |place| match place {
            "E" => stand.exchange(),
            "Q" => stand.queue(),
            "H" => stand.held_queue(),
            "DX" => self.dead_letter_exchange.clone(),
            "DQ" => stand.dead_letter_queue(),
            "LOOK" => format!("{}.look", stand.dead_letter_queue()),
            "D" => "amq.default".to_owned(),
            other => panic!("what is {other}?"),
        };
        Granted([least.configure, least.write, least.read].map(|places| {
            let mut names: Vec<_> = places.split_whitespace().map(name).collect();
            names.sort_unstable();
            names.dedup();
            names
        }))
    }

    async fn leave_nothing(self) {
        self.stand.delete_exchange(&self.dead_letter_exchange).await;
    }

    async fn has(&self, granted: &Granted) {
        let [configure, write, read] = granted.patterns();
        self.may([&configure, &write, &read]).await;
    }

    /// A command works with what is least, and with one less it does not.
    async fn needs(&self, least: &Least, command: impl AsyncFn() -> Ended) {
        let granted = self.granted(least);
        for (lacking, less) in granted.one_less() {
            self.has(&less).await;
            let ended = command().await;
            println!("{} without {lacking}: {ended:?}", least.command);
            assert_eq!(ended.code, Some(1), "without {lacking}: {}", ended.all());
        }
        self.has(&granted).await;
        let ended = command().await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
    }
}

on_both_own_brokers! {
    async fn what_run_needs_is_what_check_advises(broker: &OwnBroker, stand: Stand) {
        let user = User::alone(broker, &stand);
        let granted = user.granted(&RUN);
        assert_eq!(user.advised_to_who_may_nothing(true).await, granted.patterns());
        user.has(&granted).await;
        user.runs_a_worker(true).await;
        let ended = user.check(true).await;
        assert_eq!((ended.code, bad(&ended)), (Some(0), vec![]), "{}", ended.all());
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn who_may_only_use_what_is_there_runs_and_checks_all_the_same(broker: &OwnBroker, stand: Stand) {
        let user = User::beside_all(broker, &stand).await;
        let granted = user.granted(&RUN_AS_IT_IS);
        for (lacking, less) in granted.one_less() {
            user.has(&less).await;
            let ended = user.check(false).await;
            let (word, name) = lacking.split_once(" on ").unwrap();
            // Without any permission on it, it is not seen.
            if stand.is_newest() && word == "configure" {
                ended.line("can't tell without a permission on the queue whether parked events come back");
                continue;
            }
            assert_eq!(ended.code, Some(1), "without {lacking}: {}", ended.all());
            let line = ended.line(&format!("lacks the {word} permission on"));
            assert!(line.contains(&format!("`{name}`")), "{line}");
        }
        user.has(&granted).await;
        let ended = user.check(false).await;
        assert_eq!((ended.code, bad(&ended)), (Some(0), vec![]), "{}", ended.all());
        let unseen = ended.stdout.matches("so `run` can't tell whether it exists").count();
        assert_eq!(unseen, if stand.is_newest() { 2 } else { 0 }, "{}", ended.all());
        user.runs_a_worker(false).await;
        // Also where the user may not see that letters wait, `check` leaves nothing behind them.
        stand.publish_to(&user.dead_letter_exchange, Event::new("a letter")).await;
        let ended = user.check(false).await;
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert_eq!(stand.ready(&stand.dead_letter_queue()).await, 1);
        stand.take_dead_letters(1).await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn who_may_only_use_what_is_there_parks_too(broker: &OwnBroker, stand: Stand) {
        let (user, sns) = (User::beside_all(broker, &stand).await, FakeSns::start());
        user.has(&user.granted(&RUN_AS_IT_IS)).await;
        sns.fail_requests(|_| Some(RequestFault::NOT_FOUND));
        let url = sns.url();
        let settings = [
            ("AMQP__URI", &*user.uri),
            ("AMQP__DECLARE", "false"),
            ("AMQP__DEAD_LETTER_EXCHANGE", &user.dead_letter_exchange),
            ("AMQP__PREFETCH", "4"),
            ("OUTAGE__PROBE_MAX_MS", "300"),
            ("SNS__SNS_HOST", &*url),
        ];
        let worker = Worker::start_with(&stand, &settings).await;
        stand.publish_all((0..20).map(|_| Event::chat("ann@h", "bob@h", "hi"))).await;
        worker.logged("parking").await;
        sns.heal();
        sns.until(|counts| counts.messages >= 20).await;
        worker.stop().await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn looks_need_to_see_the_limit_and_to_read(broker: &OwnBroker, stand: Stand) {
        let user = User::beside_all(broker, &stand).await;
        stand.bury_numbers(0..LETTERS).await;
        for command in [&["list"][..], &["show", "m-1"], &["export", "-"], &["discard", "--all", "--yes"]] {
            let command = [&["dead-letters"], command].concat();
            user.needs(&BROWSE, async || user.program(&command).run().await).await;
        }
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn a_replay_needs_to_publish_too_and_its_queue_unseen(broker: &OwnBroker, stand: Stand) {
        let user = User::beside_all(broker, &stand).await;
        stand.bury_numbers(0..LETTERS).await;
        user.needs(&REPLAY, async || user.program(&["dead-letters", "replay"]).run().await).await;
        stand.drain(&stand.queue(), LETTERS).await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn a_canary_needs_to_hear_the_workers(broker: &OwnBroker, stand: Stand) {
        let user = User::beside_all(broker, &stand).await;
        let worker = Worker::start_with(&stand, &[("AMQP__DECLARE", "false")]).await;
        user.needs(&CANARY, async || {
            stand.bury_numbers(0..LETTERS).await;
            let replay = ["dead-letters", "replay", "--canary", "1", "--watch", "3s"];
            let ended = user.program(&replay).run().await;
            stand.purge(&stand.dead_letter_queue()).await;
            ended
        })
        .await;
        worker.stop().await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn an_import_needs_to_look_and_to_dead_letter(broker: &OwnBroker, stand: Stand) {
        let user = User::beside_all(broker, &stand).await;
        stand.bury_numbers(0..LETTERS).await;
        user.has(&user.granted(&BROWSE)).await;
        let archive = user.program(&["dead-letters", "export", "-"]).run().await.stdout;
        stand.drain_dead_letters(LETTERS).await;
        user.needs(&IMPORT, async || {
            user.program(&["dead-letters", "import", "letters.jsonl"]).with_file("letters.jsonl", &archive).run().await
        })
        .await;
        stand.drain_dead_letters(LETTERS).await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }

    async fn a_feed_needs_what_run_does_to_declare_or_only_to_publish(broker: &OwnBroker, stand: Stand) {
        let user = User::alone(broker, &stand);
        let feed = async |declare: &str| user.program(&["feed", "--count", "5"]).with("AMQP__DECLARE", declare).run().await;
        user.needs(&FEED, async || {
            // RabbitMQ asks for more when it creates a queue.
            for queue in [stand.queue(), stand.held_queue(), stand.dead_letter_queue()] {
                stand.delete(&queue).await;
            }
            feed("true").await
        })
        .await;
        user.needs(&FEED_AS_IT_IS, async || feed("false").await).await;
        stand.drain(&stand.queue(), 10).await;
        user.leave_nothing().await;
        stand.leave_nothing().await;
    }
}
