//! The list of all operations of a document, by tag.

use super::head::{Head, TagGroup};

/// An operation in a list, as the caller knows it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'o> {
    /// Its name in URLs.
    pub slug: &'o str,
    /// In capitals.
    pub method: &'o str,
    /// `/pets/{id}`.
    pub template: &'o str,
    /// One line.
    pub summary: &'o str,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// The tags it is listed under.
    pub tags: &'o [String],
    /// Where it stands.
    pub pointer: &'o str,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Its name in URLs.
    pub slug: String,
    /// In capitals.
    pub method: String,
    /// `/pets/{id}`.
    pub template: String,
    /// One line.
    pub summary: String,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// It asks for a proof of its own.
    pub protected: bool,
}

/// Operations of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSection {
    /// Its name; empty for operations without a tag.
    pub name: String,
    /// CommonMark.
    pub description: String,
    /// How many operations there are.
    pub total: usize,
    /// Those that are shown.
    pub rows: Vec<OperationRow>,
}

impl TagSection {
    /// How many of them are not shown.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.total.saturating_sub(self.rows.len())
    }
}

/// What is wanted of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that summary, path, method or tag hold.
    pub q: String,
    /// One tag alone.
    pub tag: Option<String>,
    /// All rows of that tag.
    pub all: bool,
}

/// The list of all operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceIndex {
    /// How many operations the document has.
    pub total: usize,
    /// How many of them match.
    pub matching: usize,
    /// The tags in the order of the document, grouped where it does so.
    pub sections: Vec<TagSection>,
    /// Groups of tags.
    pub groups: Vec<TagGroup>,
}

/// Rows of one tag that are shown at once (`portal-ux.md` 1.4).
const ROWS_OF_A_TAG: usize = 200;
/// Operations up to which all tags are shown open.
const ALL_OPEN: usize = 300;
/// Rows of a search.
const ROWS_OF_A_SEARCH: usize = 200;

impl ReferenceIndex {
    /// Makes the list. In a large document only the chosen tag, or the first
    /// one, is open.
    #[must_use]
    pub fn build(head: &Head, lines: &[Line<'_>], filter: &Filter) -> Self {
        let words: Vec<String> = filter.q.split_whitespace().map(str::to_lowercase).collect();
        let matching: Vec<&Line<'_>> = lines.iter().filter(|line| matches(line, &words)).collect();
        let mut sections = empty_sections(head, &matching);
        let open = Open::of(filter, lines.len(), !words.is_empty());
        let mut room = ROWS_OF_A_SEARCH;
        for (at, section) in sections.iter_mut().enumerate() {
            let own = matching.iter().filter(|line| belongs(line, &section.name));
            let limit = open
                .rows(at, &section.name)
                .min(if words.is_empty() { usize::MAX } else { room });
            for line in own {
                section.total += 1;
                if section.rows.len() < limit {
                    section.rows.push(row(line, head));
                }
            }
            room = room.saturating_sub(section.rows.len());
        }
        sections.retain(|section| section.total > 0);
        if let Some(tag) = &filter.tag {
            // The others stay as a way to them.
            sections.sort_by_key(|section| section.name != *tag);
        }
        Self {
            total: lines.len(),
            matching: matching.len(),
            sections,
            groups: head.groups.clone(),
        }
    }
}

/// Which sections show their rows.
enum Open<'f> {
    All,
    First,
    Only { tag: &'f str, all: bool },
}

impl<'f> Open<'f> {
    fn of(filter: &'f Filter, total: usize, searched: bool) -> Self {
        match &filter.tag {
            Some(tag) => Self::Only { tag, all: filter.all },
            None if searched || total <= ALL_OPEN => Self::All,
            None => Self::First,
        }
    }

