//! What is counted, waited for and left out, of streams that come in parts.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::FutureExt;
use futures_util::future::poll_fn;
use proptest::prelude::*;

use super::super::wire::{FilteredStream, Notes};
use super::*;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// Class, weight, size of the body and flags of a content header.
const BARE: usize = 14;

/// A socket from which so many bytes come at once.
struct Parts<'a>(&'a [u8], usize);

impl AsyncRead for Parts<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let (some, rest) = self.0.split_at(self.0.len().min(self.1).min(out.len()));
        out[..some.len()].copy_from_slice(some);
        self.0 = rest;
        // Its end is silence.
        if some.is_empty() { Poll::Pending } else { Poll::Ready(Ok(some.len())) }
    }
}

impl AsyncWrite for Parts<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Reads as much as may be read.
fn read(reader: &mut FilteredStream<Parts<'_>>) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        let reading = poll_fn(|context| Pin::new(&mut *reader).poll_read(context, &mut buffer));
        match reading.now_or_never() {
            Some(read) => all.extend_from_slice(&buffer[..read.unwrap()]),
            None => return all,
        }
    }
}

fn limited(
    stream: &[u8],
    part: usize,
    limit: u64,
) -> (FilteredStream<Parts<'_>>, Arc<InFlightBytes>) {
    let bytes = Arc::<InFlightBytes>::default();
    bytes.limit_to(limit);
    (FilteredStream::new(Parts(stream, part), Notes::default(), Arc::clone(&bytes)), bytes)
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat()
}

/// A delivery with a content header that is so much larger than one without properties, and a body in such frames.
fn delivery(channel: u16, headers: usize, body: &[usize]) -> Vec<u8> {
    let total = (body.iter().sum::<usize>() as u64).to_be_bytes();
    // An empty consumer tag, the delivery tag, redelivered, exchange and routing key.
    let mut all = frame(METHOD, channel, &[&[0, 60, 0, 60, 0][..], &[9; 8], &[0, 0, 0]].concat());
    all.extend(frame(
        HEADER,
        channel,
        &[&[0, 60, 0, 0][..], &total, &properties(headers)].concat(),
    ));
    for &size in body {
        all.extend(frame(BODY, channel, &vec![7; size]));
    }
    all
}

/// Flags and properties, in so many bytes more than the flags: texts that are as long as texts can be, and headers.
fn properties(bytes: usize) -> Vec<u8> {
    let table = |entries: usize| {
        let value = u32::try_from(entries - 6).unwrap().to_be_bytes();
        let length = u32::try_from(entries).unwrap().to_be_bytes();
        [&length[..], b"\0x", &value, &vec![1; entries - 6]].concat()
    };
    match bytes {
        0 => vec![0, 0],
        1..=9 => {
            [&[0x80, 0, u8::try_from(bytes - 1).unwrap()][..], &vec![b'a'; bytes - 1]].concat()
        }
        _ => [&[0x20, 0][..], &table(bytes - 4)].concat(),
    }
}

fn heartbeat() -> Vec<u8> {
    frame(8, 0, &[])
}

#[tokio::test]
async fn what_fits_is_read_and_one_byte_more_waits_for_a_settlement() {
    let one = delivery(1, 0, &[100]);
    let stream = [&one[..], &one, &heartbeat()].concat();
    let both = 2 * (DELIVERY_OVERHEAD + 100);
    let (mut reader, _) = limited(&stream, 1, both);
    assert_eq!(read(&mut reader), stream);

    let (mut reader, bytes) = limited(&stream, 1, both - 1);
    let before = read(&mut reader);
    assert_eq!(before.len(), 2 * one.len(), "what follows waits");
    assert_eq!(bytes.stuck(Duration::ZERO).await, 1, "only the first one fits");
    bytes.settle(bytes.charge(1, 1, 100));
    assert_eq!([before, read(&mut reader)].concat(), stream);
}

#[test]
fn one_delivery_is_read_however_large_it_is_and_behind_it_heartbeats_and_answers() {
    let stream = [delivery(1, 0, &[5000, 5000]), heartbeat(), heartbeat()].concat();
    for part in [1, 64] {
        assert_eq!(read(&mut limited(&stream, part, 1).0), stream);
    }
}

#[tokio::test]
async fn patience_begins_anew_with_each_settlement() {
    let one = delivery(1, 0, &[100]);
    let stream = [&one[..], &one, &one, &heartbeat()].concat();
    let (mut reader, bytes) = limited(&stream, 3 * one.len(), 1);
    read(&mut reader);
    let before = bytes.pause_now().unwrap().since;
    bytes.settle(bytes.charge(1, 1, 100));
    assert!(bytes.pause_now().unwrap().since > before);
}

