//! How the words of the product look: tone and icon of a state, the class of a
//! method or a status, the stages of a lifecycle. Components ask here.

use std::fmt;

use askama::filters::HtmlSafe;
use gatewright_model::api::VersionState;
use gatewright_model::state::Word as _;

/// A state as it is shown: never by colour alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Badge {
    /// The class of its colour.
    pub(crate) tone: &'static str,
    /// Its icon in the sprite.
    pub(crate) icon: &'static str,
    /// The word as people read it.
    pub(crate) word: String,
}

/// The badge of a state word; words that nobody knows are neutral.
pub(crate) fn of(word: impl fmt::Display) -> Badge {
    let word = word.to_string().replace('_', " ");
    let (tone, icon) = look(&word);
    Badge { tone, icon, word }
}

fn look(word: &str) -> (&'static str, &'static str) {
    match word {
        "draft" => ("muted", "pencil"),
        "in review" | "preview" => ("accent", "eye"),
        "published" | "active" | "approved" | "ok" | "allowed" | "in sync" | "done" | "verified"
        | "success" | "serving" => ("ok", "circle-check"),
        "open" | "pending" | "waiting" | "requested" => ("accent", "inbox"),
        "scheduled" | "invited" => ("accent", "calendar"),
        "rotating" | "running" | "catching up" => ("accent", "refresh"),
        "info" => ("accent", "info"),
        "additive" => ("ok", "plus"),
        "docs" => ("muted", "file-text"),
        "risky" => ("warn", "circle-help"),
        "deprecated" | "closing" | "expiring" => ("warn", "hourglass"),
        "suspended" | "disabled" | "paused" => ("warn", "circle-pause"),
        "warning" | "behind" | "late" => ("warn", "triangle-alert"),
        "retired" | "rejected" | "error" | "failed" | "refused" => ("danger", "circle-x"),
        "blocked" | "revoked" => ("danger", "ban"),
        "offline" | "unreachable" | "lost" | "breaking" => ("danger", "circle-alert"),
        "archived" => ("muted", "archive"),
        "closed" => ("muted", "circle-minus"),
        "withdrawn" | "cancelled" => ("muted", "undo"),
        "expired" => ("muted", "clock"),
        _ => ("muted", "circle-dot"),
    }
}

/// A stage of [`lifecycle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The word as people read it.
    pub(crate) word: String,
    /// Its icon in the sprite.
    pub(crate) icon: &'static str,
    /// `done`, `current` or `ahead`.
    pub(crate) progress: &'static str,
    /// The colour of the current one; empty for the others.
    pub(crate) tone: &'static str,
    /// Whether it is where the version stands.
    pub(crate) current: bool,
}

/// The way of a version through its life, with where it stands. States beside
/// the way (preview, blocked, archived) take the place they branch off from.
/// A word that is no state of a version has no way.
pub(crate) fn lifecycle(state: impl fmt::Display) -> Vec<Stage> {
    use VersionState as S;
    let Ok(state) = state.to_string().parse::<S>() else {
        return Vec::new();
    };
    let mut way = [S::Draft, S::InReview, S::Published, S::Deprecated, S::Retired];
    let at = match state {
        S::Draft => 0,
        S::InReview | S::Preview => 1,
        S::Published | S::Blocked => 2,
        S::Deprecated => 3,
        S::Retired | S::Archived => 4,
    };
    if let Some(place) = way.get_mut(at) {
        *place = state;
    }
    way.iter()
        .enumerate()
        .map(|(index, stage)| {
            let Badge { tone, icon, word } = of(stage.as_str());
            let (progress, icon, tone) = match index.cmp(&at) {
                std::cmp::Ordering::Less => ("done", "check", ""),
                std::cmp::Ordering::Equal => ("current", icon, tone),
                std::cmp::Ordering::Greater => ("ahead", "circle", ""),
            };
            Stage {
                word,
                icon,
                progress,
                tone,
                current: index == at,
            }
        })
        .collect()
}

/// The class of an HTTP method.
pub(crate) fn method_class(method: impl fmt::Display) -> &'static str {
    match method.to_string().to_ascii_uppercase().as_str() {
        "GET" | "HEAD" | "QUERY" => "tone-accent",
        "POST" => "tone-ok",
        "PUT" | "PATCH" => "tone-warn",
        "DELETE" => "tone-danger",
        "EVENT" | "HOOK" => "tone-ai",
        _ => "tone-muted",
    }
}

/// The class of an HTTP status; ranges such as `4XX` count too.
pub(crate) fn status_class(code: impl fmt::Display) -> &'static str {
    match code.to_string().chars().next() {
        Some('1' | '3') => "tone-accent",
        Some('2') => "tone-ok",
        Some('4') => "tone-warn",
        Some('5') => "tone-danger",
        _ => "tone-muted",
    }
}

/// The icon of an alert.
pub(crate) fn tone_icon(tone: impl fmt::Display) -> &'static str {
    match tone.to_string().as_str() {
        "ok" => "circle-check",
        "warn" => "triangle-alert",
        "danger" => "circle-alert",
        "ai" => "sparkles",
        _ => "info",
    }
}

/// Whether an alert is read out at once.
pub(crate) fn is_urgent(tone: impl fmt::Display) -> bool {
    tone.to_string() == "danger"
}

/// The icon of a column's order, by its `aria-sort`.
pub(crate) fn sort_icon(direction: impl fmt::Display) -> &'static str {
    match direction.to_string().as_str() {
        "ascending" => "arrow-up",
        "descending" => "arrow-down",
        _ => "chevrons-up-down",
    }
}

