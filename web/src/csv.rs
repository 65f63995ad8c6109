//! Tables for spreadsheets (RFC 4180). A cell that a spreadsheet would run as a
//! formula gets an apostrophe before it.

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Csv(String);

impl Csv {
    /// A table with these columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut csv = Self(String::new());
        csv.row(columns.iter().map(|column| (*column).to_owned()));
        csv
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            self.cell(&cell);
        }
        self.0.push_str("\r\n");
    }

    fn cell(&mut self, text: &str) {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let plain_number = text.parse::<f64>().is_ok();
        self.0.push('"');
        if formula && !plain_number {
            self.0.push('\'');
        }
        self.0.push_str(&text.replace('"', "\"\""));
        self.0.push('"');
    }

    /// The whole table.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_run_nothing() {
        let mut csv = Csv::new(&["a", "b"]);
        csv.row(["say \"hi\", then".to_owned(), "=HYPERLINK(\"x\")".to_owned()]);
        csv.row(["-1.5".to_owned(), "two\nlines".to_owned()]);
        assert_eq!(
            csv.finish(),
            "\"a\",\"b\"\r\n\"say \"\"hi\"\", then\",\"'=HYPERLINK(\"\"x\"\")\"\r\n\"-1.5\",\"two\nlines\"\r\n"
        );
    }
}
