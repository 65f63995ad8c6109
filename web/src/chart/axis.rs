//! The labels below a chart: at round times, equally far from each other, each
//! where its bucket is.

use gatewright_model::time::Timestamp;

use super::{number, short, written};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far apart labels may stand.
const STEPS: [i64; 13] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    4 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
];
/// More labels than this would touch each other.
const MOST: i64 = 7;
/// Nearer to the edge than this, in per cent, a label begins or ends there.
const EDGE: f64 = 3.0;

/// One label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    /// Where, in per cent of the width.
    pub(super) x: String,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    /// The time.
    pub(super) label: String,
}

/// The labels for buckets that begin at these times; bars have theirs in their middle.
pub(super) fn ticks(times: &[Timestamp], bars: bool) -> Vec<Tick> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let span = last.as_millis() - first.as_millis();
    let widest = STEPS.last().copied().unwrap_or(DAY_MS);
    let step = STEPS
        .into_iter()
        .find(|step| span / step < MOST)
        .unwrap_or(widest);
    let round = times
        .iter()
        .enumerate()
        .filter(|(_, time)| time.as_millis().rem_euclid(step) == 0);
    let mut chosen: Vec<_> = round.collect();
    if chosen.len() < 2 {
        // No two round times: the ends say how far it goes.
        let ends = [0, times.len() - 1];
        let all = times.iter().enumerate();
        chosen = all.filter(|(index, _)| ends.contains(index)).collect();
    }
    let format = match (step, span) {
        (..DAY_MS, _) => "%H:%M",
        (_, ..=691_200_000) => "%a %-d",
        _ => "%-d %b",
    };
    let place = |index: usize| {
        let (part, parts) = if bars {
            (number(index) + 0.5, number(times.len()))
        } else {
            (number(index), number(times.len().saturating_sub(1).max(1)))
        };
        part * 100.0 / parts
    };
    let tick = |(index, time): (usize, &Timestamp)| {
        let x = place(index);
        Tick {
            x: short(x),
            anchor: match x {
                x if x < EDGE => "start",
                x if x > 100.0 - EDGE => "end",
                _ => "middle",
            },
            label: written(*time, format),
        }
    };
    chosen.into_iter().map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, hours: i64) -> Vec<Timestamp> {
        let start: Timestamp = from.parse().unwrap();
        let at = |hour| Timestamp::from_millis(start.as_millis() + hour * HOUR_MS);
        (0..hours).map(at).collect()
    }

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn labels_stand_at_round_times_where_their_buckets_are() {
        let day = ticks(&hours("2026-11-20T13:00:00Z", 24), false);
        assert_eq!(
            labels(&day),
            ["16:00", "20:00", "00:00", "04:00", "08:00", "12:00"]
        );
        let places: Vec<f64> = day.iter().map(|tick| tick.x.parse().unwrap()).collect();
        for pair in places.windows(2) {
            assert!((pair[1] - pair[0] - 400.0 / 23.0).abs() < 0.2, "{places:?}");
        }
        assert_eq!(day.last().unwrap().anchor, "end");

        let week = ticks(&hours("2026-11-14T13:00:00Z", 168), false);
        assert_eq!(
            labels(&week),
            [
                "Sun 15", "Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21"
            ]
        );
    }

    #[test]
    fn a_short_stretch_names_its_ends() {
        let few = ticks(&hours("2026-11-14T13:00:00Z", 2), false);
        assert_eq!(labels(&few), ["13:00", "14:00"]);
        assert_eq!(few.first().unwrap().anchor, "start");
        let one = ticks(&hours("2026-11-14T13:20:00Z", 1), true);
        assert_eq!((one.len(), one[0].anchor), (1, "middle"));
        assert!(ticks(&[], false).is_empty());
    }
}
