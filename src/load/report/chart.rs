//! Line charts as SVG. The page's style sheet gives each [`Ink`] its colour, light or dark.
//!
//! plotters lays out axes and draws; what it writes are colours of its own, as attributes. Each ink
//! is one colour that nothing else has, and a rule of the style sheet replaces it.

mod axis;

pub(super) use self::axis::Axis;
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{ChartBuilder, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// Size in units of the SVG, which are pixels where the page is wide.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 300;

/// Room at the right for the names of lines, and at the left for values.
const RIGHT: u32 = 84;
const LEFT: u32 = 66;

/// Room for the words beside a mark.
const MARK_COLUMNS: u32 = 110;

/// From one line of words to the next.
const LEADING: i32 = 17;

/// Text in charts.
const TEXT: (&str, u32) = ("system-ui", 14);

/// A colour by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Axes.
    Axis = 1,
    /// Lines behind the data.
    Grid,
    /// Words and numbers.
    Word,
    /// The only line, or the first.
    First,
    /// The second line of another kind.
    Second,
    /// Percentiles, from the median to the longest.
    P50,
    P99,
    P999,
    Max,
    /// What went wrong.
    Bad,
    /// Every other phase.
    Band,
}

impl Ink {
    fn color(self) -> RGBColor {
        RGBColor(1, 0, self as u8)
    }
}

/// A line of a chart. A gap is where `None` is.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) ink: Ink,
    /// True if the area below is filled.
    pub(super) filled: bool,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A point with a word beside it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: (f64, f64),
    pub(super) ink: Ink,
    pub(super) label: String,
}

/// A stretch of the horizontal axis with a name.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) name: String,
}

/// A chart, ready to be drawn.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// What it shows, for those who cannot see it.
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) bands: Vec<Band>,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
}

/// What a string cannot refuse.
const WRITTEN: &str = "a string takes what is written";

impl Chart {
    /// The chart as an `svg` element.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg);
        let size = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" ");
        let described = format!("<svg role=\"img\" aria-label=\"{}\" ", self.title);
        svg.replacen(&size, "", 1).replacen("<svg ", &described, 1)
    }

    fn draw(&self, svg: &mut String) {
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut plot = ChartBuilder::on(&root)
            .margin_top(24)
            .margin_right(RIGHT)
            .x_label_area_size(32)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .expect(WRITTEN);
        let (low, high) = self.y.ends();
        for band in self.bands.iter().step_by(2) {
            let corners = [(band.from, low), (band.to, high)];
            let shape = Rectangle::new(corners, Ink::Band.color().filled());
            plot.draw_series([shape]).expect(WRITTEN);
        }
        plot.configure_mesh()
            .disable_x_mesh()
            .axis_style(Ink::Axis.color())
            .bold_line_style(Ink::Grid.color())
            .light_line_style(Ink::Grid.color())
            .label_style(word(Ink::Word))
            .draw()
            .expect(WRITTEN);
        for line in &self.lines {
            draw_line(&mut plot, line, low);
        }
        for mark in &self.marks {
            let dot = Circle::new(mark.at, 4, mark.ink.color().filled());
            plot.draw_series([dot]).expect(WRITTEN);
        }
        self.draw_words(&root, plot.plotting_area());
        root.present().expect(WRITTEN);
    }

    /// Words come last, above all lines.
    fn draw_words(&self, root: &Area<'_>, plot: &DrawingArea<SVGBackend<'_>, Coordinates>) {
        let pixel = |at: f64, value: f64| plot.map_coordinate(&(at, value));
        let say = |text: &str, at: (i32, i32), style: TextStyle<'static>| {
            root.draw(&Text::new(text.to_owned(), at, style)).expect(WRITTEN);
        };
        let mut ends = Vec::new();
        for line in &self.lines {
            let last = line.points.iter().rev().find_map(|(at, value)| Some((*at, (*value)?)));
            ends.extend(last.map(|(at, value)| (pixel(at, value).1, line)));
        }
        for (row, line) in spread(ends, plot.get_pixel_range().1.end) {
            let style = word(line.ink).pos(Pos::new(HPos::Left, VPos::Center));
            say(&line.name, ((WIDTH - RIGHT + 8) as i32, row), style);
        }
        let places = apart(self.marks.iter().map(|mark| pixel(mark.at.0, mark.at.1)));
        for (mark, (column, row)) in self.marks.iter().zip(places) {
            // Above at the left, or below at the right where the axis is near.
            let (horizontal, vertical, by) = match column < (LEFT + MARK_COLUMNS) as i32 {
                true => (HPos::Left, VPos::Top, 7),
                false => (HPos::Right, VPos::Bottom, -7),
            };
            let style = word(Ink::Word).pos(Pos::new(horizontal, vertical));
            say(&mark.label, (column + by, row + by / 2), style);
        }
        for band in &self.bands {
            let (column, _) = pixel(band.from, 0.0);
            say(&band.name, (column + 4, 6), word(Ink::Word));
        }
    }
}

fn draw_line(plot: &mut Plot<'_>, line: &Line, low: f64) {
    let ink = line.ink.color();
    for part in line.points.split(|(_, value)| value.is_none()) {
        let points: Vec<(f64, f64)> =
            part.iter().filter_map(|(at, value)| Some((*at, (*value)?))).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        if points.len() == 1 {
            plot.draw_series([Circle::new(*first, 3, ink.filled())]).expect(WRITTEN);
            continue;
        }
        if line.filled {
            let area = [&points[..], &[(last.0, low), (first.0, low)]].concat();
            plot.draw_series([Polygon::new(area, ink.mix(0.12))]).expect(WRITTEN);
        }
        let stroke = ShapeStyle { color: ink.to_rgba(), filled: false, stroke_width: 2 };
        plot.draw_series([PathElement::new(points, stroke)]).expect(WRITTEN);
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Coordinates = Cartesian2d<Axis, Axis>;
type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Coordinates>;

fn word(ink: Ink) -> TextStyle<'static> {
    TextStyle { color: ink.color().to_backend_color(), ..TextStyle::from(TEXT.into_font()) }
}

/// Moves names apart that would stand on each other, upwards from the bottom.
fn spread<T>(mut ends: Vec<(i32, T)>, bottom: i32) -> Vec<(i32, T)> {
    ends.sort_by_key(|(row, _)| -row);
    let mut limit = bottom;
    for (row, _) in &mut ends {
        *row = (*row).min(limit);
        limit = *row - LEADING;
    }
    ends
}

/// Moves the words of marks, given from left to right, above those that they would stand on.
fn apart(marks: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let mut places: Vec<(i32, i32)> = Vec::new();
    for (column, row) in marks {
        let near = places.last().filter(|last| column - last.0 < MARK_COLUMNS as i32);
        places.push((column, near.map_or(row, |last| row.min(last.1 - LEADING))));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_marks_stand_above_those_that_they_would_stand_on() {
        let marks = [(100, 300), (400, 299), (480, 290), (500, 200), (505, 199)];
        let places = [(100, 300), (400, 299), (480, 282), (500, 200), (505, 183)];
        assert_eq!(apart(marks.into_iter()), places);
    }
}