#[tokio::test]
async fn however_much_is_settled_a_pause_has_an_end() {
    let one = delivery(1, 0, &[100]);
    let stream = [&one[..], &one, &one, &heartbeat()].concat();
    let (mut reader, bytes) = limited(&stream, 3 * one.len(), 1);
    read(&mut reader);
    let ended = async { bytes.stuck(Duration::from_millis(200)).await };
    let settling = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            bytes.settle(0);
            // None of them is whole again, so that it stays too much.
            bytes.end(1);
        }
    };
    tokio::select! {
        _fits = ended => {}
        () = settling => unreachable!("it settles for ever"),
    }
}

#[test]
fn headers_beyond_the_usual_are_charged_by_what_they_take_in_memory() {
    let usual = usize::try_from(LARGE_HEADERS).unwrap() - BARE;
    for (headers, charge) in [(usual, 0), (usual + 1, (LARGE_HEADERS + 1) * HEADER_WEIGHT)] {
        let stream = [delivery(1, 0, &[7]), delivery(1, headers, &[7])].concat();
        let (mut reader, bytes) = limited(&stream, 64, u64::MAX);
        assert_eq!(read(&mut reader), stream);
        assert_eq!(bytes.charge(1, 1, 7), DELIVERY_OVERHEAD + 7);
        assert_eq!(bytes.charge(1, 2, 7), DELIVERY_OVERHEAD + 7 + charge);
        assert_eq!(bytes.in_flight(), 2 * (DELIVERY_OVERHEAD + 7) + charge);
    }
}

#[test]
fn what_a_channel_that_ends_had_not_settled_is_in_flight_no_more_nor_what_comes_after_its_end() {
    let one = |channel| delivery(channel, 0, &[100]);
    let opened = |channel| frame(METHOD, channel, &[0, 20, 0, 11, 0, 0, 0, 0]);
    let bytes = Arc::<InFlightBytes>::default();
    bytes.share();
    let come = |stream: &[u8]| {
        let parts = Parts(stream, stream.len());
        read(&mut FilteredStream::new(parts, Notes::default(), Arc::clone(&bytes)));
    };
    let each = DELIVERY_OVERHEAD + 100;
    come(&[one(1), one(1), one(2)].concat());
    assert_eq!(bytes.in_flight(), 3 * each);
    bytes.settle(bytes.charge(1, 1, 100));
    bytes.end_channel(1, Amount { bytes: each, whole: 1 });
    assert_eq!((bytes.in_flight(), bytes.whole_in_flight()), (each, 1), "the other channel's");
    come(&one(1));
    come(&[opened(1), one(1)].concat());
    assert_eq!(bytes.in_flight(), 2 * each, "the other channel's, and the next one's on the first");
}

#[test]
fn what_is_too_much_is_left_out_whole_and_all_that_follows_and_answers_arrive() {
    let (one, answer) = (delivery(1, 3, &[60, 50]), frame(METHOD, 1, &[0, 60, 0, 31, 1, b'c']));
    let other = frame(METHOD, 2, &[0, 50, 0, 11, 0]);
    for part in [1, 3, 7, 64] {
        let stream = [&one[..], &one, &other, &one, &one, &answer].concat();
        let (mut reader, bytes) = limited(&stream, part, 1);
        let before = read(&mut reader);
        assert!(before.starts_with(&[&one[..], &one].concat()), "the second had begun");
        bytes.start_discarding();
        // One more finds too much; then there is room, but what was left out must come before what follows it.
        let after = read(&mut reader);
        bytes.settle(bytes.charge(1, 1, 110));
        let last = read(&mut reader);
        let all = [before, after, last].concat();
        assert_eq!(all, [&one[..], &one, &other, &answer].concat(), "in parts of {part}");
        bytes.settle(bytes.charge(1, 2, 110));
        assert_eq!(bytes.in_flight(), 0);
    }
}

proptest! {
    #[test]
    fn deliveries_are_counted_to_the_byte_however_the_stream_is_split(
        deliveries in prop::collection::vec((0_usize..40, prop::collection::vec(0_usize..50, 0..4)), 0..8),
        part in 1_usize..60,
    ) {
        let others = [heartbeat(), frame(METHOD, 2, &[0, 50, 0, 11, 1, 2]), frame(METHOD, 1, &[0])].concat();
        let mut stream = others.clone();
        let mut expected = 0;
        for (headers, body) in &deliveries {
            stream.extend(delivery(1, *headers, body));
            stream.extend(&others);
            expected += DELIVERY_OVERHEAD + body.iter().sum::<usize>() as u64;
        }
        let (mut reader, bytes) = limited(&stream, part, u64::MAX);
        prop_assert_eq!(read(&mut reader), stream);
        prop_assert_eq!(bytes.in_flight(), expected);
        prop_assert_eq!(bytes.whole_in_flight(), deliveries.len() as u64);
    }
}
