//! The token of `security.token_file`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use subtle::ConstantTimeEq;

use super::guard::SecurityError;

/// Shortest and longest token, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=4096;
/// Others may nothing, the group may not write.
const FORBIDDEN: u32 = 0o027;

/// A secret that is never shown.
pub(super) struct Token(Vec<u8>);

impl Token {
    /// Reads the file: one token, with blanks and newlines around it.
    pub(super) fn read(path: &Path) -> Result<Self, SecurityError> {
        let wrong =
            |reason: String, hint: &'static str| SecurityError::Token { path: path.to_owned(), reason, hint };
        let unread = |error: std::io::Error| wrong(error.to_string(), "name a file that the agent can read");
        let data = std::fs::metadata(path).map_err(unread)?;
        if !data.is_file() {
            return Err(wrong("it is no file".to_owned(), "name a file with one line"));
        }
        if data.mode() & FORBIDDEN != 0 {
            let mode = data.mode() & 0o7777;
            return Err(wrong(format!("others can read it (mode {mode:04o})"), "chmod it to 0600"));
        }
        if data.len() > 2 * *LENGTHS.end() as u64 {
            return Err(wrong(format!("it has {} bytes", data.len()), "a token has 16 to 4096 characters"));
        }
        let bytes = std::fs::read(path).map_err(unread)?;
        let token = bytes.trim_ascii();
        if !LENGTHS.contains(&token.len()) {
            return Err(wrong(
                format!("the token has {} characters", token.len()),
                "a token has 16 to 4096 characters, as from `openssl rand -hex 32`",
            ));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(wrong(
                "the token holds characters that a header can't".to_owned(),
                "use letters, digits and punctuation of ASCII",
            ));
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether the text is the token; how long that takes tells at most the token's length.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.0.ct_eq(text).into()
    }
}
