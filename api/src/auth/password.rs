//! Passwords: argon2id, on a thread of its own, a bounded number at a time.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rand::RngExt;
use tokio::sync::Semaphore;

/// The fewest characters of a password that a user sets.
pub const MIN_LENGTH: usize = 12;
/// The most bytes of a password: hashing a longer one would only cost time.
pub const MAX_LENGTH: usize = 256;

/// Hashes under way at once: each takes 19 MiB (argon2's recommended parameters) and a core. A hash cannot be stopped, so
/// its thread holds the place, not who waits for it: else clients that go away at once would start as many as they like.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A hash of a password that nobody has: checked when the user is unknown, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random()).unwrap_or_default());

/// What goes wrong with a password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash cannot be made or read.
    #[error("could not hash the password")]
    Hash(#[source] argon2::password_hash::Error),
    /// The thread that hashes ended.
    #[error("could not wait for the hash")]
    Thread,
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    // Argon2id version 19, 19 MiB, 2 passes, 1 lane, a random salt.
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|h: argon2::password_hash::phc::PasswordHash| h.to_string())
        .map_err(PasswordError::Hash)
}

fn verify_now(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// The hash of `password`, as it is stored.
pub async fn hash(password: String) -> Result<String, PasswordError> {
    in_place(move || hash_now(&password)).await?
}

/// Whether `password` is the one of `hash`; without one (the user is unknown) the same work is done, and the answer is no.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, PasswordError> {
    in_place(move || match hash {
        Some(hash) => verify_now(&password, &hash),
        None => {
            verify_now(&password, &NOBODY);
            false
        }
    })
    .await
}

/// `work` on a thread of its own, once there is a place for it.
async fn in_place<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
    let place = PLACES.acquire().await.map_err(|_| PasswordError::Thread)?;
    let held = move || {
        let done = work();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(held).await.map_err(|_| PasswordError::Thread)
}

/// A random password: 20 characters out of 31 that cannot be taken for another, 99 bits.
pub fn random() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut text = String::with_capacity(23);
    for i in 0..20 {
        if i > 0 && i % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let hashed = hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$"), "{hashed}");
        assert!(verify("correct horse battery".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!verify("correct horse batterz".to_owned(), Some(hashed)).await.unwrap());
        assert!(!verify("anything".to_owned(), None).await.unwrap());
        assert!(!verify("anything".to_owned(), Some("not a hash".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_keeps_its_place_when_nobody_waits_for_it_any_more() {
        let (begin, begun) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let work = in_place(move || {
            begin.send(()).unwrap();
            ended.recv().unwrap();
        });
        // The client goes away as soon as its hash has begun.
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), work).await.is_err());
        begun.recv().unwrap();
        assert!(PLACES.available_permits() < 2, "the thread still works");
        end.send(()).unwrap();
        assert!(in_place(|| ()).await.is_ok());
    }

    #[test]
    fn random_passwords_differ() {
        let (a, b) = (random(), random());
        assert_ne!(a, b);
        assert_eq!(a.len(), 23);
    }
}
