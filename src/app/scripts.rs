//! Reads and compiles the scripts that the configuration names, once.

use std::io::Read;
use std::path::Path;

use crate::config::{Config, Draft, Key};
use crate::plugin::{LONGEST_SCRIPT, Plugins, Script, is_script};

/// The plugins of the program, and the configuration's scripts under the paths that it has for them. Those that can't be
/// read or compiled are problems of the keys that name them.
pub(super) fn with_scripts(plugins: &Plugins, draft: &mut Draft) -> Plugins {
    let mut plugins = plugins.clone();
    let named: Vec<_> =
        scripts(draft.config()).map(|(key, path)| (key.clone(), path.to_owned())).collect();
    for (key, path) in named {
        if plugins.get(&path).is_some() || !draft.is_sound(&key) {
            continue;
        }
        match compile(&path) {
            Ok(script) => plugins = plugins.register(&path, script),
            Err((wrong, remedy)) => draft.problem(&key, wrong, remedy),
        }
    }
    plugins
}

/// Each with the key that names it.
fn scripts(config: &Config) -> impl Iterator<Item = (&Key, &str)> {
    let of = |key: &Key| match key.segments().as_slice() {
        ["sns", "plugin_module"] => Some(&config.sns.routing),
        ["hosts", host, "sns", "plugin_module"] => config.hosts.get(*host),
        _ => None,
    };
    let named = config.effective.iter().filter_map(move |it| Some((&it.key, of(&it.key)?)));
    named.map(|(key, routing)| (key, &*routing.plugin_module)).filter(|(_, name)| is_script(name))
}

fn compile(path: &str) -> Result<Script, (String, &'static str)> {
    let text = read(path).map_err(|error| {
        let wrong = format!("{path} can't be read: {error}");
        (wrong, "name a script that the worker's user may read; a relative path starts at the folder of the configuration file")
    })?;
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    Script::compile(&name, &text).map_err(|error| {
        (error.to_string(), "correct the script; docs/plugins.md describes the language")
    })
}

/// No more of it than a script may have, and one byte to show that there is more.
fn read(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let longest = LONGEST_SCRIPT as u64 + 1;
    std::fs::File::open(path)?.take(longest).read_to_string(&mut text)?;
    Ok(text)
}
