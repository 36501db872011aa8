//! Resolves the namespace of a name. Source: Namespaces in XML 1.0.

use quick_xml::name::{
    Namespace as Uri, NamespaceError, NamespaceResolver, PrefixDeclaration, QName, ResolveResult,
};

use super::super::xml_fault::Fault;
use super::Attributes;

/// Declared around one element. Looking a prefix up passes all of them, so this bounds the cost
/// of a document.
const MOST: usize = 64;

/// The namespaces that somebody here knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Namespace {
    None,
    /// Between client and server: RFC 6120.
    Client,
    /// Between servers: RFC 6120.
    Server,
    /// Between a component and its server: XEP-0114.
    Component,
    /// XEP-0203.
    Delay,
    /// XEP-0280.
    Carbons,
    /// XEP-0297.
    Forward,
    /// XEP-0359.
    StanzaId,
    Other,
}

impl Namespace {
    /// Whether stanzas are in it. One that was cut out of its stream has lost what the stream
    /// declared, and so is in none.
    pub(in super::super) const fn is_for_stanzas(self) -> bool {
        matches!(self, Self::None | Self::Client | Self::Server | Self::Component)
    }

    /// Whether a stanza in this one has a child of its own in that one. Where the stanza has lost its
    /// stream's declaration, the child may name it still.
    pub(in super::super) fn is_of_child(self, child: Self) -> bool {
        child == self || (self == Self::None && child.is_for_stanzas())
    }

    fn of(uri: &str) -> Self {
        match uri {
            "jabber:client" => Self::Client,
            "jabber:server" => Self::Server,
            "jabber:component:accept" | "jabber:component:connect" => Self::Component,
            "urn:xmpp:delay" => Self::Delay,
            "urn:xmpp:carbons:2" => Self::Carbons,
            "urn:xmpp:forward:0" => Self::Forward,
            "urn:xmpp:sid:0" => Self::StanzaId,
            _ => Self::Other,
        }
    }
}

/// The declarations that hold at the moment.
#[derive(Debug)]
pub(super) struct Scope(NamespaceResolver);

impl Default for Scope {
    fn default() -> Self {
        let mut resolver = NamespaceResolver::default();
        resolver.set_max_namespace_bindings(MOST);
        Self(resolver)
    }
}

impl Scope {
    pub(super) fn enter(&mut self, depth: usize, attributes: &Attributes<'_>) -> Result<(), Fault> {
        self.set(depth);
        for attribute in attributes.iter() {
            if let Some(prefix) = QName(attribute.name).as_namespace_binding() {
                if attribute.value.is_empty() && prefix != PrefixDeclaration::Default {
                    return Err(Fault::Declaration);
                }
                self.0.add(prefix, Uri(&attribute.value)).map_err(|error| match error {
                    NamespaceError::TooManyBindings(_) => Fault::TooManyNamespaces { most: MOST },
                    _ => Fault::Declaration,
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn leave_to(&mut self, depth: usize) {
        self.set(depth);
    }

    pub(super) fn of_element(&self, name: QName<'_>) -> Result<Namespace, Fault> {
        match self.0.resolve_element(name).0 {
            ResolveResult::Unbound => Ok(Namespace::None),
            ResolveResult::Bound(uri) => Ok(Namespace::of(uri.0)),
            ResolveResult::Unknown(_) => Err(Fault::Prefix),
        }
    }

    /// Finds a prefix that is declared nowhere.
    pub(super) fn check_prefixes(&self, attributes: &Attributes<'_>) -> Result<(), Fault> {
        if attributes.iter().all(|attribute| self.knows(QName(attribute.name))) {
            Ok(())
        } else {
            Err(Fault::Prefix)
        }
    }

    /// Whether the attribute's prefix, if it has one, is declared.
    fn knows(&self, attribute: QName<'_>) -> bool {
        let is_declaration = attribute.as_namespace_binding().is_some();
        is_declaration
            || !matches!(self.0.resolve_attribute(attribute).0, ResolveResult::Unknown(_))
    }

    fn set(&mut self, depth: usize) {
        self.0.set_level(u16::try_from(depth).unwrap_or(u16::MAX));
    }
}
