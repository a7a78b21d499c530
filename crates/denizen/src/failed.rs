//! How a command fails, and with which exit code.

use std::process::ExitCode;

/// Why a command did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It was tried and failed: exit code 1.
    Operation(String),
    /// It was told wrongly, and nothing was tried: exit code 2.
    Usage(String),
}

impl Failed {
    /// What to print.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Operation(message) | Self::Usage(message) => message,
        }
    }

    /// The code that the process ends with.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Operation(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self::Operation(message)
    }
}
