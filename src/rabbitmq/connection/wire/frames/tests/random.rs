//! Random streams: any cut gives the same, and lapin's own parser, which is another, reads what comes out.

use lapin::types::parsing::{parse_field_table, parse_long_string, parse_short_string};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A value of a header with its type, often a bad one.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(b"V".to_vec()),
        Just(b"t\x01".to_vec()),
        Just(b"I\0\0\0\x07".to_vec()),
        Just(b"D\x01\0\0\0\x07".to_vec()),
        Just(b"@".to_vec()),
        vec(any::<u8>(), 0..20).prop_map(|it| [b"S", &long(&it)[..]].concat()),
        vec(any::<u8>(), 0..20).prop_map(|it| [b"F", &long(&it)[..]].concat()),
        vec(any::<u8>(), 1..8),
    ];
    leaf.prop_recursive(40, 100, 3, |inner| {
        let entries = vec((name(), inner.clone()), 0..4);
        prop_oneof![
            entries.prop_map(|it| [b"F", &long(&table(&it))[..]].concat()),
            vec(inner, 0..4).prop_map(|it| [b"A", &long(&it.concat())[..]].concat()),
        ]
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..4), Just(b"?".to_vec()), Just(b"\xff".to_vec())]
}

fn table(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    entries.iter().flat_map(|(name, value)| [short(name), value.clone()].concat()).collect()
}

/// A frame of any kind; those that carry text mostly.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let properties = (vec((name(), value()), 0..5), vec(any::<u8>(), 0..5), any::<u16>());
    prop_oneof![
        4 => (any::<u8>(), name()).prop_map(|(tag, key)| deliver(tag.into(), &key)),
        4 => properties.prop_map(|(entries, id, flags)| {
            let flags = if flags.trailing_zeros() >= 3 { flags } else { HEADERS | MESSAGE_ID };
            header(flags, &[long(&table(&entries)), short(&id)].concat())
        }),
        1 => vec(any::<u8>(), 0..100).prop_map(|body| frame(3, 1, &body)),
        1 => (0..4_u16, vec(any::<u8>(), 0..60)).prop_map(|(channel, it)| frame(HEADER, channel, &it)),
        1 => vec(any::<u8>(), 0..60).prop_map(|it| frame(METHOD, 1, &it)),
        1 => Just(frame(METHOD, 0, &[0, 10, 0, 41, 0])),
        1 => Just(HEARTBEAT.to_vec()),
    ]
}

/// Whether lapin reads these as properties: text, table, text.
fn lapin_reads(payload: &[u8]) -> bool {
    let flags = u16::from_be_bytes([payload[12], payload[13]]);
    let mut rest = &payload[BARE_HEADER..];
    for place in 0..14 {
        if flags & (0x8000 >> place) == 0 {
            continue;
        }
        let fixed = |bytes: usize| rest.get(bytes..);
        let read = match place {
            2 => parse_field_table(rest).ok().map(|(rest, _)| rest),
            3 | 4 => fixed(1),
            9 => fixed(8),
            _ => parse_short_string(rest).ok().map(|(rest, _)| rest),
        };
        let Some(read) = read else { return false };
        rest = read;
    }
    rest.is_empty()
}

/// Names of headers, as lapin has them.
fn names(payload: &[u8]) -> usize {
    let (_, table) = parse_field_table(payload).unwrap();
    table.inner().len()
}

proptest! {
    #[test]
    fn any_cut_of_any_stream_gives_the_same(
        stream in vec(any_frame(), 0..8),
        rubbish in vec(any::<u8>(), 0..12),
        pieces in vec(1..90_usize, 1..6),
        out in 1..70_usize,
    ) {
        let stream = [stream.concat(), rubbish].concat();
        let (at_once, in_pieces) = (Notes::default(), Notes::default());
        let expected = without_heartbeats(&whole(&at_once, &stream));
        let came = without_heartbeats(&through(&in_pieces, &stream, &pieces, out));
        prop_assert_eq!(came, expected);
        for tag in 0..256 {
            prop_assert_eq!(at_once.take(1, tag), in_pieces.take(1, tag));
        }
    }

    #[test]
    fn lapin_reads_every_header_that_comes_out(
        entries in vec((name(), value()), 0..6),
        id in vec(any::<u8>(), 0..6),
        cut in 0..200_usize,
    ) {
        let mut properties = [long(&table(&entries)), short(&id)].concat();
        // Every third is cut short, and so no properties.
        if cut % 3 == 0 {
            properties.truncate(properties.len() - cut.min(properties.len()));
        }
        let (came, note) = delivered(&header(HEADERS | MESSAGE_ID, &properties));
        let payload = &came[HEAD..came.len() - 1];
        prop_assert!(lapin_reads(payload), "{:?}", payload);
        let before = header(HEADERS | MESSAGE_ID, &properties);
        let could = lapin_reads(&before[HEAD..before.len() - 1]);
        prop_assert!(!could || note.is_none() || came.len() == before.len());
        prop_assert!(could || note.is_some(), "what lapin could not read is noted");
        prop_assert_eq!(note.is_none(), came == before, "a note, and only then a change");
    }

    #[test]
    fn no_name_of_a_header_is_lost_by_being_mended(
        names_of in proptest::collection::hash_set(vec(prop_oneof![Just(b'?'), Just(0xff), Just(b'a')], 0..3), 0..8),
    ) {
        let entries: Vec<_> = names_of.into_iter().map(|name| (name, b"V".to_vec())).collect();
        let (came, _) = delivered(&headers(&table(&entries)));
        prop_assert_eq!(names(&came[HEAD + BARE_HEADER..came.len() - 1]), entries.len());
    }
}

#[test]
fn the_second_parser_is_lapins() {
    assert!(parse_short_string(&b"\x01\xff"[..]).is_err());
    assert!(parse_long_string(&b"\0\0\0\x01\xff"[..]).is_ok());
}
