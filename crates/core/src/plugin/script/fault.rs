//! Errors of scripts, with texts of our own: the engine's may quote values of the event.

use std::fmt;

use rhai::{EvalAltResult, ParseErrorType, Position};

use super::bounds::Bounds;

/// Where in the script, as far as it is known; shown as `:LINE:COLUMN`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ScriptPosition {
    line: Option<usize>,
    column: Option<usize>,
}

impl ScriptPosition {
    pub(super) const fn line(line: usize) -> Self {
        Self { line: Some(line), column: Some(1) }
    }
}

impl From<Position> for ScriptPosition {
    fn from(position: Position) -> Self {
        Self { line: position.line(), column: position.position() }
    }
}

impl fmt::Display for ScriptPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [self.line, self.column.filter(|_| self.line.is_some())];
        known.into_iter().flatten().try_for_each(|number| write!(f, ":{number}"))
    }
}

/// The innermost position that is known.
pub(super) fn position(error: &EvalAltResult) -> Option<ScriptPosition> {
    let inner = match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => position(inner),
        _ => None,
    };
    let own = error.position();
    inner.or_else(|| (!own.is_none()).then(|| own.into()))
}

/// What stands in the script may be quoted.
pub(super) fn describe_syntax(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::VariableUndefined(name) => format!(
            "there is no variable `{name}`: a function sees its parameters, its own variables, and the constants \
             that stand outside of functions"
        ),
        ParseErrorType::ExprTooDeep => {
            format!("has expressions or blocks more than {} deep in each other", Bounds::NESTING)
        }
        ParseErrorType::LiteralTooLarge(..) => {
            format!("has a text of more than {} bytes in it", Bounds::LITERAL)
        }
        ParseErrorType::TooManyFunctions => {
            format!("has more than {} functions", Bounds::FUNCTIONS)
        }
        ParseErrorType::Reserved(word) => format!("`{word}` is a word that means nothing here"),
        other => other.to_string(),
    }
}

/// What happened, with types and names that the script itself has, but no value.
pub(super) fn describe(error: &EvalAltResult) -> String {
    use EvalAltResult as E;
    match error {
        E::ErrorInFunctionCall(_, _, inner, _) => describe(inner),
        E::ErrorTooManyOperations(_) | E::ErrorTerminated(..) => format!(
            "takes more than {} operations, or goes through more of long texts and arrays than one call may: does it \
             loop for ever, or through a long text?",
            Bounds::OPERATIONS
        ),
        E::ErrorStackOverflow(_) => {
            format!("calls functions more than {} deep in each other", Bounds::CALLS)
        }
        E::ErrorTooManyVariables(_) => {
            format!("has more than {} variables at one time", Bounds::VARIABLES)
        }
        E::ErrorDataTooLarge(..) => format!(
            "makes a value over the bounds: {} bytes of text, {} elements of an array, {} entries of a map",
            Bounds::TEXT,
            Bounds::ARRAY,
            Bounds::MAP
        ),
        E::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        E::ErrorFunctionNotFound(signature, _) => {
            format!("there is no function `{}`", signature.replace(TEXT_TYPES, "string"))
        }
        // Names a property and a type.
        E::ErrorDotExpr(what, _) => what.replace(TEXT_TYPES, "string"),
        E::ErrorPropertyNotFound(name, _) => format!("there is no property `{name}`"),
        E::ErrorMismatchDataType(wanted, given, _) | E::ErrorMismatchOutputType(wanted, given, _) => {
            format!("needs a value of type `{wanted}`, not `{given}`")
        }
        E::ErrorIndexingType(kind, _) => format!("`{kind}` can't be indexed so"),
        E::ErrorArrayBounds(length, ..) | E::ErrorStringBounds(length, ..) => {
            format!("an index is out of the bounds of what has {length}")
        }
        E::ErrorIndexNotFound(..) => "an index is not there".to_owned(),
        E::ErrorArithmetic(..) => {
            "the arithmetic is impossible: an overflow, a division by zero, or a text that is no number".to_owned()
        }
        E::ErrorFor(_) => "there is nothing to go through with `for`".to_owned(),
        E::ErrorAssignmentToConstant(name, _) | E::ErrorNonPureMethodCallOnConstant(name, _) => {
            format!("`{name}` would change a constant")
        }
        E::ErrorUnboundThis(_) => "`this` is nothing here".to_owned(),
        E::ErrorRuntime(..) => {
            "throws an error, which is not shown, since it may quote the event".to_owned()
        }
        _ => "fails".to_owned(),
    }
}

/// As the engine calls the type of texts in the signatures of functions.
const TEXT_TYPES: &str = "&str | ImmutableString | String";
