use super::*;
use crate::journal::testing;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Remembers how many events it was given, and how it ended; breaks after `breaks_after` of them.
#[derive(Default)]
struct Counting {
    begun: usize,
    events: usize,
    ended: Option<Ended>,
    breaks_after: Option<(usize, fn() -> SinkError)>,
}

impl EventSink for Rc<RefCell<Counting>> {
    fn begin(&mut self, _: &Origin) -> Result<(), SinkError> {
        self.borrow_mut().begun += 1;
        Ok(())
    }

    fn event(&mut self, _: &Event) -> Result<(), SinkError> {
        let mut this = self.borrow_mut();
        this.events += 1;
        match this.breaks_after {
            Some((after, how)) if this.events > after => Err(how()),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, ended: Ended) -> Result<Vec<String>, SinkError> {
        self.borrow_mut().ended = Some(ended);
        Ok(vec!["a word".to_owned()])
    }
}

fn full() -> SinkError {
    SinkError::Full { to: "j".to_owned(), source: io::Error::from_raw_os_error(28) }
}

fn closed() -> SinkError {
    SinkError::Closed { to: "standard output".to_owned() }
}

const CLEAN: Ended = Ended { code: 0, meaning: "clean" };
const FAILED: Ended = Ended { code: 3, meaning: "failed" };

/// Two outputs, the first of which breaks with the second event.
fn two(how: Option<fn() -> SinkError>) -> (Sinks<'static>, [Rc<RefCell<Counting>>; 2]) {
    let first =
        Rc::new(RefCell::new(Counting { breaks_after: how.map(|how| (1, how)), ..Counting::default() }));
    let second = Rc::new(RefCell::new(Counting::default()));
    let mut sinks = Sinks::new(false).and(Rc::clone(&first)).and(Rc::clone(&second));
    sinks.begin(&testing::origin()).unwrap();
    for event in testing::one_of_each().iter().take(3) {
        sinks.event(event);
    }
    (sinks, [first, second])
}

#[test]
fn each_output_is_given_every_event_and_the_end() {
    let (sinks, outputs) = two(None);
    assert!(!sinks.is_closed());
    assert_eq!(sinks.finish(CLEAN, FAILED).unwrap().len(), 2);
    for output in outputs {
        let output = output.borrow();
        assert_eq!((output.begun, output.events, output.ended), (1, 3, Some(CLEAN)));
    }
}

#[test]
fn where_a_reader_has_gone_the_others_go_on() {
    let (sinks, [first, second]) = two(Some(closed));
    assert!(!sinks.is_closed(), "the other one is still read");
    assert!(sinks.finish(CLEAN, FAILED).is_ok(), "that is no failure");
    assert_eq!((first.borrow().events, first.borrow().ended), (2, None));
    assert_eq!((second.borrow().events, second.borrow().ended), (3, Some(CLEAN)));
}

#[test]
fn what_cannot_be_kept_ends_the_session_and_the_others_say_so() {
    let (sinks, [_, second]) = two(Some(full));
    assert!(sinks.is_closed());
    assert!(matches!(sinks.finish(CLEAN, FAILED), Err(SessionError::Sink(SinkError::Full { .. }))));
    assert_eq!(second.borrow().ended, Some(FAILED));
}

#[test]
fn a_session_of_which_nothing_tells_where_the_kernel_was_is_not_let_through() {
    let output = Rc::new(RefCell::new(Counting::default()));
    let mut sinks = Sinks::new(true).and(Rc::clone(&output));
    sinks.begin(&testing::origin()).unwrap();
    for event in
        testing::one_of_each().iter().filter(|event| !matches!(event.body, crate::journal::Body::Session(_)))
    {
        sinks.event(event);
    }
    assert!(sinks.is_closed());
    assert_eq!(output.borrow().events, 0);
    assert!(matches!(sinks.finish(CLEAN, FAILED), Err(SessionError::NotRedacted(_))));
}
