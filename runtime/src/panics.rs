//! Turns a panic in code that processes foreign files into an error.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// Whether a thread catches its panics.
enum Watch {
    /// Panics are reported as usual.
    Off,
    /// The message of a panic is stored here and not reported.
    On(Option<String>),
}

thread_local! {
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Off) };
}

/// Runs `work` and returns its result.
///
/// The first call adds a panic hook to the process. The hook keeps such panics off standard error
/// and passes all others to the previous hook.
///
/// # Errors
/// Returns the panic's message and location on one line if `work` panics.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !keep(info) {
                others(info);
            }
        }));
    });
    let before = WATCH.replace(Watch::On(None));
    // State that a panic leaves inconsistent is dropped: `work` owns it, or the caller discards the
    // network.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let watch = WATCH.replace(before);
    result.map_err(|_| match watch {
        Watch::On(Some(message)) => message,
        _ => "a panic".to_owned(),
    })
}

/// Stores the message of a panic if the thread catches panics. Returns whether it does.
fn keep(info: &PanicHookInfo<'_>) -> bool {
    WATCH.with_borrow_mut(|watch| {
        let Watch::On(kept) = watch else { return false };
        let message = info.payload_as_str().unwrap_or("a panic");
        let place = info.location().map_or(String::new(), |place| {
            let file = place.file().rsplit('/').next().unwrap_or_default();
            format!(" at {file}:{}", place.line())
        });
        *kept = Some(format!("{message}{place}").replace('\n', " "));
        true
    })
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        assert_eq!(catch(|| 3), Ok(3));
        let failed = catch(|| panic!("no\nsuch {}", "thing")).unwrap_err();
        assert!(failed.starts_with("no such thing at panics.rs:"), "{failed}");
        let nested = catch(|| (catch(|| panic!("inner")).is_err(), catch(|| 1)));
        assert_eq!(nested, Ok((true, Ok(1))));
    }
}
