//! The time series as CSV (RFC 4180, but with bare line feeds): a row for each second.

use std::fmt::Write;

use super::{Report, Second};

/// Columns by name. A figure that was not measured is empty.
const COLUMNS: [(&str, fn(&Second) -> Option<f64>); 15] = [
    ("at_s", |s| Some(s.at_s)),
    ("length_s", |s| Some(s.length_s)),
    ("messages", |s| Some(s.messages as f64)),
    ("sent", |s| Some(s.sent as f64)),
    ("bytes_received", |s| Some(s.bytes_received as f64)),
    ("errors", |s| Some(s.errors as f64)),
    ("open", |s| Some(s.open as f64)),
    ("opened", |s| Some(s.opened as f64)),
    ("p50_us", |s| Some(s.p50_us)),
    ("p99_us", |s| Some(s.p99_us)),
    ("p999_us", |s| Some(s.p999_us)),
    ("max_us", |s| Some(s.max_us)),
    ("client_cpu_percent", |s| Some(s.client_cpu_percent)),
    ("server_cpu_percent", |s| s.server_cpu_percent),
    ("server_rss_kib", |s| s.server_rss_kib.map(|kib| kib as f64)),
];

impl Report {
    /// The seconds of the run as CSV.
    pub fn csv(&self) -> String {
        let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let mut text = names.join(",") + "\n";
        for second in &self.seconds {
            for (at, (_, figure)) in COLUMNS.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                let value = figure(second).map_or(String::new(), |value| value.to_string());
                // Writing to a `String` cannot fail.
                let _ = write!(text, "{comma}{value}");
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_second() {
        let first = Second {
            length_s: 1.0,
            messages: 12_345,
            p50_us: 0.5,
            server_rss_kib: Some(3072),
            ..Second::default()
        };
        let last = Second { at_s: 1.0, length_s: 0.25, ..Second::default() };
        let report = Report { seconds: vec![first, last], ..Report::default() };
        let text = report.csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "1,0.25,0,0,0,0,0,0,0,0,0,0,0,,");
        assert_eq!(lines[1], "0,1,12345,0,0,0,0,0,0.5,0,0,0,0,,3072");
        assert_eq!(lines[1].split(',').count(), lines[0].split(',').count());
    }

    /// The columns are the fields of a second, under the names that they have in JSON.
    #[test]
    fn columns_are_the_fields_of_a_second() {
        let second =
            Second { server_cpu_percent: Some(1.0), server_rss_kib: Some(1), ..Second::default() };
        let json = serde_json::to_value(&second).expect("plain data");
        let mut fields: Vec<&String> = json.as_object().expect("an object").keys().collect();
        let mut columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        fields.sort();
        columns.sort();
        assert_eq!(fields, columns);
    }
}
