//! Icons: references into the sprite of `static/icons.svg`.

use std::fmt;
use std::sync::LazyLock;

use askama::filters::HtmlSafe;

use crate::assets;

static SPRITE: LazyLock<String> = LazyLock::new(|| assets::address_of("icons.svg"));

/// An icon beside text: it is never the only carrier of a meaning, so it is
/// hidden from assistive technology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Icon<'a>(&'a str);

/// The icon of a name in the sprite.
pub(crate) fn icon(name: &str) -> Icon<'_> {
    Icon(name)
}

impl fmt::Display for Icon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names are ours; one that is not made of these characters draws nothing.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = if self.0.chars().all(plain) { self.0 } else { "" };
        let sprite = SPRITE.as_str();
        write!(
            f,
            "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{sprite}#{name}\"/></svg>"
        )
    }
}

impl HtmlSafe for Icon<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icon_refers_to_the_sprite_and_carries_no_markup() {
        let text = icon("key-round").to_string();
        assert!(
            text.contains("/static/icons.") && text.contains(".svg#key-round\""),
            "{text}"
        );
        assert!(icon("\"><script>").to_string().contains("#\"/>"));
    }
}
