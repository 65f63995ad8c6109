//! What came back, as it is shown: status, times, size, headers, body, the
//! documented answer, and what a refusal of the gateway means.

use gatewright_control::console::{Answer, Ended, Failure, SHOWN};
use gatewright_model::id::{ApplicationId, CallId};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::body::{self, BodyView};
use super::shape::{Documented, Shape};
use crate::next_step::{Around, StepLink};
use crate::{explained, filters};

const REFUSAL: HeaderName = HeaderName::from_static("gatewright-refusal");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header lines that are shown.
const MOST_HEADERS: usize = 60;

/// How a try ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// With an answer.
    Answered(Box<AnswerView>),
    /// Without one.
    Failed(FailureView),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct AnswerView {
    /// Its status.
    pub(crate) status: u16,
    /// The words for the status.
    pub(crate) reason: &'static str,
    /// How long it took, in words.
    pub(crate) took: String,
    /// Where the time went, when that is known.
    pub(crate) split: Option<String>,
    /// How large it is, in words.
    pub(crate) size: String,
    /// Why its body is not whole.
    pub(crate) incomplete: Option<&'static str>,
    /// Its fields.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: BodyView,
    /// The id of the call, and where it is explained.
    pub(crate) call: Option<(String, Option<String>)>,
    /// What the document says about this status.
    pub(crate) documented: Option<Documented>,
    /// Whether the document describes answers, but not this one.
    pub(crate) undocumented: bool,
    /// Where a redirect leads that was not followed.
    pub(crate) leads_to: Option<String>,
    /// What the gateway refused.
    pub(crate) refusal: Option<RefusalView>,
    /// The call as a line for a shell.
    pub(crate) curl: String,
}

/// A refusal of the gateway.
#[derive(Debug)]
pub(crate) struct RefusalView {
    /// Its code.
    pub(crate) code: String,
    /// What happened.
    pub(crate) what: String,
    /// What the gateway said.
    pub(crate) detail: Option<String>,
    /// The limit that is used up.
    pub(crate) limit: Option<String>,
    /// When there is something left of it again, in words.
    pub(crate) again: Option<String>,
    /// What to do.
    pub(crate) next: String,
    /// Where that is done.
    pub(crate) link: Option<StepLink>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct FailureView {
    /// What happened.
    pub(crate) what: String,
    /// What to do.
    pub(crate) next: &'static str,
    /// The call as a line for a shell.
    pub(crate) curl: String,
}

/// What an answer is seen from.
pub(super) struct Context<'a> {
    pub(super) base: &'a str,
    /// The slug of the API.
    pub(super) api: &'a str,
    pub(super) version: &'a str,
    /// Who called, when it was a subscription of the reader's own.
    pub(super) application: Option<ApplicationId>,
    pub(super) shape: &'a Shape,
    pub(super) curl: String,
}

/// How an outcome is shown.
pub(super) fn view(result: Result<Answer, Failure>, context: Context<'_>) -> Outcome {
    match result {
        Ok(answer) => Outcome::Answered(Box::new(answered(&answer, context))),
        Err(failure) => Outcome::Failed(FailureView {
            what: sentence(&failure.to_string()),
            next: advice(&failure),
            curl: context.curl,
        }),
    }
}

fn answered(answer: &Answer, context: Context<'_>) -> AnswerView {
    let headers = &answer.headers;
    let status = answer.status.as_u16();
    let documented = context.shape.documented(status).cloned();
    let refusal = refusal(answer, &context);
    AnswerView {
        status,
        reason: answer.status.canonical_reason().unwrap_or(""),
        took: filters::duration(answer.took.as_secs_f64() * 1000.0),
        split: split(answer),
        size: size(answer),
        incomplete: incomplete(answer.ended),
        headers: shown(headers),
        body: body::view(
            text(headers, &CONTENT_TYPE).unwrap_or(""),
            headers.contains_key(CONTENT_ENCODING),
            &answer.body,
        ),
        call: call(headers, &context),
        undocumented: documented.is_none() && refusal.is_none() && !context.shape.answers.is_empty(),
        documented: documented.filter(|_| refusal.is_none()),
        leads_to: text(headers, &LOCATION)
            .filter(|_| answer.status.is_redirection())
            .map(str::to_owned),
        refusal,
        curl: context.curl,
    }
}

