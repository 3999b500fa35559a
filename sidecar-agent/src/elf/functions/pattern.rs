//! Which functions are meant: by exact name, glob, regular expression, or file offset.

use globset::{GlobBuilder, GlobMatcher};
use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern, in bytes.
const LONGEST: usize = 4 << 10;
/// Most memory for a compiled regular expression, in bytes.
const REGEX_SIZE: usize = 1 << 20;
/// Most memory for what a regular expression learns while it matches, in bytes.
const REGEX_CACHE: usize = 2 << 20;

/// Which functions are meant.
#[derive(Clone, Debug)]
pub enum FunctionPattern {
    /// Those with this name, mangled or demangled.
    Exact(String),
    /// Those whose demangled name is matched as a whole; `*` goes through `::` and `/`.
    Glob(Glob),
    /// Those whose demangled name holds a match.
    Regex(Expression),
    /// The instruction at this file offset.
    Offset(u64),
}

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub struct Expression(Regex);

/// Why a pattern can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is meant.
    #[error("the pattern is empty")]
    Empty,
    /// It is too long.
    #[error("the pattern has {len} bytes, which is more than the limit of {LONGEST}")]
    Long {
        /// Its length.
        len: usize,
    },
    /// It is no glob.
    #[error("not a glob: {0}")]
    Glob(String),
    /// It is no regular expression, or a too large one.
    #[error("not a regular expression that can be used: {0}")]
    Regex(String),
}

impl FunctionPattern {
    /// Functions with this name, mangled or demangled.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn exact(name: &str) -> Result<Self, PatternError> {
        Ok(Self::Exact(fits(name)?.to_owned()))
    }

    /// Functions whose demangled name matches a glob as a whole: `*`, `?`, `[a-z]`, `{a,b}`; a backslash takes
    /// a special character as it is.
    ///
    /// # Errors
    /// It is empty, too long, or no glob.
    pub fn glob(text: &str) -> Result<Self, PatternError> {
        let glob = GlobBuilder::new(fits(text)?)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| PatternError::Glob(error.kind().to_string()))?;
        Ok(Self::Glob(Glob { text: text.to_owned(), matcher: glob.compile_matcher() }))
    }

    /// Functions whose demangled name holds a match of a regular expression (syntax of the crate `regex`,
    /// classes of ASCII).
    ///
    /// # Errors
    /// It is empty, too long, too large when compiled, or no regular expression.
    pub fn regex(text: &str) -> Result<Self, PatternError> {
        RegexBuilder::new(fits(text)?)
            .unicode(false)
            .size_limit(REGEX_SIZE)
            .dfa_size_limit(REGEX_CACHE)
            .build()
            .map(|regex| Self::Regex(Expression(regex)))
            .map_err(|error| PatternError::Regex(last_line(&error.to_string())))
    }

    /// A pattern as it is written on a command line: `/EXPRESSION/`, `+0xOFFSET`, else a glob if it has one of
    /// `*?[`, else a name.
    ///
    /// # Errors
    /// As the others.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let expression = text.strip_prefix('/').and_then(|text| text.strip_suffix('/'));
        let offset = text.strip_prefix("+0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        match (expression, offset) {
            (Some(expression), _) => Self::regex(expression),
            (None, Some(offset)) => Ok(Self::Offset(offset)),
            (None, None) if text.contains(['*', '?', '[']) => Self::glob(text),
            (None, None) => Self::exact(text),
        }
    }

    /// The key of the configuration for such a pattern, and its value there.
    #[must_use]
    pub fn setting(&self) -> (&'static str, String) {
        match self {
            Self::Exact(name) => ("symbol", name.clone()),
            Self::Glob(glob) => ("glob", glob.text.clone()),
            Self::Regex(Expression(regex)) => ("regex", regex.as_str().to_owned()),
            Self::Offset(offset) => ("offset", offset.to_string()),
        }
    }

    /// Whether a symbol is meant. `demangled` is asked only where the answer depends on it.
    pub(super) fn matches(&self, name: &str, demangled: &mut dyn FnMut() -> String) -> bool {
        match self {
            Self::Exact(wanted) => name == wanted || (is_written(wanted) && demangled() == *wanted),
            Self::Glob(glob) => glob.matcher.is_match(demangled()),
            Self::Regex(Expression(regex)) => regex.is_match(demangled().as_bytes()),
            Self::Offset(_) => false,
        }
    }
}

