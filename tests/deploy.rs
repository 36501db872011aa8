//! What is under deploy/ fits the program: its metrics, its alerts' documents, its times and paths.

#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

mod promtool;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use event_pusher_sns::config::reference;
use event_pusher_sns::observe::metrics::{MetricKind, REFERENCE};

use self::promtool::promtool;

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const DASHBOARD: &str = "deploy/grafana/dashboard.json";
const WORKER: &str = "deploy/kubernetes/worker.yaml";
const SCALE: &str = "deploy/kubernetes/scale.yaml";

/// Labels that every sample has from Prometheus, and that of buckets.
const OTHERS_LABELS: [&str; 3] = ["instance", "job", "le"];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Every metric that a text names, with the labels that it is asked for.
fn metrics_in(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("event_pusher_") {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let matchers = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
        let labels = matchers.map(|(inside, _)| inside.split(',')).into_iter().flatten();
        let label = |it: &str| it.split(['=', '!']).next().unwrap().trim().to_owned();
        found.push((name.to_owned(), labels.map(label).collect()));
    }
    found
}

/// The names by which Prometheus finds a metric, with its labels.
fn known() -> Vec<(String, &'static [&'static str])> {
    let mut known = Vec::new();
    for it in REFERENCE {
        let endings: &[&str] =
            if it.kind == MetricKind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
        known.extend(endings.iter().map(|ending| (it.name() + *ending, it.labels)));
    }
    known
}

/// What a text sets a key to.
fn number(text: &str, key: &str) -> u64 {
    let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("no {key} in {text}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn dashboard_alerts_and_scaler_name_only_metrics_and_labels_that_there_are() {
    let known = known();
    for file in [DASHBOARD, ALERTS, SCALE] {
        let named = metrics_in(&read(file));
        assert!(!named.is_empty(), "{file} names no metric");
        for (name, labels) in named {
            let metric = known.iter().find(|(it, _)| *it == name);
            let (_, own) = metric.unwrap_or_else(|| panic!("{file}: there is no metric {name}"));
            for label in labels {
                let is_known = own.contains(&&*label) || OTHERS_LABELS.contains(&&*label);
                assert!(is_known, "{file}: {name} has no label {label}");
            }
        }
    }
}

#[test]
fn the_dashboard_shows_every_metric_that_there_is() {
    let shown: BTreeSet<_> = metrics_in(&read(DASHBOARD)).into_iter().map(|(it, _)| it).collect();
    for it in REFERENCE {
        let name = it.name();
        assert!(shown.iter().any(|it| it.starts_with(&name)), "{DASHBOARD} lacks {name}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: serde_json::Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id stands twice: {panel}");
        if panel["type"] == "row" {
            continue;
        }
        let described = |key: &str| panel[key].as_str().is_some_and(|it| !it.is_empty());
        assert!(described("title") && described("description"), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}

#[test]
fn every_alert_has_a_summary_and_a_place_in_the_documents() {
    let (alerts, runbook, samples) =
        (read(ALERTS), read("docs/alerts.md"), read("deploy/prometheus/alerts_test.yml"));
    let rules: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 5, "{} alerts", rules.len());
    let mut headings = runbook.matches("\n### ").count();
    for rule in rules {
        let name = rule.lines().next().unwrap();
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
        let link = format!("runbook: docs/alerts.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&link), "{name} does not lead to its runbook: {link}");
        assert!(runbook.contains(&format!("\n### {name}\n")), "docs/alerts.md lacks {name}");
        let severity = rule.split("severity: ").nth(1).unwrap().split('}').next().unwrap();
        let section = runbook.split(&format!("\n### {name}\n")).nth(1).unwrap().trim_start();
        let said = section.to_lowercase().starts_with(&format!("*{severity}.*"));
        assert!(said, "docs/alerts.md does not say that {name} is {severity}");
        let fires = format!("alertname: {name}\n        exp_alerts:");
        assert!(samples.contains(&fires), "no sample makes {name} fire");
        headings -= 1;
    }
    assert_eq!(headings, 0, "docs/alerts.md explains alerts that there are not");
}

#[test]
fn prometheus_takes_the_alerts_and_they_fire_when_they_should_and_only_then() {
    promtool(&["check", "rules", ALERTS], "");
    promtool(&["test", "rules", "deploy/prometheus/alerts_test.yml"], "");
}

#[test]
fn kubernetes_gives_a_worker_its_time_and_asks_where_it_answers() {
    let text = read(WORKER);
    let grace = reference().into_iter().find(|it| it.key == "shutdown.grace_ms").unwrap();
    // The goodbyes, and the last spans.
    let needs = grace.default.parse::<u64>().unwrap().div_ceil(1000) + 10;
    let given = number(&text, "terminationGracePeriodSeconds: ");
    assert!(given > needs, "{given} s, but a drain may take {needs} s");
    for part in [
        "path: /livez",
        "path: /readyz",
        "containerPort: 9464",
        "runAsNonRoot: true",
        "runAsUser: 65532",
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "capabilities: {drop: [ALL]}",
    ] {
        assert!(text.contains(part), "{WORKER} lacks {part}");
    }
    assert!(read("Dockerfile").contains("USER 65532:65532"), "{WORKER} has another user");
}

#[test]
fn workers_scale_between_bounds_that_fit_the_partitions_and_go_one_by_one() {
    let (worker, scale) = (read(WORKER), read(SCALE));
    let least = number(&scale, "\n  minReplicaCount: ");
    let most = number(&scale, "\n  maxReplicaCount: ");
    assert!(least >= 2, "one has nobody to stand by, and none tells no backlog");
    let partitions = number(&worker, "# partitions = ");
    assert!(4 * most <= partitions, "{most} workers, and {partitions} partitions");
    let (_, down) = scale.split_once("scaleDown:").unwrap();
    assert!(number(down, "stabilizationWindowSeconds: ") >= 300, "{down}");
    assert!(down.contains("- {type: Pods, value: 1, periodSeconds: 60}"), "all would go at once");
}
