//! The demo bundle as data, for programs that carry it: `(name, content)` of each file in `demo/`.
//!
//! Its networks were trained on synthetic trailers and know nothing of films.

/// The files of the demo bundle.
pub const FILES: &[(&str, &[u8])] = &[
    ("README.md", include_bytes!("../demo/README.md")),
    ("golden.safetensors", include_bytes!("../demo/golden.safetensors")),
    ("image.onnx", include_bytes!("../demo/image.onnx")),
    ("image_head.onnx", include_bytes!("../demo/image_head.onnx")),
    ("manifest.json", include_bytes!("../demo/manifest.json")),
    ("shots.safetensors", include_bytes!("../demo/shots.safetensors")),
    ("video.onnx", include_bytes!("../demo/video.onnx")),
    ("video_head.onnx", include_bytes!("../demo/video_head.onnx")),
];
