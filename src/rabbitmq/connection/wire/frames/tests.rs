//! What comes out, of streams that are cut anywhere.

use super::scanner::{HEADER, METHOD};
use super::*;
use crate::limits::DEEPEST_HEADER;

mod limits;
mod random;

/// All that comes out of a stream that comes in pieces of these sizes, in turn.
pub(super) fn through(notes: &Notes, stream: &[u8], pieces: &[usize], out: usize) -> Vec<u8> {
    let mut frames = Frames::new(notes.clone(), ());
    let (mut rest, mut came, mut pieces) = (stream, Vec::new(), pieces.iter().cycle());
    let mut buffer = vec![0; out.max(1)];
    loop {
        loop {
            let taken = frames.take(&mut buffer);
            if taken == 0 {
                break;
            }
            came.extend_from_slice(&buffer[..taken]);
        }
        if rest.is_empty() {
            break;
        }
        let piece = *pieces.next().unwrap();
        let taken = read(&mut frames, &mut rest, piece, &mut buffer);
        came.extend_from_slice(&buffer[..taken]);
    }
    frames.end();
    loop {
        let taken = frames.take(&mut buffer);
        if taken == 0 {
            return came;
        }
        came.extend_from_slice(&buffer[..taken]);
    }
}

/// Reads a piece of `rest` as a reader does: to `out`, where that is large enough. Returns how much of it may be taken.
fn read(frames: &mut Frames, rest: &mut &[u8], piece: usize, out: &mut [u8]) -> usize {
    let mut fill = |room: &mut [u8]| {
        let count = piece.clamp(1, rest.len().min(room.len()));
        room[..count].copy_from_slice(&rest[..count]);
        *rest = &rest[count..];
        count
    };
    if let Some(room) = frames.room_in(out) {
        let count = fill(room);
        return frames.read_to(out, count);
    }
    let count = fill(frames.room());
    frames.read(count);
    0
}

/// The same at once.
pub(super) fn whole(notes: &Notes, stream: &[u8]) -> Vec<u8> {
    through(notes, stream, &[usize::MAX], 1 << 16)
}

pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &channel.to_be_bytes()[..], &size, payload, &[END]].concat()
}

pub(super) fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub(super) fn deliver(tag: u64, routing_key: &[u8]) -> Vec<u8> {
    let payload = [
        &[0, 60, 0, 60][..],
        &short(b"consumer"),
        &tag.to_be_bytes(),
        &[0],
        &short(b"exchange"),
        &short(routing_key),
    ];
    frame(METHOD, 1, &payload.concat())
}

/// A content header of these flags and properties.
pub(super) fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
    let payload = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &flags.to_be_bytes(), properties];
    frame(HEADER, 1, &payload.concat())
}

const CONTENT_TYPE: u16 = 0x8000;
const HEADERS: u16 = 0x2000;
const MESSAGE_ID: u16 = 0x0080;

/// A table of headers.
fn headers(entries: &[u8]) -> Vec<u8> {
    header(HEADERS, &long(entries))
}

fn entry(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[kind], value].concat()
}

/// A delivery with this header, mended; and what was noted.
fn delivered(header: &[u8]) -> (Vec<u8>, Option<Note>) {
    let notes = Notes::default();
    let method = deliver(7, b"key");
    let came = whole(&notes, &[&method[..], header].concat());
    assert_eq!(&came[..method.len()], method);
    (came[method.len()..].to_vec(), notes.take(1, 7))
}

#[allow(clippy::unnecessary_wraps, reason = "as notes are asked for")]
fn altered(part: Part, original: &[u8]) -> Option<Note> {
    Some(Note(vec![Altered { part, original: Some(original.to_vec()) }]))
}

