//! One line of the table, and what all lines come to.

/// How it stands with something that the agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is there.
    Ok,
    /// It is not there, and the agent does without, with a loss.
    Limited,
    /// It is not there, and nothing can be watched.
    Missing,
    /// It could not be asked.
    Unknown,
}

impl State {
    /// Its word in the table and in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// What is told of a kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that the kernel has or has not.
    Kernel,
    /// Something that this process may or may not do.
    Privilege,
    /// Something that an administrator has set.
    Setting,
}

impl Kind {
    /// Its word in the table and in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Privilege => "privilege",
            Self::Setting => "setting",
        }
    }
}

/// One thing that the agent uses.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) state: State,
    /// Nothing can be watched without it.
    pub(super) needed: bool,
    /// What was found.
    pub(super) found: String,
    /// What is lost without it.
    pub(super) lost: &'static str,
    /// What mends it.
    pub(super) mend: &'static str,
}

/// What is known of a thing before it is looked for.
#[derive(Clone, Copy)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) needed: bool,
    pub(super) lost: &'static str,
    pub(super) mend: &'static str,
}

impl Thing {
    /// The thing as it was found.
    pub(super) fn found(self, there: bool, found: impl Into<String>) -> Check {
        let state = match (there, self.needed) {
            (true, _) => State::Ok,
            (false, true) => State::Missing,
            (false, false) => State::Limited,
        };
        self.stands(state, found)
    }

    /// The thing, which could not be asked.
    pub(super) fn unknown(self, why: impl Into<String>) -> Check {
        self.stands(State::Unknown, why)
    }

    fn stands(self, state: State, found: impl Into<String>) -> Check {
        let Self { kind, name, needed, lost, mend } = self;
        Check { kind, name, state, needed, found: found.into(), lost, mend }
    }
}

/// The whole answer.
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
}

impl Report {
    /// What these come to.
    pub(super) fn of(checks: Vec<Check>) -> Self {
        Self { checks }
    }

    /// All that is needed is there.
    pub(super) fn able(&self) -> bool {
        self.checks.iter().all(|check| check.state != State::Missing)
    }

    /// How many stand so.
    pub(super) fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}
