//! Tables that grow are read by the index that was made for the question, on
//! SQLite by the fixed figures of its migrations.

use sqlx::{AssertSqlSafe, Row};

use crate::conn::Link;
use crate::testing::store_test;

/// A question and the index that answers it.
const CONTROL: [(&str, &str); 6] = [
    (
        "SELECT * FROM audit_event WHERE tenant_id = x'01' AND subject_id = 'api_1' AND at >= 1 ORDER BY id DESC LIMIT 51",
        "audit_event_subject",
    ),
    (
        "SELECT * FROM audit_event WHERE tenant_id = x'01' AND action = 'api.create' ORDER BY id DESC LIMIT 51",
        "audit_event_action",
    ),
    (
        "SELECT * FROM subscription WHERE tenant_id = x'01' AND api_id = x'02' ORDER BY id DESC LIMIT 21",
        "subscription_api",
    ),
    (
        "SELECT * FROM subscription WHERE tenant_id = x'01' AND application_id IN (x'02', x'03') \
         AND (state IN ('active', 'pending') OR updated_at >= 5) ORDER BY id DESC LIMIT 100",
        "subscription_application",
    ),
    (
        "SELECT * FROM application WHERE tenant_id = x'01' AND team_id IN (x'02') ORDER BY id DESC LIMIT 21",
        "application_team",
    ),
    (
        "SELECT * FROM application WHERE tenant_id = x'01' ORDER BY id DESC LIMIT 21",
        "application_identity",
    ),
];

const TRAFFIC: [(&str, &str); 6] = [
    (
        "SELECT * FROM call_record WHERE tenant_id = x'01' AND id < x'05' ORDER BY id DESC LIMIT 51",
        "call_record_tenant",
    ),
    (
        "SELECT * FROM call_record WHERE tenant_id = x'01' AND status = 502 ORDER BY id DESC LIMIT 51",
        "call_record_status",
    ),
    (
        "SELECT * FROM call_record WHERE tenant_id = x'01' AND application_id IN (x'02', x'03') AND id >= x'01' \
         AND id < x'05' ORDER BY id DESC LIMIT 51",
        "call_record_application",
    ),
    (
        "SELECT * FROM usage_rollup WHERE tenant_id = x'01' AND api_id IN (x'02', x'03') AND minute >= 1 AND minute < 9",
        "usage_rollup_api",
    ),
    (
        "SELECT * FROM usage_rollup WHERE tenant_id = x'01' AND minute >= 1 AND minute < 9",
        "usage_rollup_tenant",
    ),
    (
        "SELECT * FROM usage_sum WHERE tenant_id = x'01' AND span = 'hour' AND kind = 'application' \
         AND subject IN (x'02') AND label = '' AND start >= 1 AND start < 9",
        "usage_sum_subject",
    ),
];

async fn check(link: &Link, questions: &[(&str, &str)]) {
    let Link::Sqlite { readers, .. } = link else {
        return;
    };
    for (sql, index) in questions {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let steps = sqlx::query(AssertSqlSafe(sql)).fetch_all(readers).await.unwrap();
        let plan: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        assert!(
            plan.join("; ").contains(&format!("USING INDEX {index} ")),
            "{index}: {plan:?}"
        );
    }
}

store_test! {
    async fn tables_that_grow_are_read_by_the_right_index(store: Store) {
        check(&store.control, &CONTROL).await;
        check(&store.traffic, &TRAFFIC).await;
    }
}
