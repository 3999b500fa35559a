//! The container that a cgroup's path names, by the habits of the engines that make both.

/// Hexadecimal digits of a container's id.
const DIGITS: usize = 64;
/// What engines put before the id in the name of a scope.
const SCOPES: [&str; 5] = ["docker-", "cri-containerd-", "crio-", "libpod-", "containerd-"];
/// Folders above the container's own where its name is the id alone.
const PARENTS: [&str; 2] = ["docker", "garden"];

/// The id of the innermost container that a path names: `docker-ID.scope` and its like, `kubepods...:cri-containerd:ID`,
/// `libpod-ID`, and `/docker/ID` or `/kubepods/.../podUID/ID`.
pub(super) fn container_id(path: &str) -> Option<&str> {
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        let bare = || Some(part).filter(|part| is_id(part) && parts.clone().next().is_some_and(is_parent));
        if let Some(id) = in_name(part).or_else(bare) {
            return Some(id);
        }
    }
    None
}

/// The id in a name that says what it is of.
fn in_name(name: &str) -> Option<&str> {
    // What the cgroupfs driver of containerd makes: `kubepods-burstable-podUID.slice:cri-containerd:ID`.
    let last = name.rsplit_once(':').map(|(_, id)| id).filter(|id| is_id(id));
    let bare = name.strip_suffix(".scope").unwrap_or(name);
    let scope = || SCOPES.iter().find_map(|prefix| bare.strip_prefix(prefix)).filter(|id| is_id(id));
    last.or_else(scope)
}

fn is_id(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a folder holds those of containers: an engine's own, a pod's, a task's.
fn is_parent(folder: &str) -> bool {
    let pod = folder.rsplit('-').next().unwrap_or(folder);
    let is_task = folder.len() == 32 && folder.bytes().all(|byte| byte.is_ascii_hexdigit());
    PARENTS.contains(&folder) || folder.starts_with("pod") || pod.starts_with("pod") || is_task
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_that_engines_make_name_their_container() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let other = "f".repeat(64);
        let uid = "2b1e9b1c-6d0a-4c0e-9b1c-6d0a4c0e9b1c";
        let scope_uid = uid.replace('-', "_");
        for path in [
            format!("/docker/{id}"),
            format!("/sys/fs/cgroup/system.slice/docker-{id}.scope"),
            format!("/system.slice/docker-{id}.scope/init.scope"),
            format!("/system.slice/docker-{id}.scope/kubelet/inner"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{scope_uid}.slice/cri-containerd-{id}.scope"
            ),
            format!("/kubepods.slice/kubepods-pod{scope_uid}.slice/crio-{id}.scope"),
            format!("/kubepods.slice/kubepods-pod{scope_uid}.slice/crio-{id}.scope/container"),
            format!("/kubepods/burstable/pod{uid}/{id}"),
            format!("/kubepods/pod{uid}/{id}/"),
            format!(
                "/system.slice/containerd.service/kubepods-besteffort-pod{scope_uid}.slice:cri-containerd:{id}"
            ),
            format!("/machine.slice/libpod-{id}.scope"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container"),
            format!("/libpod_parent/libpod-{id}"),
            format!("/ecs/0123456789abcdef0123456789abcdef/{id}"),
            format!("/garden/{id}"),
            // A container inside a container: the inner one.
            format!("/docker/{other}/docker/{id}"),
            format!("/system.slice/docker-{other}.scope/kubepods/pod{uid}/{id}"),
        ] {
            assert_eq!(container_id(&path), Some(id), "{path}");
        }
    }

    #[test]
    fn other_paths_name_none() {
        let id = "0".repeat(64);
        let short = "0".repeat(63);
        for path in [
            String::new(),
            "/".to_owned(),
            "/user.slice/user-1000.slice/session-3.scope".to_owned(),
            "/system.slice/docker.service".to_owned(),
            format!("/{id}"),
            format!("/builds/{id}"),
            format!("/docker/{short}"),
            format!("/docker/{id}0"),
            format!("/docker/{}", id.replace('0', "G")),
            format!("/docker/{}", id.replace('0', "F")),
            format!("/system.slice/docker-{short}.scope"),
            format!("/machine.slice/libpod-conmon-{id}.scope"),
            format!("/kubepods.slice/crio-conmon-{id}.scope"),
            "/docker/../docker-".to_owned(),
        ] {
            assert_eq!(container_id(&path), None, "{path}");
        }
    }
}
