//! What Cargo built and what compilers make of it: the markers' notes, code and semaphores, and the C ABI.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod aarch64;
mod c_abi;
mod elf;
mod notes;
mod off;
mod tools;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a test needs and this machine does not have.
type Missing = String;

/// A test that one function is.
type Named = (&'static str, fn() -> Result<(), Missing>);

/// What a test does.
type Body = Box<dyn FnOnce() -> Result<(), Missing> + Send>;

fn test(name: String, body: impl FnOnce() -> Result<(), Missing> + Send + 'static) -> Trial {
    let label = name.clone();
    Trial::ignorable_test(name, move || match body() {
        Ok(()) => Ok(Completion::Completed),
        Err(missing) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            Err(Failed::from(format!("it can't run here: {missing}")))
        }
        Err(missing) => {
            println!("SKIPPED {label}: {missing}");
            Ok(Completion::ignored_with(missing))
        }
    })
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for tests in [aarch64::tests(), notes::tests(), off::tests()] {
        trials.extend(tests.into_iter().map(|(name, body)| test(name.to_owned(), body)));
    }
    trials.extend(c_abi::tests().into_iter().map(|(name, body)| test(name, body)));
    libtest_mimic::run(&arguments, trials).exit();
}
