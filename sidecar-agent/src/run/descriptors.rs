//! The limit of open descriptors: each image that is watched takes one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as this process may. The agent starts no program that would inherit it.
pub(super) fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}
