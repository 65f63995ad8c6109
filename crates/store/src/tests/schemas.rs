//! Both schemas say the same, and the catalogue of tables says it too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatewright_model::time::SystemEntropy;
use sqlx::{AssertSqlSafe, Row};

use crate::conn::Link;
use crate::error::{RULES, StoreError};
use crate::migrations::MigrationError;
use crate::schema::{Kind, TABLES};
use crate::store::{Database, Store, StoreSettings};
use crate::testing::{Fresh, NOW, store_test};

type Columns = BTreeMap<String, BTreeMap<String, (Kind, bool)>>;
type Uniques = BTreeSet<(String, Vec<String>, String)>;

/// In SQLite an id is bytes, a flag is a number and JSON is text.
const fn folded(kind: Kind) -> Kind {
    match kind {
        Kind::Uuid | Kind::Bytes => Kind::Bytes,
        Kind::Int | Kind::Bool => Kind::Int,
        Kind::Text | Kind::Json => Kind::Text,
    }
}

fn partial(definition: Option<&str>) -> String {
    let condition = definition
        .and_then(|text| text.split_once(" WHERE "))
        .map_or("", |(_, after)| after);
    let plain: String = condition.chars().filter(|c| !"()' \n".contains(*c)).collect();
    plain
        .replace("::text", "")
        .replace("=ANYARRAY[", "IN")
        .replace(']', "")
}

async fn sqlite_schema(store: &Store) -> (Columns, Uniques) {
    let (mut columns, mut uniques) = (Columns::new(), Uniques::new());
    let mut keys: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for link in [&store.control, &store.traffic] {
        let Link::Sqlite { writer, .. } = link else {
            panic!("not SQLite")
        };
        let sql = "SELECT m.name AS tab, c.name AS col, c.type, c.\"notnull\" AS req, c.pk FROM sqlite_master m \
                   JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
        for row in sqlx::query(sql).fetch_all(writer).await.unwrap() {
            let kind = match row.get::<String, _>("type").as_str() {
                "BLOB" => Kind::Bytes,
                "INTEGER" | "BIGINT" => Kind::Int,
                "TEXT" => Kind::Text,
                other => panic!("{other}"),
            };
            let position: i64 = row.get("pk");
            if position > 0 {
                keys.entry(row.get("tab"))
                    .or_default()
                    .insert(position, row.get("col"));
            }
            let table = columns.entry(row.get("tab")).or_default();
            table.insert(row.get("col"), (kind, row.get::<i64, _>("req") == 1));
        }
        let sql = "SELECT m.name AS tab, l.name AS ind, s.sql AS def FROM sqlite_master m \
                   JOIN pragma_index_list(m.name) l LEFT JOIN sqlite_master s ON s.name = l.name \
                   WHERE m.type = 'table' AND l.\"unique\" = 1 AND l.origin <> 'pk'";
        for row in sqlx::query(sql).fetch_all(writer).await.unwrap() {
            let index: String = row.get("ind");
            let sql = format!("SELECT name FROM pragma_index_info('{index}') ORDER BY seqno");
            let names = sqlx::query(AssertSqlSafe(sql)).fetch_all(writer).await.unwrap();
            let names = names.iter().map(|row| row.get("name")).collect();
            let condition = partial(row.get::<Option<String>, _>("def").as_deref());
            uniques.insert((
                format!("{}.{index}", row.get::<String, _>("tab")),
                names,
                condition,
            ));
        }
    }
    // A number as the key of a table is its row id, which has no index of its own.
    for (table, columns) in keys {
        uniques.insert((
            format!("{table}.primary"),
            columns.into_values().collect(),
            String::new(),
        ));
    }
    (columns, uniques)
}