fn split(answer: &Answer) -> Option<String> {
    let upstream = answer.upstream?.as_secs_f64() * 1000.0;
    let rest = (answer.took.as_secs_f64() * 1000.0 - upstream).max(0.0);
    Some(format!(
        "upstream {}, gateway and way {}",
        filters::duration(upstream),
        filters::duration(rest)
    ))
}

fn size(answer: &Answer) -> String {
    let announced = text(&answer.headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let read = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
    match (answer.ended, announced) {
        (Ended::Whole, _) => words(read),
        (_, Some(announced)) => words(announced),
        (_, None) => format!("more than {}", words(read)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a size is rounded to three digits anyway"
)]
fn words(bytes: u64) -> String {
    filters::with_unit(bytes as f64)
}

const fn incomplete(ended: Ended) -> Option<&'static str> {
    match ended {
        Ended::Whole => None,
        Ended::Cut => Some(cut()),
        Ended::TimedOut => {
            Some("The answer had not ended after 60 seconds. Run it with curl to see how it goes on.")
        }
        Ended::Broken => {
            Some("The connection broke before the answer ended: what is shown is not all of it.")
        }
    }
}

// The sentence below names the bound.
const _: () = assert!(SHOWN == 256 * 1024);

const fn cut() -> &'static str {
    "The first 256 KiB are shown. Run it with curl to get all of it."
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        // Whatever the upstream sets for its own callers is not the reader's to keep.
        let value = if *name == SET_COOKIE {
            "… (not shown)".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        (name.as_str().to_owned(), value)
    };
    headers.iter().take(MOST_HEADERS).map(line).collect()
}

fn call(headers: &HeaderMap, context: &Context<'_>) -> Option<(String, Option<String>)> {
    let id: CallId = text(headers, &REQUEST_ID)?.parse().ok()?;
    let base = context.base;
    let href = context
        .application
        .map(|application| format!("{base}/me/apps/{application}/logs/{id}"));
    Some((id.to_string(), href))
}

fn refusal(answer: &Answer, context: &Context<'_>) -> Option<RefusalView> {
    let code = text(&answer.headers, &REFUSAL)?.to_owned();
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let detail = problem.get("detail").and_then(Value::as_str);
    let known = explained::advice(&code);
    let around = Around {
        base: context.base,
        api: Some(context.api),
        version: Some(context.version),
        application: context.application.map(|application| application.to_string()),
        subscription: None,
    };
    let fallback = "Tell the provider the request id.";
    Some(RefusalView {
        what: known
            .map_or("The gateway refused the call.", |known| known.what)
            .to_owned(),
        next: known.map_or(fallback, |known| known.next).to_owned(),
        detail: detail.map(sentence),
        limit: problem.get("limit").and_then(Value::as_str).map(str::to_owned),
        again: again(&answer.headers),
        link: known.and_then(|known| known.step?.link(&around)),
        code,
    })
}

fn again(headers: &HeaderMap) -> Option<String> {
    let seconds: u64 = text(headers, &RETRY_AFTER)?.parse().ok()?;
    Some(match seconds {
        0..=1 => "in a second".to_owned(),
        2..=119 => format!("in {seconds} seconds"),
        120..=7_199 => format!("in {} minutes", seconds.div_ceil(60)),
        7_200..=172_799 => format!("in {} hours", seconds.div_ceil(3_600)),
        _ => format!("in {} days", seconds.div_ceil(86_400)),
    })
}

