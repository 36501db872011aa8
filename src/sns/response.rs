//! Parses the XML of SNS's responses.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::limits::ANSWER_ENTRIES;

/// Elements within each other. SNS uses six; no more are remembered.
const DEEPEST: usize = 16;

/// A response to `Publish` or `PublishBatch`, or an error response: each has only its own fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SnsResponse {
    /// `Publish`: the id of the accepted message.
    pub(super) message_id: Option<String>,
    /// `PublishBatch`: what became of its entries, in SNS's order.
    pub(super) entries: Vec<BatchResultEntry>,
    /// A refusal's code.
    pub(super) code: Option<String>,
    /// A refusal's explanation.
    pub(super) message: Option<String>,
}

/// The result of one entry of a batch: accepted, or failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BatchResultEntry {
    pub(super) id: String,
    pub(super) message_id: String,
    pub(super) failure: Option<Failure>,
}

/// Why SNS did not accept an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) sender_fault: bool,
}

/// Not a whole XML document, or not one of sensible size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl SnsResponse {
    /// Reads what it knows and passes over what it doesn't, as the SDK does.
    pub(super) fn read(xml: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::from_reader(xml);
        let mut answer = Self::default();
        let mut path = Path::default();
        let mut text = String::new();
        loop {
            match reader.read_event().map_err(|_| Unreadable)? {
                Event::Start(element) => {
                    path.enter(element.local_name().as_ref())?;
                    answer.begin(&path);
                    if answer.entries.len() > ANSWER_ENTRIES {
                        return Err(Unreadable);
                    }
                    text.clear();
                }
                Event::Text(part) => text.push_str(&part),
                Event::CData(part) => text.push_str(&part),
                Event::GeneralRef(name) => {
                    let character = match name.resolve_char_ref().map_err(|_| Unreadable)? {
                        Some(character) => character,
                        None => predefined(&name).ok_or(Unreadable)?,
                    };
                    text.push(character);
                }
                Event::End(_) => {
                    answer.take(&path, &mut text);
                    path.leave();
                }
                Event::DocType(_) => return Err(Unreadable),
                Event::Eof => {
                    return if path.is_at_the_end() { Ok(answer) } else { Err(Unreadable) };
                }
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn begin(&mut self, path: &Path) {
        match path.last_two() {
            (Tag::Successful, Tag::Member) => self.entries.push(BatchResultEntry::default()),
            (Tag::Failed, Tag::Member) => {
                let failure = Some(Failure::default());
                self.entries.push(BatchResultEntry { failure, ..BatchResultEntry::default() });
            }
            _ => {}
        }
    }

    fn take(&mut self, path: &Path, text: &mut String) {
        let (within, this) = path.last_two();
        match (within, this) {
            (Tag::PublishResult, Tag::MessageId) => self.message_id = Some(std::mem::take(text)),
            (Tag::Error, Tag::Code) => self.code = Some(std::mem::take(text)),
            (Tag::Error, Tag::Message) => self.message = Some(std::mem::take(text)),
            (Tag::Member, _) => {
                if let Some(entry) = self.entries.last_mut() {
                    entry.take(this, text);
                }
            }
            _ => {}
        }
    }
}

impl BatchResultEntry {
    fn take(&mut self, tag: Tag, text: &mut String) {
        match (tag, &mut self.failure) {
            (Tag::Id, _) => self.id = std::mem::take(text),
            (Tag::MessageId, None) => self.message_id = std::mem::take(text),
            (Tag::Code, Some(failure)) => failure.code = std::mem::take(text),
            (Tag::Message, Some(failure)) => failure.message = std::mem::take(text),
            (Tag::SenderFault, Some(failure)) => failure.sender_fault = text.trim() == "true",
            _ => {}
        }
    }
}

fn predefined(name: &str) -> Option<char> {
    quick_xml::escape::resolve_predefined_entity(name)?.chars().next()
}

/// The elements that matter.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Tag {
    PublishResult,
    Successful,
    Failed,
    Member,
    Error,
    Id,
    MessageId,
    Code,
    Message,
    SenderFault,
    #[default]
    Other,
}

impl Tag {
    fn of(name: &str) -> Self {
        match name {
            "PublishResult" => Self::PublishResult,
            "Successful" => Self::Successful,
            "Failed" => Self::Failed,
            "member" => Self::Member,
            "Error" => Self::Error,
            "Id" => Self::Id,
            "MessageId" => Self::MessageId,
            "Code" => Self::Code,
            "Message" => Self::Message,
            "SenderFault" => Self::SenderFault,
            _ => Self::Other,
        }
    }
}

/// The elements from the root to where the reader is.
#[derive(Debug, Default)]
struct Path {
    tags: [Tag; DEEPEST],
    depth: usize,
    entered: bool,
}

impl Path {
    fn enter(&mut self, name: &str) -> Result<(), Unreadable> {
        *self.tags.get_mut(self.depth).ok_or(Unreadable)? = Tag::of(name);
        self.depth += 1;
        self.entered = true;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The parent and this, as far as there are such.
    fn last_two(&self) -> (Tag, Tag) {
        match self.tags[..self.depth] {
            [.., parent, this] => (parent, this),
            [this] => (Tag::Other, this),
            [] => (Tag::Other, Tag::Other),
        }
    }

    fn is_at_the_end(&self) -> bool {
        self.entered && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BATCH: &str = "<?xml version=\"1.0\"?>\n<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
        <PublishBatchResult><Failed><member><Id>1</Id><Code>InternalError</Code><Message>a &lt;b&gt; &#x27;c&#39;</Message>\
        <SenderFault>false</SenderFault></member></Failed>\n  <Successful><member><MessageId>m0</MessageId>\
        <SequenceNumber>9</SequenceNumber><Id>0</Id></member></Successful></PublishBatchResult>\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>";

    #[test]
    fn a_batch_is_read_entry_by_entry() {
        let answer = SnsResponse::read(BATCH.as_bytes()).unwrap();
        let failure = Failure {
            code: "InternalError".to_owned(),
            message: "a <b> 'c'".to_owned(),
            sender_fault: false,
        };
        let failed = BatchResultEntry {
            id: "1".to_owned(),
            failure: Some(failure),
            ..BatchResultEntry::default()
        };
        let accepted = BatchResultEntry {
            id: "0".to_owned(),
            message_id: "m0".to_owned(),
            ..BatchResultEntry::default()
        };
        assert_eq!(
            answer,
            SnsResponse { entries: vec![failed, accepted], ..SnsResponse::default() }
        );
    }

    #[test]
    fn a_refusal_is_read() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
                   <Message><![CDATA[Topic does not exist]]></Message></Error></ErrorResponse>";
        let answer = SnsResponse::read(xml.as_bytes()).unwrap();
        assert_eq!(answer.code.as_deref(), Some("NotFound"));
        assert_eq!(answer.message.as_deref(), Some("Topic does not exist"));
    }

    #[test]
    fn what_is_no_whole_document_is_unreadable() {
        let deep = "<a>".repeat(DEEPEST + 1);
        let entity = "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>";
        let cut = &BATCH[..BATCH.len() - 1];
        for xml in ["", "busy", "<a>", "<a></b>", "<a>&novel;</a>", "{}", &deep, entity, cut] {
            assert_eq!(SnsResponse::read(xml.as_bytes()), Err(Unreadable), "{xml}");
        }
    }

    #[test]
    fn an_answer_with_one_entry_too_many_is_unreadable() {
        let with = |entries| format!("<Failed>{}</Failed>", "<member></member>".repeat(entries));
        assert_eq!(
            SnsResponse::read(with(ANSWER_ENTRIES).as_bytes()).unwrap().entries.len(),
            ANSWER_ENTRIES
        );
        assert_eq!(SnsResponse::read(with(ANSWER_ENTRIES + 1).as_bytes()), Err(Unreadable));
    }

    proptest! {
        /// An answer that was cut off must not pass for one in which SNS left entries out.
        #[test]
        fn no_part_of_an_answer_is_readable(end in 0..BATCH.len()) {
            prop_assert_eq!(SnsResponse::read(&BATCH.as_bytes()[..end]), Err(Unreadable));
        }

        #[test]
        fn whatever_comes_it_does_not_panic(bytes: Vec<u8>, xml in "[<>/a-cM&;! ]{0,40}") {
            let _ = SnsResponse::read(&bytes);
            let _ = SnsResponse::read(xml.as_bytes());
        }
    }
}
