//! Networks with their weights, ready to run: the ONNX files, the engines that run these, and the
//! comparison of engines.

pub mod backbone_file;
pub mod difference;
pub mod fold;
pub mod frozen_backbone;
pub mod onnx;
pub mod onnx_backbone;
pub mod reference_input;
pub mod session;