const fn advice(failure: &Failure) -> &'static str {
    match failure {
        Failure::TimedOut => {
            "The server behind the API may still be at work. Try again, or run the call with curl and wait longer."
        }
        Failure::Broken(_) => {
            "Try again. If it happens again, an administrator can look at the gateway's log."
        }
        Failure::Refused(_) => {
            "The gateway may be starting or stopped. Try again in a moment; an administrator sees its state in the console."
        }
        Failure::Address(_) | Failure::Unresolved(_) | Failure::Untrusted(_) => {
            "An administrator has to correct the gateway's address or its certificate. The call may work with curl from where you are."
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first: String = chars
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    [&first, chars.as_str(), "."].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn context(shape: &Shape) -> Context<'_> {
        Context {
            base: "/t/acme",
            api: "shop",
            version: "v1",
            application: "app_00000000000000000000000001".parse().ok(),
            shape,
            curl: "curl x".to_owned(),
        }
    }

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
            body: Bytes::from_static(body.as_bytes()),
            ended: Ended::Whole,
            took: Duration::from_millis(12),
            upstream: Some(Duration::from_millis(8)),
        }
    }

    #[test]
    fn a_refusal_names_the_limit_the_time_and_the_next_step() {
        let shape = Shape::default();
        let body = r#"{"code":"quota_exceeded","detail":"the quota is used up","limit":"monthly"}"#;
        let headers = [("gatewright-refusal", "quota_exceeded"), ("retry-after", "7200")];
        let view = answered(&answer(429, &headers, body), context(&shape));
        let refusal = view.refusal.unwrap();
        assert_eq!(refusal.limit.as_deref(), Some("monthly"));
        assert_eq!(refusal.again.as_deref(), Some("in 2 hours"));
        assert_eq!(refusal.detail.as_deref(), Some("The quota is used up."));
        assert_eq!(
            refusal.link.unwrap().href,
            "/t/acme/me/apps/app_00000000000000000000000001/subscriptions"
        );
    }

    #[test]
    fn a_call_that_waits_for_approval_leads_to_the_subscriptions() {
        let shape = Shape::default();
        let headers = [("gatewright-refusal", "subscription_pending")];
        let refused = |context| {
            let view = answered(&answer(403, &headers, "{}"), context);
            view.refusal.unwrap().link.unwrap()
        };
        let own = refused(context(&shape));
        assert_eq!(own.label, "To the subscriptions");
        assert!(own.href.ends_with("/subscriptions"), "{}", own.href);
        let typed = refused(Context {
            application: None,
            ..context(&shape)
        });
        assert_eq!(typed.href, "/t/acme/me/apps", "with a key that was typed");
    }

    #[test]
    fn an_answer_shows_its_call_its_times_and_what_was_documented() {
        let shape = Shape {
            answers: vec![Documented {
                status: "2XX".to_owned(),
                description: "A pet".to_owned(),
            }],
            ..Shape::default()
        };
        let id = "call_00000000000000000000000007";
        let headers = [
            ("x-request-id", id),
            ("set-cookie", "theirs=1"),
            ("content-type", "application/json"),
        ];
        let view = answered(&answer(201, &headers, "{}"), context(&shape));
        assert_eq!(
            view.split.as_deref(),
            Some("upstream 8.0 ms, gateway and way 4.0 ms")
        );
        assert_eq!(view.documented.unwrap().description, "A pet");
        let (shown_id, href) = view.call.unwrap();
        assert_eq!(shown_id, id);
        assert!(href.unwrap().ends_with("/logs/call_00000000000000000000000007"));
        assert!(view.headers.iter().all(|(_, value)| value != "theirs=1"));
        let other = answered(&answer(404, &[], ""), context(&shape));
        assert!(other.undocumented && other.documented.is_none());
    }

    #[test]
    fn a_redirect_is_told_and_not_followed() {
        let shape = Shape::default();
        let view = answered(&answer(302, &[("location", "http://evil/")], ""), context(&shape));
        assert_eq!(view.leads_to.as_deref(), Some("http://evil/"));
    }
}