/// Whether a step of a stepper is behind.
pub(crate) fn is_done(progress: impl fmt::Display) -> bool {
    progress.to_string() == "done"
}

/// Whether a step of a stepper is the one at hand.
pub(crate) fn is_current(progress: impl fmt::Display) -> bool {
    progress.to_string() == "current"
}

/// Whether two words are the same.
pub(crate) fn is_same(one: impl fmt::Display, other: impl fmt::Display) -> bool {
    one.to_string() == other.to_string()
}

/// Whether the choice of colours is the one that holds; an empty word is the
/// system's.
pub(crate) fn is_theme(chosen: &str, offered: &str) -> bool {
    chosen == offered || chosen.is_empty() && offered == "system"
}

/// Whether a field shows again what was typed: secrets never do.
pub(crate) fn is_filled_in(kind: impl fmt::Display) -> bool {
    kind.to_string() != "password"
}

/// How full a quota is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// In per cent, at most 100.
    pub(crate) share: u64,
    /// From 80 per cent on a warning.
    pub(crate) tone: &'static str,
}

/// How full a quota is.
pub(crate) fn level(used: impl std::borrow::Borrow<u64>, limit: impl std::borrow::Borrow<u64>) -> Level {
    let (used, limit) = (u128::from(*used.borrow()), u128::from(*limit.borrow()));
    let share = (used * 100).checked_div(limit).unwrap_or(100).min(100);
    let share = u64::try_from(share).unwrap_or(100);
    let tone = match share {
        100 => "danger",
        80.. => "warn",
        _ => "accent",
    };
    Level { share, tone }
}

/// A disc with the initials of a name.
pub(crate) fn avatar(name: impl fmt::Display) -> Avatar {
    let name = name.to_string();
    let words: Vec<&str> = name.split_whitespace().collect();
    let ends = [words.first(), words.last().filter(|_| words.len() > 1)];
    let initials = ends
        .into_iter()
        .flatten()
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()))
        .flat_map(char::to_uppercase)
        .collect();
    let hue = name
        .bytes()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
        % 6;
    Avatar { initials, hue }
}

/// See [`avatar`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Avatar {
    initials: String,
    hue: u8,
}

impl fmt::Display for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { initials, hue } = self;
        write!(
            f,
            "<span class=\"avatar hue-{hue}\" aria-hidden=\"true\">{initials}</span>"
        )
    }
}

impl HtmlSafe for Avatar {}

/// A path that may break after each slash, so that long ones fit narrow columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breakable(String);

/// See [`Breakable`].
pub(crate) fn breakable(path: impl fmt::Display) -> Breakable {
    Breakable(path.to_string())
}

impl fmt::Display for Breakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut after_slash = true;
        for (index, part) in self.0.split('/').enumerate() {
            if index > 0 {
                // The beginning of an address stays together: `http://host`.
                let whole = part.is_empty() || after_slash && index > 1;
                f.write_str(if whole { "/" } else { "/<wbr>" })?;
            }
            after_slash = part.is_empty();
            let open = part.find('{').filter(|_| part.ends_with('}'));
            match open.and_then(|at| part.split_at_checked(at)) {
                Some((before, name)) => write!(f, "{}<var>{}</var>", Escaped(before), Escaped(name))?,
                None => write!(f, "{}", Escaped(part))?,
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Breakable {}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::approval::ApprovalState;
    use gatewright_model::consumer::{ApplicationState, CredentialState, SubscriptionState};
    use gatewright_model::plan::PlanState;

    use super::*;

    #[test]
    fn every_state_of_the_product_has_a_look_of_its_own() {
        let words = VersionState::ALL
            .iter()
            .map(|word| word.as_str())
            .chain(PlanState::ALL.iter().map(|word| word.as_str()))
            .chain(SubscriptionState::ALL.iter().map(|word| word.as_str()))
            .chain(CredentialState::ALL.iter().map(|word| word.as_str()))
            .chain(ApplicationState::ALL.iter().map(|word| word.as_str()))
            .chain(ApprovalState::ALL.iter().map(|word| word.as_str()));
        for word in words {
            assert_ne!(of(word).icon, "circle-dot", "{word} has no icon");
        }
        assert_eq!(of("in_review").word, "in review");
    }

    #[test]
    fn a_lifecycle_marks_one_stage() {
        for state in VersionState::ALL {
            let stages = lifecycle(state);
            let current: Vec<_> = stages.iter().filter(|stage| stage.current).collect();
            assert_eq!(current.len(), 1);
            assert_eq!(current[0].word, state.as_str().replace('_', " "));
        }
    }

    #[test]
    fn paths_and_names_are_escaped() {
        assert_eq!(
            breakable("http://gw.test/a/v1").to_string(),
            "http://gw.test/<wbr>a/<wbr>v1"
        );
        assert_eq!(
            breakable("/a/{id}/<b>").to_string(),
            "/<wbr>a/<wbr><var>{id}</var>/<wbr>&lt;b&gt;"
        );
        assert!(avatar("ada lovelace").to_string().contains(">AL<"));
        assert!(!avatar("<b> >").to_string().contains("<b>"));
    }

    #[test]
    fn a_quota_warns_before_it_is_used_up() {
        assert_eq!(level(79, 100).tone, "accent");
        assert_eq!(level(80, 100).tone, "warn");
        assert_eq!(
            level(5, 0),
            Level {
                share: 100,
                tone: "danger"
            }
        );
    }
}
