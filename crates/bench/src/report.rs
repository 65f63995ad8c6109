//! Tables in Markdown, as they stand in `docs/benchmarks.md`.

use crate::rounds::{Outcome, Series, Slice};
use crate::statistics::Median;

/// What is measured, as the heading of a table.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    /// Mode, scenario, connections and body.
    pub(crate) title: String,
    /// Whose time the column of the cores counts.
    pub(crate) charged: &'static str,
}

/// One table.
pub(crate) fn table(heading: &Heading, outcome: &Outcome) -> String {
    let direct = outcome.direct.map_or(0.0, |median| median.value);
    let mut text = format!(
        "### {}\n\nWithout a proxy: {direct:.0} requests/s.\n\n| | requests/s | × nginx | CPU µs/request | × nginx | {} \
         µs/request | × nginx | MiB | p50 µs | p99 µs |\n|---|---|---|---|---|---|---|---|---|---|\n",
        heading.title, heading.charged
    );
    let Some(nginx) = outcome.series.first() else {
        return text;
    };
    for series in &outcome.series {
        text.push_str(&row(series, nginx));
    }
    for series in outcome.series.iter().filter(|series| series.failed() > 0) {
        text.push_str(&format!(
            "\n{}: {} requests failed.\n",
            series.name,
            series.failed()
        ));
    }
    text
}

fn row(series: &Series, nginx: &Series) -> String {
    let absolute = |digits: usize, figure: &dyn Fn(&Slice) -> f64| {
        let median = series.median(figure);
        median.map_or_else(String::new, |median| format!("{:.digits$}", median.value))
    };
    let relative = |figure: &dyn Fn(&Slice) -> f64| {
        if std::ptr::eq(series, nginx) {
            return "1".to_owned();
        }
        series
            .against(nginx, figure)
            .map_or_else(String::new, |median| ratio(&median))
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        series.name,
        absolute(0, &Slice::rate),
        relative(&Slice::rate),
        absolute(1, &Slice::cpu_micros),
        relative(&Slice::cpu_micros),
        absolute(1, &Slice::charged_micros),
        relative(&Slice::charged_micros),
        absolute(0, &|slice| slice.memory as f64 / 1_048_576.0),
        absolute(0, &|slice| slice.answered.p50.as_secs_f64() * 1e6),
        absolute(0, &|slice| slice.answered.p99.as_secs_f64() * 1e6),
    )
}

fn ratio(median: &Median) -> String {
    match median.interval {
        Some((low, high)) => format!("**{:.2}** [{low:.2}, {high:.2}]", median.value),
        None => format!("**{:.2}** [no interval]", median.value),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wrk::Answered;

    fn series(name: &str, requests: u64, rounds: usize) -> Series {
        let slice = Slice {
            answered: Answered {
                requests,
                time: Duration::from_secs(1),
                failed: 0,
                p50: Duration::from_micros(120),
                p99: Duration::from_micros(990),
            },
            cpu: Duration::from_millis(500),
            charged: Duration::from_secs(1),
            memory: 3 * 1_048_576,
        };
        Series {
            name: name.to_owned(),
            slices: vec![slice; rounds],
        }
    }

    #[test]
    fn a_row_has_figures_ratios_and_their_interval() {
        let (nginx, ours) = (series("nginx", 10_000, 9), series("ours", 20_000, 9));
        assert_eq!(
            row(&ours, &nginx),
            "| ours | 20000 | **2.00** [2.00, 2.00] | 25.0 | **0.50** [0.50, 0.50] | 50.0 | **0.50** [0.50, 0.50] | 3 | 120 | 990 |\n"
        );
        assert!(row(&nginx, &nginx).starts_with("| nginx | 10000 | 1 | 50.0 | 1 |"));
    }

    #[test]
    fn few_rounds_claim_no_interval() {
        let (nginx, ours) = (series("nginx", 10_000, 3), series("ours", 20_000, 3));
        assert!(row(&ours, &nginx).contains("[no interval]"));
    }
}