impl PartialEq for FunctionPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Glob(a), Self::Glob(b)) => a.text == b.text,
            (Self::Regex(Expression(a)), Self::Regex(Expression(b))) => a.as_str() == b.as_str(),
            (Self::Offset(a), Self::Offset(b)) => a == b,
            (Self::Exact(_) | Self::Glob(_) | Self::Regex(_) | Self::Offset(_), _) => false,
        }
    }
}

impl Eq for FunctionPattern {}

impl std::fmt::Display for FunctionPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Glob(glob) => f.write_str(&glob.text),
            Self::Regex(Expression(regex)) => write!(f, "/{}/", regex.as_str()),
            Self::Offset(offset) => write!(f, "+{offset:#x}"),
        }
    }
}

/// Whether a name can be a demangled one that differs from its symbol: those hold more than identifiers do.
fn is_written(name: &str) -> bool {
    name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$' && c != '.')
}

fn fits(text: &str) -> Result<&str, PatternError> {
    match text.len() {
        0 => Err(PatternError::Empty),
        len if len > LONGEST => Err(PatternError::Long { len }),
        _ => Ok(text),
    }
}

/// The crate's messages draw the pattern first; the reason is the last line.
fn last_line(message: &str) -> String {
    let line = message.trim_end().lines().next_back().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &FunctionPattern, name: &str, demangled: &str) -> bool {
        pattern.matches(name, &mut || demangled.to_owned())
    }

    #[test]
    fn a_name_is_the_symbol_or_the_whole_demangled_name() {
        let exact = |name| FunctionPattern::exact(name).unwrap();
        assert!(matches(&exact("main"), "main", "main"));
        assert!(!matches(&exact("main"), "main2", "main2"));
        assert!(matches(&exact("_ZN1a1bEv"), "_ZN1a1bEv", "a::b()"));
        assert!(matches(&exact("a::b()"), "_ZN1a1bEv", "a::b()"));
        assert!(!matches(&exact("a::b"), "_ZN1a1bEv", "a::b()"));
    }

    #[test]
    fn a_glob_matches_the_whole_demangled_name_and_a_star_goes_through_separators() {
        let glob = FunctionPattern::glob("testing::*::On?est*(*)").unwrap();
        assert!(matches(&glob, "_Z", "testing::internal::R::OnTestEnd(a/b const&)"));
        assert!(!matches(&glob, "_Z", "xtesting::internal::R::OnTestEnd()"));
        assert!(matches(&FunctionPattern::glob("a::\\{closure#0\\}").unwrap(), "_R", "a::{closure#0}"));
    }

    #[test]
    fn a_regular_expression_may_match_anywhere() {
        let regex = FunctionPattern::regex(r"^app::\w+::run\d$").unwrap();
        assert!(matches(&regex, "_R", "app::x::run1"));
        assert!(!matches(&regex, "_R", "app::x::run"));
        assert!(matches(&FunctionPattern::regex("run").unwrap(), "_R", "app::x::run1"));
    }

    #[test]
    fn how_a_pattern_is_written_says_what_it_is() {
        let parse = |text| FunctionPattern::parse(text).unwrap();
        assert_eq!(parse("/a+/"), FunctionPattern::regex("a+").unwrap());
        assert_eq!(parse("+0x1f"), FunctionPattern::Offset(0x1f));
        assert_eq!(parse("a*"), FunctionPattern::glob("a*").unwrap());
        assert_eq!(parse("a::b"), FunctionPattern::exact("a::b").unwrap());
        for text in ["/a+/", "+0x1f", "a*", "a::b"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn patterns_that_are_wrong_or_too_large_are_refused_with_the_reason() {
        assert_eq!(FunctionPattern::parse(""), Err(PatternError::Empty));
        assert_eq!(FunctionPattern::parse("//"), Err(PatternError::Empty));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(FunctionPattern::parse(&long), Err(PatternError::Long { len: LONGEST + 1 }));
        assert!(matches!(FunctionPattern::parse("a[*"), Err(PatternError::Glob(_))));
        for text in ["/(/", "/(a{1000}){1000}/", "/a{999999999}/", r"/\p{Greek}/"] {
            let error = FunctionPattern::parse(text).unwrap_err();
            assert!(matches!(&error, PatternError::Regex(why) if !why.is_empty()), "{text}: {error}");
        }
    }
}
