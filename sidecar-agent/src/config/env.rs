//! The environment: the variables that override keys, and those that nearly do.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::nearest::distance;
use super::{ConfigError, Fault, KEYS, Source, nearest};

/// Makes a map of the environment's variables. One that is not UTF-8 is left out, so it counts as not set.
///
/// # Errors
/// A variable that overrides a key is not UTF-8.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut map = BTreeMap::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                map.insert(name, value);
            }
            Err(_) => {
                if let Some(key) = KEYS.iter().find(|key| key.env == Some(&name))
                    && let Some(variable) = key.env
                {
                    return Err(ConfigError::Value {
                        at: Source::Env(variable),
                        key: key.name.to_owned(),
                        fault: Fault::NotUtf8,
                    });
                }
            }
        }
    }
    Ok(map)
}

/// What is to say of variables whose names are almost those of keys. Others that begin with `SIDECAR_` are none
/// of ours to judge: Kubernetes sets `SIDECAR_SERVICE_HOST` for a service of that name.
pub(super) fn near_misses(env: &BTreeMap<String, String>) -> Vec<String> {
    /// A name this near to a known one is taken for a slip.
    const SLIP: usize = 2;

    let known: Vec<&'static str> = KEYS.iter().filter_map(|key| key.env).collect();
    let ours = env.range("SIDECAR_".to_owned()..).map(|(name, _)| name.as_str());
    let ours = ours.take_while(|name| name.starts_with("SIDECAR_")).filter(|name| !known.contains(name));
    ours.filter_map(|name| {
        let near = nearest(name, known.iter().copied()).filter(|near| distance(name, near) <= SLIP)?;
        let name = super::scalar::shown(name);
        Some(format!("the environment variable {name} sets nothing; did you mean {near}?"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn of(name: &str, value: &[u8]) -> Result<BTreeMap<String, String>, ConfigError> {
        environment([(name.into(), OsString::from_vec(value.to_vec()))])
    }

    #[test]
    fn a_variable_of_a_key_must_be_utf8_and_others_count_as_not_set() {
        let error = of("SIDECAR_CPU_BUDGET", b"5\xff").unwrap_err().to_string();
        assert_eq!(
            error,
            "environment SIDECAR_CPU_BUDGET: resources.max_cpu_percent: its value is not UTF-8"
        );
        assert!(of("OTHER", b"\xff").unwrap().is_empty());
        assert_eq!(of("OTHER", b"x").unwrap()["OTHER"], "x");
        let odd = OsString::from_vec(b"\xff".to_vec());
        assert!(environment([(odd.clone(), odd)]).unwrap().is_empty());
    }

    #[test]
    fn misspelt_variables_are_told_and_foreign_ones_are_not() {
        let hints = |name: &str| near_misses(&[(name.to_owned(), "1".to_owned())].into());
        assert_eq!(
            hints("SIDECAR_SAMPLE_EVENT"),
            [
                "the environment variable SIDECAR_SAMPLE_EVENT sets nothing; did you mean SIDECAR_SAMPLE_EVENTS?"
            ]
        );
        for name in ["SIDECAR_SERVICE_HOST", "SIDECAR_PORT", "SIDECAR_ENABLED", "SIDECA_ENABLED", "ENABLED"] {
            assert!(hints(name).is_empty(), "{name}");
        }
    }
}
