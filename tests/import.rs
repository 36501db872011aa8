//! `import` on configurations of MongooseIM's releases, and on what is none.
//!
//! `tests/import` has an input for each form, and beside it what is made of it;
//! `UPDATE_DOCUMENTS=1 cargo test --test import` writes that anew, to be read in the diff.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// In a folder of its own and without variables: a developer's own must not count.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_event-pusher-sns"));
    command.args(arguments).env_clear().current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// MongooseIM's configurations, by name.
fn inputs() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("tests/import")).unwrap();
    let mut inputs: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_str().unwrap().ends_with(".made.toml"))
        .collect();
    inputs.sort();
    inputs
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_release_s_configuration_becomes_what_is_kept_beside_it() {
    let update = std::env::var_os("UPDATE_DOCUMENTS").is_some();
    for input in inputs() {
        let output = run(input.parent().unwrap(), &["import", name(&input)]);
        let made = text(&output.stdout) + &commented(&text(&output.stderr));
        let kept = input.with_file_name(format!("{}.made.toml", name(&input)));
        if update {
            fs::write(kept, made).unwrap();
        } else {
            let expected = fs::read_to_string(&kept).unwrap();
            assert_eq!(
                made,
                expected,
                "{}: UPDATE_DOCUMENTS=1 cargo test --test import",
                name(&input)
            );
        }
    }
}

/// What it says on standard error, below the result.
fn commented(said: &str) -> String {
    let lines = said.lines().map(|line| format!("# stderr: {line}\n"));
    format!("\n{}", lines.collect::<String>().replace(": \n", ":\n"))
}

#[test]
fn what_is_made_passes_check_or_the_import_fails() {
    for input in inputs() {
        for secrets in ["env", "file"] {
            let folder = tempfile::tempdir().unwrap();
            let input_path = input.to_str().unwrap();
            let arguments = ["import", input_path, "-o", "made.toml", "--secrets", secrets];
            let imported = run(folder.path(), &arguments);
            let all = text(&imported.stderr);
            assert!(!all.contains("planted"), "{}: {all}", name(&input));
            let made = fs::read_to_string(folder.path().join("made.toml")).unwrap();
            assert_eq!(
                made.contains("planted-secret-key"),
                secrets == "file" && input_path.contains("6.8")
            );
            // The one lacks a region, the other any topic.
            let is_incomplete = ["incomplete.toml", "6.5-rabbit-only.toml"].contains(&name(&input));
            let expected = if is_incomplete { 78 } else { 0 };
            assert_eq!(imported.status.code(), Some(expected), "{}: {all}", name(&input));
            // Certificates are MongooseIM's, and are not there.
            if !name(&input).starts_with("6.8") {
                let checked = run(folder.path(), &["check", "--offline", "--config", "made.toml"]);
                assert_eq!(checked.status.code(), Some(expected), "{}", text(&checked.stdout));
            }
        }
    }
}

#[test]
fn the_output_is_for_its_owner_only_and_never_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made.toml");
    let input = root().join("tests/import/6.0-documented.toml");
    let import = |more: &[&str]| {
        let arguments = ["import", input.to_str().unwrap(), "--output", "made.toml"];
        run(folder.path(), &[&arguments[..], more].concat())
    };
    assert_eq!(import(&[]).status.code(), Some(0));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    fs::write(&file, "mine").unwrap();
    let refused = import(&[]);
    assert_eq!(refused.status.code(), Some(1));
    let said = "made.toml already exists; name a new file, or replace it with --force\n";
    assert_eq!(text(&refused.stderr), said);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    assert_eq!(import(&["--force"]).status.code(), Some(0));
    assert_ne!(fs::read_to_string(&file).unwrap(), "mine");
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(files, [file], "nothing else is left");
}

