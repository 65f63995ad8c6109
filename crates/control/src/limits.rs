//! Reading a limit as a person or a program wrote it. Both surfaces use it.

use std::fmt::Display;

use gatewright_model::id::{EntityId, LimitId};
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::limit::{
    Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind, Window,
};
use gatewright_model::plan::Security;
use gatewright_model::text::Slug;
use uuid::Uuid;

/// A limit as it arrives: words and numbers, nothing checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLimit {
    /// Its name in headers; made of kind and window when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `rate` or `quota`.
    pub kind: String,
    /// `requests`, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How many in a window.
    pub amount: u64,
    /// `1m`, `1h`, `1d`, …
    pub window: String,
    /// How many at once, for a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// `calendar`, the default, or `rolling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<String>,
    /// An IANA zone; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `subscription`, the default, `application` or `ip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// `reject`, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exceed: Option<String>,
    /// `open`, `closed` or `local`, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_store_failure: Option<String>,
}

/// A limit that was read and has no identity yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLimit {
    limit: Limit,
    /// Whether the partition was written, or is the default.
    partition_given: bool,
}

impl NewLimit {
    /// Reads a limit and collects everything that is wrong with it.
    ///
    /// # Errors
    /// Pointers are relative to the limit: `/window`.
    pub fn parse(raw: &RawLimit) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = errors.take("/kind", read::<LimitKind>(&raw.kind));
        let window = errors.take("/window", read::<Window>(&raw.window));
        let unit = word(&mut errors, "/unit", raw.unit.as_deref(), LimitUnit::Requests);
        let reset = word(&mut errors, "/reset", raw.reset.as_deref(), ResetKind::Calendar);
        let partition = word(
            &mut errors,
            "/partition",
            raw.partition.as_deref(),
            Partition::Subscription,
        );
        let on_exceed = word(
            &mut errors,
            "/on_exceed",
            raw.on_exceed.as_deref(),
            OnExceed::Reject,
        );
        let failure = raw.on_store_failure.as_deref();
        let on_store_failure = word(&mut errors, "/on_store_failure", failure, OnStoreFailure::Local);
        let (Some(kind), Some(window)) = (kind, window) else {
            return Err(errors);
        };
        let fallback = format!("{kind}-{window}");
        let name = errors.take("/name", Slug::parse(raw.name.as_deref().unwrap_or(&fallback)));
        let limit = name.and_then(|name| {
            Some(Limit {
                id: LimitId::from_uuid(Uuid::nil()),
                name,
                kind,
                unit: unit?,
                amount: raw.amount,
                window,
                burst: raw.burst,
                reset: reset?,
                zone: raw.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
                partition: partition?,
                on_exceed: on_exceed?,
                on_store_failure: on_store_failure?,
            })
        });
        if let Some(Err((pointer, invalid))) = limit.as_ref().map(Limit::check) {
            errors.add(pointer, invalid);
        }
        let partition_given = raw.partition.is_some();
        errors.finish(limit.map(|limit| Self {
            limit,
            partition_given,
        }))
    }

    /// The name by which a later version of the plan recognises it.
    #[must_use]
    pub const fn name(&self) -> &Slug {
        &self.limit.name
    }

    /// The limit as people read it.
    #[must_use]
    pub fn in_words(&self) -> String {
        self.limit.in_words()
    }

    /// The limit with its identity.
    #[must_use]
    pub fn with_id(self, id: LimitId) -> Limit {
        Limit { id, ..self.limit }
    }

    /// Fits the limits to how callers prove who they are: without keys there is
    /// neither subscription nor application, so each address has its counter.
    ///
    /// # Errors
    /// Pointers are relative to the list: `/1/partition`.
    pub fn fit(mut limits: Vec<Self>, security: Security) -> Result<Vec<Self>, FieldErrors> {
        if security != Security::Keyless {
            return Ok(limits);
        }
        let mut errors = FieldErrors::default();
        for (index, new) in limits.iter_mut().enumerate() {
            if !new.partition_given {
                new.limit.partition = Partition::Ip;
            } else if new.limit.partition != Partition::Ip {
                let rule = "must be ip: a keyless plan knows neither subscription nor application";
                let pointer = format!("/{index}/partition");
                errors.add(&pointer, Invalid::new("keyless_partition", rule));
            }
        }
        errors.finish(Some(limits))
    }

    /// Checks a whole list: at most 16 limits, each name once.
    ///
    /// # Errors
    /// Pointers are relative to the list: `/1/name`.
    pub fn check_list(limits: &[Self]) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if limits.len() > 16 {
            errors.add("", Invalid::new("too_many_limits", "must hold at most 16 limits"));
        }
        for (index, limit) in limits.iter().enumerate() {
            if limits
                .iter()
                .take(index)
                .any(|earlier| earlier.name() == limit.name())
            {
                let rule = format!(
                    "must differ from the other limits of the plan; {} stands twice",
                    limit.name()
                );
                errors.add(&format!("/{index}/name"), Invalid::new("name_taken", rule));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn read<T: std::str::FromStr<Err = Invalid>>(text: &str) -> Result<T, Invalid> {
    text.parse()
}

fn word<T: std::str::FromStr<Err = Invalid> + Display>(
    errors: &mut FieldErrors,
    pointer: &str,
    text: Option<&str>,
    default: T,
) -> Option<T> {
    match text {
        None => Some(default),
        Some(text) => errors.take(pointer, text.parse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(kind: &str, window: &str) -> RawLimit {
        RawLimit {
            kind: kind.to_owned(),
            amount: 5,
            window: window.to_owned(),
            ..RawLimit::default()
        }
    }

    #[test]
    fn defaults_are_filled_in_and_the_name_is_made() {
        let limit = NewLimit::parse(&raw("quota", "1h")).unwrap();
        assert_eq!(limit.name().as_str(), "quota-1h");
        assert_eq!(limit.limit.on_store_failure, OnStoreFailure::Local);
        assert_eq!(limit.limit.reset, ResetKind::Calendar);
    }

    #[test]
    fn every_fault_is_told_at_its_place() {
        let broken = RawLimit {
            zone: Some("Mars/Base".into()),
            ..raw("rate", "1m")
        };
        assert_eq!(
            NewLimit::parse(&broken).unwrap_err().as_slice()[0].pointer,
            "/zone"
        );
        let broken = RawLimit {
            unit: Some("bananas".into()),
            partition: Some("x".into()),
            ..raw("sometimes", "soon")
        };
        let pointers: Vec<_> = NewLimit::parse(&broken)
            .unwrap_err()
            .as_slice()
            .iter()
            .map(|error| error.pointer.clone())
            .collect();
        assert_eq!(pointers, ["/kind", "/window", "/unit", "/partition"]);
    }

    #[test]
    fn a_keyless_plan_counts_addresses() {
        let limit = |partition: Option<&str>| {
            NewLimit::parse(&RawLimit {
                partition: partition.map(str::to_owned),
                ..raw("quota", "1h")
            })
            .unwrap()
        };
        let fit = |new, security| NewLimit::fit(vec![new], security).map(|fit| fit[0].limit.partition);
        assert_eq!(fit(limit(None), Security::Keyless), Ok(Partition::Ip));
        assert_eq!(fit(limit(Some("ip")), Security::Keyless), Ok(Partition::Ip));
        assert_eq!(fit(limit(None), Security::ApiKey), Ok(Partition::Subscription));
        let errors = fit(limit(Some("application")), Security::Keyless).unwrap_err();
        assert_eq!(errors.as_slice()[0].pointer, "/0/partition");
    }

    #[test]
    fn a_name_stands_once_in_a_plan() {
        let limit = NewLimit::parse(&raw("quota", "1h")).unwrap();
        let errors = NewLimit::check_list(&[limit.clone(), limit]).unwrap_err();
        assert_eq!(errors.as_slice()[0].pointer, "/1/name");
    }
}
