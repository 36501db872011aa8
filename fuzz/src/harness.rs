//! One input, as fuzz targets and `tests/corpus.rs` give it to what reads it.

use crate::classify::{scope_of, scope_of_entry};
use crate::dead_letters::letter::parsed_headers::ParsedHeaders;
use crate::dead_letters::provenance::{LetterAuthor, Trust};
use crate::event::{self, Decoded, Envelope, Event, Format};
use crate::frames::{Frames, Notes};
use crate::limits::QUERY_PAIRS;
use crate::outcome::Scope;
use crate::parse;
use crate::plugin::{Bounds, Plugin, PluginError, Script};
use crate::rabbitmq::message::{Headers, Message, Properties};
use crate::signature::SigningKey;
use crate::text::{printable, printable_json};
use crate::untrusted::one_line;

/// Decodes `input`: lines `name: value` of properties and headers, an empty line, the payload.
/// Without them it is all payload.
///
/// # Panics
///
/// If what must be true of every input is not.
pub fn decode(format: Format, input: &[u8]) {
    let envelope = envelope(input);
    let decoded = event::decode(&envelope, format);
    assert_eq!(decoded, event::decode(&envelope, format), "the same twice");
    match decoded {
        Ok(Decoded::Event(event)) => check_event(&event),
        Ok(Decoded::Skip(_)) => {}
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 1024 && !text.contains(['\n', '\r']), "one short line: {text}");
            if let Some(position) = error.position() {
                let mut lines = envelope.payload.split(|byte| *byte == b'\n');
                let line = lines.nth(position.line - 1).expect("a line of the payload");
                assert!((1..=line.len() + 1).contains(&position.column), "a column of that line");
            }
        }
    }
}

fn check_event(event: &Event<'_>) {
    let users = match event {
        Event::Presence(presence) => vec![&presence.user],
        Event::Message(message) => vec![&message.from, &message.to],
    };
    for user in users {
        let again = jid::Jid::new(user.as_str()).expect("a JID that was read");
        assert_eq!(&again, user, "a JID is in its normal form");
        let parts = jid::Jid::from_parts(user.node(), user.domain(), user.resource());
        assert_eq!(&parts, user, "the parts agree with the whole");
    }
}

fn envelope(input: &[u8]) -> Envelope {
    let mut envelope = Envelope { payload: input.to_vec(), ..Envelope::default() };
    let Some(end) = input.windows(2).position(|two| two == b"\n\n") else { return envelope };
    let Ok(head) = std::str::from_utf8(&input[..end]) else { return envelope };
    let Some(head) = head.lines().map(|line| line.split_once(": ")).collect::<Option<Vec<_>>>()
    else {
        return envelope;
    };
    envelope.payload = input[end + 2..].to_vec();
    for (name, value) in head {
        let value = value.to_owned();
        match name {
            "exchange" => envelope.exchange = value,
            "routing-key" => envelope.routing_key = value,
            "content-type" => envelope.content_type = Some(value),
            _ => envelope.headers.push((name.to_owned(), value)),
        }
    }
    envelope
}

/// Judges an answer: its status, its code and its message, a line each.
///
/// # Panics
///
/// If what must be true of every answer is not.
pub fn classify(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n');
    let status = lines.next().and_then(|line| line.parse().ok()).unwrap_or(400);
    let code = lines.next().unwrap_or_default();
    let detail = lines.next().unwrap_or_default();

    let scope = scope_of(code, status, detail);
    if code.is_empty() {
        assert_ne!(scope, Scope::Message, "nobody but SNS says that it is the message's fault");
    }
    let by_code = scope_of(code, 500, detail) == scope_of(code, 400, detail);
    let (sender, service) =
        (scope_of_entry(code, true, detail), scope_of_entry(code, false, detail));
    if sender != service {
        assert_eq!((sender, service), (Scope::Message, Scope::Transient), "of unknown code");
        assert!(!by_code || scope == Scope::Transient, "a known code decides everywhere");
    } else if by_code {
        assert_eq!(scope, sender, "an entry's code is judged as an answer's");
    }
    if status >= 500 && sender != service {
        assert_eq!(scope, Scope::Transient, "a server's unknown trouble passes");
    }

    let line = one_line(detail, 300);
    assert!(line.len() <= 303 && !line.contains(char::is_control), "one short line: {line}");
}

