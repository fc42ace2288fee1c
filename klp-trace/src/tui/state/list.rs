//! A list with a selected line, of which a window is seen.

/// Which line is selected, and which one the window begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct List {
    /// The selected line.
    pub selected: usize,
    /// The first line of the window.
    pub offset: usize,
}

impl List {
    /// Moves the selection by some lines, within `len` of them.
    pub fn by(&mut self, lines: isize, len: usize) {
        self.selected = self.selected.saturating_add_signed(lines).min(len.saturating_sub(1));
    }

    /// Brings selection and window in order: the selected line exists, if there is any, and is seen; no line of the
    /// window stays empty that could be filled.
    pub fn settle(&mut self, len: usize, height: usize) {
        let height = height.max(1);
        self.selected = self.selected.min(len.saturating_sub(1));
        self.offset = self.offset.min(len.saturating_sub(height)).min(self.selected);
        if self.selected >= self.offset.saturating_add(height) {
            self.offset = self.selected + 1 - height;
        }
    }

    /// The lines of the window.
    pub fn window(&self, len: usize, height: usize) -> std::ops::Range<usize> {
        let start = self.offset.min(len);
        start..start.saturating_add(height).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_selected_line_is_seen(
            selected in 0usize..50, offset in 0usize..50, by in -60isize..60, len in 0usize..40, height in 0usize..12,
        ) {
            let mut list = List { selected, offset };
            list.by(by, len);
            list.settle(len, height);
            let window = list.window(len, height.max(1));
            prop_assert!(len == 0 || window.contains(&list.selected));
            prop_assert!(window.len() == height.max(1).min(len), "{window:?}");
        }
    }
}
