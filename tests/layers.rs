//! The layers of the code: what a part of it may not know, it does not name.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/code.rs"]
mod code;

use std::collections::BTreeSet;
use std::path::Path;

use code::{code_of, words_of};

/// Of the crates `event-pusher-core` and `event-pusher-import`, called `core` and `import` here, the compiler keeps out
/// what they do not depend on; but the standard library they have.
const PURE: [&str; 4] = ["core", "config", "fleet", "import"];

/// Where the crates are that are layers, too.
const CRATES: [(&str, &str); 2] = [("core", "crates/core/src"), ("import", "crates/import/src")];

/// From the top down: each knows only those below it.
const LAYERS: [&str; 11] = [
    "app",
    "cli",
    "admin",
    "dead_letters",
    "rabbitmq",
    "sns",
    "pipeline",
    "publish",
    "fleet",
    "observe",
    "config",
];

/// Nor do the two ends know each other.
const STRANGERS: [(&str, &str); 1] = [("rabbitmq", "sns")];

/// Words that only some files may have.
struct Rule {
    says: &'static str,
    /// Whole identifiers, or, with `*` at the end, how one begins.
    words: &'static [&'static str],
    holds_in: fn(&str) -> bool,
    /// Files and folders (with `/` at the end) that may all the same.
    except: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        says: "core, config, fleet and import are pure: no broker, cloud, network, clock or log",
        words: &[
            "tokio",
            "lapin",
            "aws_*",
            "tracing",
            "env",
            "prometheus",
            "axum",
            "hyper",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "SystemTime",
        ],
        holds_in: is_pure,
        except: &[],
    },
    Rule {
        says: "the core reads no clock",
        words: &["now", "Instant"],
        holds_in: is_core,
        except: &["core/event/tests/", "core/plugin/script/tests/"],
    },
    Rule {
        says: "only the core's plugin/script knows the script engine",
        words: &["rhai"],
        holds_in: everywhere,
        except: &["core/plugin/script.rs", "core/plugin/script/"],
    },
    Rule {
        says: "of what is pure, only config/inputs.rs reads files",
        words: &["fs"],
        holds_in: is_pure,
        except: &["config/inputs.rs", "config/tests.rs"],
    },
    Rule {
        says: "only rabbitmq speaks AMQP, and TLS with it",
        words: &["lapin", "rustls"],
        holds_in: everywhere,
        except: &["rabbitmq/"],
    },
    Rule {
        says: "only sns knows the AWS SDK",
        words: &["aws_*"],
        holds_in: everywhere,
        except: &["sns.rs", "sns/"],
    },
    Rule {
        says: "only admin answers over HTTP, and two clients know what is below theirs",
        words: &["axum", "hyper", "hyper_util"],
        holds_in: everywhere,
        except: &["admin.rs", "admin/", "observe/trace/otlp/client.rs", "sns/request.rs"],
    },
    Rule {
        says: "metrics are defined and read in metrics, and counted by two others",
        words: &["prometheus"],
        holds_in: everywhere,
        except: &[
            "observe/metrics.rs",
            "observe/metrics/",
            "observe/monitor.rs",
            "publish/measure.rs",
        ],
    },
    Rule {
        says: "only observe/trace/otlp knows OpenTelemetry, and asks over HTTP",
        words: &["opentelemetry*", "hyper_rustls", "async_trait"],
        holds_in: everywhere,
        except: &["observe/trace/otlp.rs", "observe/trace/otlp/"],
    },
    Rule {
        says: "`backoff` is not maintained any more: only publish/retry.rs and the core's pause.rs name it",
        words: &["backoff"],
        holds_in: everywhere,
        except: &["publish/retry.rs", "core/pause.rs"],
    },
    Rule {
        says: "dead_letters is a library: it neither prints nor asks nor opens files",
        words: &["fs", "stdout", "stderr", "stdin", "print", "println", "eprintln", "anstream"],
        holds_in: is_about_dead_letters,
        except: &[],
    },
    Rule {
        says: "only app.rs reads the environment, and only it and app/signals.rs hear signals and exit",
        words: &["env", "signal", "exit"],
        holds_in: everywhere,
        // The SDK's builder calls the name of a variable that it reads `env`.
        except: &["app.rs", "app/signals.rs", "sns/endpoint.rs"],
    },
];

fn everywhere(_: &str) -> bool {
    true
}

fn is_core(file: &str) -> bool {
    module_of(file) == "core"
}

fn is_pure(file: &str) -> bool {
    PURE.contains(&module_of(file))
}

