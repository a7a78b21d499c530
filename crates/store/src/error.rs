//! What can go wrong in storage, told apart by what the caller can do about it.

/// A failure of storage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or is overloaded; trying again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The disk is full or may not be written to; nothing was stored.
    #[error("the database cannot be written to: {0}")]
    NotWritable(String),
    /// A uniqueness or reference rule of the schema refused the row; the name is the rule's.
    #[error("constraint {0} violated")]
    Constraint(String),
    /// A row holds what no version of Denizen wrote there.
    #[error("the database holds a value that makes no sense: {0}")]
    Corrupt(String),
    /// The database refused for a reason that is a defect here.
    #[error("database error: {0}")]
    Internal(String),
}

impl Error {
    /// Whether this is the violation of that constraint (`<table>_<last column>`).
    #[must_use]
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint(constraint) if constraint == name)
    }
}

/// The result of a storage function.
pub type Result<T> = std::result::Result<T, Error>;
