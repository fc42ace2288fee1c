//! One pass over the lines of /proc/kallsyms.

use std::io::{self, Read};

use super::{Query, Symbols, VMLINUX};

/// Longer than any line: KSYM_NAME_LEN is 512, MODULE_NAME_LEN 56.
pub(super) const BUFFER: usize = 64 * 1024;

/// One pass over the file.
pub(super) struct Scan<'a> {
    query: Query,
    vmlinux: Option<usize>,
    /// The module that the last line was of, and its index if anything of it is wanted: lines come by module.
    module: Vec<u8>,
    module_index: Option<usize>,
    pub(super) any_address: bool,
    pub(super) stop_at_address: bool,
    /// Bytes before the read that brought the first line of a module.
    pub(super) before_modules: Option<u64>,
    /// Called once, when so many bytes were read and none of a module yet.
    pub(super) near: Option<(u64, &'a mut dyn FnMut())>,
}

impl Scan<'_> {
    pub(super) fn new(query: Query) -> Self {
        let vmlinux = query.by_name.get(VMLINUX.as_bytes()).copied();
        Self {
            query,
            vmlinux,
            module: Vec::new(),
            module_index: None,
            any_address: false,
            stop_at_address: false,
            before_modules: None,
            near: None,
        }
    }

    pub(super) fn run(&mut self, mut source: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut filled = 0;
        let mut position = 0;
        loop {
            if self.before_modules.is_none()
                && let Some((_, call)) = self.near.take_if(|(at, _)| position >= *at)
            {
                call();
            }
            let space = buffer.get_mut(filled..).unwrap_or_default();
            if space.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line longer than any symbol"));
            }
            let count = match source.read(space) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let data = buffer.get(..filled + count).unwrap_or_default();
            if count == 0 {
                // A last line without its newline is a line still.
                self.line(data);
                return Ok(());
            }
            let read = data.get(filled..).unwrap_or_default();
            if self.before_modules.is_none() && memchr::memchr(b'\t', read).is_some() {
                self.before_modules = Some(position);
            }
            position += read.len() as u64;
            let whole = memchr::memrchr(b'\n', data).map_or(0, |last| last + 1);
            self.lines(data.get(..whole).unwrap_or_default());
            if self.stop_at_address && self.any_address {
                return Ok(());
            }
            filled = data.len() - whole;
            buffer.copy_within(whole..whole + filled, 0);
        }
    }

    /// Whole lines, each with its newline.
    fn lines(&mut self, lines: &[u8]) {
        let mut start = 0;
        while let Some(rest) = lines.get(start..).filter(|rest| !rest.is_empty()) {
            // The lines of vmlinux, nearly all, have no tab: where nothing of it is wanted, they are leapt over.
            if self.vmlinux.is_none() && self.any_address {
                let Some(tab) = memchr::memchr(b'\t', rest) else { return };
                let before = rest.get(..tab).unwrap_or_default();
                start += memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            }
            let rest = lines.get(start..).unwrap_or_default();
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.line(rest.get(..length).unwrap_or_default());
            start += length + 1;
        }
    }

    fn line(&mut self, line: &[u8]) {
        if !self.any_address {
            self.any_address = line.iter().take(16).any(|digit| matches!(digit, b'1'..=b'9' | b'a'..=b'f'));
        }
        let in_module = line.last() == Some(&b']');
        if !in_module && self.vmlinux.is_none() {
            return;
        }
        let Some((head, rest)) = line.split_at_checked(19) else { return };
        let (name, index) = if in_module {
            let Some(tab) = memchr::memrchr(b'\t', rest) else { return };
            let (name, tail) = rest.split_at(tab);
            let Some(module) = tail.strip_prefix(b"\t[").and_then(|m| m.strip_suffix(b"]")) else { return };
            (name, self.module(module))
        } else {
            (rest, self.vmlinux)
        };
        let Some(object) = index.and_then(|i| self.query.objects.get_mut(i)) else { return };
        object.seen = true;
        if !object.lengths.contain(name.len()) {
            return;
        }
        if let (Some(addresses), Some((address, kind))) = (object.names.get_mut(name), parse_head(head)) {
            // Undefined symbols are listed for livepatch modules, which keep their whole table; the kernel's search
            // skips them (kernel/module/kallsyms.c, `module_kallsyms_on_each_symbol`: SHN_UNDEF).
            if kind != b'U' {
                addresses.push(address);
            }
        }
    }

    fn module(&mut self, name: &[u8]) -> Option<usize> {
        if self.module != name {
            let objects = &mut self.query.objects;
            if let Some(last) = self.module_index.and_then(|index| objects.get_mut(index)) {
                last.over = true;
            }
            self.module.clear();
            self.module.extend_from_slice(name);
            let index = self.query.by_name.get(name).copied();
            self.module_index = index.filter(|index| objects.get(*index).is_some_and(|object| !object.over));
        }
        self.module_index
    }

    /// What was found; `None` when not a single address differs from zero.
    pub(super) fn shown(self) -> Option<Symbols> {
        self.any_address.then(|| self.finish())
    }

    pub(super) fn finish(mut self) -> Symbols {
        // vmlinux is listed in address order, and counted so; made sure of here.
        if let Some(object) = self.vmlinux.and_then(|i| self.query.objects.get_mut(i)) {
            object.names.values_mut().for_each(|addresses| addresses.sort_unstable());
        }
        Symbols(self.query)
    }
}

/// Parses `<16 hex digits> <type> `.
fn parse_head(head: &[u8]) -> Option<(u64, u8)> {
    let (digits, rest) = head.split_at_checked(16)?;
    let [b' ', kind, b' '] = rest else { return None };
    let address = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((address, *kind))
}
