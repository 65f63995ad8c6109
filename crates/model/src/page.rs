//! Pages of lists: a keyset cursor and a bounded size.

use uuid::Uuid;

use crate::invalid::Invalid;

/// How many items a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u16);

impl PageSize {
    /// What a list gives when nobody asks.
    pub const DEFAULT: Self = Self(50);
    /// The most it gives.
    pub const MAX: u16 = 200;

    /// Reads a size.
    ///
    /// # Errors
    /// When it is not between 1 and 200.
    pub fn new(size: u16) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&size) {
            Ok(Self(size))
        } else {
            Err(Invalid::new("invalid_limit", "must be between 1 and 200"))
        }
    }

    /// The number of items.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Where the next page begins: after the item with this id. Ids are ordered by
/// time, so that one column serves every list. On the wire it is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl std::str::FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Uuid::try_parse(text).map(Self).map_err(|_| {
            Invalid::new(
                "invalid_cursor",
                "must be the next_cursor of the page before, unchanged",
            )
        })
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items.
    pub size: PageSize,
    /// After which item; `None` for the first page.
    pub after: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            size: PageSize::DEFAULT,
            after: None,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts a page from rows of which one more than the page's size was read.
    pub fn cut(mut rows: Vec<T>, size: PageSize, id: impl Fn(&T) -> Uuid) -> Self {
        let full = rows.len() > usize::from(size.get());
        rows.truncate(usize::from(size.get()));
        let next = if full {
            rows.last().map(|last| Cursor(id(last)))
        } else {
            None
        };
        Self { items: rows, next }
    }

    /// Cuts a page from a list that is known whole, in its order.
    pub fn of_whole(items: Vec<T>, request: PageRequest, id: impl Fn(&T) -> Uuid) -> Self {
        let rest = match request.after {
            None => items,
            Some(Cursor(after)) => items
                .into_iter()
                .skip_while(|item| id(item) != after)
                .skip(1)
                .collect(),
        };
        Self::cut(rest, request.size, id)
    }

    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next: self.next,
        }
    }
}
