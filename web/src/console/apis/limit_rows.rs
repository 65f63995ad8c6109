//! The limits of a plan in a form: rows to fill in, one limit each, with what
//! they mean in words. A row without an amount is none.

use gatewright_control::Error;
use gatewright_control::limits::{NewLimit, RawLimit};
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::limit::Limit;

use crate::fields::Fields;
use crate::form::FormState;

/// Empty rows below the filled ones.
const SPARE: usize = 2;
/// As many limits as a plan may hold.
const MOST: usize = 16;
const COLUMNS: [&str; 9] = [
    "kind",
    "amount",
    "window",
    "name",
    "burst",
    "reset",
    "zone",
    "partition",
    "on_store_failure",
];

/// The names of the fields of one row, and what it says.
#[derive(Debug, Clone)]
pub(super) struct LimitRow {
    pub(super) number: usize,
    pub(super) kind: String,
    pub(super) amount: String,
    pub(super) window: String,
    pub(super) name: String,
    pub(super) burst: String,
    pub(super) reset: String,
    pub(super) zone: String,
    pub(super) partition: String,
    pub(super) on_store_failure: String,
    /// What it means, when it can be read.
    pub(super) words: Option<String>,
    /// The windows to choose from, its own among them.
    pub(super) windows: Vec<(String, String)>,
}

/// The windows that people use.
const WINDOWS: [(&str, &str); 7] = [
    ("1s", "a second"),
    ("1m", "a minute"),
    ("10m", "10 minutes"),
    ("1h", "an hour"),
    ("1d", "a day"),
    ("1w", "a week"),
    ("1mo", "a month"),
];

fn field(row: usize, column: &str) -> String {
    format!("limits.{row}.{column}")
}

/// What stands in the form for limits that are there.
pub(super) fn filled(limits: &[Limit]) -> Vec<(String, String)> {
    let row = |(row, limit): (usize, &Limit)| {
        let burst = limit.burst.map(|burst| burst.to_string()).unwrap_or_default();
        [
            ("kind", limit.kind.to_string()),
            ("amount", limit.amount.to_string()),
            ("window", limit.window.to_string()),
            ("name", limit.name.to_string()),
            ("burst", burst),
            ("reset", limit.reset.to_string()),
            ("zone", limit.zone.clone()),
            ("partition", limit.partition.to_string()),
            ("on_store_failure", limit.on_store_failure.to_string()),
        ]
        .map(|(column, value)| (field(row, column), value))
    };
    limits.iter().enumerate().flat_map(row).collect()
}

/// The form without its empty rows, so that its row numbers are those of the limits.
pub(super) fn compacted(fields: &Fields) -> FormState {
    let mut pairs: Vec<(String, String)> = fields
        .pairs()
        .filter(|(name, _)| !name.starts_with("limits."))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let used = (0..MOST + SPARE).filter(|row| fields.some(&field(*row, "amount")).is_some());
    for (to, from) in used.enumerate() {
        for column in COLUMNS {
            let value = fields.get(&field(from, column)).to_owned();
            pairs.push((field(to, column), value));
        }
    }
    FormState::new(pairs)
}

/// Reads the limits of a compacted form; faults go into the form.
pub(super) fn read(form: &mut FormState) -> Vec<NewLimit> {
    let mut errors = FieldErrors::default();
    let mut limits = Vec::new();
    for row in 0..count(form) {
        match read_row(form, row) {
            Ok(limit) => limits.push(limit),
            Err(inner) => errors.nest(&format!("/limits/{row}"), inner),
        }
    }
    if !errors.is_empty() && form.absorb(Error::Invalid(errors)).is_err() {
        form.fail_whole("The limits cannot be read");
    }
    limits
}

fn read_row(form: &FormState, row: usize) -> Result<NewLimit, FieldErrors> {
    let text = |column: &str| form.value(&field(row, column)).to_owned();
    let some = |column: &str| Some(text(column)).filter(|value| !value.is_empty());
    let mut errors = FieldErrors::default();
    let amount = errors.take("/amount", whole(&text("amount")));
    let burst = some("burst").and_then(|value| errors.take("/burst", whole(&value)));
    let amount = errors.finish(amount)?;
    let kind = text("kind");
    let calendar = kind == "quota";
    NewLimit::parse(&RawLimit {
        name: some("name"),
        amount,
        window: text("window"),
        burst,
        reset: some("reset").filter(|_| calendar),
        zone: some("zone").filter(|_| calendar),
        partition: some("partition"),
        on_store_failure: some("on_store_failure"),
        kind,
        ..RawLimit::default()
    })
}

