//! A message as it came, in its own bytes.

use super::PROPERTIES;

/// What was taken out of a queue. Nothing of it needs to be what a client library can read.
#[derive(Debug)]
pub struct RawDelivery {
    /// By name, less the length of what has one.
    properties: Vec<(&'static str, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl RawDelivery {
    /// `properties`: from their flags on.
    pub(super) fn new(properties: &[u8], body: Vec<u8>) -> Self {
        let mut rest = properties;
        let flags = u16::from_be_bytes(take(&mut rest, 2).try_into().unwrap());
        let set = PROPERTIES.iter().enumerate().filter(|(place, _)| flags & (0x8000 >> place) != 0);
        let mut value = |name| match name {
            "headers" => take_long(&mut rest),
            "delivery_mode" | "priority" => take(&mut rest, 1),
            "timestamp" => take(&mut rest, 8),
            _ => take_short(&mut rest),
        };
        Self { properties: set.map(|(_, name)| (*name, value(*name).to_vec())).collect(), body }
    }

    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties.iter().find(|(it, _)| *it == name).map(|(_, value)| &**value)
    }

    /// The bytes of a header that is a text, bytes, a list or a table.
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        let mut rest = self.property("headers")?;
        while !rest.is_empty() {
            let found = take_short(&mut rest);
            let value = match take(&mut rest, 1)[0] {
                b'S' | b'x' | b'A' | b'F' => take_long(&mut rest),
                b't' | b'b' | b'B' => take(&mut rest, 1),
                b's' | b'u' => take(&mut rest, 2),
                b'I' | b'i' | b'f' => take(&mut rest, 4),
                b'D' => take(&mut rest, 5),
                b'l' | b'd' | b'T' => take(&mut rest, 8),
                b'V' => &[],
                other => panic!("a header of type {other}"),
            };
            if found == name.as_bytes() {
                return Some(value.to_vec());
            }
        }
        None
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.header(name).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// Whether these bytes are anywhere in properties or headers.
    pub fn says(&self, bytes: &[u8]) -> bool {
        self.properties.iter().any(|(_, value)| value.windows(bytes.len()).any(|it| it == bytes))
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn take_short<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let count = take(rest, 1)[0];
    take(rest, count.into())
}

fn take_long<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let count = u32::from_be_bytes(take(rest, 4).try_into().unwrap());
    take(rest, count as usize)
}