    fn rows(&self, at: usize, name: &str) -> usize {
        match self {
            Self::All => ROWS_OF_A_TAG,
            Self::First => {
                if at == 0 {
                    ROWS_OF_A_TAG
                } else {
                    0
                }
            }
            Self::Only { tag, all } if *tag == name => {
                if *all {
                    usize::MAX
                } else {
                    ROWS_OF_A_TAG
                }
            }
            Self::Only { .. } => 0,
        }
    }
}

/// The tags in the order of their groups, then the others, then what has none.
fn empty_sections(head: &Head, lines: &[&Line<'_>]) -> Vec<TagSection> {
    let grouped = head.groups.iter().flat_map(|group| &group.tags);
    let mut sections: Vec<TagSection> = Vec::new();
    for name in grouped.chain(head.tags.iter().map(|tag| &tag.name)) {
        if sections.iter().any(|known| known.name == *name) {
            continue;
        }
        let described = head.tags.iter().find(|tag| tag.name == *name);
        sections.push(TagSection {
            name: name.clone(),
            description: described
                .and_then(|tag| tag.description.clone())
                .unwrap_or_default(),
            total: 0,
            rows: Vec::new(),
        });
    }
    if lines.iter().any(|line| line.tags.is_empty()) {
        sections.push(TagSection {
            name: String::new(),
            description: String::new(),
            total: 0,
            rows: Vec::new(),
        });
    }
    sections
}

fn belongs(line: &Line<'_>, tag: &str) -> bool {
    if tag.is_empty() {
        line.tags.is_empty()
    } else {
        line.tags.iter().any(|known| known == tag)
    }
}

fn matches(line: &Line<'_>, words: &[String]) -> bool {
    words.iter().all(|word| {
        let holds = |text: &str| text.to_lowercase().contains(word.as_str());
        holds(line.summary)
            || holds(line.template)
            || holds(line.method)
            || holds(line.slug)
            || line.tags.iter().any(|tag| holds(tag))
    })
}

fn row(line: &Line<'_>, head: &Head) -> OperationRow {
    OperationRow {
        slug: line.slug.to_owned(),
        method: line.method.to_owned(),
        template: line.template.to_owned(),
        summary: line.summary.to_owned(),
        deprecated: line.deprecated,
        protected: head.protected.holds(line.pointer),
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Line, ReferenceIndex};
    use crate::docs::head::{Head, Protected, TagGroup};
    use crate::index::Tag;

    fn head(tags: &[&str]) -> Head {
        Head {
            tags: tags
                .iter()
                .map(|name| Tag {
                    name: (*name).to_owned(),
                    description: None,
                    operations: 0,
                })
                .collect(),
            ..Head::default()
        }
    }

    fn built(head: &Head, count: usize, filter: &Filter) -> ReferenceIndex {
        let tags = [vec!["a".to_owned()], vec!["b".to_owned()], Vec::new()];
        let names: Vec<String> = (0..count).map(|n| format!("op-{n}")).collect();
        let lines: Vec<Line<'_>> = names
            .iter()
            .enumerate()
            .map(|(n, name)| Line {
                slug: name,
                method: if n % 2 == 0 { "GET" } else { "POST" },
                template: "/x/{id}",
                summary: "Does it",
                deprecated: false,
                tags: &tags[n % 3],
                pointer: name,
            })
            .collect();
        ReferenceIndex::build(head, &lines, filter)
    }

    fn shape(index: &ReferenceIndex) -> Vec<(&str, usize, usize)> {
        let section = |section: &'_ super::TagSection| (section.total, section.rows.len());
        index
            .sections
            .iter()
            .map(|s| (s.name.as_str(), section(s).0, section(s).1))
            .collect()
    }

    #[test]
    fn small_documents_are_open_and_large_ones_open_one_tag() {
        let head = head(&["b", "a", "unused"]);
        let small = built(&head, 9, &Filter::default());
        assert_eq!(shape(&small), [("b", 3, 3), ("a", 3, 3), ("", 3, 3)]);
        let large = built(&head, 900, &Filter::default());
        assert_eq!(shape(&large), [("b", 300, 200), ("a", 300, 0), ("", 300, 0)]);
        assert_eq!(large.sections[0].left_out(), 100);
        let tag = Filter {
            tag: Some("a".to_owned()),
            all: true,
            ..Filter::default()
        };
        assert_eq!(
            shape(&built(&head, 900, &tag)),
            [("a", 300, 300), ("b", 300, 0), ("", 300, 0)]
        );
    }

    #[test]
    fn words_are_looked_for_everywhere_and_groups_give_the_order() {
        let mut head = head(&["b", "a"]);
        head.groups = vec![TagGroup {
            name: "G".to_owned(),
            tags: vec!["a".to_owned()],
        }];
        head.protected = Protected::Only(vec!["op-3".to_owned()]);
        let filter = Filter {
            q: "post OP-3 does".to_owned(),
            ..Filter::default()
        };
        let found = built(&head, 9, &filter);
        assert_eq!((found.matching, shape(&found)), (1, vec![("a", 1, 1)]));
        assert!(found.sections[0].rows[0].protected);
    }
}
