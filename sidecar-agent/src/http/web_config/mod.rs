//! The web configuration file of the Prometheus exporters: TLS, headers, users.
//!
//! Its keys are strict: one that is unknown, or that can't be honoured, is refused by name. Paths in it are relative
//! to its own directory.

mod file;
mod names;
mod tls;

use std::path::PathBuf;

pub(super) use file::read;
pub(super) use tls::Tls;

/// Why a web configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// The file can't be read.
    #[error("{}: {reason} (http.web_config)", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The text is not of this format.
    #[error("{}: {reason}{hint} (http.web_config)", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
        /// The known key that may be meant.
        hint: String,
    },
    /// A value can't be used.
    #[error("{}: {key}: {reason} (http.web_config)", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
