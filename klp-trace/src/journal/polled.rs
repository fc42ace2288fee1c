//! A file, pipe or terminal that is read without waiting for more than there is, and no longer than someone wants it read.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often it is asked whether to stop, while nothing comes.
const ROUND: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Rounds without anything after which no more is to be expected at once.
const REST: u32 = 4;

/// Reads a file descriptor.
#[derive(Debug)]
pub struct Polled {
    from: OwnedFd,
    stop: Option<Arc<AtomicBool>>,
    /// An error of kind `WouldBlock` says that nothing is there, before it is waited for, and once more when nothing has come
    /// for [`REST`] rounds.
    pub tells: bool,
    /// Rounds since nothing is there.
    waited: u32,
}

impl Polled {
    /// Of this file; once `stop` is set, it ends.
    pub fn new(from: OwnedFd, stop: Option<Arc<AtomicBool>>) -> Self {
        Self { from, stop, tells: false, waited: 0 }
    }

    fn stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

impl Read for Polled {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stopped() {
                return Ok(0);
            }
            let tell = self.tells && self.waited == 0;
            let fd = self.from.as_fd();
            let wait = if tell { Timespec::default() } else { ROUND };
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&wait)) {
                Ok(0) => {
                    self.waited = self.waited.saturating_add(1);
                    if tell || self.tells && self.waited == REST {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => match rustix::io::read(&self.from, &mut *to) {
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                    Ok(count) => {
                        self.waited = 0;
                        return Ok(count);
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_is_there_is_said_and_then_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut polled = Polled::new(reader.into(), Some(Arc::clone(&stop)));
        polled.tells = true;
        let mut to = [0; 8];
        assert_eq!(polled.read(&mut to).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let later = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            io::Write::write_all(&mut writer, b"x").unwrap();
            writer
        });
        assert_eq!(polled.read(&mut to).unwrap(), 1);
        assert_eq!(polled.read(&mut to).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let begun = std::time::Instant::now();
        assert_eq!(polled.read(&mut to).unwrap_err().kind(), io::ErrorKind::WouldBlock, "and has not come");
        assert!(begun.elapsed() >= std::time::Duration::from_millis(500));
        // Nothing more comes, and the pipe stays open.
        stop.store(true, Ordering::Relaxed);
        assert_eq!(polled.read(&mut to).unwrap(), 0);
        drop(later.join().unwrap());
    }
}
