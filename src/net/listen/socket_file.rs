//! Sockets in the file system.
//!
//! Between looking at a path and binding a socket to it, another server may do the same: one of the
//! two would then listen where nobody can find it. So both happen under a lock, which is a file
//! beside the socket for just that time. A lock file that a killed server has left is taken over.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
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
    /// The process whose it is, and not one that was made of that.
    owner: u32,
}

/// Nobody else may change what stands at a path while this is there.
struct Lock {
    path: PathBuf,
    file: File,
}

impl SocketFile {
    /// Opens a listener at `path`. A socket that nobody listens on any more is replaced; one with a
    /// server behind it, or another kind of file, is not.
    pub(super) fn open(path: &Path, mode: Option<u32>) -> io::Result<(UnixListener, Self)> {
        // If something fails, this is dropped after the lock, which it takes to remove the file.
        let file;
        let _lock = Lock::take(path)?;
        remove_stale(path)?;
        let socket = socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Nobody can connect before it listens, whatever the umask has left open.
        let device_and_inode = identity(path)?;
        file = Self { path: path.to_owned(), device_and_inode, owner: process::id() };
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        listen(&socket, BACKLOG)?;
        Ok((socket.into(), file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return;
        }
        // What cannot be removed is found stale by the next server, which may be the one that has
        // the lock.
        let Ok(_lock) = Lock::take(&self.path) else { return };
        if identity(&self.path).ok() == Some(self.device_and_inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Lock {
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        // No link is followed to somewhere else, and no pipe without a reader waited for.
        let further = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = OFlags::WRONLY | OFlags::CREATE | further;
        loop {
            let file = File::from(open(&path, flags, Mode::RUSR | Mode::WUSR)?);
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(taken("another server starts there")),
                locked => locked?,
            }
            // Its owner removes the file before letting go of it: then another one counts.
            let locked = file.metadata()?;
            if identity(&path).ok() == Some((locked.dev(), locked.ino())) {
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let ours = self.file.metadata().map(|file| (file.dev(), file.ino())).ok();
        if ours.is_some() && identity(&self.path).ok() == ours {
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
        _ => Err(taken("a server listens there already")),
    }
}

fn taken(by: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, by)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

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

    /// The file of a server that was killed, and several that want its place at one time.
    #[test]
    fn of_those_that_start_at_once_one_listens() {
        const RIVALS: usize = 8;
        let folder = folder("rivals");
        let path = folder.join("a.sock");
        for round in 0..100 {
            let stale = socket().expect("a socket");
            bind(&stale, &SocketAddrUnix::new(&path).expect("short")).expect("free");
            drop(stale);
            let start = Barrier::new(RIVALS);
            let opened: Vec<_> = thread::scope(|scope| {
                let rivals = [(); RIVALS].map(|()| {
                    scope.spawn(|| {
                        start.wait();
                        SocketFile::open(&path, None)
                    })
                });
                rivals.into_iter().map(|rival| rival.join().expect("no panic")).collect()
            });
            let listens = opened.iter().filter(|opened| opened.is_ok()).count();
            assert_eq!(listens, 1, "in round {round}");
            for refused in opened.iter().filter_map(|opened| opened.as_ref().err()) {
                assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{refused}");
            }
            let client = socket().expect("a socket");
            connect(&client, &SocketAddrUnix::new(&path).expect("short")).expect("it is found");
            drop(opened);
            assert_eq!(fs::read_dir(&folder).expect("there").count(), 0, "nothing is left");
        }
        fs::remove_dir_all(folder).expect("there");
    }

    #[test]
    fn a_lock_that_was_left_behind_is_taken_over() {
        let folder = folder("lock");
        let (path, lock) = (folder.join("a.sock"), folder.join("a.sock.lock"));
        fs::write(&lock, "").expect("written");
        let (_listener, file) = SocketFile::open(&path, None).expect("nobody holds it");
        drop(file);
        assert!(!lock.exists());
        // Nothing is written through a link, to a file of somebody else.
        std::os::unix::fs::symlink(folder.join("elsewhere"), &lock).expect("a link");
        assert!(SocketFile::open(&path, None).is_err());
        assert!(!folder.join("elsewhere").exists() && !path.exists());
        fs::remove_dir_all(folder).expect("there");
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
