//! Warnings about weak secrets, and about secrets that other accounts may read; in `check` and when a process starts. No
//! warning repeats a secret.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use domain::masked::masked;
use toml::Value;

/// Minimum length of a secret, in bytes; shorter ones can be guessed.
const LEAST_LEN: usize = 16;
/// File mode bits for every account of the machine.
const FOR_ALL: u32 = 0o007;
/// The environment file of the packaged systemd units.
const ENVIRONMENT_FILE: &str = "/etc/rewardgate/environment";

/// Warnings about the secret `text`, to which `key` refers by `reference`.
pub(super) fn of_secret(key: &str, reference: &str, text: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    if (1..LEAST_LEN).contains(&text.len()) {
        warnings.push(format!(
            "`{key}` refers to a secret of fewer than {LEAST_LEN} bytes, which can be guessed: use a longer one"
        ));
    }
    if let Some(("file", path)) = reference.split_once(':') {
        warnings.extend(of_file(Path::new(path), &format!("`{key}` refers to a secret in")));
    }
    warnings
}

/// Warnings about the mode of the settings file, if it holds secrets, and of the environment file.
pub(super) fn of_settings(path: &Path, text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        collect(&Value::Table(table), "", &mut keys);
    }
    let mut warnings = Vec::new();
    if let Some(key) = keys.first() {
        warnings.extend(of_file(path, &format!("`{key}` holds a secret in")));
    }
    warnings.extend(of_file(Path::new(ENVIRONMENT_FILE), "there are secrets in"));
    warnings
}

fn of_file(path: &Path, what: &str) -> Option<String> {
    let mode = path.metadata().ok()?.permissions().mode();
    let shown = path.display();
    (mode & FOR_ALL != 0)
        .then(|| format!("{what} {shown}, which every account of this machine may open: chmod o= {shown}"))
}

/// Adds the keys whose value is a URL with a password or a secret parameter.
fn collect(value: &Value, path: &str, keys: &mut Vec<String>) {
    match value {
        Value::String(text) if holds_secret(text) => keys.push(path.to_owned()),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect(value, &format!("{path}.{index}"), keys);
            }
        }
        Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, keys);
            }
        }
        _ => {}
    }
}

fn holds_secret(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let user = rest.split(['/', '?', '#']).next().and_then(|host| host.rsplit_once('@'));
    let has_password =
        user.is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()));
    // A macro is not a secret.
    has_password
        || masked(&text.replace(['{', '}'], "")) != text.replace(['{', '}'], "") && !is_template(text)
}

/// True if every masked value is a macro, e.g. `hash={hash}`.
fn is_template(text: &str) -> bool {
    text.split(['?', '&']).filter(|pair| masked(&format!("?{pair}")) != format!("?{pair}")).all(|pair| {
        pair.split_once('=').is_some_and(|(_, value)| value.starts_with('{') && value.ends_with('}'))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    #[test]
    fn weak_or_readable_secrets_cause_warnings_without_the_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        write(&path, "x").expect("written");
        let reference = format!("file:{}", path.display());
        let warned = |mode: u32, text: &str| {
            set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            of_secret("sources.0.secret", &reference, text)
        };
        assert_eq!(warned(0o600, "hunter2hunter2hun"), Vec::<String>::new());
        assert_eq!(warned(0o640, "0123456789abcdef"), Vec::<String>::new(), "a group is somebody's choice");
        let both = warned(0o644, "hunter2").join("\n");
        assert!(both.contains("`sources.0.secret` refers to a secret of fewer than 16 bytes"), "{both}");
        assert!(both.contains("every account") && both.contains("chmod o= "), "{both}");
        assert!(!both.contains("hunter2"));
        assert_eq!(of_secret("mail.password", "env:X", "x").len(), 1);
    }

    #[test]
    fn a_readable_settings_file_with_a_secret_is_warned_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rewardgate.toml");
        write(&path, "").expect("written");
        set_permissions(&path, Permissions::from_mode(0o644)).expect("set");
        for (text, key) in [
            ("database_url = \"postgres://me:hunter2@db/x\"", "`database_url`"),
            (
                "[[apps]]\n[apps.forward]\nurl = \"https://a.example/?token=hunter2&u={user_id}\"",
                "`apps.0.forward.url`",
            ),
        ] {
            let warned = of_settings(&path, text).join("\n");
            assert!(warned.contains(key) && !warned.contains("hunter2"), "{warned}");
        }
        for text in [
            "database_url = \"postgres://me@db/x\"",
            "database_url = \"sqlite://rewardgate.db\"",
            "[[apps]]\n[apps.forward]\nurl = \"https://a.example/?user={user_id}&hash={hash}\"",
            "[[sources]]\nsecret = \"env:TARGO_SECRET\"",
        ] {
            assert_eq!(of_settings(&path, text), Vec::<String>::new(), "{text}");
        }
        set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        assert!(of_settings(&path, "database_url = \"postgres://me:hunter2@db/x\"").is_empty());
    }
}
