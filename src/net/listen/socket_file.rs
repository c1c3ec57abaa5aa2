//! Sockets in the file system.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

use super::BACKLOG;

/// The file of a listening socket, removed with it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Which file it is: another server may have put its own there meanwhile.
    device_and_inode: (u64, u64),
}

impl SocketFile {
    /// Opens a listener at `path`. A socket that nobody listens on any more is replaced; one with a
    /// server behind it, or another kind of file, is not.
    pub(super) fn open(path: &Path, mode: Option<u32>) -> io::Result<(UnixListener, Self)> {
        remove_stale(path)?;
        let socket = socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Nobody can connect before it listens, whatever the umask has left open.
        let file = Self { path: path.to_owned(), device_and_inode: identity(path)? };
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        listen(&socket, BACKLOG)?;
        Ok((socket.into(), file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).ok() == Some(self.device_and_inode) {
            // What cannot be removed is found stale by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// One that does not block.
fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !metadata.file_type().is_socket() {
        let what = "there is a file that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match connect(socket()?, &SocketAddrUnix::new(path)?).map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // A server that accepts nobody any more has no room for another client, but it is one.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "a server listens there already")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("wsecho-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_refused() {
        let folder = folder("stale");
        let path = folder.join("a.sock");
        let (first, file) = SocketFile::open(&path, Some(0o600)).expect("free");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = SocketFile::open(&path, None).expect_err("somebody listens");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        std::mem::forget(file);
        drop(first);
        assert!(path.exists(), "left behind");
        let (_second, file) = SocketFile::open(&path, None).expect("stale");
        drop(file);
        assert!(!path.exists(), "removed");
        fs::remove_dir_all(folder).expect("empty");
    }

    #[test]
    fn a_server_that_accepts_nobody_is_not_waited_for() {
        let folder = folder("full");
        let path = folder.join("a.sock");
        let address = SocketAddrUnix::new(&path).expect("short");
        let deaf = socket().expect("a socket");
        bind(&deaf, &address).expect("free");
        listen(&deaf, 0).expect("listens");
        let clients = std::iter::repeat_with(|| socket().expect("a socket"));
        let waiting: Vec<_> =
            clients.take_while(|client| connect(client, &address).is_ok()).collect();
        assert!(!waiting.is_empty());
        let refused = SocketFile::open(&path, None).expect_err("somebody listens");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        fs::remove_dir_all(folder).expect("there");
    }

    #[test]
    fn what_is_not_ours_stays() {
        let folder = folder("ours");
        let path = folder.join("a.sock");
        fs::write(&path, "letters").expect("written");
        assert!(SocketFile::open(&path, None).is_err(), "no socket");
        fs::remove_file(&path).expect("there");
        let (_listener, file) = SocketFile::open(&path, None).expect("free");
        fs::remove_file(&path).expect("there");
        let (_other, _kept) = SocketFile::open(&path, None).expect("free again");
        drop(file);
        assert!(path.exists(), "the file of another server");
        assert!(SocketFile::open(&folder.join("x".repeat(200)), None).is_err(), "too long");
        fs::remove_dir_all(folder).expect("there");
    }
}
