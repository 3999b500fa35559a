//! The macros. Each tests the marker's semaphore first: while nobody listens, no argument is evaluated.

/// Says that a test, or an attempt of it, starts.
///
/// `id` comes first; then, in any order, `suite`, `run` (not given: [`run_id`](crate::run_id)), `attempt`
/// (from 1, which is the default) and `key` (a `u64`; not given: [`key`](crate::key) of both ids). Texts are
/// anything that is [`Text`](crate::Text): `&str`, `String`, `Option<&str>`, ... Where a test is a function,
/// [`test!`](crate::test) is easier.
///
/// ```
/// use sidecar_markers::test_start;
///
/// test_start!(id = "login works");
/// test_start!(id = format!("login[{}]", "chrome"), suite = "web", run = "nightly-7", attempt = 2);
/// ```
#[macro_export]
macro_rules! test_start {
    (id = $id:expr $(, $name:ident = $value:expr)* $(,)?) => {
        if $crate::enabled($crate::Marker::TestStart) {
            $crate::__build!($crate::TestStart::new().id(&$id); $($name = $value,)*).fire();
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!("test_start! takes `id = ..`, then any of `suite`, `run`, `attempt`, `key` as `name = value`")
    };
}

/// Says that a test, or an attempt of it, has ended.
///
/// `id` and `status` come first; then, in any order, `duration` (a [`Duration`](std::time::Duration)),
/// `message`, `run`, `attempt` and `key`. `run` and `attempt` must be those of the start.
///
/// ```
/// use sidecar_markers::{Status, test_end};
/// use std::time::Instant;
///
/// let started = Instant::now();
/// test_end!(id = "login works", status = Status::Passed, duration = started.elapsed());
/// test_end!(id = "logout works", status = Status::Failed, message = format!("got {}", 503), attempt = 2);
/// ```
#[macro_export]
macro_rules! test_end {
    (id = $id:expr, status = $status:expr $(, $name:ident = $value:expr)* $(,)?) => {
        if $crate::enabled($crate::Marker::TestEnd) {
            $crate::__build!($crate::TestEnd::new($status).id(&$id); $($name = $value,)*).fire();
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!("test_end! takes `id = .., status = ..`, then any of `duration`, `message`, `run`, `attempt`, `key` as `name = value`")
    };
}

/// Says that something of the program's own happened.
///
/// The type comes first; then, in any order, `data` (text or bytes, cut at 1 KiB), and the test that it
/// belongs to: `test` (a reference to a [`TestGuard`](crate::TestGuard)), or `id`, `run` and `key`.
///
/// ```
/// use sidecar_markers::event;
///
/// event!("cache_miss");
/// event!("retry", id = "login works", data = format!(r#"{{"wait_ms": {}}}"#, 250));
///
/// let test = sidecar_markers::test!();
/// event!("screenshot", test = &test, data = b"\x89PNG");
/// ```
#[macro_export]
macro_rules! event {
    ($event_type:expr $(, $name:ident = $value:expr)* $(,)?) => {
        if $crate::enabled($crate::Marker::Event) {
            $crate::__build!($crate::Event::new(&$event_type); $($name = $value,)*).fire();
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!("event! takes the event's type, then any of `test`, `id`, `run`, `key`, `data` as `name = value`")
    };
}

/// Says that the program saw something abnormal, so that more of a signal is kept for a while.
///
/// Two texts: the signal (`events`, `traces`, `profiling`, `test_events`, `perf_metrics`, `debug_logs`, or
/// one of the user's own), and the kind of anomaly.
///
/// ```
/// use sidecar_markers::anomaly;
///
/// anomaly!("test_events", "slow_response");
/// ```
#[macro_export]
macro_rules! anomaly {
    ($signal:expr, $kind:expr $(,)?) => {
        if $crate::enabled($crate::Marker::Anomaly) {
            $crate::Anomaly::new(&$signal, &$kind).fire();
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!("anomaly! takes two texts: the signal and the kind of anomaly")
    };
}

/// Starts a test's life and returns its [`TestGuard`](crate::TestGuard), which ends it when dropped.
///
/// The id is the path of the function around it (`my_crate::tests::adds`), the suite the crate's name, the
/// attempt cargo-nextest's, else 1. Each can be given instead: `id`, `suite`, `run`, `attempt`. The guard
/// reads the clock at both ends, also while nobody listens.
///
/// ```
/// use std::num::ParseIntError;
///
/// fn parses_digits() {
///     let test = sidecar_markers::test!(); // a panic is reported as failed
///     assert_eq!("42".parse::<u32>(), Ok(42));
///     assert!(test.id().ends_with("::parses_digits"));
/// }
///
/// fn parses_zero() -> Result<(), ParseIntError> {
///     sidecar_markers::test!(attempt = 2).run(|test| {
///         sidecar_markers::event!("parsing", test = test);
///         assert_eq!("0".parse::<u32>()?, 0); // a panic's or an error's text is reported too
///         Ok(())
///     })
/// }
/// # parses_digits();
/// # parses_zero().unwrap();
/// ```
#[macro_export]
macro_rules! test {
    ($($name:ident = $value:expr),* $(,)?) => {{
        fn here() {}
        let id = $crate::enclosing_function(::core::any::type_name_of_val(&here));
        $crate::TestBuilder::new(id, ::core::module_path!())$(.$name($value))*.start()
    }};
    ($($other:tt)*) => {
        ::core::compile_error!("test! takes any of `id`, `suite`, `run`, `attempt` as `name = value`")
    };
}

/// Turns `name = value` pairs into calls of a builder's methods: texts by reference, numbers by value.
#[doc(hidden)]
#[macro_export]
macro_rules! __build {
    ($builder:expr;) => { $builder };
    ($builder:expr; attempt = $value:expr, $($rest:tt)*) => { $crate::__build!($builder.attempt($value); $($rest)*) };
    ($builder:expr; key = $value:expr, $($rest:tt)*) => { $crate::__build!($builder.key($value); $($rest)*) };
    ($builder:expr; duration = $value:expr, $($rest:tt)*) => { $crate::__build!($builder.duration($value); $($rest)*) };
    ($builder:expr; test = $value:expr, $($rest:tt)*) => { $crate::__build!($builder.test($value); $($rest)*) };
    ($builder:expr; $name:ident = $value:expr, $($rest:tt)*) => { $crate::__build!($builder.$name(&$value); $($rest)*) };
}
