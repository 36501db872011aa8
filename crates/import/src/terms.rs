//! Parses Erlang terms in text, as in `mongooseim.cfg`. `erl_tokenize` finds the tokens.

use erl_tokenize::{
    ErrorKind, Keyword, Position, Symbol, Token, TokenKind, TokenValue, scan_token,
};

use super::Malformed;

/// Deeper than any configuration, and little for the stack.
const MAX_DEPTH: usize = 64;

const NO_TERM: &str = "this is no term; a configuration has atoms, numbers, strings, binaries, tuples, \
                       lists and maps";
const NO_TEXT: &str = "of binaries only texts can be read here, as <<\"text\">>";

/// A term and the line that it begins on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub kind: TermKind,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermKind {
    Atom(String),
    /// A string, a binary, or a character.
    Text(String),
    Integer(i64),
    List(Vec<Term>),
    Tuple(Vec<Term>),
    /// Keys and values in turn.
    Map(Vec<Term>),
    /// A number that is no 64-bit integer.
    Other,
}

/// Reads terms that end in dots, or have commas between them where only a part of a file was
/// copied.
///
/// # Errors
///
/// Where it is not such terms. The error shows nothing of the text: it may be a secret.
pub(super) fn read(text: &str) -> Result<Vec<Term>, Malformed> {
    let mut parser = Parser { text, at: Position::new(), next: None, depth: 0 };
    parser.advance()?;
    let mut terms = Vec::new();
    while parser.next.is_some() {
        terms.push(parser.term()?);
        if parser.next.is_some() && !parser.takes(Symbol::Dot)? && !parser.takes(Symbol::Comma)? {
            return Err(parser.wrong("a `.` is missing after the term before"));
        }
    }
    Ok(terms)
}

struct Parser<'a> {
    text: &'a str,
    /// Behind `next`.
    at: Position,
    next: Option<Token>,
    depth: usize,
}

impl Parser<'_> {
    /// Goes on to the next token that counts.
    fn advance(&mut self) -> Result<(), Malformed> {
        loop {
            let scanned = scan_token(self.text, self.at).map_err(|error| {
                Malformed::at(self.text, error.position.offset(), explain(error.kind))
            })?;
            self.next = scanned;
            let Some(token) = scanned else { return Ok(()) };
            self.at = token.end();
            if token.kind().is_lexical() {
                return Ok(());
            }
        }
    }

    fn is(&self, symbol: Symbol) -> bool {
        self.next.is_some_and(|token| token.kind() == TokenKind::Symbol(symbol))
    }

    fn takes(&mut self, symbol: Symbol) -> Result<bool, Malformed> {
        let found = self.is(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn wrong(&self, what: &'static str) -> Malformed {
        match self.next {
            Some(token) => Malformed::at(self.text, token.start().offset(), what),
            None => Malformed::at(
                self.text,
                self.text.len(),
                "the file ends here, within a term; is it whole?",
            ),
        }
    }

    fn term(&mut self) -> Result<Term, Malformed> {
        let Some(token) = self.next else { return Err(self.wrong(NO_TERM)) };
        let line = token.start().line().get();
        let kind = match token.kind() {
            TokenKind::Symbol(symbol) => self.symbol(symbol)?,
            TokenKind::String => TermKind::Text(self.strings()?),
            // Some of them are atoms to whoever never wrote a function.
            TokenKind::Keyword(keyword) if keyword != Keyword::Fun => {
                self.taken(TermKind::Atom(keyword.as_str().to_owned()))?
            }
            TokenKind::Float => self.taken(TermKind::Other)?,
            _ => match token.value(self.text) {
                TokenValue::Atom(atom) => self.taken(TermKind::Atom(atom.into_owned()))?,
                TokenValue::Char(c) => self.taken(TermKind::Text(c.into()))?,
                TokenValue::Integer(number) => self.taken(integer(number, false))?,
                _ => return Err(self.wrong(NO_TERM)),
            },
        };
        Ok(Term { kind, line })
    }

    fn symbol(&mut self, symbol: Symbol) -> Result<TermKind, Malformed> {
        match symbol {
            Symbol::OpenBrace => Ok(TermKind::Tuple(self.items(Symbol::CloseBrace)?)),
            Symbol::OpenSquare => Ok(TermKind::List(self.items(Symbol::CloseSquare)?)),
            Symbol::DoubleLeftAngle => Ok(TermKind::Text(self.binary()?)),
            Symbol::Sharp => self.map(),
            Symbol::Hyphen => self.negative(),
            _ => Err(self.wrong(NO_TERM)),
        }
    }

    fn taken(&mut self, kind: TermKind) -> Result<TermKind, Malformed> {
        self.advance()?;
        Ok(kind)
    }

    /// Strings side by side are one.
    fn strings(&mut self) -> Result<String, Malformed> {
        let mut whole = String::new();
        while let Some(token) = self.next.filter(|token| token.kind() == TokenKind::String) {
            if let TokenValue::String(part) = token.value(self.text) {
                whole.push_str(&part);
            }
            self.advance()?;
        }
        Ok(whole)
    }

    fn negative(&mut self) -> Result<TermKind, Malformed> {
        self.advance()?;
        match self.next.map(|token| (token.kind(), token)) {
            Some((TokenKind::Integer, token)) => match token.value(self.text) {
                TokenValue::Integer(number) => self.taken(integer(number, true)),
                _ => self.taken(TermKind::Other),
            },
            Some((TokenKind::Float, _)) => self.taken(TermKind::Other),
            _ => Err(self.wrong("a number is missing after the `-`")),
        }
    }

    /// Between brackets of any kind, the first of which comes next.
    fn items(&mut self, end: Symbol) -> Result<Vec<Term>, Malformed> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("there are more than 64 brackets within each other"));
        }
        self.advance()?;
        let mut items = Vec::new();
        if !self.is(end) {
            items.push(self.term()?);
            while self.is(Symbol::Comma) || self.is(Symbol::DoubleRightArrow) {
                self.advance()?;
                items.push(self.term()?);
            }
        }
        if !self.takes(end)? {
            return Err(self.wrong("a `,` or the closing bracket is missing before this"));
        }
        self.depth -= 1;
        Ok(items)
    }

    /// `<<"text">>`, with or without `/utf8`; other binaries stand in no configuration.
    fn binary(&mut self) -> Result<String, Malformed> {
        self.advance()?;
        let text = self.strings()?;
        if self.takes(Symbol::Slash)? {
            if self.next.is_none_or(|token| token.text(self.text) != "utf8") {
                return Err(self.wrong(NO_TEXT));
            }
            self.advance()?;
        }
        if !self.takes(Symbol::DoubleRightAngle)? {
            return Err(self.wrong(NO_TEXT));
        }
        Ok(text)
    }

    fn map(&mut self) -> Result<TermKind, Malformed> {
        self.advance()?;
        if !self.is(Symbol::OpenBrace) {
            return Err(self.wrong("records can't be read here, only maps, as #{key => value}"));
        }
        Ok(TermKind::Map(self.items(Symbol::CloseBrace)?))
    }
}

fn integer(number: Option<u64>, negative: bool) -> TermKind {
    let number = number.map(|number| i128::from(number) * if negative { -1 } else { 1 });
    number.and_then(|number| i64::try_from(number).ok()).map_or(TermKind::Other, TermKind::Integer)
}

fn explain(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NoClosingQuotation => "a quotation begins here and never ends",
        ErrorKind::InvalidEscapedChar => "this is no escape of Erlang's",
        _ => "no Erlang token begins here",
    }
}

#[cfg(test)]
mod tests;
