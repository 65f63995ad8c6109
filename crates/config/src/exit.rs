//! The codes the process ends with. The numbers above 1 are those of `sysexits.h`.

use std::process::ExitCode;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// A check found something.
    Findings,
    /// Wrong usage or configuration (`EX_USAGE`).
    Usage,
    /// The store is out of reach and no snapshot is on disk (`EX_UNAVAILABLE`).
    Unavailable,
    /// An address is in use or the data directory is already served (`EX_CANTCREAT`).
    Taken,
}

impl Exit {
    /// The number a shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Taken => 73,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The code for what the command line parser refused; asking for help or the version is no error.
#[must_use]
pub fn exit_of_clap(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Success
    }
}