/// Reads a stream of the broker's, at once and in pieces.
///
/// # Panics
///
/// If what must be true of every stream is not.
pub fn frames(input: &[u8]) {
    let notes = Notes::default();
    let at_once = read(&notes, input, usize::MAX, 1 << 18);
    for (piece, out) in [(1, 509), (3, 1 << 18), (64, 5), (64, 200)] {
        let again = Notes::default();
        let in_pieces = read(&again, input, piece, out);
        assert!(in_pieces == at_once, "cut into pieces of {piece} it is another");
        assert_eq!(again, notes, "and so are its notes");
    }
    // What was mended needs no mending: a stream of whole frames comes out as it is.
    let mended = Notes::default();
    assert!(read(&mended, &at_once, usize::MAX, 509) == at_once, "it is mended at once");
    assert!(at_once.len() <= input.len(), "nothing is added");
}

/// All that comes out, but for heartbeats.
fn read(notes: &Notes, input: &[u8], piece: usize, out: usize) -> Vec<u8> {
    let mut frames = Frames::without_heartbeats(notes.clone(), ());
    let (mut rest, mut came, mut buffer) = (input, Vec::new(), vec![0; out]);
    loop {
        match frames.take(&mut buffer) {
            0 if rest.is_empty() => break,
            0 => {}
            taken => {
                came.extend_from_slice(&buffer[..taken]);
                continue;
            }
        }
        let mut fill = |room: &mut [u8]| {
            let count = piece.min(rest.len()).min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            count
        };
        if let Some(room) = frames.room_in(&mut buffer) {
            let count = fill(room);
            let taken = frames.read_to(&mut buffer, count);
            came.extend_from_slice(&buffer[..taken]);
        } else {
            let count = fill(frames.room());
            frames.read(count);
        }
    }
    frames.end();
    loop {
        match frames.take(&mut buffer) {
            0 => return came,
            taken => came.extend_from_slice(&buffer[..taken]),
        }
    }
}

/// Compiles a script, and asks all its functions about an event with as long a text as there may be.
///
/// # Panics
///
/// If what must be true of every script is not.
pub fn script(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let script = match Script::compile("fuzz.rhai", &text) {
        Ok(script) => script,
        Err(error) => return assert!(error.to_string().starts_with("fuzz.rhai"), "{error}"),
    };
    let message = MARKER.repeat(Bounds::TEXT / MARKER.len());
    let json = format!(
        r#"{{"type":"chat","from_user_id":"a@h/x","to_user_id":"b@h","message":"{message}","x":[1,{{"y":"z"}}]}}"#
    );
    let envelope = Envelope { payload: json.into_bytes(), ..Envelope::default() };
    let Ok(Decoded::Event(event)) = event::decode(&envelope, Format::Native) else {
        panic!("the sample is an event");
    };
    let Event::Message(message) = &event else { panic!("and a message") };
    let topic = crate::arn::TopicArn::build("eu-west-1", "123456789012", "t").expect("valid");
    twice(|| script.keep(&event));
    twice(|| script.user_guid(&message.from).map(std::borrow::Cow::into_owned));
    twice(|| script.message_attributes(&topic, message));
    twice(|| script.metadata(&event));
}

/// Stands in the text of the event, and in no error.
const MARKER: &str = "aß,b ";

/// The same each time, and an error shows nothing of the event.
fn twice<T: PartialEq + std::fmt::Debug>(ask: impl Fn() -> Result<T, PluginError>) {
    let said = ask();
    // A number that is none is not even like itself.
    assert_eq!(format!("{said:?}"), format!("{:?}", ask()), "the same twice");
    if let Err(error) = said {
        let error = error.to_string();
        assert!(error.starts_with("fuzz.rhai") && !error.contains(&MARKER.repeat(2)), "{error}");
    }
}

