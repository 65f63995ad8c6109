use super::SafeHtml;

fn html(markdown: &str) -> String {
    SafeHtml::of(markdown).to_string()
}

#[test]
fn markdown_becomes_html_below_the_title_of_the_page() {
    assert_eq!(
        html("# A\n\nb *c* `d`"),
        "<h2>A</h2>\n<p>b <em>c</em> <code>d</code></p>\n"
    );
    assert_eq!(SafeHtml::below("# A", 4).to_string(), "<h5>A</h5>\n");
    assert!(html("| a |\n|--:|\n| ~~b~~ |").contains("<td><del>b</del></td>"));
    assert!(!html("| a |\n|--:|\n| b |").contains("style"));
    assert!(SafeHtml::of(" \n").is_empty());
}

#[test]
fn alerts_say_their_kind_in_words() {
    let alert = html("> [!WARNING]\n> Mind *this*.");
    assert_eq!(
        alert,
        "<div class=\"alert alert-warn\"><p class=\"alert-title\">Warning</p>\n<p>Mind <em>this</em>.</p>\n</div>\n"
    );
    // The same with the cleaner at work.
    assert!(
        html("> [!NOTE]\n> <b>x</b>")
            .contains("<div class=\"alert alert-accent\"><p class=\"alert-title\">Note</p>")
    );
    assert_eq!(html("> plain"), "<blockquote>\n<p>plain</p>\n</blockquote>\n");
}

#[test]
fn links_lead_out_or_nowhere() {
    assert_eq!(
        html("[a](https://x.test/?a=1&b=\"2)"),
        "<p><a href=\"https://x.test/?a=1&amp;b=&quot;2\" rel=\"noopener noreferrer nofollow\">a</a></p>\n"
    );
    assert_eq!(html("[a](/rest/overview)"), "<p>a</p>\n");
    assert_eq!(html("[a](javascript:alert)"), "<p>a</p>\n");
    assert!(html("<b>x</b> [m](mailto:a@x.test)").contains("href=\"mailto:a@x.test\" rel="));
}

#[test]
fn images_are_links_to_where_they_are() {
    let image = html("![a *cat*](https://x.test/cat.png)");
    assert_eq!(
        image,
        "<p><a href=\"https://x.test/cat.png\" rel=\"noopener noreferrer nofollow\">Image: a <em>cat</em></a></p>\n"
    );
    assert!(!html("![](cat.png)").contains("<img"));
    assert!(!html("<img src=https://x.test/a.png>").contains("<img"));
    // No link inside of a link.
    assert_eq!(
        html("[![i](https://x.test/i)](https://x.test/l)")
            .matches("<a ")
            .count(),
        1
    );
}

#[test]
fn harmless_tags_stay_without_their_attributes() {
    let text =
        html("<details open style=\"x\"><summary class=\"button\">More</summary>\n\nInside\n\n</details>");
    assert!(text.contains("<details><summary>More</summary>"), "{text}");
    assert!(html("a<br>b H<sub>2</sub>O").contains("a<br>b H<sub>2</sub>O"));
}

/// What a hostile publisher writes.
const CORPUS: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.test/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=\" &#14; javascript:alert(1)\">x</a>",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![\" onerror=\"alert(1)](https://x.test/\"onload=\"alert(1))",
    "<div hx-get=\"/me/keys\" hx-trigger=\"load\">x</div>",
    "<div data-hx-post=\"/sign-out\" data-hx-trigger=\"revealed\">x</div>",
    "<button hx-delete=\"/x\" hx-on:click=\"alert(1)\">x</button>",
    "<form action=/sign-out method=post><button>Sign out</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<iframe src=https://evil.test></iframe>",
    "<object data=x><embed src=x>",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=//evil.test>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<p style=\"position:fixed;inset:0\" class=\"toast\" id=\"main\">x</p>",
    "<div class=\"alert dialog\" data-copy=\"x\" data-dialog=\"d\" popover>x</div>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "```\"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "# <script>alert(1)</script> {#main .toast onclick=alert(1)}",
    "> [!NOTE]\n> <img src=x onerror=alert(1)>",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "</div></main></body><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?><x>",
    "\u{0}<scr\u{0}ipt>alert(1)</scr\u{0}ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href=\"https://x.test\" target=_blank ping=//evil.test download>x</a>",
];

#[test]
fn hostile_text_is_inert() {
    let joined = CORPUS.join("\n\n");
    for text in CORPUS.iter().copied().chain([joined.as_str()]) {
        let out = html(text);
        for tag in out.split('<').skip(1) {
            let inside = tag.split('>').next().unwrap().to_ascii_lowercase();
            let name: String = inside
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
                .collect();
            let known = super::ALLOWED.clone_tags();
            assert!(known.contains(name.trim_start_matches('/')), "{name:?} in {out}");
            for refused in [
                " on",
                "style=",
                " id=",
                "hx-",
                "data-",
                "target=",
                "src=",
                "javascript",
                "action=",
            ] {
                assert!(!inside.contains(refused), "{refused:?} in {inside:?} of {text:?}");
            }
            if inside.starts_with("a href=") {
                let address = inside.split('"').nth(1).unwrap();
                assert!(
                    address.starts_with("http") || address.starts_with("mailto:"),
                    "{inside}"
                );
                assert!(
                    inside.contains("rel=\"noopener noreferrer nofollow\""),
                    "{inside}"
                );
            }
            if inside.contains("class=") && !inside.contains("class=\"\"") {
                assert!(inside.contains("class=\"alert"), "{inside}");
            }
        }
    }
}
