//! Empty. The examples are the files beside this one.
//!
//! ```text
//! cargo run --release --example classify_file
//! cargo run --release --example live_camera -- v4l2:///dev/video0
//! cargo run --release --example custom_source
//! cargo run --release --example custom_observer
//! cargo run --release --example custom_detector
//! ```
