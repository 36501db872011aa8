//! The files in schema/ are what the code says, and say of a document what the program says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use event_pusher_sns::config::{self, Config, Inputs};
use event_pusher_sns::dry_run::{DryRunOutcome, dry_run};
use event_pusher_sns::event::{Decoded, Envelope, Format, decode};
use event_pusher_sns::plugin::{DefaultPlugin, Plugins};
use event_pusher_sns::schema;
use jsonschema::Validator;
use serde_json::Value;

use super::{path, read};

const EVENT: &str = "native-event.schema.json";
const CONFIG: &str = "config.schema.json";

/// Every schema with the name of its file.
fn all() -> Vec<(&'static str, Value)> {
    let mut all = schema::all();
    all.push((CONFIG, config::json_schema()));
    all
}

fn validator(file: &str) -> Validator {
    let (_, schema) = all().into_iter().find(|(name, _)| *name == file).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn json_of(toml: &str) -> Value {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn errors(validator: &Validator, document: &Value) -> Vec<String> {
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn loads(toml: &str) -> Result<Config, String> {
    let files = vec![("test.toml".to_owned(), toml.to_owned())];
    let inputs = Inputs { files, environment: vec![] };
    Config::load(&inputs, &[DefaultPlugin::NAME]).map_err(|problems| problems.to_string())
}

#[test]
fn every_schema_is_current() {
    let update = std::env::var_os("UPDATE_DOCUMENTS").is_some();
    let mut names = BTreeSet::new();
    for (file, schema) in all() {
        assert!(jsonschema::meta::is_valid(&schema), "{file} is no schema");
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let file = format!("schema/{file}");
        if update {
            fs::create_dir_all(path("schema")).unwrap();
            fs::write(path(&file), &text).unwrap();
        }
        let current = fs::read_to_string(path(&file)).unwrap_or_default();
        assert!(current == text, "{file}: run UPDATE_DOCUMENTS=1 cargo test --test documents");
        names.insert(file);
    }
    let files = fs::read_dir(path("schema")).unwrap();
    let files = files.map(|file| format!("schema/{}", file.unwrap().file_name().display()));
    let schemas = files
        .filter(|file| Path::new(file).extension().is_some_and(|it| it == "json"))
        .collect::<BTreeSet<_>>();
    assert_eq!(schemas, names, "in schema/");
}

#[test]
fn every_configuration_in_the_project_is_valid_by_the_schema() {
    let validator = validator(CONFIG);
    let mut texts: Vec<(String, String)> = fs::read_dir(path("config"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|file| Path::new(file).extension().is_some_and(|it| it == "toml"))
        .map(|file| (file.clone(), read(&format!("config/{file}"))))
        .collect();
    let readme = read("README.md");
    let blocks = readme.split("```toml\n").skip(1).map(|it| it.split("```").next().unwrap());
    texts.extend(blocks.map(|block| ("README.md".to_owned(), block.to_owned())));
    assert!(texts.len() >= 4, "{texts:?}");
    for (name, text) in texts {
        assert_eq!(errors(&validator, &json_of(&text)), [""; 0], "{name}:\n{text}");
    }
}

/// Of each pair the program refuses the first and takes the second, and so does the schema.
#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let validator = validator(CONFIG);
    let cases = [
        ("[amqp]\nurl = \"amqp://rabbit\"", "[amqp]\nuri = \"amqp://rabbit\""),
        ("[amqp]\nuri = \"http://rabbit\"", "[amqp]\nuri = \"amqps://rabbit:5671/%2f\""),
        ("[amqp]\nuris = [\"rabbit\"]", "[amqp]\nuris = [\"amqp://one\", \"amqp://two\"]"),
        ("[amqp]\nqueue_type = \"lazy\"", "[amqp]\nqueue_type = \"classic\""),
        ("[amqp]\nprefetch = 65536", "[amqp]\nprefetch = 65535"),
        ("[amqp]\ndeclare = \"no\"", "[amqp]\ndeclare = false"),
        ("[amqp.sources.Mine]\nqueue = \"q\"", "[amqp.sources.mine-1]\nqueue = \"q\""),
        ("[amqp.sources.a]\nformat = \"xml\"", "[amqp.sources.a]\nformat = \"xmpp\""),
        ("[amqp.sources.a]\nname = \"a\"", "[amqp.sources.a]\nrouting_keys = [\"a\"]"),
        ("[sns]\naccount_id = \"12345\"", "[sns]\naccount_id = \"123456789012\""),
        ("[sns]\nregion = \"EU West\"", "[sns]\nregion = \"eu-west-1\""),
        ("[sns]\npool_size = 0", "[sns]\npool_size = 1"),
        ("[sns]\npool_size = \"100\"", "[sns]\npool_size = 100"),
        ("[sns]\nordering = \"yes\"", "[sns]\nordering = \"per-key\""),
        (
            "[sns.muc_topics]\n\"a.example\" = 1",
            "[sns.muc_topics]\n\"a.example\" = \"arn:aws:sns:r:123456789012:t\"",
        ),
        ("[hosts.a.sns]\npool_size = 1", "[hosts.a.sns]\nregion = \"us-east-1\""),
        ("[hosts.a]\nregion = \"us-east-1\"", "[hosts.a.sns]\npm_messages_topic = \"\""),
        ("[admin]\nlisten = \"9464\"", "[admin]\nlisten = \"\""),
        ("[tracing]\nx = 1", "[log]\nformat = \"json\""),
    ];
    for (bad, good) in cases {
        assert!(loads(bad).is_err(), "the program takes\n{bad}");
        assert!(!validator.is_valid(&json_of(bad)), "the schema takes\n{bad}");
        assert!(loads(good).is_ok(), "the program refuses\n{good}\n{:?}", loads(good).err());
        assert_eq!(errors(&validator, &json_of(good)), [""; 0], "{good}");
    }
}

#[test]
fn what_the_program_is_told_of_each_key_the_schema_tells_too() {
    let (_, schema) = all().into_iter().find(|(name, _)| *name == CONFIG).unwrap();
    let sns = &schema["properties"]["sns"]["properties"];
    assert_eq!(sns["pool_size"]["default"], 100);
    assert_eq!(
        (&sns["pool_size"]["minimum"], &sns["pool_size"]["maximum"]),
        (&1.into(), &1000.into())
    );
    assert_eq!(sns["ordering"]["enum"], serde_json::json!(["none", "per-key"]));
    for row in event_pusher_sns::config::reference() {
        let mut at = &schema;
        for name in row.key.split('.') {
            let known = &at["properties"][name];
            at = if known.is_null() { &at["additionalProperties"] } else { known };
        }
        assert_eq!(at["description"], row.comment, "{}", row.key);
    }
}

/// What the schema takes is an event, and the other way round; but for what JSON Schema can't say.
#[test]
fn an_event_is_valid_by_the_schema_if_the_decoder_takes_it() {
    let validator = validator(EVENT);
    let mut events = vec![];
    for file in fs::read_dir(path("tests/corpus/native")).unwrap() {
        events.push(fs::read(file.unwrap().path()).unwrap());
    }
    let readme = read("README.md");
    let lines = readme.lines().filter(|line| line.starts_with("{\"type\""));
    events.extend(lines.map(|line| line.as_bytes().to_vec()));
    for more in [
        r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d","message":"","id":null,"timestamp":null,"x":[1]}"#,
        r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d","message":"hi","timestamp":"2026-01-31T02:00:00Z"}"#,
        r#"{"type":"chat","from_user_id":"a@b","to_user_id":"c@d"}"#,
        r#"{"type":"chat","from_user_id":"a@b","message":"hi"}"#,
        r#"{"type":"chat","from_user_id":"","to_user_id":"c@d","message":"hi"}"#,
        r#"{"type":"presence","user_id":"a@b","present":"yes"}"#,
        r#"{"type":"presence","user_id":"a@b","present":true,"id":7}"#,
        r#"{"type":"headline","user_id":"a@b","present":true}"#,
        "[]",
    ] {
        events.push(more.into());
    }
    let (mut taken, mut refused) = (0, 0);
    for payload in events {
        let Ok(document) = serde_json::from_slice::<Value>(&payload) else { continue };
        let shown = String::from_utf8_lossy(&payload).into_owned();
        let envelope = Envelope { payload, ..Envelope::default() };
        let decoded = decode(&envelope, Format::Native);
        match (validator.is_valid(&document), decoded) {
            (true, Ok(Decoded::Event(_))) => taken += 1,
            (false, Ok(Decoded::Skip(_)) | Err(_)) => refused += 1,
            // Which JIDs there are is XMPP's to say; and a reader of JSON sees no key twice.
            (true, Err(error))
                if ["JID", "twice"].iter().any(|it| error.to_string().contains(it)) => {}
            (valid, decoded) => panic!("by the schema: {valid}; but {decoded:?}\n{shown}"),
        }
    }
    assert!(taken >= 6 && refused >= 6, "{taken} taken, {refused} refused");
}

#[test]
fn what_is_published_is_valid_by_the_schema_of_its_kind() {
    let topic = "\"arn:aws:sns:us-east-1:123456789012:t\"";
    let config = loads(&format!(
        "[sns]\npresence_updates_topic = {topic}\npm_messages_topic = {topic}\nmuc_messages_topic = {topic}"
    ));
    let router = config.unwrap().router(&Plugins::default()).unwrap();
    let message =
        r#""from_user_id":"a@b/x","to_user_id":"c@conference.b","message":"Hi \u0000 \ufffe""#;
    for (kind, fields) in [
        ("presence", r#""user_id":"a@b/x","present":false"#),
        ("chat", message),
        ("groupchat", message),
    ] {
        let payload = format!(r#"{{"type":"{kind}",{fields}}}"#).into_bytes();
        let envelope = Envelope { payload, ..Envelope::default() };
        let dry_run = dry_run(&envelope, Format::Native, &router);
        let DryRunOutcome::Publish(notification) = dry_run.outcome else { panic!("{dry_run:?}") };
        let mut body: Value = serde_json::from_str(&notification.body).unwrap();
        let validator = validator(&format!("notification-{kind}.schema.json"));
        assert_eq!(errors(&validator, &body), [""; 0], "{body}");
        body["added_by_a_plugin"] = 1.into();
        assert!(validator.is_valid(&body));
        let first = body.as_object().unwrap().keys().find(|it| it.ends_with("user_id")).unwrap();
        let first = first.clone();
        body.as_object_mut().unwrap().remove(&first);
        assert!(!validator.is_valid(&body), "without {first}: {body}");
    }
}

/// Editors find the schema by this line, from where the file is.
#[test]
fn the_default_configuration_names_its_schema() {
    let default = read("config/default.toml");
    let schema = default.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
    assert!(path("config").join(schema).is_file() || path("schema").join(CONFIG).is_file());
    assert_eq!(schema, "../schema/config.schema.json");
}