#[test]
fn what_can_be_read_passes_as_it_is_and_without_a_note() {
    let good = [entry("Grüße".as_bytes(), b'S', &long(b"\xff")), entry(b"n", b'V', b"")].concat();
    for header in [headers(&good), header(0, b""), header(MESSAGE_ID, &short("ü".as_bytes()))] {
        assert_eq!(delivered(&header), (header.clone(), None));
    }
}

#[test]
fn a_property_that_is_no_utf_8_becomes_so_in_its_place_and_what_it_was_is_noted() {
    let both = CONTENT_TYPE | MESSAGE_ID;
    let came = delivered(&header(both, &[short(b"text"), short(b"a\xffb\xc3")].concat()));
    let mended = header(both, &[short(b"text"), short(b"a?b?")].concat());
    assert_eq!(came, (mended, altered(Part::Property("message_id"), b"a\xffb\xc3")));
}

#[test]
fn a_routing_key_that_is_cut_inside_a_letter_is_mended() {
    let notes = Notes::default();
    let key = [&[b'k'; 254][..], b"\xc3"].concat();
    let came = whole(&notes, &[deliver(9, &key), header(0, b"")].concat());
    let mended = [&[b'k'; 254][..], b"?"].concat();
    assert_eq!(came, [deliver(9, &mended), header(0, b"")].concat());
    assert_eq!(notes.take(1, 9), altered(Part::RoutingKey, &key));
    assert_eq!(notes.take(1, 9), None, "it is taken once");
}

#[test]
fn names_of_headers_stay_distinct() {
    let names = |names: [&[u8]; 4]| headers(&names.map(|name| entry(name, b'V', b"")).concat());
    let bad: [&[u8]; 4] = [b"\xff", b"\xfe", b"?", b"\xff!"];
    let (came, note) = delivered(&names(bad));
    assert_eq!(came, names([b"!", b"\"", b"?", b"?!"]));
    assert_eq!(note.unwrap().0[0].part, Part::HeaderName);
}

#[test]
fn a_name_in_a_nested_table_is_mended() {
    let nested = |name: &[u8]| headers(&entry(b"t", b'F', &long(&entry(name, b't', &[1]))));
    let table = entry(b"t", b'F', &long(&entry(b"\xff", b't', &[1])));
    assert_eq!(delivered(&nested(b"\xff")), (nested(b"?"), altered(Part::Nested, &table)));
}

/// So many tables or lists within each other, and the place of the innermost that may stay.
fn nested(kind: u8, depth: usize) -> Vec<u8> {
    let mut value = vec![];
    for _ in 0..depth {
        let inner = if value.is_empty() { vec![] } else { value };
        let name = if kind == TABLE { short(b"n") } else { vec![] };
        let filled = if inner.is_empty() { vec![] } else { [name, inner].concat() };
        value = [&[kind][..], &long(&filled)].concat();
    }
    [short(b"deep"), value].concat()
}

const TABLE: u8 = b'F';
const LIST: u8 = b'A';

#[test]
fn what_is_nested_deeper_than_allowed_becomes_bytes() {
    for kind in [TABLE, LIST] {
        let deepest = headers(&nested(kind, DEEPEST_HEADER));
        assert_eq!(delivered(&deepest), (deepest.clone(), None));
        let deeper = headers(&nested(kind, DEEPEST_HEADER + 1));
        let (came, note) = delivered(&deeper);
        let changed: Vec<_> = (0..came.len()).filter(|at| came[*at] != deeper[*at]).collect();
        assert_eq!(changed.len(), 1, "one octet is another");
        assert_eq!((deeper[changed[0]], came[changed[0]]), (kind, b'x'));
        assert_eq!(note, altered(Part::Nested, &nested(kind, DEEPEST_HEADER + 1)));
    }
}

#[test]
fn what_is_no_table_becomes_bytes_as_it_came() {
    for broken in [&b"\x01\xffV\x05"[..], b"\x01a@", b"\x01aS\0\0\0\x09abc"] {
        let header = |kind| headers(&entry(b"t", kind, &long(broken)));
        let table = entry(b"t", b'F', &long(broken));
        assert_eq!(delivered(&header(b'F')), (header(b'x'), altered(Part::Nested, &table)));
    }
}

