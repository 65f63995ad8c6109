//! How much of an input the importer is willing to look at.

/// The limits of one import. Everything the importer does is linear in what
/// these admit, so they bound its time and memory too (security.md, T21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the raw document, and of all bundled documents together.
    pub raw_bytes: usize,
    /// Levels of nested objects and lists. Below the 128 at which `serde_json`
    /// stops, because bundling and bringing 2.0 into the newer shape add a few
    /// levels, and what is written must be readable again.
    pub depth: usize,
    /// Bytes of all member names on the way to a value, so that a pointer is
    /// never long. Real documents need a few hundred.
    pub path_bytes: usize,
    /// Values in the tree. One takes about 80 bytes of memory.
    pub nodes: usize,
    /// How many times its own size a document may grow to by YAML aliases.
    pub expansion_factor: usize,
    /// Entries of `paths`.
    pub paths: usize,
    /// Operations over all paths, webhooks counted in.
    pub operations: usize,
    /// `$ref`s in the document and all that is bundled.
    pub references: usize,
    /// Documents that are fetched because a `$ref` names them.
    pub bundled_documents: usize,
    /// Bytes that are written more than once in all, chiefly the operation
    /// slices: small inputs that refer to one large part many times must not
    /// multiply it.
    pub copied: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            raw_bytes: 24 * 1024 * 1024,
            depth: 120,
            path_bytes: 8 * 1024,
            nodes: 3_000_000,
            expansion_factor: 10,
            paths: 20_000,
            operations: 20_000,
            references: 500_000,
            bundled_documents: 50,
            copied: 96 * 1024 * 1024,
        }
    }
}
