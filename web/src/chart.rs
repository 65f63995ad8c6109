//! Charts, drawn on the server: SVG paths with classes, and a table with the
//! same numbers. Labels stand outside of the SVG, so it stretches to any width
//! without distorting text, and no style attribute is needed.

mod axis;

use std::fmt;
use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;
use gatewright_model::time::Timestamp;
use jiff::tz::TimeZone;

use crate::chart::axis::Tick;
use crate::filters;

/// More buckets than this are merged.
const MAX_POINTS: usize = 300;
/// Up to this many buckets tell their values when pointed at.
const MAX_HITS: usize = 100;
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
/// The lines of the grid divide the height in so many parts.
const PARTS: u8 = 4;

/// How the series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line for each series.
    Line,
    /// Areas on top of each other.
    StackedArea,
    /// Bars on top of each other.
    Bars,
}

/// The colour of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// The colour of links.
    Accent,
    /// Went well.
    Ok,
    /// To be watched.
    Warn,
    /// Failed.
    Danger,
    /// Sixth colour, for a fifth series.
    Ai,
    /// In the background.
    Muted,
}

impl Tone {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accent => "accent",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Danger => "danger",
            Self::Ai => "ai",
            Self::Muted => "muted",
        }
    }
}

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Whole things; merged buckets add up.
    Count,
    /// Milliseconds; merged buckets keep the highest.
    Millis,
    /// Bytes; merged buckets add up.
    Bytes,
    /// A share between 0 and 1; merged buckets keep the highest.
    Percent,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "none".to_owned(),
            Self::Count if value.fract() == 0.0 => filters::grouped(&format!("{value:.0}")),
            Self::Count => format!("{value:.1}"),
            Self::Millis => filters::duration(value),
            Self::Bytes => filters::with_unit(value),
            Self::Percent if value > 0.0 && value < 0.1 => format!("{:.1} %", value * 100.0),
            Self::Percent => format!("{:.0} %", value * 100.0),
        }
    }

    const fn adds_up(self) -> bool {
        matches!(self, Self::Count | Self::Bytes)
    }
}

#[derive(Debug, Clone)]
struct Series {
    name: String,
    tone: Tone,
    values: Vec<f64>,
}

/// A chart over time.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    title: String,
    kind: Kind,
    unit: Unit,
    times: Vec<Timestamp>,
    series: Vec<Series>,
    partial_last: bool,
}

impl Chart {
    /// A chart without series.
    pub(crate) fn new(title: impl Into<String>, kind: Kind) -> Self {
        Self {
            title: title.into(),
            kind,
            unit: Unit::Count,
            times: Vec::new(),
            series: Vec::new(),
            partial_last: false,
        }
    }

    /// The beginning of each bucket, oldest first.
    #[must_use]
    pub(crate) fn times(mut self, times: impl IntoIterator<Item = Timestamp>) -> Self {
        self.times = times.into_iter().collect();
        self
    }

    /// A series with one value for each bucket. One that is no number is a gap
    /// in a line; areas and bars count it, and missing ones, as nothing.
    #[must_use]
    pub(crate) fn series(mut self, name: impl Into<String>, tone: Tone, values: Vec<f64>) -> Self {
        self.series.push(Series {
            name: name.into(),
            tone,
            values,
        });
        self
    }

    /// What the numbers are.
    #[must_use]
    pub(crate) fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Whether the last bucket still goes on: it is hatched then.
    #[must_use]
    pub(crate) fn partial_last(mut self, partial: bool) -> Self {
        self.partial_last = partial;
        self
    }

    /// The chart with its frame, legend and table.
    pub(crate) fn figure(&self) -> Figure {
        let chart = self.merged();
        let points = chart.times.len();
        let tops = chart.tops();
        let highest = tops.iter().flatten().copied().fold(0.0, f64::max);
        let scale = Scale {
            points,
            top: ceiling(highest, chart.unit),
            kind: chart.kind,
        };
        Figure {
            empty: points == 0 || highest <= 0.0,
            legend: chart.legend(),
            ticks: scale.ticks(chart.unit),
            shapes: chart.shapes(&tops, &scale),
            hatch: if chart.partial_last {
                scale.hatch()
            } else {
                String::new()
            },
            hits: chart.hits(&scale),
            times: axis::ticks(&chart.times, chart.kind == Kind::Bars),
            rows: chart.rows(),
            title: chart.title,
        }
    }

