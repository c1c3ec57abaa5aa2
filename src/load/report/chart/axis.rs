//! Axes: where values lie, and what stands beside them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Where values lie on an axis.
#[derive(Clone, Debug)]
pub(in super::super) struct Axis {
    /// From and to.
    span: (f64, f64),
    /// Where a label stands, and what it says.
    ticks: Vec<(f64, String)>,
    logarithmic: bool,
}

impl Axis {
    /// From 0 to a round number beyond `highest`.
    pub(in super::super) fn linear(highest: f64, label: impl Fn(f64) -> String) -> Self {
        let step = round_step(highest.max(1e-9) / 5.0);
        let steps = (highest / step).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|at| f64::from(at) * step);
        Self {
            span: (0.0, steps * step),
            ticks: ticks.map(|value| (value, label(value))).collect(),
            logarithmic: false,
        }
    }

    /// From 0 to exactly `end`, with labels at round numbers.
    pub(in super::super) fn time(end: f64) -> Self {
        let step = round_step(end.max(1e-9) / 8.0);
        let ticks = (0..=(end / step) as u32).map(|at| f64::from(at) * step);
        let label = |value: f64| format!("{} s", super::super::units::trimmed(value, 2));
        let ticks = ticks.map(|value| (value, label(value))).collect();
        Self { span: (0.0, end.max(1e-9)), ticks, logarithmic: false }
    }

    /// Powers of ten that hold `lowest` and `highest`, both above 0; parts of them if they are few.
    pub(in super::super) fn logarithmic(
        lowest: f64,
        highest: f64,
        label: impl Fn(f64) -> String,
    ) -> Self {
        const PARTS: [f64; 3] = [1.0, 2.0, 5.0];
        let (from, to) = (lowest.log10().floor(), highest.log10().ceil());
        let parts = if to - from <= 3.0 { &PARTS[..] } else { &PARTS[..1] };
        let all = (from as i32..=to as i32)
            .flat_map(|power| parts.iter().map(move |part| part * 10_f64.powi(power)));
        // Half of the lowest and of the highest power may well be empty.
        let below = all.clone().rfind(|tick| *tick <= lowest);
        let above = all.clone().find(|tick| *tick >= highest && Some(*tick) > below);
        let start = below.unwrap_or(10_f64.powf(from));
        let end = above.unwrap_or(start * 10.0);
        let ticks = all.filter(|tick| (start..=end).contains(tick));
        Self {
            span: (start, end),
            ticks: ticks.map(|tick| (tick, label(tick))).collect(),
            logarithmic: true,
        }
    }

    /// Percentiles, each half or tenth of what is left above as wide as the one before, up to that
    /// of one in `count`.
    pub(in super::super) fn percentiles(count: u64) -> Self {
        let end = (count.max(10) as f64).log10();
        let mut ticks = vec![(0.0, "0%".to_owned()), (2_f64.log10(), "50%".to_owned())];
        for nines in 1..=end as usize {
            let label = match nines {
                1 => "90%".to_owned(),
                2 => "99%".to_owned(),
                _ => format!("99.{}%", "9".repeat(nines - 2)),
            };
            ticks.push((nines as f64, label));
        }
        Self { span: (0.0, end), ticks, logarithmic: false }
    }

    /// Where on the axis of percentiles a quantile below 1 lies.
    pub(in super::super) fn quantile(quantile: f64) -> f64 {
        -(1.0 - quantile).log10()
    }

    /// Its two ends.
    pub(super) fn ends(&self) -> (f64, f64) {
        self.span
    }

    /// A value as it is drawn: on a logarithmic axis, its logarithm.
    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.span;
        let value = value.clamp(low, high);
        if self.logarithmic { value.log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let (low, high) = (self.place(self.span.0), self.place(self.span.1));
        let share = (self.place(*value) - low) / (high - low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        let points = self.ticks.iter().map(|(at, _)| *at);
        // Between labels there are no lines.
        if hint.weight().allow_light_points() { Vec::new() } else { points.collect() }
    }

    fn range(&self) -> Range<f64> {
        self.span.0..self.span.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let near = self.ticks.iter().find(|(at, _)| at == value);
        near.map_or(String::new(), |(_, label)| label.clone())
    }
}

/// 1, 2 or 5 times a power of ten, at least as large as `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let rounded = [1.0, 2.0, 5.0].into_iter().find(|part| part * power >= step * 0.999);
    rounded.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    fn number(value: f64) -> String {
        super::super::super::units::significant(value, 3)
    }

    #[test]
    fn labels_are_round() {
        let axis = Axis::linear(43.0, number);
        assert_eq!(labels(&axis), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&Axis::linear(0.0, number)).first(), Some(&"0"));
        assert_eq!(labels(&Axis::time(10.0)), ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]);
        assert_eq!(labels(&Axis::time(0.5)).len(), 6);
        let axis = Axis::logarithmic(120.0, 4100.0, number);
        assert_eq!(labels(&axis), ["100", "200", "500", "1000", "2000", "5000"]);
        let axis = Axis::logarithmic(3.0, 2e6, number);
        assert_eq!(labels(&axis).first(), Some(&"1"));
        assert_eq!(axis.span, (1.0, 1e7));
        let equal = Axis::logarithmic(100.0, 100.0, number);
        assert!(equal.span.0 < equal.span.1 && equal.span.0 <= 100.0, "{equal:?}");
        let axis = Axis::percentiles(20_000);
        assert_eq!(labels(&axis), ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]);
    }

    #[test]
    fn values_lie_where_they_should() {
        let axis = Axis::linear(40.0, number);
        assert_eq!(axis.map(&10.0, (0, 100)), 25);
        assert_eq!(axis.map(&99.0, (0, 100)), 100, "beyond the end is at the end");
        assert_eq!(axis.map(&10.0, (100, 0)), 75, "upside down");
        let axis = Axis::logarithmic(1.0, 90_000.0, number);
        assert_eq!(axis.map(&100.0, (0, 500)), 200);
        let quantile = Axis::quantile(0.99);
        assert_eq!(Axis::percentiles(10_000).map(&quantile, (0, 400)), 200);
    }
}