async fn postgres_schema(store: &Store) -> (Columns, Uniques) {
    let Link::Postgres { pool, .. } = &store.control else {
        panic!("not Postgres")
    };
    let (mut columns, mut uniques) = (Columns::new(), Uniques::new());
    let sql = "SELECT table_name::text AS tab, column_name::text AS col, data_type::text AS type, is_nullable = 'NO' AS req \
               FROM information_schema.columns WHERE table_schema = current_schema() AND table_name !~ '^call_record_[0-9]'";
    for row in sqlx::query(sql).fetch_all(pool).await.unwrap() {
        let kind = match row.get::<String, _>("type").as_str() {
            "uuid" => Kind::Uuid,
            "bytea" => Kind::Bytes,
            "bigint" => Kind::Int,
            "boolean" => Kind::Bool,
            "text" => Kind::Text,
            "jsonb" => Kind::Json,
            other => panic!("{other}"),
        };
        columns
            .entry(row.get("tab"))
            .or_default()
            .insert(row.get("col"), (kind, row.get("req")));
    }
    let sql = "SELECT t.relname::text AS tab, i.relname::text AS ind, x.indisprimary AS pk, pg_get_indexdef(x.indexrelid) AS def, \
               (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(x.indkey) WITH ORDINALITY k(num, n) \
                JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num) AS cols \
               FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
               JOIN pg_namespace n ON n.oid = t.relnamespace \
               WHERE n.nspname = current_schema() AND x.indisunique AND t.relname !~ '^call_record_[0-9]'";
    for row in sqlx::query(sql).fetch_all(pool).await.unwrap() {
        let name = if row.get("pk") {
            "primary".to_owned()
        } else {
            row.get::<String, _>("ind")
        };
        let condition = partial(Some(row.get::<String, _>("def").as_str()));
        uniques.insert((
            format!("{}.{name}", row.get::<String, _>("tab")),
            row.get("cols"),
            condition,
        ));
    }
    (columns, uniques)
}

#[tokio::test]
async fn the_catalogue_and_the_rules_are_the_schema() {
    let fresh = Fresh::sqlite().await;
    let (mut columns, uniques) = sqlite_schema(&fresh.store).await;
    columns.remove("schema_migration");
    for table in TABLES {
        let found = columns.remove(table.name).unwrap_or_default();
        let found: BTreeMap<_, _> = found.into_iter().map(|(name, (kind, _))| (name, kind)).collect();
        let listed: BTreeMap<_, _> = table
            .columns
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), folded(*kind)))
            .collect();
        assert_eq!(found, listed, "{}", table.name);
    }
    assert!(columns.is_empty(), "not in the catalogue: {:?}", columns.keys());
    for (rule, index, table, listed) in RULES {
        let name = format!("{table}.{index}");
        let found = uniques.iter().find(|(unique, ..)| *unique == name);
        assert_eq!(
            found.map(|(_, columns, _)| columns.as_slice()),
            Some(&listed.map_strings()[..]),
            "{rule:?}"
        );
    }
    fresh.drop().await;
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[tokio::test]
async fn both_schemas_are_equal() {
    let Some(postgres) = Fresh::postgres().await else {
        return;
    };
    let sqlite = Fresh::sqlite().await;
    let (mut theirs, their_uniques) = postgres_schema(&postgres.store).await;
    let (ours, our_uniques) = sqlite_schema(&sqlite.store).await;
    for table in TABLES {
        for (column, kind) in table.columns {
            assert_eq!(theirs[table.name][*column].0, *kind, "{}.{column}", table.name);
        }
    }
    for (kind, _) in theirs.values_mut().flat_map(BTreeMap::values_mut) {
        *kind = folded(*kind);
    }
    assert_eq!(ours, theirs);
    assert_eq!(our_uniques, their_uniques);
    postgres.drop().await;
    sqlite.drop().await;
}

#[test]
fn checks_list_the_words_of_the_model() {
    use gatewright_model::state::Word;
    fn listed<W: Word>(name: &str) -> String {
        let words: Vec<_> = W::ALL.iter().map(|word| format!("'{}'", word.as_str())).collect();
        format!("CHECK ({name} IN ({}))", words.join(", "))
    }
    let expected = [
        listed::<gatewright_model::account::SignUpState>("state"),
        listed::<gatewright_model::account::LinkPurpose>("purpose"),
        listed::<gatewright_model::tenancy::StandingState>("state"),
        listed::<gatewright_model::tenancy::UserState>("state"),
        listed::<gatewright_model::tenancy::TeamKind>("kind"),
        listed::<gatewright_model::permission::Role>("role"),
        listed::<gatewright_model::api::ApiKind>("kind"),
        listed::<gatewright_model::api::Visibility>("visibility"),
        listed::<gatewright_model::api::VersionState>("state"),
        listed::<gatewright_model::api::DocumentFormat>("format"),
        listed::<gatewright_model::api::Balancing>("algorithm"),
        listed::<gatewright_model::plan::PlanState>("state"),
        listed::<gatewright_model::plan::Security>("security"),
        listed::<gatewright_model::plan::ApprovalMode>("approval"),
        listed::<gatewright_model::limit::LimitKind>("kind"),
        listed::<gatewright_model::limit::LimitUnit>("unit"),
        listed::<gatewright_model::limit::ResetKind>("reset"),
        listed::<gatewright_model::limit::Partition>("counted_by"),
        listed::<gatewright_model::limit::OnExceed>("on_exceed"),
        listed::<gatewright_model::limit::OnStoreFailure>("on_store_failure"),
        listed::<gatewright_model::consumer::Environment>("environment"),
        listed::<gatewright_model::consumer::ApplicationState>("state"),
        listed::<gatewright_model::consumer::SubscriptionState>("state"),
        listed::<gatewright_model::consumer::CredentialKind>("kind"),
        listed::<gatewright_model::consumer::CredentialState>("state"),
        listed::<gatewright_model::approval::ApprovalKind>("kind"),
        listed::<gatewright_model::approval::ApprovalState>("state"),
        listed::<gatewright_model::audit::AuditSource>("source"),
        listed::<gatewright_model::snapshot::PartKind>("kind"),
        listed::<crate::node::NodeState>("state"),
    ];
    for dialect in [crate::conn::Dialect::Postgres, crate::conn::Dialect::Sqlite] {
        let sql = crate::migrations::MIGRATIONS
            .iter()
            .map(|migration| migration.sql(dialect));
        let sql: String = sql.collect();
        for check in &expected {
            assert!(sql.contains(check), "{dialect:?}: {check}");
        }
    }
}