    /// With at most [`MAX_POINTS`] buckets and a value for each of them.
    fn merged(&self) -> Self {
        let size = self.times.len().div_ceil(MAX_POINTS).max(1);
        let nothing = if self.kind == Kind::Line { f64::NAN } else { 0.0 };
        let fold = |values: &[f64]| {
            let known = values.iter().filter(|value| value.is_finite());
            let clean = known.map(|value| value.max(0.0));
            let folded = if self.unit.adds_up() {
                clean.reduce(|sum, value| sum + value)
            } else {
                clean.reduce(f64::max)
            };
            folded.unwrap_or(nothing)
        };
        let series = self.series.iter().map(|series| {
            let mut values = series.values.clone();
            values.resize(self.times.len(), nothing);
            Series {
                values: values.chunks(size).map(fold).collect(),
                ..series.clone()
            }
        });
        Self {
            times: self.times.iter().step_by(size).copied().collect(),
            series: series.collect(),
            ..self.clone()
        }
    }

    /// The upper edge of each series; they stand on each other unless they are lines.
    fn tops(&self) -> Vec<Vec<f64>> {
        let mut below = vec![0.0; self.times.len()];
        let mut tops = Vec::with_capacity(self.series.len());
        for series in &self.series {
            if self.kind == Kind::Line {
                tops.push(series.values.clone());
                continue;
            }
            for (sum, value) in below.iter_mut().zip(&series.values) {
                *sum += value;
            }
            tops.push(below.clone());
        }
        tops
    }

    fn legend(&self) -> Vec<(String, &'static str)> {
        self.series
            .iter()
            .map(|series| (series.name.clone(), series.tone.as_str()))
            .collect()
    }

    fn shapes(&self, tops: &[Vec<f64>], scale: &Scale) -> Vec<Shape> {
        let ground = vec![0.0; self.times.len()];
        let below = std::iter::once(&ground).chain(tops);
        self.series
            .iter()
            .zip(tops.iter().zip(below))
            .flat_map(|(series, (top, below))| {
                let tone = series.tone.as_str();
                let shape = |class, path| Shape { class, tone, path };
                match self.kind {
                    Kind::Line => vec![shape("chart-line", scale.line(top))],
                    Kind::StackedArea => vec![
                        shape("chart-area", scale.area(top, below)),
                        shape("chart-line", scale.line(top)),
                    ],
                    Kind::Bars => vec![shape("chart-bars", scale.bars(top, below))],
                }
            })
            .collect()
    }

    fn hits(&self, scale: &Scale) -> Vec<Hit> {
        if self.times.len() > MAX_HITS {
            return Vec::new();
        }
        let rows = self.rows();
        let (edges, width) = scale.buckets();
        edges
            .zip(rows)
            .map(|(x, row)| {
                let values: Vec<_> = self
                    .series
                    .iter()
                    .zip(&row.values)
                    .map(|(series, value)| [series.name.as_str(), " ", value.as_str()].concat())
                    .collect();
                Hit {
                    x: short(x),
                    width: short(width),
                    text: [row.time.as_str(), ": ", &values.join(", ")].concat(),
                }
            })
            .collect()
    }

    fn rows(&self) -> Vec<Row> {
        self.times
            .iter()
            .enumerate()
            .map(|(index, time)| Row {
                time: written(*time, "%-d %b %Y, %H:%M"),
                values: self
                    .series
                    .iter()
                    .map(|series| self.unit.write(series.values.get(index).copied().unwrap_or(0.0)))
                    .collect(),
            })
            .collect()
    }
}

/// From numbers to the coordinates of the SVG.
struct Scale {
    points: usize,
    top: f64,
    kind: Kind,
}

impl Scale {
    fn x(&self, index: usize) -> f64 {
        if self.points < 2 {
            0.0
        } else {
            number(index) * WIDTH / number(self.points - 1)
        }
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - value / self.top * HEIGHT
    }