#[test]
fn what_are_no_properties_is_taken_out() {
    let unknown = headers(&entry(b"a", b'@', b"1"));
    let lying = header(HEADERS, &[&[0, 0, 0, 200][..], b"\x01aV"].concat());
    let further = header(MESSAGE_ID, &[&short(b"id")[..], b"more"].concat());
    let flags = header(MESSAGE_ID | 1, &short(b"id"));
    for bad in [unknown, lying, further, flags] {
        let original = &bad[HEAD + BARE_HEADER - 2..bad.len() - 1];
        assert_eq!(delivered(&bad), (header(0, b""), altered(Part::Everything, original)));
    }
}

#[test]
fn what_is_kept_of_a_message_is_the_same_however_often_it_was_delivered() {
    let count = |times: u8| entry(b"x-delivery-count", b'l', &[0, 0, 0, 0, 0, 0, 0, times]);
    let (bad_name, unknown) = (entry(b"\xff", b'V', b""), entry(b"a", b'@', b"1"));
    let kept = |entries: &[&[u8]]| delivered(&headers(&entries.concat())).1.unwrap();
    for bad in [&bad_name, &unknown] {
        let never = kept(&[bad]);
        assert_eq!(kept(&[&count(1), bad]), never);
        assert_eq!(kept(&[&count(2), bad]), never);
    }
    assert_eq!(kept(&[&bad_name, &count(7), &bad_name]), kept(&[&bad_name, &bad_name]));
}

#[test]
fn notes_of_a_channel_are_gone_when_its_number_is_another_channels() {
    let notes = Notes::default();
    let bad = [deliver(1, b"\xff"), header(0, b"")].concat();
    whole(&notes, &[bad.clone(), frame(METHOD, 1, &[0, 20, 0, 40, 0, 0, 0, 0, 0, 0, 0])].concat());
    assert!(notes.clone().take(1, 1).is_some(), "what has come may still be taken");
    whole(&notes, &[bad, frame(METHOD, 1, &[0, 20, 0, 11, 0, 0, 0, 0])].concat());
    assert_eq!(notes.take(1, 1), None);
}

#[test]
fn texts_with_which_the_broker_closes_are_mended() {
    for (class, method) in [(10, 50), (20, 40)] {
        let close = |text| {
            let payload = [&[0, class, 0, method, 1, 148][..], &short(text), &[0; 4]].concat();
            frame(METHOD, 0, &payload)
        };
        assert_eq!(whole(&Notes::default(), &close(b"no queue '\xc3")), close(b"no queue '?"));
    }
}

/// A slow link: lapin counts what it reads, and would take a frame that is long under way for silence.
#[test]
fn a_frame_that_is_held_shows_as_heartbeats_once_the_connection_is_open() {
    let open = frame(METHOD, 0, &[0, 10, 0, 41, 0]);
    let large = [deliver(1, b"k"), headers(&entry(b"b", b'x', &long(&[7; 300])))].concat();
    for (begin, beats) in [(vec![], false), (open, true)] {
        let stream = [&begin[..], &large].concat();
        let came = through(&Notes::default(), &stream, &[50], 3);
        assert_eq!(came.windows(8).any(|it| it == HEARTBEAT), beats);
        assert_eq!(without_heartbeats(&came), stream);
    }
}

/// What a stream of whole frames is but for its heartbeats.
pub(super) fn without_heartbeats(mut stream: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    while stream.len() >= HEAD {
        let size = u32::from_be_bytes(*stream[3..].first_chunk().unwrap()) as usize + AROUND;
        let (frame, rest) = stream.split_at(size.min(stream.len()));
        if frame != HEARTBEAT {
            left.extend_from_slice(frame);
        }
        stream = rest;
    }
    [left, stream.to_vec()].concat()
}
