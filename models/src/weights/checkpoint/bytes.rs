//! Reads numbers from the bytes of a checkpoint file.

/// The longest file that is read: 4 GiB.
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// Returns the `N` bytes that begin at `at`, where there are so many; integers in files are
/// little-endian.
pub(super) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
