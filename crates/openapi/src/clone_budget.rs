//! Bounds copies of subtrees: a short `$ref` may stand for a large part, and
//! many of them must not multiply it.

use serde_json::Value;

/// What may still be copied, in values.
#[derive(Debug)]
pub(crate) struct CloneBudget {
    left: usize,
}

/// The copies would outgrow the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl CloneBudget {
    /// A budget of so many values.
    pub(crate) fn new(values: usize) -> Self {
        Self { left: values }
    }

    /// Copies a subtree.
    pub(crate) fn copy(&mut self, value: &Value) -> Result<Value, Exhausted> {
        self.left = self.left.checked_sub(weight(value)).ok_or(Exhausted)?;
        Ok(value.clone())
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(weight).sum::<usize>() + 1,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 1,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CloneBudget, Exhausted};

    #[test]
    fn copies_are_charged_by_what_they_hold() {
        let part = json!({"a": [1, 2], "b": "c"});
        let mut budget = CloneBudget::new(11);
        assert_eq!(budget.copy(&part), Ok(part.clone()));
        assert_eq!(budget.copy(&part), Ok(part.clone()));
        assert_eq!(budget.copy(&part), Err(Exhausted));
        assert_eq!(budget.copy(&json!(1)), Ok(json!(1)));
    }
}
