//! Circles of imports: two modules of which each needs the other, perhaps by way of further ones, can't be understood,
//! or moved, one at a time. A module and those inside it are one thing; among those inside one, imports go one way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::code::{code_of, files};

/// Where each crate begins.
const ROOTS: [&str; 4] = ["src", "crates/core/src", "crates/import/src", "benches/relay"];

/// A module's path from its crate's root.
type Module = Vec<String>;

type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_module_imports_one_that_imports_it() {
    let mut circles = Vec::new();
    for root in ROOTS {
        let imports = imports(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root)));
        assert!(!imports.is_empty(), "{root} has no modules");
        circles.extend(circles_of(&imports).into_iter().map(|it| format!("{root}: {it}")));
    }
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

#[test]
fn a_circle_is_found_whatever_form_its_imports_have() {
    let module = |name: &str, text: &str| (vec![name.to_owned()], text.to_owned());
    for (a, b) in [
        ("use crate::b::B;", "use super::a::A;"),
        ("use crate::{c::C, b::{B, self}};", "fn f() { crate::a::run() }"),
        ("pub(crate) use super::b::B as C;", "type A = super::a::A;"),
    ] {
        let sources = [module("a", a), module("b", b), module("c", "")].into();
        let found = circles_of(&imports(&sources));
        assert_eq!(found, ["a > b > a"], "{a} {b}");
    }
    let child =
        || (vec!["a".to_owned(), "child".to_owned()], "use super::A; use crate::b::B;".to_owned());
    let sources =
        [module("a", "mod child; pub use child::C;"), child(), module("b", "use crate::a::C;")];
    assert_eq!(circles_of(&imports(&sources.into())), ["a > b > a"]);
    let sources = [module("a", "mod child; use child::C; struct A;"), child(), module("b", "")];
    assert_eq!(circles_of(&imports(&sources.into())), Vec::<String>::new());
    let straight = [module("a", "use crate::b::B; // crate::a\n"), module("b", "use std::a;")];
    assert_eq!(circles_of(&imports(&straight.into())), Vec::<String>::new());
}

/// The text of each module, without those of tests.
fn sources(root: &Path) -> BTreeMap<Module, String> {
    let modules = files(root).into_iter().map(|(file, text)| (module_of(&file), text));
    modules.filter(|(module, _)| !module.iter().any(|name| name == "tests")).collect()
}

fn module_of(file: &Path) -> Module {
    let path = file.with_extension("");
    let names: Vec<_> = path.iter().map(|it| it.to_str().unwrap().to_owned()).collect();
    let is_root = names.len() == 1 && matches!(&*names[0], "lib" | "main");
    if is_root { Vec::new() } else { names }
}

/// A name as a module has it, and the path that it stands for there.
type Names = BTreeMap<(Module, String), Vec<String>>;

/// Which modules each imports from. A crate's root only puts them together.
fn imports(sources: &BTreeMap<Module, String>) -> Imports {
    let code =
        |text: &str| code_of(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
    let found: BTreeMap<_, _> =
        sources.iter().map(|(module, text)| (module, paths(&code(text)))).collect();
    let names = found.iter().flat_map(|(module, paths)| {
        let used = paths.iter().filter(|path| path.used);
        used.filter_map(|path| {
            let absolute = absolute(module, &path.names, sources)?;
            Some((((*module).clone(), path.alias.clone()), absolute))
        })
    });
    let names: Names = names.collect();
    let of = |(module, paths): (&&Module, &Vec<Written>)| {
        let absolute = paths.iter().filter_map(|it| absolute(module, &it.names, sources));
        let others = absolute.filter_map(|it| home_of(it, sources, &names));
        ((*module).clone(), others.filter(|it| it != *module && !it.is_empty()).collect())
    };
    found.iter().filter(|(module, _)| !module.is_empty()).map(of).collect()
}

/// The module in which a path's item is, past those that only hand it on.
fn home_of(path: Vec<String>, sources: &BTreeMap<Module, String>, names: &Names) -> Option<Module> {
    let mut path = path;
    // A name can't be handed on more often than there are modules.
    for _ in 0..sources.len() {
        let depth = (0..=path.len()).rev().find(|it| sources.contains_key(&path[..*it]))?;
        let (module, rest) = path.split_at(depth);
        let Some((name, rest)) = rest.split_first() else { return Some(module.to_vec()) };
        match names.get(&(module.to_vec(), name.clone())) {
            Some(handed_on) => path = [handed_on, rest].concat(),
            None => return Some(module.to_vec()),
        }
    }
    None
}

/// A path from the crate's root, if it is one of the crate's.
fn absolute(
    here: &Module,
    path: &[String],
    sources: &BTreeMap<Module, String>,
) -> Option<Vec<String>> {
    let mut at = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => here.clone(),
        child => {
            let child = [here.as_slice(), &[child.to_owned()]].concat();
            sources.contains_key(&child).then(|| here.clone())?
        }
    };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => at.push(name.to_owned()),
        }
    }
    Some(at)
}

