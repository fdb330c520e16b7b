//! Recognises a ShuffleNet V2 of two or three axes by the structure of its ONNX graph: from the
//! stem's convolution to the mean over positions.
//!
//! Batch norm must be folded into the convolutions. Names and the numbers of channels, units and
//! stages are free.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::NodeProto;

use crate::depthwise::Sides;
use crate::graph::{Graph, Unrecognised, attribute, integers, output_of};
use crate::instructions::Instructions;
use crate::int8::{COLOURS, Quantised, Scale, Scales};
use crate::layers::{Builder, Channel};
use crate::network::{InputShape, Network};
use crate::quantisation::Quantisation;
use crate::weights::Weights;

/// Recognises the network whose first node is `at`. Returns `None` if no stem starts there.
///
/// # Errors
/// Returns an error if a stem starts there but a later node does not match.
pub(crate) fn recognise(
    graph: &Graph<'_>,
    at: usize,
    quantisation: &Quantisation,
    instructions: Instructions,
) -> Result<Option<Network>, Unrecognised> {
    let node = &graph.proto.node[at];
    if node.op_type != "Conv" {
        return Ok(None);
    }
    let Some(relu) = graph.only_reader(output_of(node), "Relu") else { return Ok(None) };
    let Some(pool) = graph.only_reader(output_of(relu.1), "MaxPool") else { return Ok(None) };
    let conv = Convolution::from_node(graph, node)?;
    let fits = |kernel: Sides| kernel == [1, 3, 3] || kernel == [3, 3, 3];
    if conv.groups != 1 || !fits(conv.kernel) || conv.step[2] != 2 {
        return Ok(None);
    }
    let pooled = |name: &str| conv.spread(&integers(pool.1, name, 1, conv.axes));
    let halved = conv.kernel.map(|side| if side == 3 { 2 } else { 1 });
    let ceiled = attribute(pool.1, "ceil_mode").is_some_and(|mode| mode.i != 0);
    let padded = integers(pool.1, "pads", 0, 2 * conv.axes) == conv.kernel_pads();
    if pooled("kernel_shape") != Some(conv.kernel) || pooled("strides") != Some(halved) || ceiled || !padded {
        return Err(Unrecognised(format!("the max pool {:?} does not have side 3 and step 2", pool.1.name)));
    }
    let mut walk = Walk {
        graph,
        quantisation: instructions.is_int8().then_some(quantisation),
        builder: Builder::new(instructions),
        scales: Vec::new(),
        values: HashMap::new(),
        done: HashSet::new(),
        axes: conv.axes,
    };
    let whole = walk.quantised(node, &conv, output_of(relu.1), true)?;
    if whole.is_some() && conv.inputs > COLOURS {
        return Err(Unrecognised(format!("the stem {:?} has more than {COLOURS} colours in eight bits", node.name)));
    }
    let stem = walk.builder.stem(conv.inputs, conv.kernel, conv.step, conv.weights(whole.as_ref()));
    walk.check_moved(&stem, output_of(pool.1))?;
    walk.done.extend([at, relu.0, pool.0]);
    walk.values.insert(output_of(pool.1).to_owned(), stem);
    let input =
        (node.input.first().cloned().unwrap_or_default(), InputShape::Planes { colours: conv.inputs, axes: conv.axes });
    for at in at + 1..graph.proto.node.len() {
        if walk.done.contains(&at) || !graph.proto.node[at].input.iter().any(|value| walk.values.contains_key(value)) {
            continue;
        }
        if let Some((last, value)) = walk.node(at)? {
            return walk.finish(input, &last, value).map(Some);
        }
    }
    Err(Unrecognised("the network does not end with a mean over all positions".into()))
}

/// The part of the graph that was recognised.
struct Walk<'a, 'g> {
    graph: &'a Graph<'g>,
    /// The scales, if the network is to run in eight bits.
    quantisation: Option<&'a Quantisation>,
    builder: Builder,
    /// Scale of the output of each layer in eight bits.
    scales: Vec<Scale>,
    /// The channels of each value.
    values: HashMap<String, Vec<Channel>>,
    done: HashSet<usize>,
    axes: usize,
}

