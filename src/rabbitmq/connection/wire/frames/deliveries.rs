//! Follows the deliveries of a connection through its frames: counts them, and leaves them out when told to.

/// In a content header the body's size stands behind class and weight.
const BODY_SIZE: usize = 4;

/// Learns of the deliveries that pass.
pub(crate) trait Observer {
    /// The channel is a new one, and has no deliveries yet.
    fn open(&self, channel: u16);
    /// The next delivery of a channel begins; the payload of its header frame has so many bytes.
    fn begin(&self, channel: u16, headers: u64);
    /// So many bytes of its body have come.
    fn body(&self, channel: u16, bytes: u64);
    /// The delivery has come as a whole.
    fn end(&self, channel: u16);
    /// Whether a delivery that comes now is to be left out, and with it all that follow on its channel: the broker
    /// delivers them again, in their order, when the channel is closed.
    fn leaves_out(&self) -> bool;
}

/// Observes nothing and leaves nothing out.
impl Observer for () {
    fn open(&self, _: u16) {}
    fn begin(&self, _: u16, _: u64) {}
    fn body(&self, _: u16, _: u64) {}
    fn end(&self, _: u16) {}
    fn leaves_out(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(super) struct Deliveries<O> {
    observer: O,
    /// Deliveries that are not whole: mostly one, since RabbitMQ sends one after the other.
    under_way: Vec<(u16, Content)>,
    /// The channels whose deliveries are left out, since one was.
    left_out: Vec<u16>,
}

/// Where in a delivery the stream of a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Its method has come.
    Announced,
    /// Of its body so many bytes are to come.
    Body(u64),
}

impl<O: Observer> Deliveries<O> {
    pub(super) const fn new(observer: O) -> Self {
        Self { observer, under_way: Vec::new(), left_out: Vec::new() }
    }

    /// A delivery's method comes. Returns whether it may pass.
    pub(super) fn announce(&mut self, channel: u16) -> bool {
        if self.leaves_out(channel) || self.observer.leaves_out() {
            if !self.leaves_out(channel) {
                self.left_out.push(channel);
            }
            return false;
        }
        self.under_way.retain(|(on, _)| *on != channel);
        self.under_way.push((channel, Content::Announced));
        true
    }

    /// Whether content on this channel is left out.
    pub(super) fn leaves_out(&self, channel: u16) -> bool {
        self.left_out.contains(&channel)
    }

    /// The channel is a new one.
    pub(super) fn open(&mut self, channel: u16) {
        self.observer.open(channel);
        self.under_way.retain(|(on, _)| *on != channel);
        self.left_out.retain(|on| *on != channel);
    }

    /// A content header passes. `payload` may be its beginning; `size` is what the broker sent.
    pub(super) fn header(&mut self, channel: u16, payload: &[u8], size: usize) {
        if self.content(channel) != Some(Content::Announced) {
            return;
        }
        let Some(body) = payload.get(BODY_SIZE..).and_then(<[u8]>::first_chunk) else { return };
        self.observer.begin(channel, size as u64);
        self.remain(channel, u64::from_be_bytes(*body));
    }

    /// A frame of a body has passed.
    pub(super) fn body(&mut self, channel: u16, size: usize) {
        if let Some(Content::Body(left)) = self.content(channel) {
            self.observer.body(channel, size as u64);
            self.remain(channel, left.saturating_sub(size as u64));
        }
    }

    fn content(&self, channel: u16) -> Option<Content> {
        self.under_way.iter().find(|(on, _)| *on == channel).map(|(_, content)| *content)
    }

    fn remain(&mut self, channel: u16, left: u64) {
        self.under_way.retain(|(on, _)| *on != channel);
        if left == 0 {
            self.observer.end(channel);
        } else {
            self.under_way.push((channel, Content::Body(left)));
        }
    }
}
