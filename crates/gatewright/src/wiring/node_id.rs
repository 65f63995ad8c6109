//! The identity of this node, kept in its data directory: after a restart it
//! is the same node.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gatewright_model::id::{EntityId, NodeId, uuid_v7};
use gatewright_model::time::{Clock, Entropy};

use crate::failure::Failure;

const FILE: &str = "node_id";

/// The id of the node that lives in this data directory; made when it is missing.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub(crate) fn load(data_dir: &Path, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<NodeId, Failure> {
    let path = data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|invalid| {
            Failure::usage(format!(
                "the file {path:?} does not hold the id of a node: {invalid}; fix: remove it, and the process counts as a new node"
            ))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut random = [0; 10];
            entropy.fill(&mut random);
            let id = NodeId::from_uuid(uuid_v7(clock.now(), random));
            write(&path, id).map_err(|error| unusable(&path, &error))?;
            Ok(id)
        }
        Err(error) => Err(unusable(&path, &error)),
    }
}

/// Writes it under another name first, so that a crash leaves no half of an id.
fn write(path: &Path, id: NodeId) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(draft, path)
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "the file {path:?} cannot be used: {error}; fix: let this user read and write the data directory"
    ))
}

#[cfg(test)]
mod tests {
    use gatewright_config::Exit;
    use gatewright_model::time::{SystemClock, SystemEntropy};

    use super::*;

    #[test]
    fn a_node_keeps_its_id() {
        let home = tempfile::tempdir().unwrap();
        let load = || load(home.path(), &SystemClock, &SystemEntropy);
        let first = load().unwrap();
        assert_eq!(load().unwrap(), first);
        fs::write(home.path().join(FILE), "nonsense").unwrap();
        assert_eq!(load().unwrap_err().exit, Exit::Usage);
    }
}
