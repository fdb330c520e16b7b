//! The ONNX operators that a network may contain: those that `divita-models` writes, and those that
//! exporters write for feature extractors.

/// Properties of an operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    /// How its output's shape follows from its inputs.
    pub kind: Kind,
    /// Number of required inputs.
    pub least_inputs: usize,
    pub most_inputs: usize,
    pub most_outputs: usize,
}

/// How an operator's output shape follows from its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The shape of its first input.
    Same,
    /// The same. The attribute `axis` names an axis of the input.
    SameOnAxis,
    /// The common shape of its inputs, repeated along axes of length 1.
    Broadcast,
    Reduction,
    Convolution,
    Pool,
    GlobalPool,
    MatMul,
    Gemm,
    Gru,
    Reshape,
    Flatten,
    Squeeze,
    Unsqueeze,
    Transpose,
    Concat,
    Split,
    Slice,
    Gather,
    Shape,
    Constant,
    ConstantOfShape,
    Expand,
    Tile,
    Range,
    Pad,
}

impl Operator {
    /// Returns the operator with this name, or `None` if networks may not contain it.
    pub fn called(name: &str) -> Option<Operator> {
        // Kind, smallest and largest number of inputs, largest number of outputs.
        let (kind, least_inputs, most_inputs, most_outputs) = match name {
            "Relu" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "Tanh"
            | "Erf" | "Gelu" | "Softplus" | "Softsign" | "Exp" | "Log" | "Sqrt" | "Reciprocal" | "Neg" | "Abs"
            | "Sign" | "Floor" | "Ceil" | "Round" | "Sin" | "Cos" | "Not" | "Identity" | "Cast" => {
                (Kind::Same, 1, 1, 1)
            }
            "Clip" | "Dropout" => (Kind::Same, 1, 3, 1),
            "BatchNormalization" => (Kind::Same, 5, 5, 1),
            "QuantizeLinear" | "DequantizeLinear" => (Kind::Same, 2, 3, 1),
            "InstanceNormalization" => (Kind::Same, 3, 3, 1),
            "Softmax" | "LogSoftmax" => (Kind::SameOnAxis, 1, 1, 1),
            "LayerNormalization" => (Kind::SameOnAxis, 2, 3, 1),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Equal" | "Greater" | "Less" | "GreaterOrEqual"
            | "LessOrEqual" | "And" | "Or" | "PRelu" => (Kind::Broadcast, 2, 2, 1),
            "Min" | "Max" | "Sum" | "Mean" => (Kind::Broadcast, 1, 16, 1),
            "Where" => (Kind::Broadcast, 3, 3, 1),
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL1" | "ReduceL2" | "ReduceProd"
            | "ReduceSumSquare" => (Kind::Reduction, 1, 2, 1),
            "Conv" => (Kind::Convolution, 2, 3, 1),
            "MaxPool" | "AveragePool" => (Kind::Pool, 1, 1, 1),
            "GlobalAveragePool" | "GlobalMaxPool" => (Kind::GlobalPool, 1, 1, 1),
            "MatMul" => (Kind::MatMul, 2, 2, 1),
            "Gemm" => (Kind::Gemm, 2, 3, 1),
            "GRU" => (Kind::Gru, 3, 4, 2),
            "Reshape" => (Kind::Reshape, 2, 2, 1),
            "Flatten" => (Kind::Flatten, 1, 1, 1),
            "Squeeze" => (Kind::Squeeze, 1, 2, 1),
            "Unsqueeze" => (Kind::Unsqueeze, 1, 2, 1),
            "Transpose" => (Kind::Transpose, 1, 1, 1),
            "Concat" => (Kind::Concat, 1, 1024, 1),
            "Split" => (Kind::Split, 1, 2, 1024),
            "Slice" => (Kind::Slice, 1, 5, 1),
            "Gather" => (Kind::Gather, 2, 2, 1),
            "Shape" => (Kind::Shape, 1, 1, 1),
            "Constant" => (Kind::Constant, 0, 0, 1),
            "ConstantOfShape" => (Kind::ConstantOfShape, 1, 1, 1),
            "Expand" => (Kind::Expand, 2, 2, 1),
            "Tile" => (Kind::Tile, 2, 2, 1),
            "Range" => (Kind::Range, 3, 3, 1),
            "Pad" => (Kind::Pad, 1, 4, 1),
            _ => return None,
        };
        Some(Operator { kind, least_inputs, most_inputs, most_outputs })
    }
}