/// Reads headers, as an archive has them, as those of a dead letter.
///
/// # Panics
///
/// If what must be true of every dead letter is not.
pub fn dead_letter(input: &[u8]) {
    let Ok(headers) = serde_json::from_slice::<Headers>(input) else { return };
    let json = |headers: &Headers| serde_json::to_string(headers).expect("as JSON");
    let written = json(&headers);
    let again = serde_json::from_str(&written).expect("what was written");
    assert_eq!(json(&again), written, "an archive loses nothing");
    for signed in [None, Some(false), Some(true)] {
        for is_source in [false, true] {
            let parsed = ParsedHeaders::read(&headers, signed, |_| is_source);
            assert_eq!(
                parsed,
                ParsedHeaders::read(&headers, signed, |_| is_source),
                "the same twice"
            );
            check_headers(&parsed, signed, input.len());
        }
    }
    let properties = Properties { headers: Some(headers), ..Properties::default() };
    let mut message = Message { properties, ..Message::default() };
    let key = SigningKey::new(&[7; 32]).expect("a key");
    let other = SigningKey::new(&[8; 32]).expect("a key");
    assert!(!message.is_signed(&other), "nobody knows that key");
    message.sign(Some(&key));
    assert!(message.is_signed(&key) && !message.is_signed(&other), "signed by one");
}

fn check_headers(parsed: &ParsedHeaders, signed: Option<bool>, bytes: usize) {
    assert!(parsed.trust != Trust::Signed || signed == Some(true), "nothing signs itself");
    if parsed.by == LetterAuthor::Broker {
        let ours = [&parsed.error, &parsed.topic, &parsed.worker];
        assert!(ours.iter().all(|it| it.is_none()), "what a producer wrote is not ours");
        let queue = parsed.deaths.first().map(|death| &death.queue);
        assert_eq!(parsed.origin.queue.as_ref(), queue, "RabbitMQ's own word");
    }
    let json = serde_json::to_string(parsed).expect("as JSON");
    // Each text at most twice, and a byte that is escaped as six.
    assert!(json.len() <= 12 * bytes + 2048, "no more than was sent: {}", json.len());
    let shown = printable_json(&json);
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
    assert_eq!(value(&shown), value(&json), "shown is what is there");
    for line in [printable(&parsed.reason, false), printable(&json, false), shown.into_owned()] {
        let is_raw = |c: char| {
            c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        };
        assert!(!line.contains(is_raw), "nothing is raw: {line:?}");
    }
}

/// Reads the parts of a request to the admin, a line each: query, `Host`, `Origin`, `Authorization`, `Cookie`.
///
/// # Panics
///
/// If what must be true of every request is not.
pub fn admin(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (query, host, origin, authorization, cookies) = (line(), line(), line(), line(), line());
    if let Some(pairs) = parse::pairs(query) {
        assert!(pairs.len() <= QUERY_PAIRS && pairs.iter().all(|(_, value)| !value.is_empty()));
        let length = |it: &(String, String)| it.0.len() + it.1.len();
        // A byte that is no UTF-8 becomes a character of three.
        assert!(
            pairs.iter().map(length).sum::<usize>() <= query.len() * 3,
            "no more than was sent"
        );
    } else {
        assert!(query.split('&').count() > QUERY_PAIRS, "too many only if there are");
    }
    let name = parse::host_name(host);
    assert!(!name.ends_with('.') && name == name.to_lowercase(), "in its normal form: {name}");
    if parse::is_of_host(origin, host) {
        assert!(origin.to_ascii_lowercase().ends_with(&host.to_ascii_lowercase()));
    }
    let token = parse::bearer(authorization);
    assert!(token == token.trim() && authorization.contains(token), "a part of what was sent");
    if !token.is_empty() {
        assert!(authorization.get(..7).is_some_and(|it| it.eq_ignore_ascii_case("bearer ")));
    }
    if let Some(id) = parse::session_id(cookies) {
        let has_form = id.len() == parse::ID_DIGITS && id.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(has_form && cookies.contains(parse::COOKIE), "an id that may be looked up: {id}");
    }
}
