//! Follows AMQP's frames through a stream of bytes, as far as is needed to know what is delivered.

/// Type, channel and size.
const HEAD: usize = 7;

/// Of the payload as much as tells what it is: class, method; or class, weight, size of the body.
const LOOK: usize = 12;

/// After each payload.
const END_OCTETS: usize = 1;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// `basic.deliver`: class 60, method 60.
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// What a frame, or a part of one, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// A delivery begins: the size of the frame that holds its headers.
    Begins { headers: u64 },
    /// So many bytes of its body.
    Body(u64),
    /// It is here as a whole.
    Ends,
}

/// The beginning of a frame.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD + LOOK],
    /// Bytes of the present frame that have passed.
    passed: usize,
    /// The delivery whose content comes.
    content: Content,
}

/// Where in a delivery the stream is. Only one channel of a connection has a consumer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Content {
    #[default]
    None,
    /// Its method has come, on this channel.
    Announced(u16),
    /// Of its body so much is to come.
    Body(u16, u64),
}

impl Frames {
    /// Whether the next byte is a frame's first.
    pub(super) fn is_between(&self) -> bool {
        self.passed == 0
    }

    /// How many bytes are to come at least until the frame's end.
    pub(super) fn missing(&self) -> usize {
        self.length().unwrap_or(HEAD) - self.passed
    }

    /// The whole frame's length, where it is known.
    fn length(&self) -> Option<usize> {
        let size = self.head[3..HEAD].try_into().map(u32::from_be_bytes).unwrap_or_default();
        (self.passed >= HEAD).then_some(HEAD + size as usize + END_OCTETS)
    }

    /// These bytes pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen)) {
        while !bytes.is_empty() {
            if self.passed < self.head.len() {
                let wanted = if self.passed < HEAD { HEAD } else { self.looked() };
                let some = bytes.len().min(wanted - self.passed);
                self.head[self.passed..self.passed + some].copy_from_slice(&bytes[..some]);
                self.passed += some;
                bytes = &bytes[some..];
                // Only now is it known how long the frame is.
                if self.passed < wanted || wanted == HEAD {
                    continue;
                }
            }
            let Some(length) = self.length() else { return };
            let some = bytes.len().min(length - self.passed);
            self.passed += some;
            bytes = &bytes[some..];
            if self.passed == length {
                self.end(length - HEAD - END_OCTETS, &mut see);
                self.passed = 0;
            }
        }
    }

    /// How many bytes of the frame are kept.
    fn looked(&self) -> usize {
        self.length().map_or(HEAD, |length| length.min(HEAD + LOOK))
    }

    fn end(&mut self, size: usize, see: &mut impl FnMut(Seen)) {
        let channel = u16::from_be_bytes([self.head[1], self.head[2]]);
        let payload = &self.head[HEAD..];
        match (self.head[0], self.content) {
            (METHOD, _) if size >= 4 && payload[..4] == DELIVER => {
                self.content = Content::Announced(channel);
            }
            (HEADER, Content::Announced(on)) if on == channel && size >= LOOK => {
                let mut body = [0; 8];
                body.copy_from_slice(&payload[4..LOOK]);
                see(Seen::Begins { headers: size as u64 });
                self.content = Content::Body(channel, u64::from_be_bytes(body));
                self.end_if_whole(see);
            }
            (BODY, Content::Body(on, left)) if on == channel => {
                see(Seen::Body(size as u64));
                self.content = Content::Body(channel, left.saturating_sub(size as u64));
                self.end_if_whole(see);
            }
            _ => {}
        }
    }

    fn end_if_whole(&mut self, see: &mut impl FnMut(Seen)) {
        if matches!(self.content, Content::Body(_, 0)) {
            self.content = Content::None;
            see(Seen::Ends);
        }
    }
}

/// Whether a whole frame begins a delivery, and on which channel it is.
pub(super) fn is_delivery(frame: &[u8]) -> bool {
    frame.first() == Some(&METHOD) && frame.get(HEAD..HEAD + 4) == Some(&DELIVER)
}

/// Whether a whole frame is part of a content.
pub(super) fn is_content(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(&(HEADER | BODY)))
}

/// The channel of a whole frame.
pub(super) fn channel(frame: &[u8]) -> u16 {
    frame.get(1..3).map_or(0, |it| u16::from_be_bytes([it[0], it[1]]))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat()
    }

    pub(in super::super) fn delivery(channel: u16, headers: usize, body: &[usize]) -> Vec<u8> {
        let total = (body.iter().sum::<usize>() as u64).to_be_bytes();
        let head = [&[0, 60, 0, 0][..], &total, &vec![0; headers]].concat();
        let mut all = frame(METHOD, channel, &[&DELIVER[..], &[9; 30]].concat());
        all.extend(frame(HEADER, channel, &head));
        for &size in body {
            all.extend(frame(BODY, channel, &vec![7; size]));
        }
        all
    }

    fn others() -> Vec<u8> {
        let heartbeat = frame(8, 0, &[]);
        [heartbeat, frame(METHOD, 2, &[0, 50, 0, 11, 1, 2]), frame(METHOD, 1, &[0])].concat()
    }

    proptest! {
        #[test]
        fn deliveries_are_counted_to_the_byte_however_the_stream_is_split(
            deliveries in prop::collection::vec((0_usize..40, prop::collection::vec(0_usize..50, 0..4)), 0..8),
            splits in prop::collection::vec(1_usize..60, 1..9),
        ) {
            let mut stream = others();
            let mut expected = (0, 0, 0);
            for (headers, body) in &deliveries {
                stream.extend(delivery(1, *headers, body));
                stream.extend(others());
                expected.0 += (headers + LOOK) as u64;
                expected.1 += body.iter().sum::<usize>() as u64;
                expected.2 += 1;
            }
            let mut frames = Frames::default();
            let (mut seen, mut rest, mut splits) = ((0, 0, 0), &*stream, splits.iter().cycle());
            while !rest.is_empty() {
                let some = rest.len().min(*splits.next().unwrap());
                frames.pass(&rest[..some], |it| match it {
                    Seen::Begins { headers } => seen.0 += headers,
                    Seen::Body(bytes) => seen.1 += bytes,
                    Seen::Ends => seen.2 += 1,
                });
                rest = &rest[some..];
            }
            prop_assert_eq!(seen, expected);
            prop_assert!(frames.is_between());
        }
    }
}
