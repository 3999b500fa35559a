//! Scalars, and what a key makes of them.

use super::Fault;

/// A YAML scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// Types a text as YAML types a plain scalar: for the environment, flags, and what variables expand to.
    pub(super) fn of_text(text: &str) -> Self {
        match serde_yaml::from_str(text) {
            Ok(serde_yaml::Value::Null) => Self::Null,
            Ok(serde_yaml::Value::Bool(value)) => Self::Bool(value),
            Ok(serde_yaml::Value::Number(value)) => match (value.as_i64(), value.as_u64(), value.as_f64()) {
                (Some(value), _, _) => Self::Integer(value.into()),
                (None, Some(value), _) => Self::Integer(value.into()),
                (None, None, Some(value)) => Self::Float(value),
                (None, None, None) => Self::Text(text.to_owned()),
            },
            Ok(
                serde_yaml::Value::String(_)
                | serde_yaml::Value::Sequence(_)
                | serde_yaml::Value::Mapping(_)
                | serde_yaml::Value::Tagged(_),
            )
            | Err(_) => Self::Text(text.to_owned()),
        }
    }

    /// The value for people, cut to a length that fits a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => format!("the text `{}`", shown(text)),
        }
    }

    /// True or false, by any of the usual words.
    pub(super) fn switch(&self) -> Result<bool, Fault> {
        match self {
            Self::Bool(value) => Ok(*value),
            Self::Integer(1) => Ok(true),
            Self::Integer(0) => Ok(false),
            Self::Text(word) => match word.as_str() {
                "true" | "yes" | "on" | "enabled" | "1" => Ok(true),
                "false" | "no" | "off" | "disabled" | "0" => Ok(false),
                _ => Err(self.wants("true or false (or enabled or disabled)")),
            },
            Self::Null | Self::Integer(_) | Self::Float(_) => {
                Err(self.wants("true or false (or enabled or disabled)"))
            }
        }
    }

    /// A number from `min` to `max`.
    pub(super) fn number(&self, min: f64, max: f64) -> Result<f64, Fault> {
        let number = match self {
            Self::Integer(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Null | Self::Bool(_) | Self::Text(_) => {
                return Err(self.wants(&format!("a number from {min} to {max}")));
            }
        };
        if (min..=max).contains(&number) { Ok(number) } else { Err(self.range(&format!("{min} to {max}"))) }
    }

    /// A whole number from `min` to `max`.
    pub(super) fn count(&self, min: u64, max: u64) -> Result<u64, Fault> {
        let number = match self {
            Self::Integer(value) => *value,
            // Above 2^53 not every integer is a float; no range goes that far.
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => *value as i128,
            Self::Null | Self::Bool(_) | Self::Float(_) | Self::Text(_) => {
                return Err(self.wants(&format!("a whole number from {min} to {max}")));
            }
        };
        let number = u64::try_from(number).ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| self.range(&format!("{min} to {max}")))
    }

    /// A text. Numbers and words of YAML are texts too, as they were written.
    pub(super) fn text(&self) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Integer(value) => Ok(value.to_string()),
            Self::Float(value) => Ok(value.to_string()),
            Self::Null => Err(self.wants("a text")),
        }
    }

    fn wants(&self, wants: &str) -> Fault {
        Fault::Type { wants: wants.to_owned(), found: self.describe() }
    }

    fn range(&self, range: &str) -> Fault {
        Fault::Range { found: self.describe(), range: range.to_owned() }
    }
}

/// A text for a message: cut, and without control characters.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut out: String = text.chars().take(LONGEST).map(plain).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_typed_as_yaml_types_them() {
        assert_eq!(Scalar::of_text("0.25"), Scalar::Float(0.25));
        assert_eq!(Scalar::of_text("-7"), Scalar::Integer(-7));
        assert_eq!(Scalar::of_text("18446744073709551615"), Scalar::Integer(u64::MAX.into()));
        assert_eq!(Scalar::of_text("true"), Scalar::Bool(true));
        assert_eq!(Scalar::of_text(""), Scalar::Null);
        for text in ["enabled", "[1, 2]", "a: b", "!t 1", "'", "127.0.0.1:9808", "*"] {
            assert_eq!(Scalar::of_text(text), Scalar::Text(text.to_owned()));
        }
    }

    #[test]
    fn switches_take_the_usual_words() {
        for word in ["true", "yes", "on", "enabled", "1"] {
            assert_eq!(Scalar::of_text(word).switch(), Ok(true), "{word}");
        }
        for word in ["false", "no", "off", "disabled", "0"] {
            assert_eq!(Scalar::of_text(word).switch(), Ok(false), "{word}");
        }
        for word in ["2", "0.5", "", "ja"] {
            assert!(matches!(Scalar::of_text(word).switch(), Err(Fault::Type { .. })), "{word}");
        }
    }

    #[test]
    fn numbers_keep_their_range_and_refuse_what_is_none() {
        assert_eq!(Scalar::Integer(1).number(0.0, 1.0), Ok(1.0));
        for bad in
            [Scalar::Float(f64::NAN), Scalar::Float(1.5), Scalar::Float(f64::INFINITY), Scalar::Integer(7)]
        {
            assert!(matches!(bad.number(0.0, 1.0), Err(Fault::Range { .. })), "{bad:?}");
        }
        assert!(matches!(Scalar::Text("0.5".to_owned()).number(0.0, 1.0), Err(Fault::Type { .. })));
        assert_eq!(Scalar::Float(1e4).count(1, 20_000), Ok(10_000));
        assert!(matches!(Scalar::Float(1.5).count(1, 9), Err(Fault::Type { .. })));
        assert!(matches!(Scalar::Integer(-1).count(0, 9), Err(Fault::Range { .. })));
        assert!(matches!(Scalar::Integer(i128::MAX).count(0, 9), Err(Fault::Range { .. })));
    }
}
