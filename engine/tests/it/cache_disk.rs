//! Values kept on disk between processes: damage, room, several writers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use engine::{DiskCache, DiskStats};
use proptest::prelude::*;

/// Bytes of a file before its value.
const HEADER_BYTES: u64 = 44;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn file_of(folder: &Path, key: &[u8]) -> PathBuf {
    folder.join(blake3::hash(key).to_hex().as_str())
}

/// Puts a file's time back, because some file systems count it in steps of milliseconds.
fn age(folder: &Path, key: &[u8], seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().write(true).open(file_of(folder, key)).unwrap().set_modified(time).unwrap();
}

#[test]
fn values_outlive_the_process() {
    let folder = folder();
    let path = folder.path().join("cache/footer");
    let cache = DiskCache::open(&path, 10_000);
    assert_eq!(cache.get(b"a"), None);
    assert!(!path.exists(), "looking up makes nothing");
    cache.put(b"a", b"one");
    cache.put(b"b", b"");
    cache.put(b"a", b"two");
    let again = DiskCache::open(&path, 10_000);
    assert_eq!(again.get(b"a").as_deref(), Some(&b"two"[..]));
    assert_eq!(again.get(b"b").as_deref(), Some(&b""[..]));
    assert_eq!(again.get(b"c"), None);
    let expect =
        DiskStats { hits: 2, misses: 1, entries: 2, bytes: 2 * HEADER_BYTES + 3, ..DiskStats::default() };
    assert_eq!(again.stats(), expect);
}

#[test]
fn the_folder_may_go_at_any_time() {
    let folder = folder();
    let path = folder.path().join("cache");
    let cache = DiskCache::open(&path, 10_000);
    cache.put(b"a", b"one");
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(cache.get(b"a"), None);
    cache.put(b"a", b"two");
    assert_eq!(cache.get(b"a").as_deref(), Some(&b"two"[..]));
    assert_eq!((cache.stats().damaged, cache.stats().failed), (0, 0));
}

/// Puts a value, lets its file be damaged, and checks that it is absent, removed and counted.
fn check_damage(value: &[u8], damage: impl FnOnce(&mut Vec<u8>)) {
    let folder = folder();
    let cache = DiskCache::open(folder.path(), 10_000);
    cache.put(b"key", value);
    let path = file_of(folder.path(), b"key");
    let mut file = fs::read(&path).unwrap();
    damage(&mut file);
    fs::write(&path, file).unwrap();
    assert_eq!(cache.get(b"key"), None);
    assert!(!path.exists());
    let expect = DiskStats { misses: 1, damaged: 1, ..DiskStats::default() };
    assert_eq!(cache.stats(), expect);
    cache.put(b"key", value);
    assert_eq!(cache.get(b"key").as_deref(), Some(value));
}

