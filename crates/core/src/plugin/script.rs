//! Policies in [Rhai](https://rhai.rs), which need no compiler: `plugin_module = "policy.rhai"`.
//!
//! A script has access to its arguments only: no files, no network, no clock, no other script. [`Bounds`] limits
//! each call, in operations, not in seconds, so that an event has the same outcome on every machine.

mod bounds;
mod cost;
mod fault;
mod functions;
mod library;
mod outline;
mod returned;
mod sandbox;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jid::Jid;
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, FuncArgs, ImmutableString, Scope};
use thiserror::Error;

pub use self::bounds::Bounds;
use self::fault::ScriptPosition;
use self::functions::{Defined, Function};
use self::outline::Outline;
use self::values::{EventView, JidView};
use super::{Attributes, Metadata, Plugin, PluginError};
use crate::arn::TopicArn;
use crate::event::{Event, Message, Presence};
use crate::limits;

/// How the names of scripts end.
pub const EXTENSION: &str = ".rhai";

/// How many bytes a script may have.
pub const LONGEST_SCRIPT: usize = limits::LONGEST_SCRIPT;

/// Whether a `plugin_module` is a script's file.
#[must_use]
pub fn is_script(plugin_module: &str) -> bool {
    plugin_module.ends_with(EXTENSION)
}

/// A script, compiled.
pub struct Script {
    name: String,
    engine: Engine,
    ast: AST,
    defined: Defined,
    /// Bytes of a unit of weight, where a function gives a text.
    given: usize,
}

/// Why a script is invalid: file, line and column, and the error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ScriptError(String);

impl Script {
    /// Compiles the text of a file that is called `name`.
    ///
    /// # Errors
    ///
    /// It is not valid Rhai, or defines none of the functions, or one with other parameters.
    pub fn compile(name: &str, text: &str) -> Result<Self, ScriptError> {
        let failed =
            |position: ScriptPosition, what: &str| ScriptError(format!("{name}{position}: {what}"));
        if text.len() > LONGEST_SCRIPT {
            let what = format!("has {} bytes; {LONGEST_SCRIPT} are allowed", text.len());
            return Err(failed(ScriptPosition::default(), &what));
        }
        let mut engine = sandbox::engine(0);
        let unparsed = |error: rhai::ParseError| {
            failed(error.position().into(), &fault::describe_syntax(error.err_type()))
        };
        engine.set_max_string_size(Bounds::LITERAL);
        let alone = engine.compile(text).map_err(unparsed)?;
        engine.set_max_string_size(Bounds::TEXT);
        let defined = Defined::find(&alone, text).map_err(|(line, what)| failed(line, &what))?;
        let outline = Arc::new(Outline::of(&alone));
        engine = sandbox::engine(outline.weight_of_an_operation());
        engine.set_fast_operators(!outline.overrides);
        see_variables(&mut engine, &Arc::clone(&outline), &Scope::new());
        cost::begin(outline.given());
        let constants = constants(&engine, &alone).map_err(|error| {
            failed(fault::position(&error).unwrap_or_default(), &fault::describe(&error))
        })?;
        engine.set_strict_variables(true);
        see_variables(&mut engine, &outline, &constants);
        let ast = engine.compile_with_scope(&constants, text).map_err(unparsed)?;
        Ok(Self { name: name.to_owned(), engine, ast, defined, given: outline.given() })
    }

    /// The names of the functions that it defines, in the order in which they are asked.
    pub fn functions(&self) -> impl Iterator<Item = &'static str> {
        Function::ALL.into_iter().filter(|it| self.defined.line(*it).is_some()).map(Function::name)
    }

    /// What a function says. `None`: the script leaves it to the default.
    fn ask<T>(
        &self,
        function: Function,
        arguments: impl FnOnce() -> T,
    ) -> Option<Result<Dynamic, PluginError>>
    where
        T: FuncArgs,
    {
        let line = self.defined.line(function)?;
        // What stands outside of the functions has run once, and constants are in them.
        let options = CallFnOptions::new().eval_ast(false);
        let (ast, scope) = (&self.ast, &mut Scope::new());
        cost::begin(self.given);
        let said: Result<Dynamic, Box<EvalAltResult>> =
            self.engine.call_fn_with_options(options, scope, ast, function.name(), arguments());
        Some(said.map_err(|error| {
            let position = fault::position(&error).unwrap_or(ScriptPosition::line(line));
            self.error(position, &fault::describe(&error))
        }))
    }

    /// A value that is not what the function is to give.
    fn unfit(&self, function: Function, what: &str) -> PluginError {
        let line = self.defined.line(function).map(ScriptPosition::line).unwrap_or_default();
        self.error(line, &format!("gives {what}"))
    }

    fn error(&self, position: ScriptPosition, what: &str) -> PluginError {
        PluginError::new(format!("{}{position}: {what}", self.name))
    }

    fn attributes(
        &self,
        function: Function,
        said: Result<Dynamic, PluginError>,
    ) -> Result<Attributes, PluginError> {
        returned::attributes(&self.engine, said?).map_err(|what| self.unfit(function, &what))
    }
}

