//! Connections, each a loop of request and answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::{self, Verdict};
use super::faults::{EntryFault, RequestFault};
use super::http::{Exchange, signer};
use super::limits::{batch_refusal, message_refusal};
use super::query::{Entry, Form, decode};
use super::{Settings, Shared};

pub(super) async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                shared.counts.send_modify(|counts| counts.connections += 1);
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// Serves one client until it hangs up. What it does wrong ends the connection.
async fn connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut exchange = Exchange::new(stream);
    while let Some((head, body)) = exchange.request().await? {
        let under_way = UnderWay::new(&shared);
        let latency = shared.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (answer, fault) = shared.answer(head, body);
        match fault {
            None | Some(RequestFault::Refused { .. } | RequestFault::Garbage) => {
                // Before the answer is out: the client may look as soon as it has it.
                drop(under_way);
                exchange.write(&answer).await?;
            }
            Some(RequestFault::Silence) => exchange.hung_up().await,
            Some(RequestFault::Reset) => {
                exchange.write(&answer[..answer.len() / 2]).await?;
                exchange.stream.set_zero_linger()?;
                return Ok(());
            }
            Some(RequestFault::Drip { pause }) => {
                for byte in answer {
                    exchange.write(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
    Ok(())
}

impl Shared {
    fn latency(&self) -> Duration {
        let accepted = self.counts.borrow().messages;
        let settings = self.settings.lock().unwrap();
        let later = settings.later.filter(|(messages, _)| accepted >= *messages);
        let latency = later.map_or(settings.latency, |(_, latency)| latency);
        latency + settings.jitter.mul_f64(fastrand::f64())
    }

    /// Takes what is to be taken, and says what to answer and what spoils it.
    fn answer(&self, head: &[u8], body: &[u8]) -> (Vec<u8>, Option<RequestFault>) {
        let form = Form::parse(body);
        let mut settings = self.settings.lock().unwrap();
        let text = String::from_utf8_lossy;
        let said = settings.explanation.as_ref().map(|it| it(&text(head), &text(body)));
        let said = &*said.unwrap_or_else(|| "asked for".to_owned());
        let publishes = matches!(form.action, b"Publish" | b"PublishBatch");
        if publishes {
            self.counts.send_modify(|counts| counts.requests += 1);
        }
        let number = self.counts.borrow().requests;
        if settings.record {
            let signer = signer(head);
            if publishes {
                self.signers.lock().unwrap().insert(number, signer.clone());
            }
            self.signed.lock().unwrap().insert((signer, decode(form.topic).into_owned()));
        }
        let fault = settings.request_rule.as_mut().and_then(|rule| rule(&form.decode(number)));
        let answer = match fault {
            Some(RequestFault::Refused { status, code: "" }) => answer::http(status, ""),
            Some(RequestFault::Refused { status, code }) => answer::error(status, code, said),
            Some(RequestFault::Garbage) => answer::http(200, "<html>Welcome to the hotel!"),
            Some(RequestFault::Silence) => Vec::new(),
            None | Some(RequestFault::Reset | RequestFault::Drip { .. }) => match form.action {
                b"Publish" => self.publish(&form, &mut settings, number, said),
                b"PublishBatch" => self.publish_batch(&form, &mut settings, number, said),
                b"GetTopicAttributes" => answer::topic_attributes(&decode(form.topic)),
                _ => answer::error(400, "InvalidAction", "not an action of this fake"),
            },
        };
        (answer, fault)
    }

    fn publish(
        &self,
        form: &Form<'_>,
        settings: &mut Settings,
        number: u64,
        said: &str,
    ) -> Vec<u8> {
        let Some(entry) = form.entries.first() else {
            return answer::error(400, "InvalidParameter", "Invalid parameter: Message");
        };
        match verdict(form, entry, settings, number, said) {
            verdict if verdict.is_accepted() => {
                let says_so = !matches!(verdict, Verdict::Contradicted);
                self.accept(form, &[verdict], settings, number);
                if says_so { answer::publish(number) } else { answer::publish_without_id() }
            }
            Verdict::WithoutMessageId => answer::publish_with_empty_id(),
            Verdict::Failed { code, message, sender_fault } => {
                answer::error(if sender_fault { 400 } else { 500 }, code, &message)
            }
            _ => answer::publish_without_id(),
        }
    }

    fn publish_batch(
        &self,
        form: &Form<'_>,
        settings: &mut Settings,
        number: u64,
        said: &str,
    ) -> Vec<u8> {
        if let Some((code, message)) = batch_refusal(form, settings.max_bytes) {
            return answer::error(400, code, message);
        }
        let verdicts: Vec<_> =
            form.entries.iter().map(|entry| verdict(form, entry, settings, number, said)).collect();
        self.accept(form, &verdicts, settings, number);
        let ids = form.entries.iter().map(|entry| entry.id);
        answer::publish_batch(ids.zip(&verdicts), number)
    }

    fn accept(&self, form: &Form<'_>, verdicts: &[Verdict], settings: &Settings, number: u64) {
        let accepted = || {
            let both = form.entries.iter().zip(verdicts);
            both.filter(|(_, verdict)| verdict.is_accepted()).map(|(entry, _)| entry)
        };
        if settings.record {
            let topic = decode(form.topic);
            let messages = accepted().map(|entry| entry.decode(&topic, number));
            self.accepted.lock().unwrap().extend(messages);
        }
        let count = accepted().count() as u64;
        self.counts.send_modify(|counts| counts.messages += count);
    }
}

fn verdict(
    form: &Form<'_>,
    entry: &Entry<'_>,
    settings: &mut Settings,
    number: u64,
    said: &str,
) -> Verdict {
    if let Some((code, message)) = message_refusal(form.topic, entry, settings.max_bytes) {
        return Verdict::Failed { code, message: message.into(), sender_fault: true };
    }
    let rule = settings.entry_rule.as_mut();
    match rule.and_then(|rule| rule(&entry.decode(&decode(form.topic), number))) {
        None => Verdict::Accepted,
        Some(EntryFault::Omitted) => Verdict::Omitted,
        Some(EntryFault::Renamed) => Verdict::Renamed,
        Some(EntryFault::WithoutMessageId) => Verdict::WithoutMessageId,
        Some(EntryFault::Doubled) => Verdict::Doubled,
        Some(EntryFault::Contradicted) => Verdict::Contradicted,
        Some(EntryFault::Failed { code, sender_fault }) => {
            Verdict::Failed { code, message: said.to_owned().into(), sender_fault }
        }
    }
}

/// Counts a request as under way, until it is dropped.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.counts.send_modify(|counts| {
            counts.in_flight += 1;
            counts.most_in_flight = counts.most_in_flight.max(counts.in_flight);
        });
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.in_flight -= 1);
    }
}
