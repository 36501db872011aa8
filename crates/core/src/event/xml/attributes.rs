//! The attributes of one element.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes as Raw;

use super::super::xml_fault::Fault;
use super::characters::{is_allowed, is_qualified_name};

#[derive(Debug)]
pub(in super::super) struct Attribute<'a> {
    /// With its prefix.
    pub(super) name: &'a str,
    /// Normalised as XML asks: references resolved, white space made spaces.
    pub(in super::super) value: Cow<'a, str>,
    /// Where the value begins in the document.
    pub(in super::super) offset: usize,
}

/// Kept from element to element, so that its room is taken once.
#[derive(Debug, Default)]
pub(in super::super) struct Attributes<'a>(Vec<Attribute<'a>>);

impl<'a> Attributes<'a> {
    /// The one of this name, which is without a prefix or begins with `xml:`.
    pub(in super::super) fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.0.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Attribute<'a>> {
        self.0.iter()
    }

    /// Reads `tag`, a part of `document` that begins with a name of `name_length` bytes.
    pub(super) fn read(
        &mut self,
        document: &'a str,
        tag: &'a str,
        name_length: usize,
    ) -> Result<(), Fault> {
        self.0.clear();
        for attribute in Raw::new(tag, name_length) {
            let attribute = attribute.map_err(|error| Fault::of_attribute(&error))?;
            let raw = attribute.value.as_ref();
            if raw.contains('<') {
                return Err(Fault::AttributeValue);
            }
            let name = attribute.key.0;
            let is_apart = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            if !document.as_bytes().get(offset_in(document, name) - 1).is_some_and(is_apart) {
                return Err(Fault::AttributeForm);
            }
            let offset = offset_in(document, raw);
            if !is_qualified_name(name) {
                return Err(Fault::Name);
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|error| Fault::of(&error))?;
            if matches!(value, Cow::Owned(_)) && !value.chars().all(is_allowed) {
                return Err(Fault::CharacterReference);
            }
            self.0.push(Attribute { name, value, offset });
        }
        Ok(())
    }
}

/// Where `part`, which is a part of `document`, begins.
fn offset_in(document: &str, part: &str) -> usize {
    part.as_ptr().addr() - document.as_ptr().addr()
}
