//! Passwords: stored only as Argon2id hashes with the first parameters that OWASP recommends. The web process hashes in
//! turns.

use std::cell::RefCell;
use std::sync::LazyLock;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher as _, Version};

use crate::console::shell::hashing::{NotHashed, Turn};

/// The shortest password.
pub const MIN_PASSWORD_LEN: usize = 10;
/// The longest, in bytes: hashing megabytes would be a denial of service.
pub const MAX_PASSWORD_LEN: usize = 256;

/// The password is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too short to withstand guessing.
    #[error("a password has at least {MIN_PASSWORD_LEN} characters")]
    TooShort,
    /// Longer than [`MAX_PASSWORD_LEN`].
    #[error("a password has at most {MAX_PASSWORD_LEN} bytes")]
    TooLong,
}

/// Checks the length of a new password.
pub fn check(password: &str) -> Result<(), BadPassword> {
    if password.chars().count() < MIN_PASSWORD_LEN {
        return Err(BadPassword::TooShort);
    }
    if password.len() > MAX_PASSWORD_LEN {
        return Err(BadPassword::TooLong);
    }
    Ok(())
}

/// The hash to store: a PHC string of Argon2id with 19 MiB, two passes and its own salt. Takes tens of milliseconds on
/// purpose.
pub fn hash(password: &str) -> Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

thread_local! {
    /// Memory for hashing, reused by each thread: freeing and allocating 19 MiB for every hash makes the process grow.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// True if `hash` was made from `password`.
pub(crate) fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| compare(password, &hash).unwrap_or(false))
}

/// As [`is_right`]; `None` if the hash is not Argon2. Compares in constant time.
fn compare(password: &str, hash: &PasswordHash) -> Option<bool> {
    let (salt, expected) = hash.salt.as_ref().zip(hash.hash.as_ref())?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
    let argon = Argon2::new(algorithm, version, Params::try_from(hash).ok()?);
    let mut output = vec![0; expected.len()];
    MEMORY.with_borrow_mut(|blocks| {
        blocks.resize(argon.params().block_count(), Block::default());
        argon.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut blocks[..]).ok()
    })?;
    Some(Output::new(&output).ok()? == *expected)
}

/// Verified for names that do not exist, so that they take the same time.
static NOBODYS: LazyLock<Result<String, String>> = LazyLock::new(|| hash("nobody has this password"));

/// Runs [`is_right`] in `turn`. Without a hash it does the same work and returns false, so that the time does not reveal
/// which names exist.
pub(crate) async fn verify(turn: Turn, password: String, hash: Option<String>) -> Result<bool, NotHashed> {
    let work = move || match hash {
        Some(hash) => Ok(is_right(&password, &hash)),
        None => NOBODYS.as_ref().map_err(Clone::clone).map(|hash| {
            std::hint::black_box(is_right(&password, hash));
            false
        }),
    };
    turn.take(work).await
}

/// Runs [`hash`] in `turn`.
pub(crate) async fn hash_apart(turn: Turn, password: String) -> Result<String, NotHashed> {
    turn.take(move || hash(&password)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let kept = hash("correct horse").expect("hashed");
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_right("correct horse", &kept));
        for wrong in ["", "correct horse ", "Correct horse"] {
            assert!(!is_right(wrong, &kept), "{wrong:?}");
        }
        assert!(!is_right("correct horse", "not a hash"));
        assert_ne!(hash("correct horse").expect("hashed"), kept, "each hash has its own salt");
    }

    #[test]
    fn a_password_has_10_characters_to_256_bytes() {
        assert_eq!(check("ninechars"), Err(BadPassword::TooShort));
        assert_eq!(check("tencharsäö"), Ok(()));
        assert_eq!(check(&"x".repeat(257)), Err(BadPassword::TooLong));
    }
}
