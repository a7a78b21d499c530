//! Imports of users (PRODUCT §5): which columns there are, what they mean, and what a row says.
//!
//! * [`pieces`]: an upload, cut into pieces that end where rows end;
//! * [`csv`]: the rows of a piece of CSV;
//! * [`columns`]: from a file's own column names to the fields of a user;
//! * [`rows`]: a row's values, read.

pub mod columns;
pub mod csv;
pub mod pieces;
pub mod rows;

use crate::users::text_enum;

pub use columns::{Columns, ImportField, Mapping};
pub use pieces::{InputFault, LastPieces, Pieces};
pub use rows::{ImportRow, ImportUser, preview, rows_of};

text_enum! {
    /// How a file of users is written.
    ImportFormat {
        /// Comma-separated values (RFC 4180), with a header; semicolons and tabs are recognized too.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
    }
}

text_enum! {
    /// What an import does about users that exist already.
    ImportMode {
        /// It leaves them alone, and says so.
        Create = "create",
        /// It changes what the file says differently.
        Upsert = "upsert",
    }
}

text_enum! {
    /// What became of a row.
    ImportOutcome {
        /// A user was created.
        Created = "created",
        /// A user was changed.
        Updated = "updated",
        /// The user is as the row says already.
        Unchanged = "unchanged",
        /// The user exists, and this import only creates.
        Exists = "exists",
        /// Something is wrong with the row.
        Rejected = "rejected",
    }
}
