use std::collections::BTreeSet;

use super::*;

/// What `promtool check metrics` asks for, and what Prometheus' own guide does.
#[test]
fn names_and_texts_keep_to_prometheus_conventions() {
    let mut names = BTreeSet::new();
    for it in REFERENCE {
        let name = it.name();
        assert!(names.insert(name.clone()), "{name} is there twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert_eq!(name.ends_with("_total"), it.kind == MetricKind::Counter, "{name}");
        for unit in ["_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_kilobytes"] {
            assert!(!name.contains(unit), "{name} is in no base unit");
        }
        assert!(!it.help.contains('\n') && it.help.ends_with('.'), "{name}: {}", it.help);
        assert_eq!(it.buckets.is_empty(), it.kind != MetricKind::Histogram, "{name}");
        assert!(it.buckets.is_sorted(), "{name}");
        assert!(it.labels.iter().all(|label| !["le", "job", "instance"].contains(label)), "{name}");
    }
}

#[test]
fn all_that_is_written_is_documented_with_its_type() {
    let metrics = Metrics::new();
    metrics.batch_entries.observe(3.0);
    let text = metrics.render().unwrap();
    assert!(text.contains("# TYPE event_pusher_batch_entries histogram\n"), "{text}");
    assert!(text.contains("event_pusher_batch_entries_bucket{le=\"3\"} 1\n"), "{text}");
    let version =
        format!("event_pusher_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    let documented: BTreeSet<_> = REFERENCE.iter().map(Reference::name).collect();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(documented.contains(name), "{name}");
    }
}
