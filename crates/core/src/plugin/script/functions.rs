//! The functions that a script may define.

use rhai::{AST, FnAccess};
use strsim::damerau_levenshtein;

use super::fault::ScriptPosition;

/// What a script may define. What it leaves out is as in the default plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Keep,
    UserGuid,
    PresenceAttributes,
    MessageAttributes,
    Metadata,
}

/// So many typing errors in a name of so many letters still leave it recognisable.
const LETTERS_FOR_AN_ERROR: usize = 4;

impl Function {
    /// In the order in which they are asked.
    pub(super) const ALL: [Self; 5] = [
        Self::Keep,
        Self::UserGuid,
        Self::PresenceAttributes,
        Self::MessageAttributes,
        Self::Metadata,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::UserGuid => "user_guid",
            Self::PresenceAttributes => "presence_attributes",
            Self::MessageAttributes => "message_attributes",
            Self::Metadata => "metadata",
        }
    }

    /// Names for its parameters; it is their number that counts.
    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Keep | Self::Metadata => &["event"],
            Self::UserGuid => &["jid"],
            Self::PresenceAttributes => &["topic_arn", "user", "present"],
            Self::MessageAttributes => &["topic_arn", "from", "to", "kind", "event"],
        }
    }

    fn signature(self) -> String {
        format!("{}({})", self.name(), self.parameters().join(", "))
    }
}

/// The line of each function that the script defines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Defined([Option<usize>; Function::ALL.len()]);

impl Defined {
    /// Looks for them.
    ///
    /// # Errors
    ///
    /// Where something is wrong with them, and what: a known function with other parameters; a
    /// name that looks like a misspelt one; none at all.
    pub(super) fn find(ast: &AST, text: &str) -> Result<Self, (ScriptPosition, String)> {
        let mut defined = Self::default();
        for it in ast.iter_functions().filter(|it| it.this_type.is_none()) {
            let line = line_of(text, it.name);
            if let Some(function) = Function::ALL.into_iter().find(|known| known.name() == it.name)
            {
                let (given, wanted) = (it.params.len(), function.parameters().len());
                if given != wanted {
                    let signature = function.signature();
                    let what = format!(
                        "`{}` has {given} parameters, but is called as {signature}",
                        it.name
                    );
                    return Err((ScriptPosition::line(line), what));
                }
                defined.0[function as usize] = Some(line);
            } else if let Some(near) = nearest(it.name).filter(|_| it.access == FnAccess::Public) {
                let what = format!(
                    "a plugin has no function `{}`: did you mean `{}`? If it is a helper, write `private fn`",
                    it.name,
                    near.signature()
                );
                return Err((ScriptPosition::line(line), what));
            }
        }
        if defined.0.iter().all(Option::is_none) {
            let known: Vec<_> = Function::ALL.into_iter().map(Function::signature).collect();
            let what =
                format!("the script defines none of a plugin's functions: {}", known.join(", "));
            return Err((ScriptPosition::default(), what));
        }
        Ok(defined)
    }

    pub(super) fn line(&self, function: Function) -> Option<usize> {
        self.0[function as usize]
    }
}

fn nearest(name: &str) -> Option<Function> {
    let distance = |function: Function| damerau_levenshtein(name, function.name());
    let nearest = Function::ALL.into_iter().min_by_key(|it| distance(*it))?;
    let tolerated = (nearest.name().len() / LETTERS_FOR_AN_ERROR).max(1);
    (distance(nearest) <= tolerated).then_some(nearest)
}

/// The line of a function's definition, which the engine does not tell; the first, should there be none to
/// find.
fn line_of(text: &str, name: &str) -> usize {
    let defines = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        code.match_indices("fn ").any(|(at, word)| {
            let rest = code[at + word.len()..].trim_start().strip_prefix(name);
            rest.is_some_and(|rest| rest.trim_start().starts_with('('))
        })
    };
    text.lines().position(defines).unwrap_or_default() + 1
}
