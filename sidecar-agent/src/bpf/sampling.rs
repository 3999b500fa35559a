//! Sampling as the kernel programs do it: rates, boosts, anomalies, slow limits, held starts.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::{Array, HashMap, Map, MapData};
use sidecar_common::{BoostState, STATUS_WORD_LEN, SignalState, fnv1a};

use super::{BpfError, Kernel, kernel::map_error, programs::Programs, sys};

/// The maps and the program that sampling needs.
pub(super) struct Sampling {
    signals: Array<MapData, SignalState>,
    boosts: Array<MapData, BoostState>,
    names: HashMap<MapData, u64, u32>,
    slow_limits: Array<MapData, u64>,
    pub(super) report_anomaly: OwnedFd,
}

impl Sampling {
    pub(super) fn new(
        programs: &Programs,
        take: &mut impl FnMut(&'static str) -> Result<Map, BpfError>,
    ) -> Result<Self, BpfError> {
        Ok(Self {
            signals: Array::try_from(take("SIGNALS")?).map_err(map_error("SIGNALS"))?,
            boosts: Array::try_from(take("BOOSTS")?).map_err(map_error("BOOSTS"))?,
            names: HashMap::try_from(take("SIGNAL_NAMES")?).map_err(map_error("SIGNAL_NAMES"))?,
            slow_limits: Array::try_from(take("SLOW_LIMITS")?).map_err(map_error("SLOW_LIMITS"))?,
            report_anomaly: programs.load("report_anomaly", sys::ProgramType::RawTracepoint, 0, 0)?,
        })
    }
}

impl Kernel {
    /// Sets how a signal is sampled. The next hit obeys it.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_signal(&mut self, signal: u8, state: &SignalState) -> Result<(), BpfError> {
        self.sampling.signals.set(signal.into(), state, 0).map_err(map_error("SIGNALS"))
    }

    /// Sets a signal's sampling threshold alone (see [`sidecar_common::RATE_ONE`]); nothing boosts it.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_threshold(&mut self, signal: u8, threshold: u64) -> Result<(), BpfError> {
        self.set_signal(signal, &SignalState { threshold, ..SignalState::default() })
    }

    /// Lets the anomaly marker name a signal. A name that is too long for the kernel programs has no effect.
    ///
    /// # Errors
    /// When there are too many.
    pub fn name_signal(&mut self, name: &str, signal: u8) -> Result<(), BpfError> {
        if name.len() > STATUS_WORD_LEN {
            return Ok(());
        }
        let hash = fnv1a(name.as_bytes());
        self.sampling.names.insert(hash, u32::from(signal), 0).map_err(map_error("SIGNAL_NAMES"))
    }

    /// A signal's anomalies and boosts.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn boost_state(&self, signal: u8) -> Result<BoostState, BpfError> {
        self.sampling.boosts.get(&signal.into(), 0).map_err(map_error("BOOSTS"))
    }

    /// Reports an anomaly of a signal as a marker would. Whether it began a boost.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn report_anomaly(&self, signal: u8) -> Result<bool, BpfError> {
        Ok(self.run(signal, false)? == 1)
    }

    /// Ends a boost by anomalies and forgets the anomalies that led to it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn clear_anomalies(&self, signal: u8) -> Result<(), BpfError> {
        self.run(signal, true).map(|_| ())
    }

    fn run(&self, signal: u8, clear: bool) -> Result<u32, BpfError> {
        sys::test_run(self.sampling.report_anomaly.as_fd(), &[signal.into(), clear.into()])
            .map_err(|source| BpfError::of("running a program once (BPF_PROG_TEST_RUN)", source))
    }

    /// Sets the duration in nanoseconds above which a test's end at this spec is an anomaly; 0: none is.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_slow_limit(&mut self, spec: u32, ns: u64) -> Result<(), BpfError> {
        self.sampling.slow_limits.set(spec, ns, 0).map_err(map_error("SLOW_LIMITS"))
    }

    /// That duration, as the programs go by it.
    #[must_use]
    pub fn slow_limit(&self, spec: u32) -> u64 {
        self.sampling.slow_limits.get(&spec, 0).unwrap_or_default()
    }

    /// Whether starts that are sampled out are held until their test's end is known. It costs each such start some
    /// 0.25 us, and each end a few nanoseconds.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn set_hold_starts(&mut self, on: bool) -> Result<(), BpfError> {
        self.switch(|control| control.hold_starts = on.into())
    }

    /// Whether records go without their payloads.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn set_drop_payloads(&mut self, on: bool) -> Result<(), BpfError> {
        self.switch(|control| control.drop_payloads = on.into())
    }
}