impl Walk<'_, '_> {
    /// Adds the node `at`, one of whose inputs is known. Returns the output if the node is the last
    /// one.
    fn node(&mut self, at: usize) -> Result<Option<(Vec<Channel>, String)>, Unrecognised> {
        let graph = self.graph;
        let node = &graph.proto.node[at];
        let unknown = |what: &str| Unrecognised(format!("{} {:?}: {what}", node.op_type, node.name));
        let input = |value: &String| self.values.get(value).cloned();
        let inputs: Option<Vec<Vec<Channel>>> = match node.op_type.as_str() {
            "Concat" => node.input.iter().map(input).collect(),
            _ => node.input.first().and_then(input).map(|channels| vec![channels]),
        };
        let Some(inputs) = inputs else { return Err(unknown("an input is not part of the network")) };
        let Some(channels) = inputs.first().filter(|channels| !channels.is_empty()) else {
            return Err(unknown("it has no input"));
        };
        self.done.insert(at);
        let mut made = vec![];
        match node.op_type.as_str() {
            "Conv" => {
                let conv = Convolution::from_node(graph, node)?;
                if conv.axes != self.axes || conv.inputs.checked_mul(conv.groups) != Some(channels.len()) {
                    return Err(unknown("its weights do not match its input"));
                }
                let relu = graph.only_reader(output_of(node), "Relu");
                let output = relu.map_or(output_of(node), |(_, relu)| output_of(relu));
                self.check_moved(channels, node.input.first().map_or("", String::as_str))?;
                let whole = self.quantised(node, &conv, output, relu.is_some())?;
                let weights = conv.weights(whole.as_ref());
                if conv.groups == 1 && conv.kernel == [1, 1, 1] && conv.step == [1, 1, 1] {
                    made.push(self.builder.pointwise(channels, weights, relu.is_some()));
                } else if conv.is_depthwise() && relu.is_none() {
                    if whole.as_ref().is_some_and(|whole| whole.input.zero != 0) {
                        return Err(unknown("the zero point of its input is not 0"));
                    }
                    made.push(self.builder.depthwise(channels, conv.kernel, conv.step, weights));
                } else {
                    return Err(unknown("it is neither a 1x1 convolution nor a depthwise one of side 3 without ReLU"));
                }
                if let Some((at, relu)) = relu {
                    self.done.insert(at);
                    self.values.extend(made.pop().map(|channels| (output_of(relu).to_owned(), channels)));
                    return Ok(None);
                }
            }
            "Concat" if axis(node) == Some(1) => made.push(inputs.concat()),
            "Split" if axis(node) == Some(1) => {
                let parts = match node.input.get(1) {
                    Some(sizes) => graph.integers(sizes).map(|sizes| sizes.to_vec()),
                    None => {
                        let count = node.output.len();
                        let even = count > 0 && channels.len().is_multiple_of(count);
                        even.then(|| vec![(channels.len() / count) as i64; count])
                    }
                };
                let mut rest = channels.as_slice();
                for part in parts.ok_or_else(|| unknown("the sizes of its parts are not constant"))? {
                    let part = usize::try_from(part).ok().filter(|&part| part > 0);
                    let part = part.and_then(|part| rest.split_at_checked(part));
                    let (part, others) =
                        part.ok_or_else(|| unknown("the sizes of its parts do not match its input"))?;
                    made.push(part.to_vec());
                    rest = others;
                }
                if made.len() != node.output.len() || !rest.is_empty() {
                    return Err(unknown("the sizes of its parts do not match its input"));
                }
            }
            "Reshape" => {
                let (value, channels) =
                    self.shuffle(node, channels).ok_or_else(|| unknown("it is no channel shuffle"))?;
                self.values.insert(value, channels);
                return Ok(None);
            }
            "ReduceMean" | "GlobalAveragePool" => {
                let value = self.mean(node).ok_or_else(|| unknown("it is no mean over all positions"))?;
                let (first, last) = (channels[0], channels[channels.len() - 1]);
                let neighbours = first.layer == last.layer && last.place + 1 == first.place + channels.len();
                if !neighbours || !channels.is_sorted() {
                    return Err(unknown("its input is not one convolution"));
                }
                let read = node.input.first().map_or("", String::as_str);
                self.check_moved(channels, read)?;
                let scale = self.quantisation.and_then(|known| known.activations.get(read).copied());
                return Ok(Some((self.builder.mean(channels, scale), value)));
            }
            _ => return Err(unknown("it is not part of a ShuffleNet V2")),
        }
        for (value, channels) in node.output.iter().zip(made) {
            self.values.insert(value.clone(), channels);
        }
        Ok(None)
    }