fn is_about_dead_letters(file: &str) -> bool {
    module_of(file) == "dead_letters"
}

fn module_of(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

impl Rule {
    fn binds(&self, file: &str) -> bool {
        let excepted = |it: &&str| file == *it || (it.ends_with('/') && file.starts_with(*it));
        (self.holds_in)(file) && !self.except.iter().any(excepted)
    }

    fn forbids(&self, word: &str) -> bool {
        self.words.iter().any(|it| match it.strip_suffix('*') {
            Some(beginning) => word.starts_with(beginning),
            None => word == *it,
        })
    }
}

#[test]
fn no_layer_knows_what_it_may_not() {
    let broken: Vec<_> = sources().iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn each_layer_knows_only_those_below_it() {
    let rank = |layer: &str| LAYERS.iter().position(|it| *it == layer);
    let mut found = BTreeSet::new();
    for (file, text) in sources() {
        let layer = module_of(&file);
        // Tests may wire together what is above.
        if matches!(layer, "lib" | "main" | "core" | "import") || file.contains("/tests") {
            continue;
        }
        let own = rank(layer).unwrap_or_else(|| panic!("src/{file} is in no layer"));
        found.insert(layer.to_owned());
        let code = code_of(&text);
        for path in code.split("crate::").skip(1) {
            let known = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
            let is_below = rank(known).is_none_or(|it| it >= own);
            assert!(is_below, "src/{file} knows {known}, which is above {layer}");
            assert!(!STRANGERS.contains(&(layer, known)), "src/{file} knows {known}");
        }
    }
    assert_eq!(found.len(), LAYERS.len(), "only {found:?}");
}

/// A renamed file would leave a rule without effect, or make it stricter than it says.
#[test]
fn every_rule_and_every_exception_is_about_files_that_are_there() {
    let sources = sources();
    for rule in RULES {
        assert!(sources.iter().any(|(file, _)| rule.binds(file)), "{}: binds nothing", rule.says);
        for exception in rule.except {
            let used = sources.iter().any(|(file, text)| {
                file.starts_with(exception) && words_of(text).iter().any(|(_, it)| rule.forbids(it))
            });
            assert!(used, "{}: {exception} needs no exception", rule.says);
        }
    }
    let modules: BTreeSet<_> = sources.iter().map(|(file, _)| module_of(file)).collect();
    for pure in PURE {
        assert!(modules.contains(pure), "there is no module `{pure}` to be pure");
    }
}

#[test]
fn a_broken_layer_is_found_with_file_line_and_rule() {
    let bad = "//! Not lapin's.\nuse std::{env, fs};\n\nfn f() { let c = '\"'; lapin::run(c) }\n";
    let found = violations("config/bad.rs", bad);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(found.contains(
        &"src/config/bad.rs:2: `fs`: of what is pure, only config/inputs.rs reads files".to_owned()
    ));
    assert!(found.contains(
        &"src/config/bad.rs:4: `lapin`: only rabbitmq speaks AMQP, and TLS with it".to_owned()
    ));
}

#[test]
fn comments_and_texts_break_no_layer() {
    let good = r##"
        /// As tokio does. /* not a comment's beginning
        const A: &str = "lapin \" tokio // aws_sdk_sns";
        const B: &str = r#"use " tracing"#; /* std::env
            /* std::fs */ lapin */
        const C: &str = env!("CARGO_PKG_VERSION");
        fn d<'a>(aws: &'a str, environment: &'a str, exit_code: char) -> char { '\'' }
    "##;
    assert_eq!(violations("config/good.rs", good), Vec::<String>::new());
}

fn violations(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, word) in words_of(text) {
        for rule in RULES.iter().filter(|rule| rule.binds(file) && rule.forbids(&word)) {
            found.push(format!("{}:{line}: `{word}`: {}", place_of(file), rule.says));
        }
    }
    found
}

/// All files below src/, named from there, and those of the core as if it were there, with their texts.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (layer, folder) in [("", "src")].into_iter().chain(CRATES) {
        let files = code::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        let name = |file| Path::new(layer).join(file).to_str().unwrap().to_owned();
        found.extend(files.into_iter().map(|(file, text)| (name(file), text)));
    }
    found.sort();
    found
}

/// Where such a file is.
fn place_of(file: &str) -> String {
    let (layer, rest) = file.split_once('/').unwrap_or((file, ""));
    let folder = CRATES.iter().find(|(name, _)| *name == layer).map(|(_, folder)| folder);
    folder.map_or_else(|| format!("src/{file}"), |folder| format!("{folder}/{rest}"))
}
