//! What the process asks of its allocator: to hold what it uses, and little more.

use std::hint::black_box;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often freed memory goes back. What is freed and taken again at once is
/// younger: the allocator keeps each piece for a second by itself.
const RETURN: Duration = Duration::from_secs(5);

/// With huge pages a process holds all 2 MB as soon as it touches one byte: an
/// idle process held 36 MB with them and 12 MB without. The allocator does not
/// ask for them, and the kernel is told not to give them unasked. Where it does
/// not know the question, it does not give such pages either.
pub(crate) fn keep_pages_small() {
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// Gives freed memory back to the system. The allocator looks for it while it
/// works, and an idle process never does: a configuration that was read once
/// left 20 MB behind. It looks as well when a thread ends; so, now and then, one does.
pub(crate) async fn give_back(stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(RETURN))
        .await
        .is_some()
    {
        // A thread of no use but its end; without it freed memory stays here a while longer.
        drop(std::thread::Builder::new().name("memory".to_owned()).spawn(|| {
            drop(black_box(Box::new(0_u8)));
        }));
    }
}
