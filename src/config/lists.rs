//! Hosting networks and relays that the publisher names.

use domain::caller::parse_network;
use domain::lists::own::{MAX_OWN, OwnNetworks};
use ipnet::IpNet;

use super::layers::Section;

/// `[lists]`
pub(super) fn lists(top: &mut Section<'_>) -> Option<OwnNetworks> {
    let part = top.table("lists");
    let mut section = top.inner(part);
    let asns = numbers(&mut section, "hosting_asns");
    let [hosting, relays] = ["hosting_ranges", "relay_ranges"].map(|key| ranges(&mut section, key));
    section.finish();
    Some(OwnNetworks::new(asns?, hosting?, relays?))
}

fn numbers(section: &mut Section<'_>, key: &'static str) -> Option<Vec<u32>> {
    let numbers: Vec<i64> = section.value(key)?;
    is_bounded(section, key, numbers.len())?;
    let mut asns = Vec::with_capacity(numbers.len());
    for number in numbers {
        if let Some(number) = u32::try_from(number).ok().filter(|number| *number > 0) {
            asns.push(number);
        } else {
            section
                .fault(key, &format!("holds {number}, which is not the number of a network such as 64500"));
            return None;
        }
    }
    Some(asns)
}

fn ranges(section: &mut Section<'_>, key: &'static str) -> Option<Vec<IpNet>> {
    let texts: Vec<String> = section.value(key)?;
    is_bounded(section, key, texts.len())?;
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        match parse_network(&text) {
            Some(network) if network.prefix_len() > 0 => networks.push(network),
            Some(_) => {
                section.fault(key, &format!("holds `{text}`, which is every address"));
                return None;
            }
            None => {
                section.fault(
                    key,
                    &format!(
                        "holds `{text}`, which is neither an address nor a network such as 203.0.113.0/24"
                    ),
                );
                return None;
            }
        }
    }
    Some(networks)
}

fn is_bounded(section: &mut Section<'_>, key: &'static str, number: usize) -> Option<()> {
    if number > MAX_OWN {
        section.fault(key, &format!("has {number} values; at most {MAX_OWN} are read"));
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::config::{Environment, Settings};

    fn faults(lists: &str) -> String {
        let text = format!("public_url = \"https://gw.example.com\"\n[lists]\n{lists}\n");
        Settings::parse(&text, Environment::Ignored)
            .map_or_else(|faults| faults.join("\n"), |_| String::new())
    }

    #[test]
    fn networks_of_ones_own_are_read_or_named() {
        for (lists, fault) in [
            ("hosting_asns = [0]", "`lists.hosting_asns` holds 0"),
            ("hosting_asns = [4294967296]", "such as 64500"),
            ("hosting_ranges = [\"203.0.113\"]", "`lists.hosting_ranges` holds `203.0.113`"),
            ("relay_ranges = [\"::/0\"]", "every address"),
            ("relays = []", "relays"),
        ] {
            assert!(faults(lists).contains(fault), "{lists}: {}", faults(lists));
        }
        let good = "hosting_asns = [64500]\nhosting_ranges = [\"203.0.113.0/24\"]\nrelay_ranges = [\"2001:db8::/32\"]";
        assert!(!faults(good).contains("lists"), "{}", faults(good));
    }
}