/// A whole number, its thousands set apart or not: `1000`, `1,000`, `1 000`.
/// Anything else between digits would be guessed at: `1.5` is no 15.
fn whole(text: &str) -> Result<u64, Invalid> {
    let invalid = || Invalid::new("invalid_number", "must be a whole number, for example 1,000");
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(invalid());
    }
    let Some(separator) = text
        .chars()
        .find(|c| matches!(c, ',' | '.' | ' ' | '\u{A0}' | '\u{202F}'))
    else {
        return text.parse().map_err(|_| invalid());
    };
    let mut groups = text.split(separator);
    let first = groups.next().unwrap_or("");
    let in_groups = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if !in_groups {
        return Err(invalid());
    }
    text.replace(separator, "").parse().map_err(|_| invalid())
}

fn count(form: &FormState) -> usize {
    (0..MOST + SPARE)
        .take_while(|row| !form.value(&field(*row, "amount")).is_empty())
        .count()
}

/// The rows that the form shows: the filled ones and some to fill in.
pub(super) fn rows(form: &FormState) -> Vec<LimitRow> {
    let shown = (count(form) + SPARE).min(MOST);
    (0..shown).map(|row| row_of(form, row)).collect()
}

fn row_of(form: &FormState, row: usize) -> LimitRow {
    let own = form.value(&field(row, "window"));
    let mut windows: Vec<_> = WINDOWS
        .iter()
        .map(|(value, words)| ((*value).to_owned(), (*words).to_owned()))
        .collect();
    if !own.is_empty() && !WINDOWS.iter().any(|(value, _)| *value == own) {
        windows.push((own.to_owned(), own.to_owned()));
    }
    LimitRow {
        number: row + 1,
        kind: field(row, "kind"),
        amount: field(row, "amount"),
        window: field(row, "window"),
        name: field(row, "name"),
        burst: field(row, "burst"),
        reset: field(row, "reset"),
        zone: field(row, "zone"),
        partition: field(row, "partition"),
        on_store_failure: field(row, "on_store_failure"),
        words: read_row(form, row).ok().map(|limit| limit.in_words()),
        windows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_never_guessed_at() {
        for (text, number) in [
            ("1000", 1_000),
            ("1,000", 1_000),
            ("1.000.000", 1_000_000),
            ("12 500", 12_500),
        ] {
            assert_eq!(whole(text).unwrap(), number, "{text}");
        }
        for text in [
            "1.5",
            "0.5",
            "1,00",
            "1,0000",
            "1,000.000",
            ",100",
            "1,",
            "",
            "+5 000",
            "-1",
        ] {
            assert!(whole(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_happens_without_counters_is_kept() {
        let fields = Fields::of(&[
            ("limits.0.amount", "500"),
            ("limits.0.kind", "quota"),
            ("limits.0.window", "1d"),
            ("limits.0.on_store_failure", "closed"),
        ]);
        let read = read(&mut compacted(&fields));
        assert!(
            format!("{read:?}").contains("on_store_failure: Closed"),
            "{read:?}"
        );
    }

    #[test]
    fn empty_rows_are_no_limits_and_faults_stand_at_their_row() {
        let fields = Fields::of(&[
            ("limits.0.amount", ""),
            ("limits.0.kind", "rate"),
            ("limits.1.amount", "1,000"),
            ("limits.1.kind", "quota"),
            ("limits.1.window", "1d"),
            ("limits.3.amount", "many"),
            ("limits.3.kind", "rate"),
            ("limits.3.window", "1m"),
        ]);
        let mut form = compacted(&fields);
        let shown = rows(&form);
        assert_eq!(shown.len(), 4);
        assert!(
            shown[0]
                .words
                .as_deref()
                .unwrap()
                .starts_with("1,000 calls a day")
        );
        assert_eq!(read(&mut form).len(), 1);
        assert!(form.error("limits.1.amount").is_some());
        assert!(form.error("limits.0.amount").is_none());
    }
}
