//! Sizes and statistics of the pictures that published networks read.

use divita_runtime::bundle::StreamInput;

/// Side of the pictures that the 2D networks read, and the frames that the transformers for clips
/// read, pixels.
pub const IMAGE_SIZE: usize = 224;

/// Side of the frames that the 3D convolutional networks read, pixels.
pub const VIDEO_SIZE: usize = 112;

/// Returns ImageNet's preprocessing: the middle 224 pixels of a picture whose shorter side has
/// `resize` pixels.
pub(super) fn imagenet(resize: usize) -> StreamInput {
    StreamInput::new(IMAGE_SIZE, resize, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
}
