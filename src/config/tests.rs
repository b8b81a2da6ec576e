use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The example with a secret that exists everywhere.
fn example() -> String {
    EXAMPLE.replace("env:TARGO_SECRET", "env:PATH")
}

fn faults(text: &str) -> String {
    Settings::parse(text, Environment::Ignored).expect_err("faulty").join("\n")
}

#[test]
fn the_example_loads_and_shows_the_defaults() {
    let example = Settings::parse(&example(), Environment::Ignored).expect("the example is valid");
    let least = "public_url = \"https://gw.example.com\"\n[[sources]]\nname = \"targo-main\"\n\
                 network = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"";
    let least = Settings::parse(least, Environment::Ignored).expect("valid");
    assert_eq!(format!("{example:?}"), format!("{least:?}"));
}

/// What a line of the example shows.
enum Shown<'t> {
    Section(&'t str),
    Key { name: &'t str, value: &'t str, is_set: bool },
    Text,
}

/// Each line of the example, whether it is commented out or not.
fn shown(line: &str) -> Shown<'_> {
    let plain = line.trim_start_matches("# ");
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
    let bare = plain.trim_start_matches('[').trim_end_matches(']');
    if plain.starts_with('[') && plain.ends_with(']') && is_name(bare) {
        return Shown::Section(bare);
    }
    match plain.split_once(" = ") {
        Some((name, value)) if is_name(name) => Shown::Key { name, value, is_set: plain == line },
        _ => Shown::Text,
    }
}

/// The example with every key and section in it; `change` may replace a line that shows one.
fn everything(change: impl Fn(&str, &Shown<'_>) -> Option<String>) -> String {
    let mut section = "";
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let shown = shown(line);
        if let Shown::Section(name) = shown {
            section = name;
        }
        if !matches!(shown, Shown::Text) {
            let plain = line.trim_start_matches("# ");
            text += &change(section, &shown).unwrap_or_else(|| plain.to_owned());
            text += "\n";
        }
    }
    text
}

#[test]
fn every_key_of_the_example_is_read_and_every_key_read_is_in_it() {
    // A section with a key that nobody knows answers with all that it reads.
    let text = everything(|_, shown| match shown {
        Shown::Section(name) if ["sources", "apps"].contains(name) => {
            Some(format!("[[{name}]]\nnonsense = 1"))
        }
        Shown::Section(name) => Some(format!("[{name}]\nnonsense = 1")),
        _ => None,
    });
    let faults = faults(&format!("nonsense = 1\n{text}"));
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        match shown(line) {
            Shown::Section(name) => {
                section = name.to_owned();
                let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
                documented.entry(above.to_owned()).or_default().insert(last.to_owned());
            }
            Shown::Key { name, .. } => {
                let is_new = documented.entry(section.clone()).or_default().insert(name.to_owned());
                assert!(is_new, "`{name}` stands twice in [{section}]");
            }
            Shown::Text => {}
        }
    }
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in faults.lines() {
        let Some((key, known)) = line.split_once("` is not a setting; known here: ") else { continue };
        let section = key.trim_start_matches('`').replace(".0.", ".");
        let section =
            section.strip_suffix("nonsense").unwrap_or_else(|| panic!("{section} is not read: {line}"));
        let known = known.split(", ").map(str::to_owned).collect();
        read.insert(section.trim_end_matches('.').to_owned(), known);
    }
    assert_eq!(documented, read);
}

#[test]
fn each_key_of_the_example_has_a_comment_of_its_own() {
    let mut before = "";
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        match shown(line) {
            Shown::Section(name) => {
                section = name.to_owned();
                assert!(before.starts_with("# "), "[{name}] has no comment above it");
            }
            Shown::Key { name, .. } => {
                let is_comment = before.starts_with("# ") && matches!(shown(before), Shown::Text);
                assert!(is_comment, "`{name}` of [{section}] has no comment directly above it");
            }
            Shown::Text => {}
        }
        before = line;
    }
}