    /// Returns the convolution of `node` in whole numbers if the network is to run in eight bits.
    /// `output` is its value behind the ReLU, if there is one. It is the next layer.
    fn quantised(
        &mut self,
        node: &NodeProto,
        conv: &Convolution,
        output: &str,
        relu: bool,
    ) -> Result<Option<Quantised>, Unrecognised> {
        let Some(known) = self.quantisation else { return Ok(None) };
        let unknown = |what: &str| Unrecognised(format!("Conv {:?}: {what}", node.name));
        let of = |value: Option<&str>| value.and_then(|value| known.activations.get(value).copied());
        let (input, output) = (of(node.input.first().map(String::as_str)), of(Some(output)));
        let weights = node.input.get(1).and_then(|value| known.weights.get(value));
        let (Some(input), Some(output), Some(weights)) = (input, output, weights) else {
            return Err(unknown("its input, output or weights are not quantised"));
        };
        self.scales.push(output);
        let scales = Scales { input, output, weights };
        Quantised::new(&conv.data, &conv.bias, &scales, relu).map(Some).map_err(|reason| unknown(&reason))
    }

    /// Checks that the layers that compute `channels` have the scale of `value`, which gathers
    /// them: nothing computes a value that is only moved.
    fn check_moved(&self, channels: &[Channel], value: &str) -> Result<(), Unrecognised> {
        let Some(known) = self.quantisation else { return Ok(()) };
        let scale = known.activations.get(value);
        if channels.iter().all(|channel| self.scales.get(channel.layer) == scale) {
            return Ok(());
        }
        Err(Unrecognised(format!("the value {value:?} has another scale than the layers that compute it")))
    }

    /// Matches reshape, transpose and reshape, which swap groups and channels.
    fn shuffle(&mut self, apart: &NodeProto, channels: &[Channel]) -> Option<(String, Vec<Channel>)> {
        let graph = self.graph;
        let swap = graph.only_reader(output_of(apart), "Transpose")?;
        let together = graph.only_reader(output_of(swap.1), "Reshape")?;
        let shape = graph.integers(apart.input.get(1)?)?;
        let [batch, groups, each, rest @ ..] = &*shape else { return None };
        let after = graph.integers(together.1.input.get(1)?)?;
        let (groups, each) = (usize::try_from(*groups).ok()?, usize::try_from(*each).ok()?);
        let count = i64::try_from(channels.len()).ok()?;
        let swapped: Vec<i64> = [0, 2, 1].into_iter().chain(3..3 + self.axes as i64).collect();
        if groups.checked_mul(each)? != channels.len()
            || integers(swap.1, "perm", 0, 0) != swapped
            || *after != [&[*batch, count], rest].concat()
            || rest.len() != self.axes
        {
            return None;
        }
        self.done.extend([swap.0, together.0]);
        let shuffled = (0..each).flat_map(|place| (0..groups).map(move |group| channels[group * each + place]));
        Some((output_of(together.1).to_owned(), shuffled.collect()))
    }

    /// Returns the value of the mean that starts with `node`, (1, channels).
    fn mean(&mut self, node: &NodeProto) -> Option<String> {
        if node.op_type == "GlobalAveragePool" {
            let (at, flat) = self.graph.only_reader(output_of(node), "Flatten")?;
            let axis = attribute(flat, "axis").map_or(1, |axis| axis.i);
            return (axis == 1 && self.done.insert(at)).then(|| output_of(flat).to_owned());
        }
        let axes: Vec<i64> = (2..2 + self.axes as i64).collect();
        let kept = attribute(node, "keepdims").is_none_or(|keep| keep.i != 0);
        (!kept && integers(node, "axes", 0, 0) == axes).then(|| output_of(node).to_owned())
    }

