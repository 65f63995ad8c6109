//! The lines of pointers in YAML text, told by the parser itself: a second
//! reading that keeps nothing but where the wanted members begin.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::Wanted;
use crate::bounds::Bounds;
use crate::tree;

/// Looks for the wanted pointers. Items of lists have no line of their own; the
/// line of the member around them stands for them.
pub(super) fn find(raw: &[u8], wanted: &mut Wanted) {
    let Ok(text) = std::str::from_utf8(raw) else {
        return;
    };
    let options = tree::yaml_options(&Bounds::default());
    // The text was read before under the same bounds; a fault can only cost lines.
    drop(serde_saphyr::with_deserializer_from_str_with_options(
        text,
        options,
        |reader| Seek { wanted }.deserialize(reader),
    ));
}

struct Seek<'w> {
    wanted: &'w mut Wanted,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.wanted.below.is_empty() {
            deserializer.deserialize_any(IgnoredAny).map(|_| ())
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            match self.wanted.below.get_mut(&key.value) {
                Some(below) => {
                    if let Some(line) = u32::try_from(key.referenced.line()).ok().filter(|line| *line > 0) {
                        below.found_at(line);
                    }
                    access.next_value_seed(Seek { wanted: below })?;
                }
                None => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut unwanted = Wanted::default();
        for index in 0_usize.. {
            let below = self
                .wanted
                .below
                .get_mut(&index.to_string())
                .unwrap_or(&mut unwanted);
            if access.next_element_seed(Seek { wanted: below })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        Ok(())
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }
}
