//! All poison at once in a steady stream, and a source of innocents beside it: they don't wait.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::kinds::{self, Ends};
use crate::fake_sns::FakeSns;
use crate::support::raw::{Raw, RawPublisher};
use crate::support::{Event, Stand, Totals, Worker, number_in, wait_for};

const INNOCENTS: u32 = 400;

/// Between two of them.
const EVERY: Duration = Duration::from_millis(15);

/// Between two messages of poison. A worker without optimisation works on one for up to 11 ms, and shares its
/// processor with whatever else is tested.
const POISON_EVERY: Duration = Duration::from_millis(30);

/// From being published to RabbitMQ to being accepted by SNS.
const LONGEST: Duration = Duration::from_secs(1);

/// Masks letter by letter, which no call of a long text has the means for.
const MASKING: &str = r"
    fn metadata(event) {
        if event.kind == `presence` || event.text.len() < 1000 { return; }
        let text = event.text;
        let i = 0;
        while i < text.len() {
            if text[i] == 'a' { text[i] = '*'; }
            i += 1;
        }
        #{ text: text }
    }
";

/// When innocents were accepted, by number.
struct Arrivals(Arc<Mutex<BTreeMap<u32, Instant>>>);

impl Arrivals {
    /// Of what comes behind the topic of private messages, where nobody else's messages do.
    fn watch(sns: &FakeSns) -> Self {
        let arrivals = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let watching = Arc::clone(&arrivals);
        sns.fail_entries(move |message| {
            if message.topic.ends_with("-pm") {
                let number = number_in(&serde_json::from_str(&message.body).unwrap());
                watching.lock().unwrap().entry(number).or_insert_with(Instant::now);
            }
            None
        });
        Self(arrivals)
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// From the least to the greatest.
    fn delays(&self, sent: &[Instant]) -> Vec<Duration> {
        let arrived = self.0.lock().unwrap();
        assert_eq!(arrived.len(), sent.len());
        let mut delays: Vec<_> = arrived
            .values()
            .zip(sent)
            .map(|(arrived, sent)| arrived.duration_since(*sent))
            .collect();
        delays.sort();
        delays
    }
}

/// What is late is not made up for.
fn steady(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A stream of poison, round after round of the same messages.
struct Poison {
    publisher: RawPublisher,
    messages: Vec<Raw>,
    sent: usize,
}

impl Poison {
    async fn of(stand: &Stand, messages: Vec<Raw>) -> Self {
        Self { publisher: RawPublisher::connect(&stand.amqp_uri).await, messages, sent: 0 }
    }

    /// Until this ends, and then to the end of the round.
    async fn flow(&mut self, exchange: &str, until: &Cell<bool>) {
        let mut ticks = steady(POISON_EVERY);
        while !until.get() {
            for message in &self.messages {
                ticks.tick().await;
                self.publisher.publish(exchange, message).await;
                self.sent += 1;
            }
        }
    }

    fn rounds(&self) -> usize {
        self.sent / self.messages.len()
    }
}

/// Every kind of message that is none, or not one for SNS, or too much for a script.
fn bodies() -> Vec<Raw> {
    let text = "a".repeat(200_000);
    let masked =
        json!({"type": "chat", "from_user_id": "a@h", "to_user_id": "b@h", "message": text});
    vec![
        Raw::new("rubbish"),
        Raw::new("[".repeat(10_000)),
        Raw::new(r#"<!DOCTYPE a [<!ENTITY b "b">]><message type="chat">&b;</message>"#),
        Raw::new(masked.to_string()),
    ]
}

/// A worker of the stand's source and of another one, if it has a name.
async fn worker(stand: &Stand, sns: &FakeSns, script: &str, other: Option<&str>) -> Worker {
    let url = sns.url();
    let mut settings = vec![("SNS__SNS_HOST", &*url), ("SNS__PLUGIN_MODULE", script)];
    if let Some(name) = other {
        settings.push(("AMQP__SOURCES__OTHER__EXCHANGE", name));
        settings.push(("AMQP__SOURCES__OTHER__QUEUE", name));
    }
    let worker = Worker::start_with(stand, &settings).await;
    let sources = 1 + usize::from(other.is_some());
    let all = async || (worker.count("consuming") == sources).then_some(());
    wait_for("all sources to consume", all).await;
    worker
}

/// Publishes innocents to `other` and to the calm stand, until both have published all, while the poison flows.
/// When each was published.
async fn publish_all(
    (stand, other, arrivals): (&Stand, &str, &Arrivals),
    (calm, calm_arrivals): (&Stand, &Arrivals),
    poison: &mut Poison,
) -> Vec<Instant> {
    let (exchange, over) = (stand.exchange(), Cell::new(false));
    let innocents = async {
        let (mut ticks, mut sent) = (steady(EVERY), Vec::new());
        for number in 0..INNOCENTS {
            ticks.tick().await;
            let innocent = Event::chat("a@h", "b@h", &number.to_string());
            sent.push(Instant::now());
            tokio::join!(stand.publish_to(other, innocent.clone()), calm.publish(innocent));
        }
        let all = |it: &Arrivals| it.count() == sent.len();
        let arrived = async || (all(arrivals) && all(calm_arrivals)).then_some(());
        wait_for("all innocents", arrived).await;
        over.set(true);
        sent
    };
    tokio::join!(innocents, poison.flow(&exchange, &over)).0
}

fn say(name: &str, delays: &[Duration]) {
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!("{name}: median {:?}, 99 % {:?}, slowest {:?}", at(50), at(99), at(100));
}

/// What the machine makes everybody wait, innocents of another worker tell, to which nobody sends poison.
#[tokio::test]
async fn innocents_beside_a_stream_of_all_poison_wait_for_less_than_a_second() {
    let stand = Stand::new("innocents").await;
    let calm = Stand::on("calm", &stand.amqp_uri).await;
    let (sns, calm_sns) = (FakeSns::start(), FakeSns::start());
    let (arrivals, calm_arrivals) = (Arrivals::watch(&sns), Arrivals::watch(&calm_sns));
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("policy.rhai");
    std::fs::write(&script, MASKING).unwrap();
    let (script, other) = (script.to_str().unwrap(), format!("{}.other", stand.id));
    let poisoned_worker = worker(&stand, &sns, script, Some(&other)).await;
    let calm_worker = worker(&calm, &calm_sns, script, None).await;
    let kinds = kinds::all();
    let named = kinds.iter().map(|kind| kind.message(kind.name));
    let mut poison = Poison::of(&stand, named.chain(bodies()).collect()).await;

    let sides = ((&stand, &*other, &arrivals), (&calm, &calm_arrivals));
    let sent = publish_all(sides.0, sides.1, &mut poison).await;
    let (delays, calm_delays) = (arrivals.delays(&sent), calm_arrivals.delays(&sent));
    say("beside poison", &delays);
    say("without", &calm_delays);
    println!("{} rounds of poison", poison.rounds());
    assert!(poison.rounds() > 1, "it was no steady stream");
    let [slowest, calmest] = [&delays, &calm_delays].map(|it| it[it.len() - 1]);
    assert!(slowest < LONGEST + calmest, "{slowest:?}, where {calmest:?} are without poison");

    // And each poison has ended once, in the one way or the other.
    let published = kinds.iter().filter(|kind| matches!(kind.ends, Ends::Published)).count();
    let dead = poison.rounds() * (poison.messages.len() - published);
    let published = poison.rounds() * published + sent.len();
    sns.until(|counts| counts.messages >= published as u64).await;
    stand.has_ready(&stand.dead_letter_queue(), u32::try_from(dead).unwrap()).await;
    let exit = poisoned_worker.stop().await;
    let Totals { published: went, skipped, dead_lettered, handed_back, .. } = exit.totals();
    let ended = (went, skipped, dead_lettered, handed_back);
    assert_eq!(ended, (published as u64, 0, dead as u64, 0), "{exit:?}");
    calm_worker.stop().await;
    leave_nothing(stand, &other).await;
    calm.leave_nothing().await;
}

async fn leave_nothing(stand: Stand, other: &str) {
    stand.purge(&stand.dead_letter_queue()).await;
    for queue in [other, &format!("{other}.held")] {
        stand.delete(queue).await;
    }
    stand.delete_exchange(other).await;
    stand.leave_nothing().await;
}