    /// Returns the network if no other node reads a value inside it.
    fn finish(
        self,
        (input, shape): (String, InputShape),
        last: &[Channel],
        value: String,
    ) -> Result<Network, Unrecognised> {
        let Walk { graph, builder, done, .. } = self;
        graph.check_closed(&done, &value)?;
        Ok(Network { layers: builder.finish(last, 1), input, shape, output: value, nodes: done })
    }
}

/// Returns the axis of a node.
fn axis(node: &NodeProto) -> Option<i64> {
    attribute(node, "axis").map(|axis| axis.i)
}

/// Shape and weights of a convolution.
struct Convolution {
    /// Number of axes of positions.
    axes: usize,
    groups: usize,
    /// Inputs of each group.
    inputs: usize,
    kernel: Sides,
    step: Sides,
    data: Vec<f32>,
    bias: Vec<f32>,
}

impl Convolution {
    /// Reads the convolution of `node`, which must be padded by half of its kernel.
    fn from_node(graph: &Graph<'_>, node: &NodeProto) -> Result<Self, Unrecognised> {
        let unknown = |what: &str| Unrecognised(format!("Conv {:?}: {what}", node.name));
        let weights = node.input.get(1).and_then(|value| graph.floats(value));
        let (dims, data) = weights.ok_or_else(|| unknown("its weights are not constant and finite"))?;
        let [outputs, inputs, kernel @ ..] = dims.as_slice() else { return Err(unknown("its weights have no kernel")) };
        let axes = kernel.len();
        let bias = match node.input.get(2).filter(|value| !value.is_empty()) {
            Some(value) => graph.floats(value).map(|(_, bias)| bias),
            None => (*outputs <= data.len()).then(|| vec![0.0; *outputs]),
        };
        let bias = bias.filter(|bias| bias.len() == *outputs && *outputs > 0);
        let bias =
            bias.ok_or_else(|| unknown("its bias is not constant, or not finite, or not one number for each output"))?;
        let kernel: Vec<i64> = kernel.iter().map(|&side| side as i64).collect();
        if attribute(node, "kernel_shape").is_some_and(|shape| shape.ints != kernel) {
            return Err(unknown("its kernel does not match its weights"));
        }
        let groups = attribute(node, "group").map_or(1, |group| group.i);
        let mut conv = Convolution { axes, groups: 1, inputs: *inputs, kernel: [1; 3], step: [1; 3], data, bias };
        let step = conv.spread(&integers(node, "strides", 1, axes));
        (conv.kernel, conv.step, conv.groups) = match (conv.spread(&kernel), step, usize::try_from(groups)) {
            (Some(kernel), Some(step), Ok(groups)) if groups > 0 => (kernel, step, groups),
            _ => return Err(unknown("it does not have two or three axes")),
        };
        let padded = attribute(node, "auto_pad").is_none_or(|pad| pad.s.is_empty() || pad.s == b"NOTSET")
            && integers(node, "pads", 0, 2 * axes) == conv.kernel_pads();
        if !padded || integers(node, "dilations", 1, axes) != vec![1; axes] {
            return Err(unknown("it is dilated, or not padded by half of its kernel"));
        }
        if !conv.step.iter().all(|step| (1..=2).contains(step)) {
            return Err(unknown("its step is not 1 or 2"));
        }
        Ok(conv)
    }

    /// Returns one number for each axis as time, height and width. A missing time is 1.
    fn spread(&self, each: &[i64]) -> Option<Sides> {
        let side = |at: usize| usize::try_from(each[at]).ok();
        match each.len() {
            2 if self.axes == 2 => Some([1, side(0)?, side(1)?]),
            3 if self.axes == 3 => Some([side(0)?, side(1)?, side(2)?]),
            _ => None,
        }
    }

    /// Returns the padding before and after on each axis: half of the kernel.
    fn kernel_pads(&self) -> Vec<i64> {
        let half = self.kernel[3 - self.axes..].iter().map(|side| (side / 2) as i64);
        half.clone().chain(half).collect()
    }

    fn is_depthwise(&self) -> bool {
        let kernel = [if self.axes == 3 { 3 } else { 1 }, 3, 3];
        self.inputs == 1 && self.groups == self.bias.len() && self.kernel == kernel
    }

    fn weights<'a>(&'a self, quantised: Option<&'a Quantised>) -> Weights<'a> {
        Weights { data: &self.data, bias: &self.bias, quantised }
    }
}
