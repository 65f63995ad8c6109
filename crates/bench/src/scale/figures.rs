//! What came of a run, beside its bars.

/// The figures of a run.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    what: String,
    figure: f64,
    bar: Option<f64>,
    unit: &'static str,
}

impl Figures {
    /// Adds a figure that a bar belongs to.
    pub(super) fn against(&mut self, what: impl Into<String>, figure: f64, bar: f64, unit: &'static str) {
        self.add(what.into(), figure, Some(bar), unit);
    }

    /// Adds a figure that is only told.
    pub(super) fn told(&mut self, what: impl Into<String>, figure: f64, unit: &'static str) {
        self.add(what.into(), figure, None, unit);
    }

    fn add(&mut self, what: String, figure: f64, bar: Option<f64>, unit: &'static str) {
        let figure = Figure {
            what,
            figure,
            bar,
            unit,
        };
        eprintln!("{}", figure.row().trim_end());
        self.0.push(figure);
    }

    /// The table in Markdown.
    pub(super) fn table(&self) -> String {
        let rows = self.0.iter().map(Figure::row);
        format!("| | bar | figure |\n|---|---|---|\n{}", rows.collect::<String>())
    }
}

impl Figure {
    fn row(&self) -> String {
        let Self {
            what,
            figure,
            bar,
            unit,
        } = self;
        match bar {
            Some(bar) if figure > bar => {
                format!("| {what} | {bar} {unit} | **{figure:.1} {unit}** missed |\n")
            }
            Some(bar) => format!("| {what} | {bar} {unit} | {figure:.1} {unit} |\n"),
            None => format!("| {what} | | {figure:.1} {unit} |\n"),
        }
    }
}

/// The value below which so many of a hundred values lie.
pub(super) fn quantile(values: &mut [f64], per_cent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * per_cent)
        .div_ceil(100)
        .clamp(1, values.len().max(1));
    values.get(place - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bar_is_said_to_be_missed() {
        let mut figures = Figures::default();
        figures.against("pages", 90.0, 80.0, "ms");
        figures.against("memory", 60.0, 64.0, "MiB");
        let table = figures.table();
        assert!(
            table.contains("| pages | 80 ms | **90.0 ms** missed |"),
            "{table}"
        );
        assert!(table.contains("| memory | 64 MiB | 60.0 MiB |"), "{table}");
    }

    #[test]
    fn quantiles_are_of_the_values() {
        let mut values: Vec<f64> = (1..=40).rev().map(f64::from).collect();
        let found = [50, 95, 100].map(|per_cent| quantile(&mut values, per_cent));
        assert!(
            found
                .iter()
                .zip([20.0, 38.0, 40.0])
                .all(|(one, other)| (one - other).abs() < 1e-9)
        );
        assert!(quantile(&mut [], 50).abs() < 1e-9);
    }
}
