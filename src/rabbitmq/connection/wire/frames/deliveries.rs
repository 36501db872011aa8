//! Follows the deliveries of a connection through its frames: counts them, and leaves them out when told to.

/// In a content header the body's size stands behind class and weight.
const BODY_SIZE: usize = 4;

/// Learns of the deliveries that pass.
pub(crate) trait Observer {
    /// A delivery begins; the payload of its header frame has so many bytes.
    fn begin(&self, headers: u64);
    /// So many bytes of its body have come.
    fn body(&self, bytes: u64);
    /// The delivery has come as a whole.
    fn end(&self);
    /// Whether a delivery that comes now is to be left out, and with it all that follow on its channel: the broker
    /// delivers them again, in their order, when the channel is closed.
    fn leaves_out(&self) -> bool;
}

/// Observes nothing and leaves nothing out.
impl Observer for () {
    fn begin(&self, _: u64) {}
    fn body(&self, _: u64) {}
    fn end(&self) {}
    fn leaves_out(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(super) struct Deliveries<O> {
    observer: O,
    content: Content,
    /// The channel whose deliveries are left out, since one was.
    left_out: Option<u16>,
}

/// Where in a delivery the stream is. Only one channel of a connection has a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    None,
    /// Its method has come, on this channel.
    Announced(u16),
    /// Of its body so many bytes are to come.
    Body(u16, u64),
}

impl<O: Observer> Deliveries<O> {
    pub(super) const fn new(observer: O) -> Self {
        Self { observer, content: Content::None, left_out: None }
    }

    /// A delivery's method comes. Returns whether it may pass.
    pub(super) fn announce(&mut self, channel: u16) -> bool {
        if self.leaves_out(channel) || self.observer.leaves_out() {
            self.left_out = Some(channel);
            return false;
        }
        self.content = Content::Announced(channel);
        true
    }

    /// Whether content on this channel is left out.
    pub(super) fn leaves_out(&self, channel: u16) -> bool {
        self.left_out == Some(channel)
    }

    /// A content header passes. `payload` may be its beginning; `size` is what the broker sent.
    pub(super) fn header(&mut self, channel: u16, payload: &[u8], size: usize) {
        if self.content != Content::Announced(channel) {
            return;
        }
        let Some(body) = payload.get(BODY_SIZE..).and_then(<[u8]>::first_chunk) else { return };
        self.observer.begin(size as u64);
        self.remain(channel, u64::from_be_bytes(*body));
    }

    /// A frame of a body has passed.
    pub(super) fn body(&mut self, channel: u16, size: usize) {
        if let Content::Body(on, left) = self.content
            && on == channel
        {
            self.observer.body(size as u64);
            self.remain(channel, left.saturating_sub(size as u64));
        }
    }

    fn remain(&mut self, channel: u16, left: u64) {
        self.content = Content::Body(channel, left);
        if left == 0 {
            self.content = Content::None;
            self.observer.end();
        }
    }
}
