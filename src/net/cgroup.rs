//! How much memory the process may take before the kernel ends it: the limit of its control group
//! (cgroups(7)), in both versions.

use std::fs;
use std::path::{Component, Path};

/// More than this is how version 1 writes that there is no limit.
const LIMIT_BYTES_MAX: u64 = 1 << 60;

/// Where a hierarchy may be mounted, and the file of the limit there.
const VERSION_2: (&[&str], &str) = (&["sys/fs/cgroup", "sys/fs/cgroup/unified"], "memory.max");
const VERSION_1: (&[&str], &str) = (&["sys/fs/cgroup/memory"], "memory.limit_in_bytes");

/// The least limit of the group that this process is in, and of those around it; `None` without
/// one. All files are below `root`: `/`, but for tests.
pub fn memory_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().filter_map(|line| limit_of(root, line)).min()
}

/// The limit that a line of `/proc/self/cgroup` leads to: number, controllers and path between
/// colons. Version 2 has the number 0 and no controllers.
fn limit_of(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (mounts, file) = match controllers {
        "" if number == "0" => VERSION_2,
        _ if controllers.split(',').any(|controller| controller == "memory") => VERSION_1,
        _ => return None,
    };
    let limits = mounts.iter().flat_map(|mount| {
        let mount = root.join(mount);
        // In a container the path may be the host's, of which nothing but the mount itself is seen.
        folders(path).into_iter().filter_map(move |folder| read(&mount.join(folder).join(file)))
    });
    limits.min()
}

/// The folder of a group and all that it is in, relative to the mount, down to that itself. A path
/// that leads out of it is seen from a namespace inside: then only the mount is known.
fn folders(path: &str) -> Vec<&Path> {
    let path = Path::new(path.trim_start_matches('/'));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { path.ancestors().collect() } else { vec![Path::new("")] }
}

fn read(file: &Path) -> Option<u64> {
    let bytes = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (bytes < LIMIT_BYTES_MAX).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A root folder with these files.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("wsecho-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            Self(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn limit(name: &str, files: &[(&str, &str)]) -> Option<u64> {
        memory_limit(&Root::new(name, files).0)
    }

    const GROUP: &str = "proc/self/cgroup";

    #[test]
    fn version_2_has_one_line() {
        let max = "sys/fs/cgroup/memory.max";
        assert_eq!(limit("cg-none", &[]), None, "no Linux, or no /proc");
        assert_eq!(limit("cg-max", &[(GROUP, "0::/\n"), (max, "max\n")]), None);
        assert_eq!(limit("cg-own", &[(GROUP, "0::/\n"), (max, "33554432\n")]), Some(32 << 20));
        assert_eq!(limit("cg-odd", &[(GROUP, "0::\nx\n"), (max, "nonsense\n")]), None);
        let outside = [(GROUP, "0::/../../other\n"), (max, "1024\n")];
        assert_eq!(limit("cg-outside", &outside), Some(1024));
        let outside = [(GROUP, "0::/../x\n"), ("sys/fs/cgroup/x/memory.max", "1024\n")];
        assert_eq!(limit("cg-outside-x", &outside), None, "nobody reads outside of the mount");
    }

    /// A group has no more than those around it, whatever its own file says.
    #[test]
    fn the_least_of_nested_groups_counts() {
        let group = (GROUP, "0::/system.slice/wsecho.service\n");
        let slice = "sys/fs/cgroup/system.slice/memory.max";
        let own = "sys/fs/cgroup/system.slice/wsecho.service/memory.max";
        assert_eq!(limit("cg-slice", &[group, (slice, "5000\n"), (own, "max\n")]), Some(5000));
        assert_eq!(limit("cg-unit", &[group, (slice, "5000\n"), (own, "4000\n")]), Some(4000));
        assert_eq!(limit("cg-both", &[group, (slice, "5000\n"), (own, "6000\n")]), Some(5000));
    }

    #[test]
    fn version_1_has_a_line_for_memory() {
        let group = (GROUP, "9:cpu:/a\n4:blkio,memory:/docker/abc\n0::/\n");
        let own = "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes";
        let root = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        let none = "9223372036854771712\n";
        assert_eq!(limit("cg1-own", &[group, (own, "7000\n"), (root, none)]), Some(7000));
        assert_eq!(limit("cg1-none", &[group, (own, none), (root, none)]), None);
        // The host's path, in a container that has its own group mounted as the root.
        assert_eq!(limit("cg1-inside", &[group, (root, "8000\n")]), Some(8000));
        let other = (GROUP, "4:memoryless:/\n");
        assert_eq!(limit("cg1-other", &[other, (root, "8000\n")]), None);
    }
}
