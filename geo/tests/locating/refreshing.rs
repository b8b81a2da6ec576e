//! Files replaced on disk: taken up when they are whole, never when they are damaged.

use std::{fs, slice};

use geo::Geo;
use geo::refresh::Refresh;

use crate::writing::{Folder, country, system};

const IP: &str = "8.8.8.8";

fn country_of(geo: &Geo) -> Option<String> {
    geo.locate(Some(IP)).country
}

fn write(folder: &Folder, name: &str, code: &str) -> std::path::PathBuf {
    folder.write(name, "Test-Country", &[("8.8.8.0/24", country(code, []))])
}

#[test]
fn a_file_that_is_replaced_is_taken_up_once_it_has_settled() {
    let folder = Folder::new();
    let path = write(&folder, "country.mmdb", "US");
    let geo = Geo::open(slice::from_ref(&path)).expect("it opens");
    let mut refresh = Refresh::new(geo.clone(), slice::from_ref(&path));
    assert!(refresh.look().taken_up.is_empty());

    fs::rename(write(&folder, "new.mmdb", "DE"), &path).expect("it is replaced");
    assert!(refresh.look().taken_up.is_empty(), "it may still be written");
    assert_eq!(country_of(&geo).as_deref(), Some("US"));
    assert_eq!(refresh.look().taken_up, [path]);
    assert_eq!(country_of(&geo).as_deref(), Some("DE"));
    assert!(refresh.look().taken_up.is_empty());
}

#[test]
fn a_bad_file_is_reported_once_and_the_old_one_stays_in_service() {
    let folder = Folder::new();
    let path = write(&folder, "country.mmdb", "US");
    let geo = Geo::open(slice::from_ref(&path)).expect("it opens");
    let mut refresh = Refresh::new(geo.clone(), slice::from_ref(&path));

    fs::write(&path, "<html>too many requests</html>").expect("it is replaced");
    refresh.look();
    let refreshed = refresh.look();
    assert_eq!((refreshed.taken_up.len(), refreshed.failing), (0, 1));
    assert!(refreshed.faults[0].contains("country.mmdb: not a complete MaxMind DB file"), "{refreshed:?}");
    let again = refresh.look();
    assert_eq!((again.faults.len(), again.failing), (0, 1), "said once, counted as long as it lasts");
    assert_eq!(country_of(&geo).as_deref(), Some("US"));

    fs::remove_file(&path).expect("it is there");
    refresh.look();
    assert_eq!(refresh.look().failing, 1);
    assert_eq!(country_of(&geo).as_deref(), Some("US"));

    write(&folder, "country.mmdb", "DE");
    refresh.look();
    assert_eq!(refresh.look().failing, 0);
    assert_eq!(country_of(&geo).as_deref(), Some("DE"));
}

#[test]
fn of_two_files_one_that_is_damaged_does_not_keep_the_other_back() {
    let folder = Folder::new();
    let files = [write(&folder, "first.mmdb", "US"), write(&folder, "second.mmdb", "FR")];
    let geo = Geo::open(&files).expect("they open");
    let mut refresh = Refresh::new(geo.clone(), &files);
    fs::write(&files[1], "damaged").expect("it is replaced");
    fs::rename(write(&folder, "new.mmdb", "DE"), &files[0]).expect("it is replaced");
    refresh.look();
    let refreshed = refresh.look();
    assert_eq!((refreshed.taken_up.as_slice(), refreshed.failing), (&files[..1], 1));
    assert_eq!(country_of(&geo).as_deref(), Some("DE"));
}

#[test]
fn a_file_that_opens_and_is_not_good_leaves_the_old_one_and_the_alarm() {
    let folder = Folder::new();
    let path = write(&folder, "place.mmdb", "US");
    let geo = Geo::open(slice::from_ref(&path)).expect("it opens");
    let mut refresh = Refresh::new(geo.clone(), slice::from_ref(&path));
    let mut damaged = fs::read(&path).expect("the file");
    // Between the tree and the data; the file still opens.
    let at = damaged.windows(16).position(|window| window == [0; 16]).expect("a separator");
    damaged[at + 4] = 1;
    let asn = folder.write("asn.mmdb", "GeoLite2-ASN", &[("8.8.8.0/24", system(15_169, "Google LLC"))]);
    let city = folder.write("city.mmdb", "Test-City", &[("8.8.8.0/24", country("FR", []))]);
    let nowhere = folder.write("nowhere.mmdb", "Test-Country", &[("8.8.8.0/24", country("", []))]);
    for (bytes, says) in [
        (damaged, "not a complete MaxMind DB file"),
        (fs::read(asn).expect("the file"), "`GeoLite2-ASN`"),
        (fs::read(city).expect("the file"), "`Test-City`"),
        (fs::read(nowhere).expect("the file"), "no known countries"),
        (Vec::new(), "not a complete MaxMind DB file"),
    ] {
        let new = folder.path("new");
        fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)).expect("it is replaced");
        let pending = refresh.look();
        assert!(pending.faults.is_empty(), "{pending:?}");
        let refreshed = refresh.look();
        assert_eq!((refreshed.taken_up.len(), refreshed.failing), (0, 1), "{says}: {refreshed:?}");
        assert!(refreshed.faults[0].contains(says), "{refreshed:?}");
        assert_eq!(refresh.look().failing, 1, "as long as it lasts");
        assert_eq!(country_of(&geo).as_deref(), Some("US"), "{says}");
    }
    fs::remove_file(&path).and_then(|()| fs::create_dir(&path)).expect("a folder in its place");
    refresh.look();
    assert_eq!(refresh.look().failing, 1);
    fs::remove_dir(&path).expect("it is empty");
    fs::rename(write(&folder, "good.mmdb", "DE"), &path).expect("it is replaced");
    assert_eq!(refresh.look().failing, 1, "the alarm stays until a good file is in service");
    assert_eq!(refresh.look().failing, 0);
    assert_eq!(country_of(&geo).as_deref(), Some("DE"));
}

#[test]
fn a_file_that_was_built_before_is_taken_up_and_said() {
    let folder = Folder::new();
    let path = write(&folder, "country.mmdb", "US");
    let geo = Geo::open(slice::from_ref(&path)).expect("it opens");
    let mut refresh = Refresh::new(geo.clone(), slice::from_ref(&path));
    let old = folder.write_built("old.mmdb", "Test-Country", 1_000, &[("8.8.8.0/24", country("FR", []))]);
    fs::rename(old, &path).expect("it is replaced");
    refresh.look();
    let refreshed = refresh.look();
    assert_eq!((&refreshed.taken_up, &refreshed.older), (&vec![path.clone()], &vec![path]));
    assert_eq!(country_of(&geo).as_deref(), Some("FR"), "going back is somebody's decision");
}
