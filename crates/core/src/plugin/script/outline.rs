//! Analyses a script before it runs: finds expensive operations whose cost can't be charged while it runs.
//!
//! The engine indexes texts by itself, and shows nobody that it does. A variable is seen when it is named, so it pays
//! then for what may be done with it: `t[i] = 'x'` and `t[a..b]` build a text anew, letter by letter.

use std::collections::HashSet;

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, FnCallExpr, ImmutableString, Stmt};

use super::bounds::Bounds;
use super::cost::{Charged, MADE, REBUILT, SCANNED, SOUGHT, Size, TRIED, charge};

/// What a script does with its texts, wherever it does it.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// It takes a text out of another, or adds to an array: the engine does that by itself, too long and too much,
    /// unless it is told not to.
    pub(super) overrides: bool,
    /// Variables in which letters may be replaced, or from which slices may be taken, if they are texts.
    texts: HashSet<ImmutableString>,
    /// Variables where that may happen to what is in them.
    holders: HashSet<ImmutableString>,
    /// Slices may be taken of what is in no variable.
    everything: bool,
    /// Bytes of the longest text that stands in it.
    longest: usize,
    /// Ranges of the `switch` that has most: the engine tries one after the other, as one operation.
    ranges: usize,
    /// Elements of the largest array that is given to a function as it stands in the script: it is made as one
    /// operation. An entry of a map is as four.
    made: usize,
}

impl Outline {
    pub(super) fn of(ast: &AST) -> Self {
        let mut outline = Self::default();
        let mut ranges = false;
        ast.walk(&mut |path| {
            ranges |= is_range(path);
            true
        });
        ast.walk(&mut |path| {
            outline.see(path, ranges);
            true
        });
        outline
    }

    fn see(&mut self, path: &[ASTNode<'_>], ranges: bool) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(it))) => {
                let (operator, sides) = &**it;
                self.overrides |= operator
                    .get_op_assignment_info()
                    .is_some_and(|it| it.3 == "-=" || it.3 == "+=");
                if has_index(&sides.lhs) {
                    self.rebuild(&sides.lhs, false);
                }
            }
            Some(ASTNode::Stmt(Stmt::Switch(it, ..))) => {
                self.ranges = self.ranges.max(it.1.ranges.len());
            }
            Some(ASTNode::Expr(expression)) => match expression {
                Expr::FnCall(call, _) => {
                    self.overrides |= call.name == "-";
                    self.give(call);
                }
                Expr::MethodCall(call, _) => self.give(call),
                Expr::StringConstant(text, _) => self.longest = self.longest.max(text.len()),
                Expr::Dot(..) | Expr::Index(..) if ranges && has_slice(expression) => {
                    self.rebuild(expression, true);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn give(&mut self, call: &FnCallExpr) {
        self.made = call.args.iter().map(elements).fold(self.made, usize::max);
    }

    fn rebuild(&mut self, chain: &Expr, is_slice: bool) {
        let Expr::Variable(it, ..) = root(chain) else {
            self.everything = true;
            return;
        };
        if is_direct(chain) {
            self.texts.insert(it.1.clone());
        } else {
            self.holders.insert(it.1.clone());
            // `event.text[1..3]`: what a property gives is paid for when it is given.
            self.everything |= is_slice && matches!(chain, Expr::Dot(..));
        }
    }

    /// What each operation weighs, whatever it does, since it may do it to a text of the script's own.
    pub(super) const fn weight_of_an_operation(&self) -> u64 {
        let bytes_a_unit = if self.everything { REBUILT } else { SOUGHT };
        (self.longest / bytes_a_unit + self.ranges / TRIED + self.made / MADE) as u64
    }

    /// Bytes of a unit of weight, where a function or a property gives a text.
    pub(super) const fn given(&self) -> usize {
        if self.everything { REBUILT } else { SCANNED }
    }

    /// Pays for a value that is named.
    ///
    /// # Errors
    ///
    /// More is asked than is left.
    pub(super) fn pay(&self, name: &str, value: &Dynamic) -> Charged {
        if value.is_int() || value.is_bool() {
            return Ok(());
        }
        let size = Size::of(value);
        let is_holder = self.holders.contains(name);
        if is_holder && size == Size::default() && !value.is_string() {
            // An event: nothing can be put into it, and trying costs as much as its longest text.
            return charge(Bounds::TEXT / REBUILT);
        }
        let is_rebuilt =
            self.everything || is_holder || value.is_string() && self.texts.contains(name);
        charge(size.weight(if is_rebuilt { REBUILT } else { SCANNED }))
    }
}

/// Whether it is a range that may become an index: not one that a loop goes through.
fn is_range(path: &[ASTNode<'_>]) -> bool {
    let Some(ASTNode::Expr(Expr::FnCall(call, _))) = path.last() else { return false };
    if call.name != ".." && call.name != "..=" {
        return false;
    }
    !matches!(path.iter().rev().nth(1), Some(ASTNode::Stmt(Stmt::For(..))))
}

/// Elements of an array that stands in the script, those in it included.
fn elements(expression: &Expr) -> usize {
    match expression {
        Expr::Array(items, _) => items.len() + items.iter().map(elements).sum::<usize>(),
        Expr::Map(entries, _) => {
            entries.0.len() * 4 + entries.0.iter().map(|(_, value)| elements(value)).sum::<usize>()
        }
        _ => 0,
    }
}

/// Where a chain of dots and brackets begins.
fn root(chain: &Expr) -> &Expr {
    match chain {
        Expr::Dot(it, ..) | Expr::Index(it, ..) => root(&it.lhs),
        other => other,
    }
}

/// Whether it is `name[index]` and no more.
fn is_direct(chain: &Expr) -> bool {
    match chain {
        Expr::Index(it, flags, _) => {
            matches!(it.lhs, Expr::Variable(..))
                && (flags.contains(ASTFlags::BREAK)
                    || !matches!(it.rhs, Expr::Dot(..) | Expr::Index(..)))
        }
        _ => false,
    }
}

fn has_index(chain: &Expr) -> bool {
    match chain {
        Expr::Index(..) => true,
        Expr::Dot(it, ..) => has_index(&it.lhs) || has_index(&it.rhs),
        _ => false,
    }
}

/// Whether a bracket in it may hold a range.
fn has_slice(chain: &Expr) -> bool {
    match chain {
        Expr::Index(it, flags, _) => {
            let index = if flags.contains(ASTFlags::BREAK) { &it.rhs } else { index(&it.rhs) };
            !matches!(index, Expr::IntegerConstant(..) | Expr::StringConstant(..))
                || has_slice(&it.lhs)
                || has_slice(&it.rhs)
        }
        Expr::Dot(it, ..) => has_slice(&it.lhs) || has_slice(&it.rhs),
        _ => false,
    }
}

/// The index of a bracket that more may follow: `a[index]…`.
fn index(rest: &Expr) -> &Expr {
    match rest {
        Expr::Dot(it, ..) | Expr::Index(it, ..) => &it.lhs,
        other => other,
    }
}
