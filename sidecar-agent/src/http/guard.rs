//! What protects the TCP listener, read from its files, and read again when one of them changes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::password::Passwords;
use super::token::Token;
use super::web_config::{self, Tls, WebConfigError};

/// The files that say how the TCP listener is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityFiles {
    /// `http.web_config`: TLS, headers and users, in the format of the Prometheus exporters.
    pub web_config: Option<PathBuf>,
    /// `security.token_file`.
    pub token: Option<PathBuf>,
}

/// Why the protection is not as configured. The server does not start with less.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// The file of `http.web_config` is wrong.
    #[error(transparent)]
    WebConfig(#[from] WebConfigError),
    /// The token can't be used.
    #[error("{}: {reason}; {hint} (security.token_file)", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
}

/// The protection in force.
#[derive(Default)]
pub(super) struct Security {
    pub(super) tls: Option<Arc<Tls>>,
    /// Headers of every answer.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Users with the bcrypt hashes of their passwords.
    pub(super) users: BTreeMap<String, String>,
    pub(super) token: Option<Token>,
}

/// Tells whether a file changed: where it is and when it was written. None while it can't be looked at.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

struct InForce {
    security: Arc<Security>,
    stamps: Vec<(PathBuf, Stamp)>,
    /// What was said of the last failure, so that it is said once.
    failure: Option<String>,
}

/// The protection, and its files.
pub struct Guard {
    files: SecurityFiles,
    in_force: Mutex<InForce>,
    pub(super) passwords: Passwords,
}

impl Guard {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`SecurityError`].
    pub fn open(files: SecurityFiles) -> Result<Self, SecurityError> {
        let in_force = read(&files)?;
        Ok(Self { files, in_force: Mutex::new(in_force), passwords: Passwords::new() })
    }

    pub(super) fn current(&self) -> Arc<Security> {
        Arc::clone(&self.lock().security)
    }

    /// Whether there are files that may change.
    pub(super) fn has_files(&self) -> bool {
        !self.lock().stamps.is_empty()
    }

    /// Reads the files again if one of them changed, and says whether that took effect. What can't be read leaves
    /// what is in force, and is tried again at the next call.
    ///
    /// # Errors
    /// See [`SecurityError`].
    pub fn refresh(&self) -> Result<bool, SecurityError> {
        let known = self.lock().stamps.clone();
        if known.iter().all(|(path, before)| stamp(path) == *before) {
            self.lock().failure = None;
            return Ok(false);
        }
        let fresh = read(&self.files)?;
        *self.lock() = fresh;
        Ok(true)
    }

    /// [`Guard::refresh`], with the outcome in the log, a failure once.
    pub(super) fn refresh_and_tell(&self) {
        match self.refresh() {
            Ok(true) => tracing::info!("the protection of the HTTP server was read again"),
            Ok(false) => {}
            Err(error) => {
                let text = error.to_string();
                let mut in_force = self.lock();
                let told = in_force.failure.as_ref() == Some(&text);
                in_force.failure = Some(text);
                drop(in_force);
                if !told {
                    tracing::error!("the protection of the HTTP server stays as it was: {error}");
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(files: &SecurityFiles) -> Result<InForce, SecurityError> {
    let mut security = Security::default();
    // Stamped before it is read: what changes meanwhile is read again.
    let mut stamps: Vec<(PathBuf, Stamp)> = Vec::new();
    let mut note = |path: &Path| stamps.push((path.to_owned(), stamp(path)));
    if let Some(path) = &files.web_config {
        note(path);
        let web = web_config::read(path)?;
        web.files().for_each(&mut note);
        security.tls = web.tls(path)?.map(Arc::new);
        (security.headers, security.users) = (web.headers(), web.users());
    }
    if let Some(path) = &files.token {
        note(path);
        security.token = Some(Token::read(path)?);
    }
    Ok(InForce { security: Arc::new(security), stamps, failure: None })
}

fn stamp(path: &Path) -> Stamp {
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
