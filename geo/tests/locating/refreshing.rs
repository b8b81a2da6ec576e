//! Files replaced on disk: taken up when they are whole, never when they are damaged.

use std::{fs, slice};

use geo::Geo;
use geo::refresh::Refresh;

use crate::writing::{Folder, country};

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
fn a_damaged_or_missing_file_leaves_the_old_one_in_service_and_is_reported_once() {
    let folder = Folder::new();
    let path = write(&folder, "country.mmdb", "US");
    let geo = Geo::open(slice::from_ref(&path)).expect("it opens");
    let mut refresh = Refresh::new(geo.clone(), slice::from_ref(&path));

    fs::write(&path, "<html>too many requests</html>").expect("it is replaced");
    refresh.look();
    let refreshed = refresh.look();
    assert_eq!((refreshed.taken_up.len(), refreshed.failing), (0, 1));
    assert!(refreshed.faults[0].contains("country.mmdb: not a whole MaxMind DB file"), "{refreshed:?}");
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