/// A path as it is written.
#[derive(Debug, Clone)]
struct Written {
    names: Vec<String>,
    /// What its item is called where it is used.
    alias: String,
    /// It stands in a `use`.
    used: bool,
}

/// All paths in some code: those of `use`, each alone, and those that begin with `crate`, `self` or `super`.
fn paths(code: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let mut tokens = tokens(code).into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token.as_str() {
            "use" => {
                let tree: Vec<_> = tokens.by_ref().take_while(|it| it != ";").collect();
                expand(&mut tree.into_iter(), &[], &mut found);
            }
            "crate" | "self" | "super" => {
                let mut names = vec![token];
                while tokens.next_if(|it| it == "::").is_some() {
                    names.extend(tokens.next_if(|it| is_name(it)));
                }
                found.push(Written { names, alias: String::new(), used: false });
            }
            _ => {}
        }
    }
    found
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in code.chars() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        match found.last_mut() {
            Some(last) if is_part(c) && is_part(before) => last.push(c),
            Some(last) if c == ':' && before == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => found.push(c.to_string()),
        }
        before = c;
    }
    found
}

fn is_name(token: &str) -> bool {
    token.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The paths of a tree of `use`, up to where its group ends.
fn expand(tree: &mut impl Iterator<Item = String>, base: &[String], found: &mut Vec<Written>) {
    let mut names = base.to_vec();
    let mut alias = None;
    let end = |names: &mut Vec<String>, alias: &mut Option<String>, found: &mut Vec<Written>| {
        if let Some(last) = names.last() {
            let alias = alias.take().unwrap_or_else(|| last.clone());
            found.push(Written { names: std::mem::take(names), alias, used: true });
        }
    };
    while let Some(token) = tree.next() {
        match token.as_str() {
            "{" => {
                expand(tree, &names, found);
                names.clear();
            }
            "}" => {
                end(&mut names, &mut alias, found);
                return;
            }
            "," => {
                end(&mut names, &mut alias, found);
                names = base.to_vec();
            }
            "as" => alias = tree.next(),
            // Of a group, the module itself.
            "self" if !names.is_empty() => {}
            "::" | "*" => {}
            name => names.push(name.to_owned()),
        }
    }
    end(&mut names, &mut alias, found);
}

/// Among the modules inside each, what they and those below them import of each other.
fn levels(imports: &Imports) -> BTreeMap<Module, Imports> {
    let mut levels: BTreeMap<Module, Imports> = BTreeMap::new();
    for (module, others) in imports {
        for other in others {
            let shared = module.iter().zip(other).take_while(|(a, b)| a == b).count();
            if shared < module.len().min(other.len()) {
                let level = levels.entry(module[..shared].to_vec()).or_default();
                let known = level.entry(module[..=shared].to_vec()).or_default();
                known.insert(other[..=shared].to_vec());
            }
        }
    }
    levels
}

fn circles_of(imports: &Imports) -> Vec<String> {
    levels(imports).values().flat_map(circles_within).collect()
}

/// The shortest way from each module back to itself, each circle once.
fn circles_within(imports: &Imports) -> Vec<String> {
    let mut circles: BTreeMap<BTreeSet<&Module>, String> = BTreeMap::new();
    for start in imports.keys() {
        if let Some(way) = way_back(start, imports) {
            let names: Vec<_> = way.iter().map(|it| it.join("::")).collect();
            circles.entry(way.into_iter().collect()).or_insert(names.join(" > "));
        }
    }
    circles.into_values().collect()
}

fn way_back<'a>(start: &'a Module, imports: &'a Imports) -> Option<Vec<&'a Module>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(*way.last()?).into_iter().flatten() {
                let way = [way.as_slice(), &[next]].concat();
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
