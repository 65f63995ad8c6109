//! The walls between crates: `docs/ARCHITECTURE.md` explains them, this enforces them.

use serde_json::Value;

/// What a crate may use of the workspace, and what of the world it must never use.
struct Wall {
    name: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static str],
}

const IO: &[&str] = &[
    "tokio",
    "hyper",
    "axum",
    "askama",
    "sqlx",
    "sea-query",
    "redis",
    "rustls",
];
const SURFACES: &[&str] = &["axum", "askama"];
const SQL_AND_SURFACES: &[&str] = &["axum", "askama", "sqlx", "sea-query"];
const SQL: &[&str] = &["sqlx", "sea-query"];
const BUSINESS: &[&str] = &["model", "store", "coordination", "openapi", "policy", "ai"];

/// In the order of dependence.
const WALLS: &[Wall] = &[
    Wall {
        name: "model",
        uses: &[],
        never: IO,
    },
    Wall {
        name: "config",
        uses: &["model"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "telemetry",
        uses: &[],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "coordination",
        uses: &["model"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "openapi",
        uses: &["model"],
        never: IO,
    },
    Wall {
        name: "store",
        uses: &["model"],
        never: &["axum", "askama", "hyper", "redis"],
    },
    Wall {
        name: "policy",
        uses: &["model", "coordination"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "ai",
        uses: &["model", "coordination"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "gateway",
        uses: &["model", "policy", "coordination", "telemetry"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "control",
        uses: BUSINESS,
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "worker",
        uses: &["model", "control", "store"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "webkit",
        uses: &["model", "control"],
        never: SQL,
    },
    Wall {
        name: "management",
        uses: &["model", "control", "webkit"],
        never: &["askama", "sqlx", "sea-query"],
    },
    Wall {
        name: "web",
        uses: &["model", "control", "openapi", "webkit"],
        never: SQL,
    },
    Wall {
        name: "gatewright",
        uses: &["*"],
        never: SQL,
    },
    Wall {
        name: "demo",
        uses: &[],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "testkit",
        uses: &[],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "bench",
        uses: &["*"],
        never: SURFACES,
    },
    Wall {
        name: "xtask",
        uses: &["config", "management", "web"],
        never: SQL_AND_SURFACES,
    },
    Wall {
        name: "tests",
        uses: &[],
        never: SQL_AND_SURFACES,
    },
];

const PREFIX: &str = "gatewright-";

/// Compares what each package uses with its wall; what only its tests use is free.
pub(super) fn check(packages: &[Value]) -> Vec<String> {
    packages.iter().flat_map(package).collect()
}

fn package(package: &Value) -> Vec<String> {
    let name = text(package, "name");
    let short = name.strip_prefix(PREFIX).unwrap_or(name);
    let Some(wall) = WALLS.iter().find(|wall| wall.name == short) else {
        return vec![format!(
            "{name}: no wall is drawn for it in crates/xtask/src/tidy/walls.rs"
        )];
    };
    let mut findings = Vec::new();
    for dependency in package
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if dependency.get("kind").and_then(Value::as_str) == Some("dev") {
            continue;
        }
        let used = text(dependency, "name");
        match used.strip_prefix(PREFIX) {
            Some(own) if !wall.uses.contains(&"*") && !wall.uses.contains(&own) => {
                findings.push(format!("{name}: must not use {used}"));
            }
            None if wall.never.contains(&used) => findings.push(format!("{name}: must never use {used}")),
            _ => {}
        }
    }
    findings
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_use_across_a_wall_is_found_and_tests_are_free() {
        let packages = [json!({"name": "gatewright-gateway", "dependencies": [
            {"name": "gatewright-model", "kind": null},
            {"name": "gatewright-store", "kind": null},
            {"name": "axum", "kind": null},
            {"name": "gatewright-control", "kind": "dev"},
        ]})];
        let findings = check(&packages);
        assert_eq!(
            findings,
            [
                "gatewright-gateway: must not use gatewright-store",
                "gatewright-gateway: must never use axum",
            ]
        );
    }

    #[test]
    fn a_crate_without_a_wall_is_found() {
        let findings = check(&[json!({"name": "gatewright-shed", "dependencies": []})]);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn walls_stand_in_the_order_of_dependence() {
        for (place, wall) in WALLS.iter().enumerate() {
            for used in wall.uses.iter().filter(|used| **used != "*") {
                let above = WALLS.iter().position(|other| other.name == *used);
                assert!(
                    above.is_some_and(|above| above < place),
                    "{} uses {used}",
                    wall.name
                );
            }
        }
    }
}
