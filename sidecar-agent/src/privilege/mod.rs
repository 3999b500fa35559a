//! Gives up the capabilities that a process of sidecar's does not use. docs/privilege.md says what each is for.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// A process of sidecar's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `sidecar run`, once its limits are raised.
    Agent,
    /// The process that holds execs.
    Gate,
}

impl Part {
    /// What it uses while it runs.
    #[must_use]
    pub const fn uses(self) -> CapabilitySet {
        let watching = CapabilitySet::BPF
            .union(CapabilitySet::SYS_ADMIN)
            .union(CapabilitySet::SYS_PTRACE)
            .union(CapabilitySet::DAC_READ_SEARCH);
        match self {
            Self::Agent => watching
                .union(CapabilitySet::PERFMON)
                .union(CapabilitySet::CHECKPOINT_RESTORE)
                .union(CapabilitySet::SYS_NICE)
                // Sinks, sockets and ports may be anywhere, and commands of handlers may have become somebody else.
                .union(CapabilitySet::DAC_OVERRIDE)
                .union(CapabilitySet::CHOWN)
                .union(CapabilitySet::FOWNER)
                .union(CapabilitySet::KILL)
                .union(CapabilitySet::NET_BIND_SERVICE),
            // It asks to be the last to be killed, which is for who has SYS_RESOURCE.
            Self::Gate => watching.union(CapabilitySet::SYS_RESOURCE),
        }
    }
}

/// Gives up what this part does not use, for the calling thread and all that it starts; so it comes before any other
/// thread. Gives the names of what was given up. What root executes has all of root's capabilities again, unless
/// something else forbids it: commands of handlers run as ever.
///
/// # Errors
/// The kernel's answer. Nothing is given up then.
pub fn give_up_unused(part: Part) -> io::Result<Vec<String>> {
    let held = capabilities(None)?;
    let (kept, given_up) = split(&held, part.uses());
    if !given_up.is_empty() {
        set_capabilities(None, kept)?;
    }
    Ok(given_up.iter_names().map(|(name, _)| format!("CAP_{name}")).collect())
}

/// What is kept of these sets, and what of the permitted one is not.
fn split(held: &CapabilitySets, uses: CapabilitySet) -> (CapabilitySets, CapabilitySet) {
    let kept = CapabilitySets {
        effective: held.effective & uses,
        permitted: held.permitted & uses,
        inheritable: held.inheritable & uses,
    };
    (kept, held.permitted - uses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_gained_and_only_the_unused_is_lost() {
        let some = CapabilitySet::BPF | CapabilitySet::SYS_TIME | CapabilitySet::NET_RAW;
        let held = CapabilitySets {
            effective: CapabilitySet::BPF | CapabilitySet::NET_RAW,
            permitted: some,
            inheritable: CapabilitySet::SYS_TIME,
        };
        let (kept, given_up) = split(&held, Part::Agent.uses());
        assert_eq!((kept.effective, kept.permitted), (CapabilitySet::BPF, CapabilitySet::BPF));
        assert!(kept.inheritable.is_empty());
        assert_eq!(given_up, CapabilitySet::SYS_TIME | CapabilitySet::NET_RAW);
    }

    #[test]
    fn the_gate_needs_no_more_than_the_agent_hands_down() {
        let more = Part::Gate.uses() - Part::Agent.uses();
        assert_eq!(more, CapabilitySet::SYS_RESOURCE, "which only makes it the last to be killed");
    }

    #[test]
    fn a_thread_of_its_own_gives_up_and_others_keep_theirs() {
        let before = capabilities(None).unwrap();
        let after = std::thread::spawn(|| {
            give_up_unused(Part::Gate).unwrap();
            // There is nothing more to give up.
            assert!(give_up_unused(Part::Gate).unwrap().is_empty());
            capabilities(None).unwrap()
        });
        let after = after.join().unwrap();
        assert_eq!(after.permitted, before.permitted & Part::Gate.uses());
        assert_eq!(capabilities(None).unwrap().permitted, before.permitted);
    }
}
