//! Passwords of `basic_auth_users`: checked by bcrypt, which is slow by design, so the results are kept, and one
//! password is checked at a time on a thread of its own.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::guard::Security;
use super::turn::{Turn, TurnError};

/// Most results that are kept.
const KEPT: usize = 128;
/// How long a password waits to be checked.
const WAIT: Duration = Duration::from_secs(3);
/// Checked for users who do not exist, so that they take as long as others. Nobody's password.
const NOBODY: &str = "$2b$10$abcdefghijklmnopqrstuuG3pUpDKJ6qeGbLBvXHhJlBn2tMZkPFa";

type Key = [u8; 32];

/// The checked passwords, and the turn to check one.
pub(super) struct Passwords {
    known: Mutex<VecDeque<(Key, bool)>>,
    turn: Turn,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), turn: Turn::new() }
    }

    /// Whether the user has this password.
    pub(super) async fn right(
        &self,
        security: &Security,
        user: &str,
        password: &str,
    ) -> Result<bool, TurnError> {
        let entry = security.users.get(user);
        let hash = entry.map_or(NOBODY, String::as_str).to_owned();
        let key = key(user, &hash, password);
        if let Some(right) = self.lookup(&key) {
            return Ok(right);
        }
        let exists = entry.is_some();
        let password = password.to_owned();
        let check = move || bcrypt::verify(password, &hash).unwrap_or(false) && exists;
        let right = self.turn.call(WAIT, check).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            // Wrong ones go first, so that guesses do not push out the scraper's password.
            let victim = known.iter().position(|(_, right)| !right).unwrap_or(0);
            known.remove(victim);
        }
        known.push_back((key, right));
        Ok(right)
    }

    fn lookup(&self, key: &Key) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(known, _)| known == key).map(|(_, right)| *right)
    }
}

/// A digest in the place of the three, so that no password stays in memory.
fn key(user: &str, hash: &str, password: &str) -> Key {
    let mut digest = Sha256::new();
    for part in [user, hash, password] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_can_be_checked_and_takes_as_long_as_a_real_one() {
        assert!(!bcrypt::verify("anything", NOBODY).unwrap());
    }

    #[tokio::test]
    async fn guesses_are_forgotten_before_passwords() {
        let passwords = Passwords::new();
        let hash = bcrypt::hash("right", 4).unwrap();
        let security = Security { users: [("u".to_owned(), hash)].into(), ..Security::default() };
        assert!(passwords.right(&security, "u", "right").await.unwrap());
        for i in 0..KEPT + 10 {
            assert!(!passwords.right(&security, "u", &i.to_string()).await.unwrap());
        }
        let known = passwords.known.lock().unwrap();
        assert_eq!(known.len(), KEPT);
        assert_eq!(known.iter().filter(|(_, right)| *right).count(), 1);
    }
}
