//! Reads XML 1.0 with namespaces step by step, with limits that are checked before anything is stored.
//!
//! quick-xml finds the markup; what it leaves to its caller is checked here: characters, names,
//! prefixes, references, one element at the top. DTDs are refused, so that there are no entities
//! to expand and no default values to add; processing instructions are too, since XMPP forbids
//! both (RFC 6120, section 11.1). Comments, which it forbids as well but which do no harm, are
//! passed over.

mod attributes;
mod characters;
mod namespace;

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, Event};
use quick_xml::name::QName;

pub(super) use self::attributes::{Attribute, Attributes};
pub(super) use self::namespace::Namespace;
use self::namespace::Scope;
use super::error::{DecodeError, Position, Problem};
use super::payload::Payload;
use super::xml_fault::Fault;
use crate::limits::LONGEST_STANZA;

/// Elements in each other.
const DEEPEST: usize = 64;

/// What a declaration may call UTF-8, or a subset of it. `utf8` and `ascii` are no registered names, but Python's `ElementTree`
/// and others write them.
const ENCODINGS: [&str; 4] = ["utf-8", "utf8", "us-ascii", "ascii"];

/// XML's white space.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// A token of a document. Every `Open` has its `Close`, and what is read up to the end is
/// well-formed.
#[derive(Debug, PartialEq)]
pub(super) enum XmlToken<'a> {
    /// Its attributes are at [`Xml::attributes`] until the next token.
    Open(Element<'a>),
    /// A piece of text: an element may have several in a row.
    Text(Cow<'a, str>),
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) namespace: Namespace,
    /// Without its prefix.
    pub(super) name: &'a str,
    /// Where its tag begins.
    pub(super) offset: usize,
}

pub(super) struct Xml<'a> {
    payload: Payload<'a>,
    reader: Reader<&'a [u8]>,
    scope: Scope,
    attributes: Attributes<'a>,
    depth: usize,
    /// The element at the top has begun, and perhaps ended.
    begun: bool,
}

impl<'a> Xml<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > LONGEST_STANZA {
            let problem = Fault::TooLong { bytes: bytes.len() }.into();
            return Err(DecodeError::new(problem, Position::of(bytes, LONGEST_STANZA)));
        }
        let payload = Payload::read(bytes)?;
        if let Some((offset, character)) = characters::forbidden(payload.text()) {
            return Err(payload.error(Fault::Character(character).into(), offset));
        }
        let mut reader = Reader::from_str(payload.text());
        let config = reader.config_mut();
        config.check_comments = true;
        config.expand_empty_elements = true;
        Ok(Self {
            payload,
            reader,
            scope: Scope::default(),
            attributes: Attributes::default(),
            depth: 0,
            begun: false,
        })
    }

    /// The next step; `None` at the document's end.
    pub(super) fn next(&mut self) -> Result<Option<XmlToken<'a>>, DecodeError> {
        loop {
            let offset = self.offset();
            let event = self.reader.read_event().map_err(|error| self.syntax(&error))?;
            let step = match event {
                Event::Start(tag) | Event::Empty(tag) => self.open(offset, tag.name().0.len()),
                Event::End(_) => {
                    self.depth -= 1;
                    self.scope.leave_to(self.depth);
                    Ok(Some(XmlToken::Close))
                }
                Event::Text(text) if self.depth == 0 => {
                    let blank = text.len() - text.trim_start_matches(BLANK).len();
                    if blank < text.len() {
                        return Err(self.error(Fault::TextOutside.into(), offset + blank));
                    }
                    Ok(None)
                }
                Event::Text(text) if text.contains("]]>") => Err(Fault::SectionEnd),
                Event::Text(text) => Ok(Some(XmlToken::Text(text.xml10_content()))),
                _ if self.depth == 0 && matches!(event, Event::CData(_) | Event::GeneralRef(_)) => {
                    Err(Fault::TextOutside)
                }
                Event::CData(text) => Ok(Some(XmlToken::Text(text.xml10_content()))),
                Event::GeneralRef(reference) => {
                    resolve(&reference).map(|text| Some(XmlToken::Text(text)))
                }
                Event::Comment(_) => Ok(None),
                Event::Decl(declaration) => check_declaration(&declaration, offset).map(|()| None),
                Event::PI(_) => Err(Fault::Instruction),
                Event::DocType(_) => Err(Fault::Dtd),
                Event::Eof if self.depth > 0 => Err(Fault::Unclosed),
                Event::Eof if !self.begun => {
                    return Err(self.error(Problem::Empty { expected: "XML stanza" }, offset));
                }
                Event::Eof => return Ok(None),
            };
            if let Some(step) = step.map_err(|fault| self.error(fault.into(), offset))? {
                return Ok(Some(step));
            }
        }
    }

    /// Those of the element that the last step opened.
    pub(super) const fn attributes(&self) -> &Attributes<'a> {
        &self.attributes
    }

    pub(super) fn error(&self, problem: Problem, offset: usize) -> DecodeError {
        self.payload.error(problem, offset)
    }

    /// Opens the element whose tag stands between `offset` and where the reader is.
    fn open(&mut self, offset: usize, name_length: usize) -> Result<Option<XmlToken<'a>>, Fault> {
        if self.depth == 0 && self.begun {
            return Err(Fault::SecondElement);
        }
        self.begun = true;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::TooDeep { most: DEEPEST });
        }
        let text = self.payload.text();
        let tag = &text[offset..self.offset()];
        let tag = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>')).unwrap_or(tag);
        let tag = tag.strip_suffix('/').unwrap_or(tag);
        self.attributes.read(text, tag, name_length)?;
        self.scope.enter(self.depth, &self.attributes)?;
        let name = QName(&tag[..name_length]);
        if !characters::is_qualified_name(name.0) {
            return Err(Fault::Name);
        }
        let namespace = self.scope.of_element(name)?;
        self.scope.check_prefixes(&self.attributes)?;
        let name = name.local_name().into_inner();
        Ok(Some(XmlToken::Open(Element { namespace, name, offset })))
    }

    fn syntax(&self, error: &quick_xml::Error) -> DecodeError {
        self.error(Fault::of(error).into(), to_usize(self.reader.error_position()))
    }

    fn offset(&self) -> usize {
        to_usize(self.reader.buffer_position())
    }
}

/// Offsets in what is in memory.
fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A declaration says nothing that isn't so already: XML 1.0 in UTF-8.
fn check_declaration(declaration: &BytesDecl<'_>, offset: usize) -> Result<(), Fault> {
    if offset != 0 {
        return Err(Fault::Instruction);
    }
    if !declaration.version().is_ok_and(|version| version == "1.0") {
        return Err(Fault::Version);
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if ENCODINGS.iter().any(|it| name.eq_ignore_ascii_case(it)) => Ok(()),
        Some(_) => Err(Fault::Encoding),
    }
}

/// Without a DTD there are five entities.
fn resolve<'a>(reference: &BytesRef<'_>) -> Result<Cow<'a, str>, Fault> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) if characters::is_allowed(character) => {
            Ok(Cow::Owned(character.to_string()))
        }
        Ok(None) => {
            quick_xml::escape::resolve_xml_entity(reference).map(Cow::Borrowed).ok_or(Fault::Entity)
        }
        Ok(Some(_)) | Err(_) => Err(Fault::CharacterReference),
    }
}