#[test]
fn what_can_not_be_imported_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("broken.toml", b"[modules\n");
    write("broken.cfg", b"{modules,\n [{mod_event_pusher, planted\"}]}.");
    write("other.toml", b"[modules.mod_roster]\n");
    write("latin.cfg", b"{mod_event_pusher, \"\xfc\"}.");
    write("latin.toml", b"# \xfc\n");
    write("template.toml", b"[general]\n  hosts = {{{hosts}}}\n");
    write("large.toml", &vec![b'#'; 1_048_577]);
    for (name, status, said) in [
        ("broken.toml", 1, "cannot import broken.toml:1:9: not TOML: "),
        ("broken.cfg", 1, "cannot import broken.cfg:2:29: a quotation begins here and never ends"),
        ("other.toml", 1, "cannot import other.toml: neither the sns nor the rabbit backend"),
        ("latin.cfg", 1, "cannot import latin.cfg:1:21: this character is not UTF-8"),
        ("latin.toml", 1, "cannot import latin.toml:1:3: this character is not UTF-8"),
        ("template.toml", 1, "cannot import template.toml:2:11: a placeholder, {{…}}, is not"),
        ("a\u{202e}b.toml", 1, "cannot read a\\u{202e}b.toml: No such file or directory"),
        ("large.toml", 1, "cannot read large.toml: it is larger than 1 MiB"),
        ("absent.toml", 1, "cannot read absent.toml: No such file or directory"),
        ("--force", 2, "required"),
    ] {
        let output = run(folder.path(), &["import", name, "--output", "made.toml"]);
        let all = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{name}: {all}");
        assert!(all.contains(said), "{name}: {all}");
        assert!(!all.contains("planted"), "{all}");
        assert!(!folder.path().join("made.toml").exists(), "{name}");
    }
    let output = run(folder.path(), &["import", "other.toml", "--output", "absent/made.toml"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn only_a_file_is_replaced_and_no_link_or_device() {
    let folder = tempfile::tempdir().unwrap();
    let input = root().join("tests/import/6.0-documented.toml");
    let (target, link) = (folder.path().join("target"), folder.path().join("made.toml"));
    fs::write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let arguments = ["import", input.to_str().unwrap(), "--output", "made.toml", "--force"];
    let output = run(folder.path(), &arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("made.toml") && said.contains("no regular file"), "{said}");
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(target).unwrap(), "kept");
}

#[test]
fn it_works_where_the_configuration_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::write(folder.path().join("config/local.toml"), "not = toml =").unwrap();
    let input = root().join("tests/import/6.0-documented.toml");
    let output = run(folder.path(), &["import", input.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// A block of the document, after the text that precedes it.
fn block<'a>(document: &'a str, before: &str, kind: &str) -> &'a str {
    let (_, rest) = document.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    let (_, rest) = rest.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_move_goes_as_the_document_says() {
    let path = root().join("docs/from-mongooseim.md");
    let document = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    let input = block(&document, "## The move", "toml");
    fs::write(folder.path().join("mongooseim.toml"), input).unwrap();
    let shown = block(&document, "## The move", "console");
    let commands: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() >= 2, "{shown}");
    let mut console = String::new();
    for command in commands {
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(words[0], "event-pusher-sns", "{command}");
        let output = run(folder.path(), &words[1..]);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{command}: {said}");
        console.extend(["$ ", command, "\n", &said]);
    }
    let made = fs::read_to_string(folder.path().join("config/local.toml")).unwrap();
    let shown_made = block(&document, "This is what it makes", "toml");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        // The result's block may be an empty one, which stands elsewhere, too.
        let made = format!("makes:\n\n```toml\n{made}```");
        let updated = document
            .replace(shown, &console)
            .replace(&format!("makes:\n\n```toml\n{shown_made}```"), &made);
        fs::write(path, updated).unwrap();
    } else {
        let again = "UPDATE_DOCUMENTS=1 cargo test --test import";
        assert_eq!(shown, console, "{again}");
        assert_eq!(shown_made, made, "{again}");
    }
}
