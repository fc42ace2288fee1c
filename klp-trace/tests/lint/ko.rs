//! Breaks a module's file, one rule at a time: a little-endian ELF64 file whose headers and entries are rewritten in
//! place, and whose string tables are moved to the end of the file when a name grows.

/// A module's bytes.
#[derive(Clone)]
pub struct Ko(pub Vec<u8>);

/// Places of a section header's fields (ELF-64 specification, figure 8).
pub mod field {
    pub const NAME: usize = 0;
    pub const TYPE: usize = 4;
    pub const FLAGS: usize = 8;
    pub const OFFSET: usize = 24;
    pub const SIZE: usize = 32;
    pub const LINK: usize = 40;
    pub const INFO: usize = 44;
    pub const ENTSIZE: usize = 56;
}

impl Ko {
    fn number(&self, at: usize, len: usize) -> usize {
        let bytes = self.0.get(at..at + len).expect("inside the file");
        bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))
    }

    pub fn put(&mut self, at: usize, value: usize, len: usize) {
        let bytes = value.to_le_bytes();
        self.0[at..at + len].copy_from_slice(&bytes[..len]);
    }

    fn count(&self) -> usize {
        self.number(60, 2)
    }

    fn header(&self, section: usize) -> usize {
        self.number(40, 8) + section * 64
    }

    pub fn get(&self, section: usize, field: usize) -> usize {
        let len = if (field::FLAGS..field::LINK).contains(&field) || field == field::ENTSIZE { 8 } else { 4 };
        self.number(self.header(section) + field, len)
    }

    pub fn set(&mut self, section: usize, field: usize, value: usize) {
        let len = if (field::FLAGS..field::LINK).contains(&field) || field == field::ENTSIZE { 8 } else { 4 };
        self.put(self.header(section) + field, value, len);
    }

    fn text(&self, at: usize) -> &str {
        let end = self.0[at..].iter().position(|b| *b == 0).expect("an end") + at;
        std::str::from_utf8(&self.0[at..end]).expect("ASCII")
    }

    /// The section of a name.
    pub fn section(&self, name: &str) -> usize {
        let names = self.get(self.number(62, 2), field::OFFSET);
        (1..self.count())
            .find(|s| self.text(names + self.get(*s, field::NAME)) == name)
            .unwrap_or_else(|| panic!("no section {name}"))
    }

    /// Where a section's bytes stand.
    pub fn at(&self, section: usize) -> usize {
        self.get(section, field::OFFSET)
    }

    /// Moves a section's bytes to the end of the file with `more` behind them; where `more` begins in the section.
    pub fn grow(&mut self, section: usize, more: &[u8]) -> usize {
        let (at, size) = (self.at(section), self.get(section, field::SIZE));
        while !self.0.len().is_multiple_of(8) {
            self.0.push(0);
        }
        let end = self.0.len();
        self.0.extend_from_within(at..at + size);
        self.0.extend_from_slice(more);
        self.set(section, field::OFFSET, end);
        self.set(section, field::SIZE, size + more.len());
        size
    }

    pub fn rename_section(&mut self, section: usize, name: &str) {
        let at = self.grow(self.number(62, 2), &[name.as_bytes(), &[0]].concat());
        self.set(section, field::NAME, at);
    }

    fn symbol_at(&self, symbol: usize) -> usize {
        self.at(self.section(".symtab")) + symbol * 24
    }

    /// The symbol of a name.
    pub fn symbol(&self, name: &str) -> usize {
        let (symtab, names) = (self.section(".symtab"), self.at(self.section(".strtab")));
        (1..self.get(symtab, field::SIZE) / 24)
            .find(|s| self.text(names + self.number(self.symbol_at(*s), 4)) == name)
            .unwrap_or_else(|| panic!("no symbol {name}"))
    }

    pub fn rename_symbol(&mut self, symbol: usize, name: &str) {
        let at = self.grow(self.section(".strtab"), &[name.as_bytes(), &[0]].concat());
        self.put(self.symbol_at(symbol), at, 4);
    }

    /// Sets `st_shndx`.
    pub fn define_symbol(&mut self, symbol: usize, shndx: usize) {
        self.put(self.symbol_at(symbol) + 6, shndx, 2);
    }

    fn entry_at(&self, section: usize, entry: usize) -> usize {
        self.at(section) + entry * 24
    }

    pub fn offset(&self, section: usize, entry: usize) -> usize {
        self.number(self.entry_at(section, entry), 8)
    }

    pub fn set_offset(&mut self, section: usize, entry: usize, offset: usize) {
        self.put(self.entry_at(section, entry), offset, 8);
    }

    pub fn set_type(&mut self, section: usize, entry: usize, rtype: usize) {
        self.put(self.entry_at(section, entry) + 8, rtype, 4);
    }

    pub fn set_symbol(&mut self, section: usize, entry: usize, symbol: usize) {
        self.put(self.entry_at(section, entry) + 12, symbol, 4);
    }

    pub fn addend(&self, section: usize, entry: usize) -> usize {
        self.number(self.entry_at(section, entry) + 16, 8)
    }

    pub fn set_addend(&mut self, section: usize, entry: usize, addend: usize) {
        self.put(self.entry_at(section, entry) + 16, addend, 8);
    }

    /// Gives a section other bytes, at the end of the file.
    pub fn replace(&mut self, section: usize, bytes: &[u8]) {
        self.set(section, field::SIZE, 0);
        self.grow(section, bytes);
    }

    /// Names another kernel in `vermagic=`; none where the release is empty.
    pub fn set_release(&mut self, release: &str) {
        let info = self.section(".modinfo");
        let (at, size) = (self.at(info), self.get(info, field::SIZE));
        let kept = self.0[at..at + size].split(|b| *b == 0).filter(|entry| !entry.starts_with(b"vermagic="));
        let mut entries: Vec<Vec<u8>> = kept.map(<[u8]>::to_vec).filter(|entry| !entry.is_empty()).collect();
        if !release.is_empty() {
            entries.push(format!("vermagic={release} SMP").into_bytes());
        }
        let bytes: Vec<u8> = entries.into_iter().flat_map(|entry| [entry, vec![0]].concat()).collect();
        self.replace(info, &bytes);
    }

    /// Sets the section of a symbol by its index; 0 makes it undefined.
    pub fn set_symbol_section(&mut self, symbol: usize, section: usize) {
        self.define_symbol(symbol, section);
    }

    /// A byte of a section.
    pub fn set_byte(&mut self, section: usize, at: usize, byte: u8) {
        let at = self.at(section) + at;
        self.0[at] = byte;
    }
}
