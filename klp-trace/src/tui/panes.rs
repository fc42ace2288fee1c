//! Where everything stands on a screen of a given size.

use ratatui::layout::{Rect, Size};

/// The least size that everything has room in.
pub const LEAST: Size = Size { width: 80, height: 24 };

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Panes {
    /// What is shown, of which kernel, how it stands.
    pub status: Rect,
    /// The tree, with its frame.
    pub tree: Rect,
    /// The relocations, with their frame.
    pub relocs: Rect,
    /// The tabs, with their frame.
    pub tabs: Rect,
    /// The recording's time line; without height when there is none.
    pub tape: Rect,
    /// Keys, notices, the filter being typed.
    pub hints: Rect,
    /// Where pages are shown, with their frame: everything between status and hints.
    pub page: Rect,
}

/// Divides a screen; none when it is too small.
pub fn panes(size: Size, tape: bool) -> Option<Panes> {
    if size.width < LEAST.width || size.height < LEAST.height {
        return None;
    }
    let Size { width, height } = size;
    let tape_height = u16::from(tape);
    let between = height - 2 - tape_height;
    // At 24 lines half and half; on larger screens the upper panes take more.
    let lower = (between * 2 / 5).max(11).min(between / 2);
    let upper = between - lower;
    let left = (width * 3 / 10).clamp(32, 56);
    let row = |y, height| Rect { x: 0, y, width, height };
    Some(Panes {
        status: row(0, 1),
        tree: Rect { x: 0, y: 1, width: left, height: upper },
        relocs: Rect { x: left, y: 1, width: width - left, height: upper },
        tabs: row(1 + upper, lower),
        tape: row(1 + between, tape_height),
        hints: row(height - 1, 1),
        page: row(1, between),
    })
}

/// Lines within a frame.
pub fn inner(pane: Rect) -> Rect {
    Rect {
        x: pane.x + 1,
        y: pane.y + 1,
        width: pane.width.saturating_sub(2),
        height: pane.height.saturating_sub(2),
    }
}

/// Lines of the relocations below their heading.
pub fn relocs_height(panes: &Panes) -> usize {
    usize::from(inner(panes.relocs).height.saturating_sub(1))
}

/// Lines of the list of findings; the rest of the tab says what the selected one means.
pub fn findings_height(panes: &Panes, findings: usize) -> usize {
    let room = usize::from(inner(panes.tabs).height);
    findings.clamp(1, (room / 3).max(2))
}

/// Columns of names and the axis of the time line, and its lanes.
pub const LANE_NAME: u16 = 22;

/// Lanes of the time line that are seen; the last line is the axis.
pub fn lanes_height(panes: &Panes) -> usize {
    usize::from(inner(panes.tabs).height.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_belongs_to_one_part() {
        for tape in [false, true] {
            for width in [80, 81, 120, 200, 1000] {
                for height in [24, 25, 40, 50, 500] {
                    let p = panes(Size { width, height }, tape).unwrap();
                    let all = [p.status, p.tree, p.relocs, p.tabs, p.tape, p.hints];
                    let area: u32 = all.iter().map(|rect| rect.area()).sum();
                    assert_eq!(area, u32::from(width) * u32::from(height), "{width}x{height}");
                    for (at, a) in all.iter().enumerate() {
                        assert!(
                            all.iter()
                                .skip(at + 1)
                                .all(|b| !a.intersects(*b) || a.is_empty() || b.is_empty())
                        );
                    }
                    assert!(findings_height(&p, 9) >= 2 && relocs_height(&p) >= 6 && lanes_height(&p) >= 5);
                }
            }
        }
        assert_eq!(panes(Size { width: 79, height: 24 }, false), None);
        assert_eq!(panes(Size { width: 80, height: 23 }, false), None);
    }
}