impl Plugin for Script {
    fn keep(&self, event: &Event<'_>) -> Result<bool, PluginError> {
        let Some(said) = self.ask(Function::Keep, || (EventView::of(event),)) else {
            return Ok(true);
        };
        let said = said?;
        said.as_bool().map_err(|_| {
            let given = returned::described(&self.engine, &said);
            self.unfit(Function::Keep, &format!("{given}, where it is to give true or false"))
        })
    }

    fn user_guid<'a>(&self, user: &'a Jid) -> Result<Cow<'a, str>, PluginError> {
        let function = Function::UserGuid;
        let Some(said) = self.ask(function, || (JidView::of(user),)) else {
            return super::DefaultPlugin.user_guid(user);
        };
        let said = said?;
        if !said.is_string() {
            let given = returned::described(&self.engine, &said);
            return Err(self.unfit(function, &format!("{given}, where it is to give a text")));
        }
        Ok(Cow::Owned(said.into_string().unwrap_or_default()))
    }

    fn presence_attributes(
        &self,
        topic: &TopicArn,
        presence: &Presence<'_>,
    ) -> Result<Attributes, PluginError> {
        let function = Function::PresenceAttributes;
        let arguments = || (text(topic.as_str()), JidView::of(&presence.user), presence.present);
        match self.ask(function, arguments) {
            Some(said) => self.attributes(function, said),
            None => Ok(Attributes::default()),
        }
    }

    fn message_attributes(
        &self,
        topic: &TopicArn,
        message: &Message<'_>,
    ) -> Result<Attributes, PluginError> {
        let function = Function::MessageAttributes;
        let arguments = || {
            let (from, to) = (JidView::of(&message.from), JidView::of(&message.to));
            let (kind, event) = (text(message.kind.label()), EventView::of_message(message));
            (text(topic.as_str()), from, to, kind, event)
        };
        match self.ask(function, arguments) {
            Some(said) => self.attributes(function, said),
            None => Ok(Attributes::default()),
        }
    }

    fn metadata(&self, event: &Event<'_>) -> Result<Metadata, PluginError> {
        let function = Function::Metadata;
        match self.ask(function, || (EventView::of(event),)) {
            Some(said) => {
                returned::metadata(&self.engine, said?).map_err(|what| self.unfit(function, &what))
            }
            None => Ok(Metadata::new()),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

fn text(text: &str) -> ImmutableString {
    text.into()
}

/// Runs what stands outside of the functions, and takes the constants that are there then.
fn constants(engine: &Engine, ast: &AST) -> Result<Scope<'static>, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    engine.run_ast_with_scope(&mut scope, ast)?;
    let mut constants = Scope::new();
    for (name, _, value) in scope.iter_raw().filter(|(_, is_constant, _)| *is_constant) {
        constants.push_constant_dynamic(name.to_owned(), value.clone());
    }
    Ok(constants)
}

/// Functions see none of the script's variables by themselves; its constants are to be seen in all of them. Whatever
/// is named pays for itself.
#[expect(deprecated, reason = "it isn't: it is what the engine calls an interface that may change")]
fn see_variables(engine: &mut Engine, outline: &Arc<Outline>, constants: &Scope<'static>) {
    let constants: HashMap<String, Dynamic> =
        constants.iter_raw().map(|(name, _, value)| (name.to_owned(), value.clone())).collect();
    let outline = Arc::clone(outline);
    // A variable of the function's own has its place there, counted from 1.
    engine.on_var(move |name, place, context| {
        let own = context.scope().get(name);
        let constant = if place == 0 { constants.get(name) } else { None };
        if let Some(value) = constant.or(own) {
            outline.pay(name, value)?;
        }
        Ok(constant.cloned())
    });
}