store_test! {
    async fn migrating_twice_applies_nothing(store: Store) {
        assert_eq!(store.pending_migrations().await.unwrap(), Vec::<String>::new());
        assert_eq!(store.migrate(NOW).await.unwrap(), Vec::<String>::new());
        assert!(!store.is_empty_schema().await.unwrap());
        let health = store.health(NOW).await.unwrap();
        assert_eq!(health.pending, Vec::<String>::new());
        assert_eq!(health.dialect, store.dialect());
    }
}

store_test! {
    async fn a_changed_migration_is_refused_by_name(store: Store) {
        let mut conn = store.control.begin_as_owner().await.unwrap();
        let mut update = sea_query::Query::update();
        update.table("schema_migration").value("checksum", "other");
        conn.execute(&update).await.unwrap();
        conn.commit().await.unwrap();
        let refused = store.migrate(NOW).await.unwrap_err();
        let StoreError::Migration(MigrationError::Changed { name }) = refused else { panic!("{refused:?}") };
        assert_eq!(name, "0001_control");
    }
}

async fn migrated_by_two(fresh: Fresh) {
    assert!(fresh.store.is_empty_schema().await.unwrap());
    let pending = fresh.store.check_schema().await.unwrap_err();
    let known = Store::known_migrations();
    assert!(
        matches!(pending, StoreError::Migration(MigrationError::Pending(names)) if names.len() == known.len())
    );
    let migrate = || {
        let store = fresh.store.clone();
        tokio::spawn(async move { store.migrate(NOW).await.unwrap() })
    };
    let (one, two) = (migrate(), migrate());
    let mut applied = [one.await.unwrap(), two.await.unwrap()].concat();
    applied.sort();
    assert_eq!(applied, known);
    fresh.store.check_schema().await.unwrap();
    fresh.drop().await;
}

#[tokio::test]
async fn two_processes_that_migrate_at_once_wait_for_each_other() {
    migrated_by_two(Fresh::sqlite_empty().await).await;
    if let Some(fresh) = Fresh::postgres_empty().await {
        migrated_by_two(fresh).await;
    }
}

#[tokio::test]
async fn the_files_are_copied_whole() {
    let fresh = Fresh::sqlite().await;
    let world = crate::testing::sample::World::make(&fresh.store, "acme").await;
    let copies = fresh.store.copy_files(NOW).await.unwrap();
    assert_eq!(copies.len(), 2);
    let database = Database::Sqlite {
        control: copies[0].clone(),
        traffic: copies[1].clone(),
    };
    let copy = Store::open(StoreSettings {
        database,
        entropy: Arc::new(SystemEntropy),
    })
    .await
    .unwrap();
    let mut tx = copy.read(world.scope()).await.unwrap();
    assert_eq!(
        tx.apis().find(world.api.id).await.unwrap(),
        Some(world.api.clone())
    );
    drop(tx);
    copy.close().await;
    fresh.drop().await;
}

#[tokio::test]
async fn a_database_that_is_away_says_so_in_time() {
    let url = gatewright_model::secret::SecretText::new("postgres://nobody@127.0.0.1:1/none".to_owned());
    let settings = StoreSettings {
        database: Database::postgres(url),
        entropy: Arc::new(SystemEntropy),
    };
    let opened = tokio::time::timeout(std::time::Duration::from_secs(5), Store::open(settings))
        .await
        .unwrap();
    assert!(opened.unwrap_err().is_unavailable());
}
