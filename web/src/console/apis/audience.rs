//! Who finds an API, as a form says it: a choice, and the teams where it is teams.

use gatewright_control::Error;
use gatewright_model::api::Visibility;
use gatewright_model::id::TeamId;
use gatewright_model::reference::Ref;
use gatewright_model::text::Slug;
use gatewright_webkit::problem::Problem;

use crate::fields::Fields;
use crate::form::FormState;

const FIELD: &str = "visible_to";

/// The slugs that were typed, separated by commas or blanks.
fn typed(fields: &Fields) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
    let text = fields.get(FIELD);
    text.split(separates).filter(|slug| !slug.is_empty())
}

/// The teams that are named. The field counts only where the choice is teams:
/// it is hidden otherwise, and keeps what was typed.
pub(super) fn read(
    fields: &Fields,
    form: &mut FormState,
    visibility: Option<Visibility>,
) -> Vec<Ref<TeamId>> {
    if visibility != Some(Visibility::Teams) {
        return Vec::new();
    }
    let mut teams = Vec::new();
    for slug in typed(fields) {
        match Slug::parse(slug) {
            Ok(slug) => teams.push(Ref::Slug(slug)),
            Err(_) => form.fail_field(FIELD, unknown(slug)),
        }
    }
    if teams.is_empty() && form.error(FIELD).is_none() {
        form.fail_field(FIELD, "Name at least one team, or choose the owning team alone");
    }
    teams
}

/// Turns what a use case refused into faults of the form; a team that is not
/// there is named at the one field that holds them all.
pub(super) fn absorb(form: &mut FormState, fields: &Fields, error: Error) -> Result<(), Problem> {
    let Error::Invalid(errors) = &error else {
        return form.absorb(error);
    };
    let unknown_teams: Vec<&str> = errors
        .as_slice()
        .iter()
        .filter_map(|fault| fault.pointer.strip_prefix("/visible_to/"))
        .filter_map(|index| typed(fields).nth(index.parse().ok()?))
        .collect();
    if unknown_teams.is_empty() {
        return form.absorb(error);
    }
    form.fail_field(FIELD, unknown(&unknown_teams.join(", ")));
    Ok(())
}

fn unknown(slug: &str) -> String {
    format!("There is no team {slug}: give the short names that stand in the addresses of teams")
}