/// Another value of the same type, if the line shows one that has others.
fn another(value: &str) -> Option<String> {
    let other = match value {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "\"127.0.0.1:8080\"" => "\"127.0.0.1:1\"".to_owned(),
        "\"sqlite://rewardgate.db\"" => "\"postgres://other\"".to_owned(),
        "\"UTC\"" => "\"Europe/Berlin\"".to_owned(),
        "\"info\"" => "\"warn\"".to_owned(),
        "\"text\"" => "\"json\"".to_owned(),
        "\"02:00\"" => "\"03:00\"".to_owned(),
        "\"starttls\"" => "\"tls\"".to_owned(),
        "\"empty\"" => "\"cut\"".to_owned(),
        "\"flag\"" => "\"off\"".to_owned(),
        "\"space\"" => "\"plus\"".to_owned(),
        "\",\"" => "\";\"".to_owned(),
        "\"rfc3339\"" => "\"unix\"".to_owned(),
        "\"0\"" => "\"1\"".to_owned(),
        "\"delivered\"" => "\"failed\"".to_owned(),
        "\"sha1\"" => "\"sha256\"".to_owned(),
        "\"default\"" => "\"targo\"".to_owned(),
        number => match number.parse::<i64>() {
            // Addresses must not be kept for a shorter time than postbacks.
            Ok(180) => "181".to_owned(),
            Ok(number) => (number - 1).max(1).to_string(),
            Err(_) => return None,
        },
    };
    Some(other)
}

