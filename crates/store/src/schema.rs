//! Every table with its columns, for what works on all tables alike: archives
//! and the comparison of both schemas. A test holds it against the databases.

use crate::migrations::Target;

/// What a column holds, in either database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Uuid,
    Int,
    Bool,
    Text,
    Bytes,
    Json,
}

/// Whether a table is part of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Archived {
    Always,
    /// Only when call records are asked for.
    Calls,
    /// What belongs to running processes, messages that must not be sent twice, and what is made of other tables.
    Never,
}

/// A table. `key` orders its rows.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    pub(crate) archived: Archived,
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [(&'static str, Kind)],
}

macro_rules! tables {
    ($($target:ident $archived:ident $name:ident [$($key:ident)+] { $($kind:ident: $($column:ident)+;)+ })*) => {
        &[$(Table {
            name: stringify!($name),
            target: Target::$target,
            archived: Archived::$archived,
            key: &[$(stringify!($key)),+],
            columns: &[$($((stringify!($column), Kind::$kind),)+)+],
        },)*]
    };
}

/// All tables; those that others point to come first.
pub(crate) const TABLES: &[Table] = tables! {
    Control Always meta [key] { Text: key value; }
    Control Always change_head [id] { Int: id seq; }
    Control Always tenant [id] { Uuid: id; Text: slug name state; Json: settings; Int: created_at row_version; }
    Control Always team [id] { Uuid: id tenant_id; Text: slug name kind contact state; Int: created_at row_version; }
    Control Always app_user [id] {
        Uuid: id tenant_id; Text: email name state password_hash; Bool: platform_admin;
        Int: auth_epoch created_at row_version;
    }
    Control Always membership [id] { Uuid: id tenant_id user_id team_id; Text: role; Int: created_at; }
    Control Always management_token [id] {
        Uuid: id tenant_id user_id; Text: name hint_prefix hint_last4; Json: scopes; Bytes: hash;
        Int: expires_at revoked_at last_used_at created_at;
    }
    Control Never session [id] {
        Uuid: id tenant_id user_id; Bytes: hash; Text: client address;
        Int: auth_epoch created_at last_seen_at expires_at console_until;
    }
    Control Always sign_up [id] {
        Uuid: id tenant_id decided_by user_id; Text: email name state password_hash; Bool: email_verified;
        Int: decided_at created_at;
    }
    Control Never account_link [hash] {
        Bytes: hash; Uuid: tenant_id user_id; Text: purpose email name; Int: created_at expires_at;
    }
    Control Never attempt [key] { Bytes: key; Int: failures last_at blocked_until; }
    Control Always api [id] {
        Uuid: id tenant_id team_id; Text: slug name description kind visibility context_path;
        Bool: featured; Int: created_at updated_at row_version;
    }
    Control Always api_audience [api_id team_id] { Uuid: api_id team_id tenant_id; }
    Control Always document [tenant_id hash] { Uuid: tenant_id; Text: hash; Bytes: body; Int: created_at; }
    Control Always document_part [tenant_id document_hash key] {
        Uuid: tenant_id; Text: document_hash; Bytes: key body;
    }
    Control Always api_version [id] {
        Uuid: id tenant_id api_id successor_id revision_id;
        Text: label state blocked_reason deprecation_message unmatched;
        Int: deprecated_at sunset_at published_at retired_at created_at updated_at row_version;
    }
    Control Always revision [id] {
        Uuid: id tenant_id version_id created_by; Text: format document_hash title;
        Int: number document_bytes operation_count created_at;
    }
    Control Always operation [revision_id position] {
        Uuid: tenant_id revision_id; Int: position; Text: key slug method template summary pointer fingerprint;
        Bool: deprecated routable; Json: tags;
    }
    Control Always upstream [version_id] {
        Uuid: version_id tenant_id; Text: algorithm; Int: connect_ms response_ms idle_ms;
    }
    Control Always upstream_target [version_id position] {
        Uuid: version_id tenant_id; Int: position weight; Text: url;
    }
    Control Always plan [id] {
        Uuid: id tenant_id api_id current_version_id; Text: slug name description state security approval;
        Bool: covers_all; Int: created_at updated_at row_version;
    }
    Control Always plan_coverage [plan_id position] { Uuid: plan_id tenant_id version_id; Int: position; }
    Control Always plan_version [id] { Uuid: id tenant_id plan_id; Int: number created_at; }
    Control Always plan_limit [plan_version_id position] {
        Uuid: plan_version_id tenant_id id; Int: position amount burst;
        Text: name kind unit span reset zone counted_by on_exceed on_store_failure;
    }
    Control Always application [id] {
        Uuid: id tenant_id team_id; Text: slug name environment state;
        Int: archived_at created_at updated_at row_version change_seq;
    }
    Control Always subscription [id] {
        Uuid: id tenant_id application_id api_id plan_id plan_version_id created_by; Text: state request_note reason;
        Bool: paused; Int: ends_at closing_at created_at updated_at row_version change_seq;
    }
    Control Always credential [id] {
        Uuid: id tenant_id application_id replaced_by created_by;
        Text: kind name hint_prefix hint_last4 state revoked_reason; Bytes: hash;
        Int: not_before expires_at grace_until last_used_at created_at updated_at row_version change_seq;
    }
    Control Always approval [id] {
        Uuid: id tenant_id team_id api_id subscription_id version_id requested_by decided_by;
        Text: kind state note comment; Int: due_at decided_at created_at row_version;
    }
    Control Always audit_event [tenant_id seq position] {
        Uuid: id tenant_id user_id token_id; Int: seq position at;
        Text: source request_id action subject_kind subject_id; Json: details; Bytes: prev_hash hash;
    }
    Control Never outbox [id] {
        Uuid: id tenant_id; Int: seq created_at due_at attempts; Text: topic last_error; Json: payload;
    }
    Control Always snapshot_part [hash] { Bytes: hash body; Text: kind; }
    Control Always snapshot_entry [kind key seq] { Text: kind; Uuid: key; Int: seq superseded_seq; Bytes: hash; }
    Control Always config_snapshot [seq] { Int: seq created_at changed; Text: cause; Uuid: user_id; }
    Control Never gateway_node [id] {
        Uuid: id; Text: name version state problem; Json: roles;
        Int: applied_seq applied_delta_seq started_at last_seen_at;
    }
    Control Never idempotency_key [tenant_id principal method path key] {
        Uuid: tenant_id; Text: principal method path key location; Bytes: body_hash body; Int: status created_at;
    }
    Traffic Calls call_record [id at] {
        Uuid: id tenant_id api_id version_id plan_id subscription_id application_id credential_id node_id;
        Int: at snapshot_seq status bytes_in bytes_out duration_us upstream_us;
        Text: operation source method path refusal client user_agent target trace_id; Bool: complete;
    }
    Traffic Always usage_rollup [minute digest] {
        Int: minute status requests errors bytes_in bytes_out; Bytes: digest latency;
        Uuid: tenant_id api_id version_id plan_id subscription_id application_id credential_id; Text: operation source;
    }
    Traffic Never usage_sum [tenant_id span kind start subject label] {
        Uuid: tenant_id subject; Text: span kind label; Int: start requests sample errors bytes_in bytes_out;
        Bytes: latency;
    }
    Traffic Never usage_fold [span start] { Text: span; Int: start; }
    Traffic Never traffic_batch [id] { Uuid: id; Int: written_at; }
    Traffic Always lease_counter [limit_id partition] { Uuid: limit_id; Text: partition; Bytes: state; Int: expires_at; }
};

/// The table with this name.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}
