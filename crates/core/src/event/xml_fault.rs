//! Errors of XML. As everywhere in this module, no text contains any part of the
//! payload, not even names of elements.

use quick_xml::errors::{IllFormedError, SyntaxError};
use quick_xml::escape::EscapeError;
use quick_xml::events::attributes::AttrError;
use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    #[error("it has {bytes} bytes, and more than {} are not read", crate::limits::LONGEST_STANZA)]
    TooLong { bytes: usize },
    #[error("elements nest more than {most} deep")]
    TooDeep { most: usize },
    #[error("more than {most} namespaces are declared around one element")]
    TooManyNamespaces { most: usize },
    #[error("a DTD begins here, which XMPP forbids, and with it all entity definitions")]
    Dtd,
    #[error("a processing instruction begins here, which XMPP forbids")]
    Instruction,
    #[error("the XML declaration must say version 1.0")]
    Version,
    #[error("the XML declaration names another encoding than UTF-8")]
    Encoding,
    #[error("U+{:04X} is a character that XML forbids", u32::from(*.0))]
    Character(char),
    #[error("a reference to a character that XML forbids, or that there is not")]
    CharacterReference,
    #[error("a reference to an entity that XML does not define, or without its semicolon")]
    Entity,
    #[error("an element or attribute has no valid name")]
    Name,
    #[error("a prefix is declared nowhere")]
    Prefix,
    #[error("a namespace declaration is invalid")]
    Declaration,
    #[error("an attribute stands twice")]
    AttributeTwice,
    #[error("an attribute needs `=` and a value in quotes")]
    AttributeForm,
    #[error("an attribute's value holds `<`")]
    AttributeValue,
    #[error("an end tag does not match its start tag")]
    EndTag,
    #[error("it ends before all elements and markup do")]
    Unclosed,
    #[error("markup that begins with `<!` is neither comment nor CDATA section")]
    Markup,
    #[error("a comment holds `--`")]
    Comment,
    #[error("`]]>` stands outside a CDATA section")]
    SectionEnd,
    #[error("a text stands outside the stanza")]
    TextOutside,
    #[error("a second element begins behind the first; send one stanza a message")]
    SecondElement,
}

impl Fault {
    /// What quick-xml's error says, without what it quotes.
    pub(super) const fn of(error: &quick_xml::Error) -> Self {
        use quick_xml::Error::{Escape, IllFormed, InvalidAttr, Syntax};
        match error {
            Syntax(SyntaxError::InvalidBangMarkup) => Self::Markup,
            Syntax(SyntaxError::UnclosedDoctype)
            | IllFormed(IllFormedError::MissingDoctypeName) => Self::Dtd,
            Syntax(SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl) => Self::Instruction,
            IllFormed(
                IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
            ) => Self::EndTag,
            IllFormed(IllFormedError::DoubleHyphenInComment) => Self::Comment,
            InvalidAttr(error) => Self::of_attribute(error),
            Escape(EscapeError::InvalidCharRef(_)) => Self::CharacterReference,
            IllFormed(IllFormedError::UnclosedReference) | Escape(_) => Self::Entity,
            _ => Self::Unclosed,
        }
    }

    pub(super) const fn of_attribute(error: &AttrError) -> Self {
        match error {
            AttrError::Duplicated(..) => Self::AttributeTwice,
            _ => Self::AttributeForm,
        }
    }
}