#[test]
fn what_the_example_shows_as_default_is_what_holds() {
    let least = "public_url = \"https://gw.example.com\"\n[mail]\nserver = \"s\"\nfrom = \"a@b.example\"\n\
                 to = [\"a@b.example\"]\n[review]\nauto_release_below_usd = \"1\"\n[[apps]]\nname = \"main\"\n[apps.forward]\nurl = \"https://a.example/\
                 ?u={user_id}&t={tx_id}&r={reward}&s={status}\"\nsecret = \"env:PATH\"\n[[sources]]\n\
                 name = \"targo-main\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"";
    let with = |example: &str| Settings::parse_over(example, least, Environment::Ignored);
    let debug = |settings: &Settings| {
        let mail = settings.mail.as_ref().map(|mail| (mail.retry_ms, mail.workbook.is_some()));
        format!("{settings:?} {mail:?}")
    };
    let defaults = debug(&with(EXAMPLE).expect("valid"));
    let mut changed = 0;
    let mut start = 0;
    for line in EXAMPLE.lines() {
        let end = start + line.len();
        let in_section_off = line.starts_with("# ") && !line.starts_with("# # ");
        if let Shown::Key { name, value, is_set } = shown(line)
            && (is_set || in_section_off)
            && let Some(other) = another(value)
            && other != value
        {
            let line = line.replace(&format!("= {value}"), &format!("= {other}"));
            let example = format!("{}{line}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
            let settings = with(&example).map(|settings| debug(&settings));
            assert!(settings.as_ref() != Ok(&defaults), "`{name}` = {other} changes nothing");
            changed += 1;
        }
        start = end + 1;
    }
    assert!(changed > 40, "{changed}");
}

#[test]
fn all_faults_are_listed_at_once_each_with_its_key() {
    let faults = faults(
        "listen = \"here\"\npublic_url = \"gw.example.com\"\ntimezone = \"Mars\"\nbatch = \"many\"\n\
         database_url = \"mysql://x\"\ntrusted_proxies = 99\nspeed = 1\npolicy = \"missing.toml\"\n\
         [[sources]]\nname = \"Targo\"\nnetwork = \"other\"\nsecret = \"hunter2\"\ncurrency = \"\"\n\
         app = \"second\"\nsignature_form = \"both\"\n\
         [[sources]]\nname = \"b\"\nnetwork = \"targo\"\nsecret = [\"env:NOT_SET_ANYWHERE\", \"file:/not/there\"]\n\
         currency = \"coins\"\nparams = { userid = \"uid\" }\n\
         [[sources]]\nname = \"c\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"\n\
         plus = \"blank\"\nstatuses = { reversed = \"reversal\", REVERSED = \"credit\" }\n\
         [[sources]]\nname = \"d\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"\n\
         statuses = { reversed = \"undone\" }",
    );
    for fault in [
        "`listen` must be an address",
        "`public_url` must be http(s)://HOST",
        "`timezone` must be a name",
        "`batch` must be",
        "`database_url` must start with",
        "`trusted_proxies` must be between 0 and 16 hops",
        "`speed` is not a setting",
        "`policy` cannot be read",
        "`sources.0.name` must have",
        "`sources.0.network`",
        "`sources.0.secret` must be \"env:NAME\" or \"file:PATH\"",
        "`sources.0.currency` must have",
        "`sources.0.app` names `second`",
        "`sources.0.signature_form`",
        "`sources.1.secret` refers to the environment variable NOT_SET_ANYWHERE",
        "`sources.1.secret` refers to /not/there",
        "`sources.1.params` is faulty: `userid` is not a macro",
        "`sources.2.plus`",
        "`sources.2.statuses` names `reversed` twice, with different meanings",
        "`sources.3.statuses`",
    ] {
        assert!(faults.contains(fault), "{fault} is not in:\n{faults}");
    }
    assert!(!faults.contains("hunter2"), "a secret was repeated:\n{faults}");
}

#[test]
fn a_source_may_rotate_its_secrets_and_must_have_a_name_of_its_own() {
    let source = |name: &str| {
        format!(
            "[[sources]]\nname = \"{name}\"\nnetwork = \"targo\"\nsecret = [\"env:PATH\", \"env:HOME\"]\ncurrency = \"c\"\n"
        )
    };
    let text = |second: &str| format!("public_url = \"https://x/\"\n{}{}", source("a"), source(second));
    let settings = Settings::parse(&text("b"), Environment::Ignored).expect("valid");
    assert_eq!((settings.sources[0].secrets.len(), settings.public_url.as_str()), (2, "https://x"));
    assert!(faults(&text("a")).contains("`sources.1.name` `a` stands there twice"));
}

#[test]
fn nothing_secret_is_shown() {
    let text = example().replace("sqlite://rewardgate.db", "postgres://me:hunter2@host/db");
    let shown = format!("{:?}", Settings::parse(&text, Environment::Ignored).expect("valid"));
    let path = std::env::var("PATH").expect("set everywhere");
    assert!(!shown.contains("hunter2") && !shown.contains(&path), "{shown}");
}

/// The example with `[apps.forward]` in it, and these lines instead of those with the same keys.
fn forwarding(lines: &[&str]) -> Result<Settings, Vec<String>> {
    let (head, tail) = EXAMPLE.split_once("# [apps.forward]\n").expect("it is shown");
    let key = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
    let is_key = |line: &str| {
        let plain = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        line.split_once(" = ").is_some_and(|(key, _)| plain(key))
    };
    let shown = tail.lines().map(|line| line.trim_start_matches("# ")).filter(|line| is_key(line));
    let shown = shown.filter(|line| !lines.iter().any(|other| key(other) == key(line)));
    let given = lines.iter().copied().filter(|line| !line.ends_with(" = "));
    let section = shown.chain(given).collect::<Vec<_>>().join("\n");
    let text = format!("{head}[apps.forward]\n{section}\n");
    let text = text.replace("env:TARGO_SECRET", "env:PATH").replace("env:APP_SECRET", "env:PATH");
    Settings::parse(&text, Environment::Ignored)
}

#[test]
fn the_forward_section_of_the_example_loads_and_shows_the_defaults() {
    let shown = forwarding(&["rate_per_second = "]).expect("valid");
    let defaults = [
        "form = ",
        "hash = ",
        "schedule = ",
        "also = ",
        "concurrency = ",
        "rate_per_second = ",
        "timeout_seconds = ",
    ];
    let least = forwarding(&defaults).expect("valid");
    assert_eq!(format!("{shown:?}"), format!("{least:?}"));
    assert_eq!(shown.forwards.len(), 1);
    assert!(forwarding(&[]).is_ok_and(|settings| settings.forwards[0].target.rate_per_second == Some(50)));
}

#[test]
fn what_cannot_be_forwarded_is_a_fault_with_its_key() {
    for (line, says) in [
        ("url = \"app.example.com\"", "`apps.0.forward.url` must begin with https://"),
        (
            "url = \"https://a.example/p?u={user_id}&t={tx_id}&r={reward}\"",
            "`apps.0.forward.url` lacks `{status}`",
        ),
        ("secret = \"hunter2\"", "never the secret itself"),
        ("secret = [\"env:PATH\", \"env:PATH\"]", "`apps.0.forward.secret` must be one"),
        ("form = \"carrier-pigeon\"", "`apps.0.forward.form`"),
        ("form = \"standard-webhooks\"", "`apps.0.forward.secret` must be `whsec_` and base64"),
        ("schedule = \"often\"", "`apps.0.forward.schedule` must be"),
        ("schedule = []", "`apps.0.forward.schedule` must be"),
        ("schedule = [-1]", "`apps.0.forward.schedule` must be"),
        ("schedule = [604801]", "`apps.0.forward.schedule` must be"),
        ("concurrency = 0", "`apps.0.forward.concurrency` must be between 1 and 256"),
        ("rate_per_second = 0", "`apps.0.forward.rate_per_second` must be between"),
        ("timeout_seconds = 61", "`apps.0.forward.timeout_seconds` must be between 1 and 60"),
        ("also = [\"credited\"]", "`apps.0.forward.also`"),
        ("speed = 1", "`apps.0.forward.speed` is not a setting"),
    ] {
        let faults = forwarding(&[line]).expect_err(line).join("\n");
        assert!(faults.contains(says), "{line}: {faults}");
    }
}

/// What a line says of the proxies in front of both listeners.
fn proxies(line: &str) -> Result<(String, String), Vec<String>> {
    let source = "[[sources]]\nname = \"a\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"c\"\n";
    let text = format!("public_url = \"https://x\"\n{line}\n{source}");
    let settings = Settings::parse(&text, Environment::Ignored)?;
    Ok((settings.trusted_proxies.to_string(), settings.admin_trusted_proxies.to_string()))
}

#[test]
fn proxies_are_named_by_address_hops_or_both_and_for_each_listener() {
    const NONE: &str = "no forwarding header is believed";
    for (line, public, admin) in [
        ("", NONE, NONE),
        ("trusted_proxies = 0", NONE, NONE),
        ("trusted_proxies = []", NONE, NONE),
        ("trusted_proxies = 2", "X-Forwarded-For is believed from whoever connects, 2 from its end", NONE),
        (
            "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
            "X-Forwarded-For is believed from 127.0.0.1/32, 10.0.0.0/8",
            NONE,
        ),
        (
            "trusted_proxies = { from = [\"10.0.0.7\"], hops = 2 }\nadmin_listen = \"127.0.0.1:1\"",
            "X-Forwarded-For is believed from 10.0.0.7/32, 2 from its end",
            NONE,
        ),
        (
            "admin_trusted_proxies = \"::1\"\nadmin_listen = \"127.0.0.1:1\"",
            NONE,
            "X-Forwarded-For is believed from ::1/128",
        ),
    ] {
        assert_eq!(proxies(line), Ok((public.to_owned(), admin.to_owned())), "{line}");
    }
}

#[test]
fn faults_of_proxies_name_their_key_and_the_cure() {
    for (line, fault) in [
        ("trusted_proxies = -1", "`trusted_proxies` must be between 0 and 16 hops"),
        ("trusted_proxies = true", "`trusted_proxies` must be a list of the proxies' addresses"),
        (
            "trusted_proxies = [\"gw.example.com\"]",
            "`trusted_proxies` holds `gw.example.com`, which is neither",
        ),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "`trusted_proxies` holds `0.0.0.0/0`, which is everybody"),
        ("trusted_proxies = [1]", "`trusted_proxies` must be a list of the proxies' addresses"),
        ("trusted_proxies = { hops = 1 }", "`trusted_proxies` needs `from`"),
        ("trusted_proxies = { from = [\"::1\"], hops = 0 }", "`trusted_proxies` holds `hops`, which must be"),
        (
            "trusted_proxies = { from = [\"::1\"], hop = 1 }",
            "`trusted_proxies` holds `hop`; known here: from, hops",
        ),
        ("admin_trusted_proxies = [\"::1\"]", "`admin_trusted_proxies` is set without `admin_listen`"),
    ] {
        let faults = proxies(line).expect_err(line).join("\n");
        assert!(faults.contains(fault), "{line}: {faults}");
    }
}