#[test]
fn what_is_no_value_is_absent_and_removed() {
    check_damage(b"value", |file| file.clear());
    check_damage(b"value", |file| {
        *file = b"a file of somebody else, longer than the header of a value".to_vec()
    });
    // Another version of the format.
    check_damage(b"value", |file| file[8] = 2);
    check_damage(b"", |file| file[8] = 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_and_any_cut_is_found(
        value in proptest::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        check_damage(&value, |file| {
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
        });
        check_damage(&value, |file| file.truncate(at.index(file.len())));
        check_damage(&value, |file| file.push(bit));
    }
}

#[test]
fn a_value_under_the_name_of_another_is_no_value() {
    let folder = folder();
    let cache = DiskCache::open(folder.path(), 10_000);
    cache.put(b"a", b"one");
    fs::copy(file_of(folder.path(), b"a"), file_of(folder.path(), b"b")).unwrap();
    assert_eq!(cache.get(b"b"), None);
    assert_eq!(cache.get(b"a").as_deref(), Some(&b"one"[..]));
    assert_eq!(cache.stats().damaged, 1);
}

#[test]
fn the_oldest_make_room() {
    let folder = folder();
    let value = [7; 100 - HEADER_BYTES as usize];
    let cache = DiskCache::open(folder.path(), 300);
    for (key, seconds) in [(b"a", 30), (b"b", 20), (b"c", 10)] {
        cache.put(key, &value);
        age(folder.path(), key, seconds);
    }
    assert_eq!((cache.stats().entries, cache.stats().bytes), (3, 300));
    cache.put(b"d", &value);
    assert_eq!((cache.stats().bytes, cache.stats().evictions), (300, 1));
    // What is looked up does not become younger.
    assert_eq!((cache.get(b"a"), cache.get(b"b").is_some()), (None, true));
    cache.put(b"e", &[7; 200 - HEADER_BYTES as usize]);
    let held = |key: &&&[u8; 1]| file_of(folder.path(), &***key).exists();
    assert_eq!([b"a", b"b", b"c", b"d", b"e"].iter().filter(held).collect::<Vec<_>>(), [&b"d", &b"e"]);
    // Too large for the whole folder.
    cache.put(b"f", &[7; 301 - HEADER_BYTES as usize]);
    assert_eq!((cache.stats().entries, cache.stats().bytes, cache.stats().evictions), (2, 300, 4));
}

#[test]
fn a_process_makes_room_among_what_others_left() {
    let folder = folder();
    let large = DiskCache::open(folder.path(), 100_000);
    for key in 0..50u8 {
        large.put(&[key], &[key; 1_000]);
        age(folder.path(), &[key], 100 - u64::from(key));
    }
    // Left by a process that was killed, and of somebody else.
    fs::write(folder.path().join(".new-killed"), "half").unwrap();
    File::options()
        .write(true)
        .open(folder.path().join(".new-killed"))
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(7_200))
        .unwrap();
    fs::write(folder.path().join("README"), "not ours").unwrap();
    let small = DiskCache::open(folder.path(), 10_000);
    small.put(b"new", b"value");
    let stats = small.stats();
    assert!(stats.bytes <= 10_000 && stats.entries == 9, "{stats:?}");
    assert_eq!(small.get(&[49]).as_deref(), Some(&[49; 1_000][..]));
    assert_eq!(small.get(b"new").as_deref(), Some(&b"value"[..]));
    assert!(!folder.path().join(".new-killed").exists());
    assert!(folder.path().join("README").exists());
}

#[test]
fn what_the_file_system_refuses_is_counted() {
    let folder = folder();
    let path = folder.path().join("cache");
    fs::write(&path, "a file where the folder should be").unwrap();
    let cache = DiskCache::open(&path, 10_000);
    cache.put(b"a", b"one");
    assert_eq!(cache.get(b"a"), None);
    let stats = cache.stats();
    assert_eq!((stats.failed, stats.misses, stats.entries), (2, 1, 0));
}

#[test]
fn several_writers_never_show_half_a_value() {
    let folder = folder();
    // Each value is told by its key and its length.
    let value = |key: u8, round: usize| vec![key; 1_000 + round * 37];
    thread::scope(|scope| {
        for writer in 0..2 {
            let (folder, value) = (folder.path(), &value);
            scope.spawn(move || {
                let cache = DiskCache::open(folder, 20_000);
                for round in 0..150 {
                    let key = (round % 10) as u8;
                    cache.put(&[key], &value(key, (round + writer * 5) % 20));
                }
                assert_eq!((cache.stats().damaged, cache.stats().failed), (0, 0));
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let cache = DiskCache::open(folder.path(), 20_000);
                for round in 0..1_500 {
                    let key = (round % 10) as u8;
                    if let Some(found) = cache.get(&[key]) {
                        assert!((0..20).any(|round| found == value(key, round)), "{} bytes", found.len());
                    }
                }
                assert_eq!((cache.stats().damaged, cache.stats().failed), (0, 0));
            });
        }
    });
    let left = fs::read_dir(folder.path()).unwrap();
    assert!(left.map(|item| item.unwrap().file_name()).all(|name| name.len() == 64), "nothing is left aside");
    assert!(DiskCache::open(folder.path(), 20_000).stats().bytes <= 20_000 + 2 * 20_000 / 16);
}
