//! What exceeds a limit by one.

use super::*;
use crate::limits::{
    LARGEST_FRAME, MOST_HEADERS, MOST_HEADERS_ADDED, MOST_HEADERS_OF_EVENTS, MOST_MENDED_NAMES,
    MOST_NOTED_BYTES,
};

#[test]
fn no_more_names_are_mended_than_allowed() {
    let names = |count: usize| {
        let name = |number: usize| entry(format!("{number}").as_bytes(), b'V', b"");
        let bad = |number: usize| {
            let mut entry = name(1000 + number);
            entry[1] = 0xff;
            entry
        };
        headers(&(0..count).flat_map(bad).collect::<Vec<_>>())
    };
    let note = |count| delivered(&names(count)).1.unwrap().0[0].part;
    assert_eq!(note(MOST_MENDED_NAMES), Part::HeaderName);
    assert_eq!(note(MOST_MENDED_NAMES + 1), Part::Everything);
}

#[test]
fn no_more_entries_are_read_than_allowed_and_of_an_event_fewer() {
    let many = |count: usize| {
        // In a table within a list, each of which is an entry.
        let entries = entry(b"", b'V', b"").repeat(count - 2);
        let table = [&b"F"[..], &long(&entries)].concat();
        headers(&entry(b"l", b'A', &long(&table)))
    };
    for of_event in [false, true] {
        let most = if of_event { MOST_HEADERS_OF_EVENTS } else { MOST_HEADERS };
        let came = |count: usize| {
            let notes = Notes::default();
            if of_event {
                notes.limit_to_events();
            }
            whole(&notes, &[deliver(1, b"k"), many(count)].concat());
            notes.take(1, 1)
        };
        assert_eq!(came(most), None);
        assert_eq!(came(most + 1).unwrap().0[0].part, Part::TooMany);
    }
}

#[test]
fn what_is_put_on_an_event_that_comes_again_is_not_held_against_its_producer() {
    for ours in ["event-pusher-parked", "x-delivery-count"] {
        let came = |count: usize| {
            let entries =
                [entry(b"", b'V', b"").repeat(count - 1), entry(ours.as_bytes(), b'V', b"")];
            let notes = Notes::default();
            notes.limit_to_events();
            whole(&notes, &[deliver(1, b"k"), headers(&entries.concat())].concat());
            notes.take(1, 1)
        };
        let most = MOST_HEADERS_OF_EVENTS + MOST_HEADERS_ADDED;
        assert_eq!(came(most), None);
        assert_eq!(came(most + 1).unwrap().0[0].part, Part::TooMany);
    }
}

#[test]
fn a_frame_of_more_bytes_than_the_broker_allows_loses_its_properties() {
    let tune = |limit: u32| {
        let payload = [&[0, 10, 0, 30, 0, 0][..], &limit.to_be_bytes(), &[0, 0]].concat();
        frame(METHOD, 0, &payload)
    };
    for (limit, largest) in [(8192, 8192), (0, LARGEST_FRAME), (u32::MAX, LARGEST_FRAME)] {
        let around = header(HEADERS, &long(&entry(b"b", b'x', &long(b"")))).len();
        let largest = if limit == 8192 { largest + AROUND } else { largest };
        for (beyond, is_kept) in [(0, true), (1, false)] {
            let bytes = vec![1; largest - around + beyond];
            let large = headers(&entry(b"b", b'x', &long(&bytes)));
            assert_eq!(large.len(), largest + beyond);
            let notes = Notes::default();
            let (before, after) = ([tune(limit), deliver(1, b"k")].concat(), deliver(2, b"k"));
            let came = through(&notes, &[&before[..], &large, &after].concat(), &[5000], 1000);
            let left = if is_kept { large } else { header(0, b"") };
            assert!(came == [before, left, after].concat(), "{limit} {beyond}");
            let too_large = Note(vec![Altered { part: Part::TooLarge, original: None }]);
            assert_eq!(notes.take(1, 1), (!is_kept).then_some(too_large));
        }
    }
}

#[test]
fn no_more_of_what_was_replaced_waits_than_allowed() {
    let notes = Notes::default();
    let note = |bytes| Note(vec![Altered { part: Part::Nested, original: Some(vec![0; bytes]) }]);
    notes.put(1, 1, note(MOST_NOTED_BYTES));
    notes.put(1, 2, note(1));
    assert_eq!(notes.take(1, 2).unwrap().0[0].original, None);
    assert_eq!(notes.take(1, 1), Some(note(MOST_NOTED_BYTES)));
    notes.put(1, 2, note(1));
    assert_eq!(notes.take(1, 2), Some(note(1)), "there is room again");
}
