//! `sidecar check` and `sidecar config`: what a configuration comes to, and what helps to write one.

mod answer;
#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use crate::{
    attach::WantedFunctions,
    cli::{CheckArgs, ConfigArgs, Format, Printed},
    config::{self, Config, ConfigError, EX_CONFIG, Override, Place},
    mapping::{self, MappingError},
};
use answer::{fault, json, text};

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It can't be read, or a value is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A probe means nothing.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

impl Unusable {
    /// Where it is wrong, and why, in parts.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Config(error) => error.place(),
            Self::Mapping(error) => Place::of_value(&error.at, &error.key, error.problem.to_string()),
        }
    }
}

/// The flags of a verb that override keys.
#[must_use]
pub fn overrides(listen: Option<SocketAddr>) -> Vec<Override> {
    let listen =
        listen.map(|address| Override { flag: "--listen", key: "http.listen", value: address.to_string() });
    listen.into_iter().collect()
}

/// Reads a configuration and checks the whole of it, as far as that can be done without the kernel.
///
/// # Errors
/// The first thing that is wrong.
pub fn usable(path: Option<&Path>, flags: &[Override]) -> Result<Config, Unusable> {
    let config = config::read(path, flags)?;
    mapping::all(&config.probes, &config.presets)?;
    WantedFunctions::new(&config)?;
    Ok(config)
}

/// `sidecar check`: answers on `out`, complains on `err`, and says with which status to exit.
///
/// # Errors
/// The answer can't be written.
pub fn check(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let result = usable(args.config.as_deref(), &overrides(args.listen));
    let status = if result.is_ok() { 0 } else { EX_CONFIG };
    match &result {
        Ok(config) => {
            for warning in config.hints() {
                writeln!(err, "sidecar: {warning}")?;
            }
        }
        Err(error) => writeln!(err, "sidecar: {error}")?,
    }
    match (args.format, &result) {
        (Format::Text, Ok(config)) => out.write_all(text(args.config.as_deref(), config).as_bytes())?,
        (Format::Text, Err(_)) => {}
        (Format::Json, Ok(config)) => {
            writeln!(out, "{:#}", json(args.config.as_deref(), config, config.hints()))?;
        }
        (Format::Json, Err(error)) => writeln!(out, "{:#}", fault(error))?,
    }
    out.flush()?;
    Ok(status)
}

/// `sidecar config`.
///
/// # Errors
/// It can't be written.
pub fn print(args: &ConfigArgs, out: &mut dyn Write) -> io::Result<()> {
    match args.what {
        Printed::Default => out.write_all(config::example().as_bytes())?,
        Printed::Schema => writeln!(out, "{:#}", config::schema())?,
    }
    out.flush()
}
