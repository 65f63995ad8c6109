//! Markdown of publishers as HTML that does nothing: CommonMark with tables,
//! strikethrough and GitHub's alerts, through an allow-list.
//!
//! No attribute of the text survives but the address of a link, which leads
//! out with `rel="noopener noreferrer nofollow"`. Images are links to where
//! they are, so that reading a page tells nobody.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use ammonia::Builder;
use askama::filters::HtmlSafe;
use pulldown_cmark::{
    Alignment, BlockQuoteKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html,
};

/// HTML that was made from Markdown and holds nothing but the allow-list.
/// Templates wrap it in an element with `hx-ignore`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SafeHtml(String);

impl SafeHtml {
    /// Renders a text whose first heading becomes an `h2`, for below the title of a page.
    pub(crate) fn of(markdown: &str) -> Self {
        Self::below(markdown, 1)
    }

    /// Renders a text that stands below a heading of this level.
    pub(crate) fn below(markdown: &str, level: u8) -> Self {
        let mut text = String::with_capacity(markdown.len() + markdown.len() / 4);
        html::push_html(&mut text, Events::new(markdown, level));
        // What is made from Markdown alone is made of the allow-list. The
        // cleaner reads a text as a browser does, which costs more than all the rest.
        if has_markup(markdown) {
            text = ALLOWED.clean(&text).to_string();
        }
        Self(text)
    }

    /// The beginning of a text as it was typed, for where its marks would cost too much.
    pub(crate) fn plain(markdown: &str) -> Self {
        let mut text = String::from("<p>");
        for c in markdown.trim().chars().take(LONGEST_PLAIN) {
            match c {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                other => text.push(other),
            }
        }
        text.push_str("</p>");
        Self(text)
    }

    /// How many elements it has.
    pub(crate) fn elements(&self) -> usize {
        self.0.matches('<').count() - self.0.matches("</").count()
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for SafeHtml {}

/// Whether a text may hold tags of its own.
fn has_markup(markdown: &str) -> bool {
    markdown.contains('<')
}

/// Characters of a text that is shown as it was typed.
const LONGEST_PLAIN: usize = 2_000;

const LINK_REL: &str = "noopener noreferrer nofollow";

static ALLOWED: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags: HashSet<&str> = [
        "a",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
    .into();
    let attributes = HashMap::from([
        ("a", HashSet::from(["href"])),
        ("ol", HashSet::from(["start"])),
        ("td", HashSet::from(["align"])),
        ("th", HashSet::from(["align"])),
    ]);
    // Exactly the classes that alerts are made of here.
    let classes = HashMap::from([
        (
            "div",
            HashSet::from([
                "alert",
                "alert-accent",
                "alert-ok",
                "alert-ai",
                "alert-warn",
                "alert-danger",
            ]),
        ),
        ("p", HashSet::from(["alert-title"])),
    ]);
    let mut builder = Builder::empty();
    builder
        .tags(tags)
        .clean_content_tags(HashSet::from([
            "script", "style", "template", "noscript", "iframe", "svg", "math",
        ]))
        .tag_attributes(attributes)
        .allowed_classes(classes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some(LINK_REL))
        .strip_comments(true);
    builder
});

/// The events of a text, with what must not pass already taken out.
struct Events<'m> {
    parser: Parser<'m>,
    shift: u8,
    /// Whether the link that is open at each depth is shown.
    links: Vec<bool>,
    /// Whether the description of an image is read.
    image: bool,
    quotes: Vec<bool>,
}

impl<'m> Events<'m> {
    fn new(markdown: &'m str, shift: u8) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
        Self {
            parser: Parser::new_ext(markdown, options),
            shift,
            links: Vec::new(),
            image: false,
            quotes: Vec::new(),
        }
    }

    fn start(&mut self, tag: Tag<'m>) -> Event<'m> {
        match tag {
            Tag::Heading { level, .. } => Event::Start(Tag::Heading {
                level: shifted(level, self.shift),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            Tag::Link { dest_url, .. } => {
                let shown = is_outward(&dest_url) && !self.image;
                self.links.push(shown);
                if shown {
                    Event::InlineHtml(opening(&dest_url).into())
                } else {
                    nothing()
                }
            }
            Tag::Image { dest_url, .. } => {
                let inside = self.links.contains(&true);
                let shown = is_outward(&dest_url) && !inside && !self.image;
                self.image = true;
                self.links.push(shown);
                let start = if shown { opening(&dest_url) } else { String::new() };
                Event::InlineHtml((start + "Image: ").into())
            }
            Tag::BlockQuote(Some(kind)) => {
                self.quotes.push(true);
                Event::Html(alert(kind).into())
            }
            Tag::BlockQuote(None) => {
                self.quotes.push(false);
                Event::Start(Tag::BlockQuote(None))
            }
            // Its alignment would become a style.
            Tag::Table(columns) => Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
            // The language would become a class.
            Tag::CodeBlock(_) => Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Indented)),
            other => Event::Start(other),
        }
    }

    fn end(&mut self, tag: TagEnd) -> Event<'m> {
        match tag {
            TagEnd::Heading(level) => Event::End(TagEnd::Heading(shifted(level, self.shift))),
            TagEnd::Link => self.closing(),
            TagEnd::Image => {
                self.image = false;
                self.closing()
            }
            TagEnd::BlockQuote(_) => match self.quotes.pop() {
                Some(true) => Event::Html("</div>\n".into()),
                _ => Event::End(TagEnd::BlockQuote(None)),
            },
            other => Event::End(other),
        }
    }

    fn closing(&mut self) -> Event<'m> {
        match self.links.pop() {
            Some(true) => Event::InlineHtml("</a>".into()),
            _ => nothing(),
        }
    }
}

impl<'m> Iterator for Events<'m> {
    type Item = Event<'m>;

    fn next(&mut self) -> Option<Event<'m>> {
        Some(match self.parser.next()? {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            other => other,
        })
    }
}

/// Nothing, as an event.
fn nothing<'m>() -> Event<'m> {
    Event::Text(CowStr::Borrowed(""))
}

fn opening(address: &str) -> String {
    format!("<a href=\"{}\" rel=\"{LINK_REL}\">", escaped(address))
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

/// Whether an address leads out by a harmless scheme. Addresses of the
/// publisher's own pages lead nowhere here.
pub(crate) fn is_outward(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mailto"))
}

fn shifted(level: HeadingLevel, shift: u8) -> HeadingLevel {
    match level as usize + usize::from(shift) {
        0..=2 => HeadingLevel::H2,
        3 => HeadingLevel::H3,
        4 => HeadingLevel::H4,
        5 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "<div class=\"alert alert-accent\"><p class=\"alert-title\">Note</p>\n",
        BlockQuoteKind::Tip => "<div class=\"alert alert-ok\"><p class=\"alert-title\">Tip</p>\n",
        BlockQuoteKind::Important => "<div class=\"alert alert-ai\"><p class=\"alert-title\">Important</p>\n",
        BlockQuoteKind::Warning => "<div class=\"alert alert-warn\"><p class=\"alert-title\">Warning</p>\n",
        BlockQuoteKind::Caution => "<div class=\"alert alert-danger\"><p class=\"alert-title\">Caution</p>\n",
    }
}

#[cfg(test)]
mod tests;
