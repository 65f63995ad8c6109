//! Medians, and how far they can be trusted.

/// A median with the interval that holds the true one in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Median {
    /// The middle.
    pub(crate) value: f64,
    /// The interval; `None` below six values, which cannot give one.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Median {
    /// The median of these values. The interval is the one of order statistics,
    /// which assumes nothing about how the values are spread (Conover, Practical
    /// Nonparametric Statistics, 3.2). `None` when there are no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let value = if sorted.len().is_multiple_of(2) {
            f64::midpoint(*sorted.get(middle - 1)?, upper)
        } else {
            upper
        };
        let interval = cut(sorted.len()).and_then(|cut| {
            let low = *sorted.get(cut)?;
            let high = *sorted.get(sorted.len() - 1 - cut)?;
            Some((low, high))
        });
        Some(Self { value, interval })
    }
}

/// How many values are outside of the interval on each side: as many as leave
/// at most 2.5 % of the binomial distribution there.
fn cut(values: usize) -> Option<usize> {
    let all = 0.5_f64.powi(i32::try_from(values).ok()?);
    let (mut ways, mut tail, mut outside) = (1.0, 0.0, None);
    for below in 0..values / 2 {
        tail += ways * all;
        if tail > 0.025 {
            break;
        }
        outside = Some(below);
        ways = ways * (values - below) as f64 / (below + 1) as f64;
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_is_that_of_the_tables() {
        // Conover, table of the binomial distribution at p = 0.5.
        let known = [
            (5, None),
            (6, Some(0)),
            (8, Some(0)),
            (9, Some(1)),
            (11, Some(1)),
            (12, Some(2)),
            (20, Some(5)),
        ];
        for (values, expected) in known {
            assert_eq!(cut(values), expected, "{values} values");
        }
    }

    #[test]
    fn the_middle_does_not_follow_one_wild_value() {
        let median = Median::of(&[1.0, 9.0, 2.0, 3.0, 100.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        assert_eq!(median.value, 5.0);
        assert_eq!(median.interval, Some((2.0, 9.0)));
        assert_eq!(Median::of(&[1.0, 2.0]).unwrap().value, 1.5);
        assert_eq!(Median::of(&[]), None);
    }
}