    /// The left edge of each bucket, and their width.
    fn buckets(&self) -> (impl Iterator<Item = f64>, f64) {
        let width = WIDTH / number(self.points.max(1));
        ((0..self.points).map(move |index| number(index) * width), width)
    }

    fn ticks(&self, unit: Unit) -> Vec<String> {
        (0..=PARTS)
            .rev()
            .map(|part| unit.write(self.top * f64::from(part) / f64::from(PARTS)))
            .collect()
    }

    /// A line through the values; it stops where there is none and goes on after.
    fn line(&self, values: &[f64]) -> String {
        // A single bucket is a line over the whole width, else it would be invisible.
        if let [value] = values
            && value.is_finite()
        {
            return format!("M0 {}H{WIDTH}", short(self.y(*value)));
        }
        let known = |index: usize| values.get(index).is_some_and(|value| value.is_finite());
        let mut path = String::new();
        for (index, value) in values.iter().enumerate().filter(|(index, _)| known(*index)) {
            let begins = index == 0 || !known(index - 1);
            path.push_str(&point(
                if begins { 'M' } else { 'L' },
                self.x(index),
                self.y(*value),
            ));
            if begins && !known(index + 1) {
                // The round ends of a line without length are a dot.
                path.push_str("h0");
            }
        }
        path
    }

    fn area(&self, top: &[f64], below: &[f64]) -> String {
        let mut path = self.line(top);
        if let [value] = below {
            let _infallible = write!(path, "V{}H0Z", short(self.y(*value)));
            return path;
        }
        for (index, value) in below.iter().enumerate().rev() {
            path.push_str(&point('L', self.x(index), self.y(*value)));
        }
        path.push('Z');
        path
    }

    fn bars(&self, top: &[f64], below: &[f64]) -> String {
        let (edges, width) = self.buckets();
        let gap = width * 0.15;
        let mut path = String::new();
        for (x, (top, below)) in edges.zip(top.iter().zip(below)) {
            if top > below {
                let (left, right) = (short(x + gap), short(x + width - gap));
                let (high, low) = (short(self.y(*top)), short(self.y(*below)));
                path.push_str(&["M", &left, " ", &low, "V", &high, "H", &right, "V", &low, "Z"].concat());
            }
        }
        path
    }

    /// Slanted lines over the last bucket.
    fn hatch(&self) -> String {
        let start = match self.kind {
            Kind::Bars => WIDTH - WIDTH / number(self.points.max(1)),
            Kind::Line | Kind::StackedArea => self.x(self.points.saturating_sub(2)),
        };
        (1_u8..=20)
            .map(|line| {
                let y = f64::from(line) * 10.0;
                [point('M', start, y), point('L', WIDTH, y - 10.0)].concat()
            })
            .collect()
    }
}

/// A chart as it is shown. Display writes it; templates do so with `{{ … }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "components/chart.html")]
pub(crate) struct Figure {
    title: String,
    empty: bool,
    legend: Vec<(String, &'static str)>,
    ticks: Vec<String>,
    shapes: Vec<Shape>,
    hatch: String,
    hits: Vec<Hit>,
    times: Vec<Tick>,
    rows: Vec<Row>,
}

impl HtmlSafe for Figure {}

#[derive(Debug, Clone)]
struct Shape {
    class: &'static str,
    tone: &'static str,
    path: String,
}

#[derive(Debug, Clone)]
struct Hit {
    x: String,
    width: String,
    text: String,
}

#[derive(Debug, Clone)]
struct Row {
    time: String,
    values: Vec<String>,
}

/// A line without axes, beside a number that says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spark {
    line: String,
    area: String,
    tone: &'static str,
}

impl Spark {
    /// Draws the values, oldest first.
    pub(crate) fn new(values: &[f64], tone: Tone) -> Self {
        let highest = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        let scale = Scale {
            points: values.len(),
            // Room above, so that the stroke of the highest value is not cut off.
            top: if highest > 0.0 { highest * 1.08 } else { 1.0 },
            kind: Kind::Line,
        };
        Self {
            line: scale.line(values),
            area: scale.area(values, &vec![0.0; values.len()]),
            tone: tone.as_str(),
        }
    }
}

