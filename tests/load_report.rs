//! The forms of a load report: what a person reads, and what programs read.

#![cfg(feature = "load")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wsecho::load::report::{
    Broadcast, Connections, Figures, Latency, Limit, Machine, OpenLoop, Phase, Recorder, Report,
    SCHEMA, Saved, Second, Server, Setting, Trial, Verdict, compare,
};

/// A number that looks like chance, the same at each run: 0 to 1.
fn chance(at: u64) -> f64 {
    let mixed = (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    (mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Latencies around `us`, with a long tail.
fn latencies(us: f64, count: u64) -> Latency {
    let mut recorder = Recorder::new();
    for at in 0..count {
        let tail = (1.0 / (1.0 - chance(at) * 0.9999)).powf(0.35);
        recorder.record(Duration::from_secs_f64(us / 1e6 * (0.8 + 0.3 * chance(at * 7)) * tail));
    }
    recorder.latency()
}

fn seconds(rate: f64) -> Vec<Second> {
    let second = |at: u64| {
        let stalled = at == 17;
        let share = if stalled { 0.55 } else { 0.97 + 0.06 * chance(at) };
        let slower = if stalled { 9.0 } else { 0.9 + 0.2 * chance(at * 3) };
        Second {
            at_s: at as f64,
            length_s: 1.0,
            messages: (rate * share) as u64,
            sent: (rate * share) as u64,
            bytes_received: (rate * share) as u64 * 125,
            open: 64,
            p50_us: 780.0 * slower.sqrt(),
            p99_us: 1_900.0 * slower,
            p999_us: 3_100.0 * slower,
            max_us: 5_200.0 * slower * (1.0 + chance(at * 5)),
            client_cpu_percent: 71.0 + 3.0 * chance(at),
            server_cpu_percent: Some(if stalled { 61.0 } else { 97.0 + 2.0 * chance(at * 11) }),
            server_rss_kib: Some(3_180 + at),
            ..Second::default()
        }
    };
    (0..30).map(second).collect()
}

fn server() -> Server {
    Server {
        pid: 4242,
        cpu_us_per_message: 1.953,
        user_us_per_message: 0.2041,
        system_us_per_message: 1.749,
        cpu_percent: 98.2,
        rss_kib: 3_209,
        rss_start_kib: 3_002,
        rss_peak_kib: 3_300,
        anon_kib: 420,
        anon_start_kib: 212,
        rss_bytes_per_connection: Some(143.0),
        voluntary_switches: 12_345,
        involuntary_switches: 67,
    }
}

fn figures() -> Figures {
    Figures {
        duration_s: 30.0,
        messages: 15_123_456,
        messages_per_second: 504_115.2,
        messages_sent: 15_123_520,
        bytes_sent: 1_890_440_000,
        bytes_received: 1_890_432_000,
        latency_us: latencies(790.0, 200_000),
        handshake_us: latencies(320.0, 64),
        connections: Connections { opened: 64, open_max: 64, ..Connections::default() },
        pings: 3,
        server: Some(server()),
        client_cpu_percent: 72.4,
        ..Figures::default()
    }
}

/// A good run, with everything that a plain run has.
fn plain() -> Report {
    let setting = |(name, value): (&str, &str)| Setting { name: name.into(), value: value.into() };
    let settings = [("connections", "64"), ("pipeline", "16"), ("size", "125"), ("type", "binary")];
    Report {
        schema: SCHEMA,
        generator: "wsecho 0.1.0".to_owned(),
        started: "2026-11-21T18:00:00Z".to_owned(),
        url: "ws://127.0.0.1:8080/".to_owned(),
        shape: "closed loop".to_owned(),
        settings: settings.map(setting).to_vec(),
        machine: Machine {
            cpu: "A processor of 3 GHz".to_owned(),
            cpus: 2,
            kernel: "6.18.44".to_owned(),
            memory_kib: 24_683_520,
        },
        warmup_s: 1.0,
        verified: true,
        figures: figures(),
        seconds: seconds(504_115.2),
        ..Report::default()
    }
}

/// A run in which there is everything that a report can have.
fn full() -> Report {
    let verdict = |threshold: &str, measured: &str, passed| Verdict {
        threshold: threshold.to_owned(),
        measured: measured.to_owned(),
        passed,
    };
    let mut report = plain();
    report.shape = "scenario examples/<evening>.toml".to_owned();
    report.interrupted = true;
    report.client_was_bottleneck = true;
    report.verified = false;
    let figures = &mut report.figures;
    figures.errors = [("closed".to_owned(), 2_000), ("payload".to_owned(), 3)].into();
    figures.error_examples =
        [("payload".to_owned(), "message 17,\u{202E} byte 4: `<b>` instead of `x`".to_owned())]
            .into();
    figures.connections.lost = 2_000;
    figures.open_loop = Some(OpenLoop {
        rate: 600_000.0,
        sent_per_second: 504_117.3,
        unsent: 12,
        lateness_us: latencies(12.0, 5_000),
    });
    figures.broadcast = Some(Broadcast {
        members: 64,
        expected: 1_000_000,
        delivered: 999_990,
        lost: 10,
        repeated: 1,
        reordered: 2,
    });
    for (second, open) in report.seconds.iter_mut().zip(1..) {
        second.open = open * 2;
        second.errors = u64::from(second.at_s == 17.0) * 90_000;
    }
    let phase = |name: &str, kind: &str, at_s: f64, duration_s: f64| Phase {
        name: name.to_owned(),
        kind: kind.to_owned(),
        at_s,
        figures: Figures { duration_s, ..report.figures.clone() },
        thresholds: Vec::new(),
    };
    let mut phases = vec![phase("warm", "ramp", 0.0, 9.0), phase("evening", "steady", 9.0, 15.0)];
    phases.push(phase("rush", "spike", 24.0, 6.0));
    phases[1].thresholds.push(verdict("p99 < 5ms", "1.9ms", true));
    report.phases = phases;
    report.thresholds = vec![verdict("errors == 0", "2003", false)];
    let trial = |rate, p99_us, held| Trial {
        rate,
        achieved: rate * 0.999,
        p99_us,
        client_cpu_percent: rate / 10_000.0,
        held,
        ..Trial::default()
    };
    report.limit = Some(Limit {
        bound: "p99 < 5ms".to_owned(),
        rate: 480_000.0,
        reason: "latency".to_owned(),
        trials: vec![trial(480_000.0, 3_120.0, true), trial(500_000.0, 51_000.0, false)],
    });
    report
}

/// Keeps what a test made where a person can look at it.
fn keep(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("writable");
}

#[test]
fn a_person_reads_it_in_80_columns() {
    for (name, report) in [("load-plain.txt", plain()), ("load-full.txt", full())] {
        let text = report.to_string();
        keep(name, &text);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            assert_eq!(line.trim_end(), line, "{name}");
        }
    }
    let text = plain().to_string();
    for words in [
        "closed loop, 30 s after 1 s of warm-up, every echo verified",
        "messages      15 123 456    504k/s",
        "connections   64 opened, 64 at a time",
        "pings         3 answered",
        "server        1.95 us of CPU a message (0.204 user, 1.75 system), 98% of a CPU",
        "3.13 MiB resident, 2.93 MiB at start, 143 B a connection",
        "errors        none",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert!(!text.contains("warning") && !text.contains("thresholds"), "{text}");
}

#[test]
fn what_went_wrong_is_said() {
    let text = full().to_string();
    for words in [
        "echoes NOT verified",
        "999 990 of 1 000 000 to 64 members",
        "10 lost, 1 repeated, 2 out of order",
        "600k/s due, 504k/s sent, 12 unsent",
        "errors        2 003",
        "2 000  closed",
        "first: message 17, byte 4: `<b>` instead of `x`",
        "kept    p99 < 5ms in evening: 1.9ms",
        "BROKEN  errors == 0: 2003",
        "480k/s with p99 < 5ms",
        "warning: the generator was the bottleneck (72% of a CPU)",
        "warning: ended early",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

/// Names of all fields, from the outside to the inside: `latency_us.p99`, `seconds[].at_s`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        // What the keys of these are depends on the run.
        Value::Object(_) if path == "errors" || path == "error_examples" => {}
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(rows) => {
            for row in rows {
                fields(row, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// Fields that stand in docs/load-report.md: the first cells of the tables of fields.
fn documented() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load-report.md");
    let page = fs::read_to_string(page).expect("readable");
    let tables = page.split("| field | meaning |").skip(1);
    let rows = tables.flat_map(|table| table.split("\n\n").next().unwrap_or_default().lines());
    let cells = rows.filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_field_is_documented() {
    let mut found = BTreeSet::new();
    let json: Value = serde_json::from_str(&full().json()).expect("JSON");
    fields(&json, "", &mut found);
    // A phase has the figures of a run, and all latencies have the same fields.
    let told_elsewhere = |path: &String| {
        let name = path.strip_prefix("phases[].").map(|name| name.split(['.', '[']).next());
        let own = ["name", "kind", "at_s", "thresholds"];
        let of_phase = name.is_some_and(|name| !own.contains(&name.unwrap_or_default()))
            || path.starts_with("phases[].thresholds[]");
        let latency = ["handshake_us.", "open_loop.lateness_us."];
        of_phase || latency.iter().any(|name| path.starts_with(name))
    };
    found.retain(|path| !told_elsewhere(path));
    let documented = documented();
    let missing: Vec<_> = found.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:?}, gone: {gone:?}");
}

#[test]
fn json_is_one_object_with_the_figures_outside() {
    let text = plain().json();
    assert!(!text.contains('\n'));
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["messages"], 15_123_456);
    assert_eq!(json["messages_per_second"], 504_115.2);
    assert_eq!(json["errors"], Value::Object(serde_json::Map::new()));
    assert_eq!(json["server"]["cpu_us_per_message"], 1.953);
    assert_eq!(json["server"]["rss_kib"], 3_209);
    assert_eq!(json["client_cpu_percent"], 72.4);
    for name in ["p50", "p90", "p99", "p999", "p9999", "max"] {
        assert!(json["latency_us"][name].as_f64() > Some(0.0), "{name}");
    }
    assert_eq!(json.get("phases"), None, "a plain run has none");
}

#[test]
fn the_page_needs_nothing_from_outside() {
    for (name, report) in [("load-plain.html", plain()), ("load-full.html", full())] {
        let page = report.html();
        keep(name, &page);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        // The name space of SVG is a name, and the server's address is text.
        let rest = page.replace("http://www.w3.org/2000/svg", "");
        for word in ["http://", "https://", "<script", "<link", "@import", "url(", "src="] {
            assert!(!rest.contains(word), "{name}: {word}");
        }
        for color in page.split("=\"#").skip(1).map(|rest| &rest[..6]) {
            let rules = [format!("[fill=\"#{color}\"]"), format!("[stroke=\"#{color}\"]")];
            assert!(rules.iter().all(|rule| page.contains(rule)), "{color} has no rule");
        }
    }
}

#[test]
fn the_page_shows_what_there_is() {
    let page = plain().html();
    let charts = page.matches("<svg role=\"img\" aria-label=").count();
    assert_eq!(charts, 4, "throughput, latency over time and by percentile, CPU");
    assert!(!page.contains("<h2>Phases") && !page.contains("<h2>Errors"));
    let page = full().html();
    assert_eq!(page.matches("<svg ").count(), 5, "connections too");
    for words in [
        "<h2>Phases</h2>",
        "<h2>Thresholds</h2>",
        "<h2>Highest rate</h2>",
        "<h2>Errors</h2>",
        "1 threshold is broken.",
        "The generator was the bottleneck",
        "scenario examples/&lt;evening&gt;.toml",
        "`&lt;b&gt;` instead of",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<b>"), "what a server says is text");
}

#[test]
fn a_report_without_traffic_has_all_forms() {
    let report = Report { schema: SCHEMA, ..Report::default() };
    assert!(report.to_string().contains("errors        none"));
    assert!(report.html().contains("<h2>Settings</h2>"));
    assert!(report.percentile_log().contains("Total count    =            0]"));
    assert_eq!(report.csv().lines().count(), 1);
    assert!(Saved::parse("empty", &report.json()).is_ok());
    let mut idle = plain();
    for second in &mut idle.seconds {
        *second = Second { at_s: second.at_s, length_s: 1.0, open: 9, ..Second::default() };
    }
    idle.figures.latency_us = Latency::default();
    assert!(idle.html().contains("<h2>Throughput</h2>"));
}

fn saved(name: &str, report: &Report) -> Saved {
    Saved::parse(name, &report.json()).expect("a report")
}

/// The row of a comparison that begins with `name`.
fn row(text: &str, name: &str) -> String {
    let found = text.lines().find(|line| line.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name}:\n{text}")).to_owned()
}

#[test]
fn equal_runs_are_within_noise() {
    let (a, b) = (saved("a.json", &plain()), saved("b.json", &plain()));
    let text = compare(&a, &b);
    for name in ["messages/s", "p50", "p99", "p99.9", "server CPU/msg"] {
        let row = row(&text, name);
        assert!(row.contains(" 1.000 ") && row.ends_with("within noise"), "{row}");
    }
    assert!(row(&text, "max").ends_with("not known"), "one second has the longest");
    assert!(!text.contains("warning"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_difference_beyond_noise_has_a_word() {
    let mut better = plain();
    better.figures.messages_per_second *= 1.2;
    better.figures.latency_us.p50 /= 1.4;
    better.figures.latency_us.p99 *= 3.0;
    for second in &mut better.seconds {
        second.messages = second.messages * 12 / 10;
        second.p50_us /= 1.4;
        second.p99_us *= 3.0;
    }
    if let Some(server) = &mut better.figures.server {
        server.cpu_us_per_message /= 1.2;
    }
    let text = compare(&saved("a.json", &plain()), &saved("b.json", &better));
    keep("load-compare.txt", &text);
    for (name, ratio, word) in [
        ("messages/s", "1.200", "faster"),
        ("p50", "0.714", "faster"),
        ("p99 ", "3.000", "slower"),
        ("p99.9", "1.000", "within noise"),
        ("server CPU/msg", "0.833", "less"),
    ] {
        let row = row(&text, name);
        assert!(row.contains(ratio) && row.ends_with(word), "{row}");
    }
    let text = compare(&saved("b.json", &better), &saved("a.json", &plain()));
    assert!(row(&text, "messages/s").ends_with("slower"), "{text}");
}

/// A report may come from anywhere.
#[test]
fn what_a_file_says_stays_in_its_line_and_costs_what_it_is_long() {
    let (mut one, mut other) = (plain(), plain());
    one.url = "ws://a/\u{1b}]0;x\u{7}\nB  forged".to_owned();
    one.settings.clear();
    other.settings.clear();
    for nth in 0..30_000 {
        let name = format!("option {nth}\r");
        one.settings.push(Setting { name: name.clone(), value: "1".to_owned() });
        other.settings.push(Setting { name, value: "2\u{202e}".to_owned() });
    }
    let text = compare(&saved("a.json", &one), &saved("b.json", &other));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("B  ")).count(), 1);
    assert_eq!(text.matches("warning: option ").count(), 30_000);
}

/// Three seconds of 90, 100 and 110: the mean is 100, its standard error 5.77, Student's factor
/// 4.30, so that each run is known to 24.8 %, and the ratio of two to 35 %.
#[test]
fn noise_is_that_of_the_seconds() {
    let mut report = plain();
    report.figures.messages_per_second = 100.0;
    report.seconds.truncate(3);
    for (second, messages) in report.seconds.iter_mut().zip([90, 100, 110]) {
        second.messages = messages;
    }
    let mut other = report.clone();
    other.figures.messages_per_second = 130.0;
    let text = compare(&saved("a", &report), &saved("b", &other));
    let row = row(&text, "messages/s");
    assert!(row.contains("±35%") && row.ends_with("within noise"), "{row}");
}

#[test]
fn doubts_are_said() {
    let (one, mut other) = (plain(), plain());
    other.settings[0].value = "512".to_owned();
    other.settings.push(Setting { name: "fragments".into(), value: "4".into() });
    other.machine.cpu = "Another".to_owned();
    other.client_was_bottleneck = true;
    other.seconds.truncate(2);
    let text = compare(&saved("a.json", &one), &saved("b.json", &other));
    for words in [
        "warning: connections is 64 in A and 512 in B",
        "warning: fragments is unset in A and 4 in B",
        "warning: the two were measured on different machines",
        "warning: in B the generator was the bottleneck",
        "warning: B is shorter than 3 s",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert!(row(&text, "messages/s").ends_with("not known"));
}

#[test]
fn what_is_no_report_is_refused_in_one_line() {
    let plain = plain().json();
    let newer = plain.replacen("\"schema\":1", "\"schema\":2", 1);
    let twice = format!("{plain}\n{plain}");
    let half = &plain[..plain.len() / 2];
    for (text, says) in [
        ("", "x.json: the file is empty"),
        ("hello", "x.json: this is not one JSON object"),
        (half, "this is not one JSON object: EOF"),
        (&twice, "this is not one JSON object: trailing characters"),
        ("{\"messages\":1}", "not a report of `wsecho load --json`: it has no `schema`"),
        ("[]", "it has no `schema`"),
        ("{\"schema\":1}", "not a report of `wsecho load --json`: it has no `started`"),
        (&newer, "has schema 2; this version reads 1"),
    ] {
        let error = Saved::parse("x.json", text).expect_err(says);
        assert!(error.contains(says) && error.starts_with("x.json: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-report.json");
    let error = Saved::read(&missing).expect_err("it is not there");
    assert!(error.contains("no-such-report.json: No such file"), "{error}");
}
