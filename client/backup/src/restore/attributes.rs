//! Owners, modes, times and extended attributes.
//!
//! Refusals are counted and otherwise ignored: content matters more, and an ordinary user may not give
//! files away.

use std::ffi::OsStr;
use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use rustic_core::repofile::Node;
use rustix::fs::{AtFlags, Gid, Timestamps, Uid, XattrFlags};

use crate::restore::RestoreOptions;
use crate::restore::plan::open_no_follow;

/// Sets everything on an open file or directory; returns how many settings were refused.
pub(crate) fn on_file(file: &File, node: &Node, options: &RestoreOptions) -> u64 {
    let meta = &node.meta;
    let mut refused = 0;
    let mut own = true;
    if restores_owners(options) {
        let uid = meta.uid.map(Uid::from_raw);
        let gid = meta.gid.map(Gid::from_raw);
        own = rustix::fs::fchown(file, uid, gid).is_ok();
        refused += u64::from(!own);
    }
    for attribute in &meta.extended_attributes {
        let value = attribute.value.as_deref().unwrap_or_default();
        let name = attribute.name.as_str();
        let set = rustix::fs::fsetxattr(file, name, value, XattrFlags::empty());
        refused += u64::from(set.is_err());
    }
    if let Some(mode) = meta.mode {
        let mut mode = unix_mode(mode);
        // Set-user-id on a file that belongs to somebody else than intended is a hole.
        if !own || !restores_owners(options) {
            mode &= 0o1777;
        }
        refused += u64::from(file.set_permissions(Permissions::from_mode(mode)).is_err());
    }
    if let Some(mtime) = meta.mtime {
        let mtime = SystemTime::from(mtime);
        let times = FileTimes::new()
            .set_modified(mtime)
            .set_accessed(meta.atime.map_or(mtime, SystemTime::from));
        refused += u64::from(file.set_times(times).is_err());
    }
    refused
}

/// The same for a file or directory by its path, never through a symbolic link.
pub(crate) fn on_path(path: &Path, node: &Node, options: &RestoreOptions) -> u64 {
    open_no_follow(path).map_or(1, |file| on_file(&file, node, options))
}

/// Owner and times of a symbolic link, pipe or socket itself, which cannot be opened for that.
pub(crate) fn on_special(path: &Path, node: &Node, options: &RestoreOptions) -> u64 {
    let meta = &node.meta;
    let mut refused = 0;
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    if restores_owners(options) {
        let uid = meta.uid.map(Uid::from_raw);
        let gid = meta.gid.map(Gid::from_raw);
        let set = rustix::fs::chownat(rustix::fs::CWD, path, uid, gid, flags);
        refused += u64::from(set.is_err());
    }
    if let Some(mtime) = meta.mtime {
        let spec = |time: rustic_core::jiff::Timestamp| rustix::fs::Timespec {
            tv_sec: time.as_second(),
            tv_nsec: time.subsec_nanosecond().max(0).into(),
        };
        let times = Timestamps {
            last_access: spec(meta.atime.unwrap_or(mtime)),
            last_modification: spec(mtime),
        };
        let set = rustix::fs::utimensat(rustix::fs::CWD, path as &Path, &times, flags);
        refused += u64::from(set.is_err());
    }
    refused
}

/// The link's target, as bytes of a path.
pub(crate) fn link_target(node: &Node) -> Option<&OsStr> {
    node.is_symlink().then(|| node.node_type.to_link().as_os_str())
}

/// Permission bits from Go's `fs.FileMode`, in which the format keeps them.
pub(crate) fn unix_mode(go: u32) -> u32 {
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    special.iter().filter(|(bit, _)| go & bit != 0).fold(go & 0o777, |mode, (_, unix)| mode | unix)
}

fn restores_owners(options: &RestoreOptions) -> bool {
    !options.no_owners && rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_come_back_from_go() {
        assert_eq!(unix_mode(0o644), 0o644);
        assert_eq!(unix_mode(0x8000_0000 | 0o755), 0o755);
        assert_eq!(unix_mode(1 << 23 | 0o755), 0o4755);
        assert_eq!(unix_mode(1 << 20 | 0o777), 0o1777);
    }
}