impl fmt::Display for Spark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, area, tone } = self;
        write!(
            f,
            "<svg class=\"spark tone-{tone}\" viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <path class=\"chart-area\" d=\"{area}\"/><path class=\"chart-line\" d=\"{line}\"/></svg>"
        )
    }
}

impl HtmlSafe for Spark {}

/// The next round number, so that the lines of the grid carry round numbers.
fn ceiling(highest: f64, unit: Unit) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    if unit == Unit::Percent && highest > 0.5 {
        return 1.0;
    }
    let parts = f64::from(PARTS);
    let step = highest / parts;
    let size = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * size)
        .find(|candidate| *candidate >= step * 0.999_999)
        .unwrap_or(10.0 * size);
    let round = if unit == Unit::Count {
        round.max(1.0).ceil()
    } else {
        round
    };
    round * parts
}

fn written(time: Timestamp, format: &str) -> String {
    time.to_jiff()
        .to_zoned(TimeZone::UTC)
        .strftime(format)
        .to_string()
}

fn point(letter: char, x: f64, y: f64) -> String {
    format!("{letter}{} {}", short(x), short(y))
}

/// One decimal is a tenth of a thousandth of the width.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(1_763_700_000_000 + minute * 60_000)
    }

    fn chart(points: u32) -> Chart {
        Chart::new("Calls", Kind::StackedArea)
            .times((0..i64::from(points)).map(at))
            .series("2xx", Tone::Ok, (0..points).map(f64::from).collect())
            .series("5xx <b>", Tone::Danger, vec![1.0; points as usize])
    }

    #[test]
    fn the_table_has_the_numbers_of_the_picture() {
        let text = chart(3).partial_last(true).figure().to_string();
        assert_eq!(text.matches("<tr>").count(), 4);
        assert!(text.contains("chart-hatch") && text.contains("not complete"));
        assert!(text.contains("5xx &#60;b&#62;") && !text.contains("5xx <b>"));
        assert!(!text.contains("style="));
    }

    #[test]
    fn many_buckets_are_merged_and_nothing_is_lost() {
        let figure = chart(1000).figure();
        assert_eq!(figure.rows.len(), 250);
        let errors: u32 = figure
            .rows
            .iter()
            .map(|row| row.values[1].parse::<u32>().unwrap())
            .sum();
        assert_eq!(errors, 1000);
    }

    #[test]
    fn an_empty_chart_says_so() {
        assert!(chart(0).figure().to_string().contains("Nothing to show"));
        let zeros = Chart::new("x", Kind::Bars)
            .times([at(0)])
            .series("a", Tone::Ok, vec![0.0]);
        assert!(zeros.figure().to_string().contains("Nothing to show"));
    }

    #[test]
    fn the_grid_carries_round_numbers() {
        assert_eq!(ceiling(3.0, Unit::Count), 4.0);
        assert_eq!(ceiling(87.0, Unit::Count), 100.0);
        assert_eq!(ceiling(0.7, Unit::Percent), 1.0);
        assert!((ceiling(0.03, Unit::Percent) - 0.04).abs() < 1e-9);
    }

    #[test]
    fn a_line_has_a_gap_where_there_is_no_value() {
        let text = Chart::new("x", Kind::Line)
            .times((0..5).map(at))
            .series("a", Tone::Ok, vec![4.0, 2.0, f64::NAN, 4.0, 4.0])
            .figure()
            .to_string();
        assert!(text.contains("d=\"M0 0L250 100M750 0L1000 0\""), "{text}");
        assert!(text.contains("<td class=\"num\">none</td>"), "{text}");
    }

    #[test]
    fn odd_values_stay_within_the_picture() {
        let text = Chart::new("x", Kind::Line)
            .times([at(0), at(1)])
            .series("a", Tone::Ok, vec![f64::NAN, 5.0, 7.0])
            .figure()
            .to_string();
        assert!(!text.contains("NaN") && !text.contains("inf"));
        assert!(text.contains("d=\"M1000 75h0\""), "{text}");
        assert!(Spark::new(&[1.0], Tone::Accent).to_string().contains("H1000"));
    }
}
