//! The shape of each operator's output, derived from the shapes of its inputs, and the operator's
//! work (ONNX's operator specification).

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::attributes::{attribute, axis, integer, integers, lengths, text};
use super::operators::{Kind, Operator};
use super::values::{Fault, LONGEST_FOLLOWED, MOST_AXES, Value, constant, elements, width};

/// The outputs of a node.
pub(super) struct Made {
    /// One value for each output, at least one.
    pub values: Vec<Value>,
    /// Multiply-adds, or written elements.
    pub work: u64,
}

/// A node and its inputs while its output is derived.
struct Call<'a> {
    node: &'a NodeProto,
    inputs: &'a [Option<&'a Value>],
}

/// Returns the values that `node` computes from `inputs`. An omitted input is `None`.
pub(super) fn outputs(node: &NodeProto, inputs: &[Option<&Value>]) -> Result<Made, Fault> {
    let operator = Operator::called(&node.op_type).ok_or("this operator is not supported")?;
    let call = Call { node, inputs };
    let mut work = 0;
    let shapes = call.shapes(operator.kind, &mut work)?;
    let is_constant = inputs.iter().flatten().all(|input| input.is_constant) || operator.kind == Kind::Shape;
    let mut width = inputs.iter().flatten().map(|input| input.width).max().unwrap_or(4);
    match node.op_type.as_str() {
        "Cast" => width = call.cast_width()?,
        // The executor takes pairs of these out, so the floats between them are what is held.
        "QuantizeLinear" => width = 1,
        "DequantizeLinear" => width = 4,
        "Shape" | "Range" => width = 8,
        "Equal" | "Greater" | "Less" | "GreaterOrEqual" | "LessOrEqual" | "And" | "Or" | "Not" => width = 1,
        "Gather" | "Reshape" | "Slice" | "Expand" | "Tile" => width = call.first()?.width,
        _ => {}
    }
    let mut integers = call.integers(operator.kind, &shapes[0]).filter(|integers| integers.len() <= LONGEST_FOLLOWED);
    let mut values = Vec::new();
    for shape in shapes {
        if shape.len() > MOST_AXES {
            return Err(format!("its output has {} axes; at most {MOST_AXES} are supported", shape.len()));
        }
        let count = elements(&shape)?;
        if count == 0 && !is_constant {
            return Err(format!("its output of shape {shape:?} has an axis of length 0"));
        }
        work += count;
        let integers = integers.take().filter(|integers| is_constant && integers.len() as u64 == count);
        values.push(Value { shape, integers, is_constant, width });
    }
    if operator.kind == Kind::Constant {
        values = vec![call.constant()?];
    }
    Ok(Made { values, work })
}

impl<'a> Call<'a> {
    fn input(&self, at: usize) -> Option<&'a Value> {
        self.inputs.get(at).copied().flatten()
    }

    fn first(&self) -> Result<&'a Value, Fault> {
        self.input(0).ok_or_else(|| "its first input is left out".into())
    }

    fn second(&self) -> Result<&'a Value, Fault> {
        self.input(1).ok_or_else(|| "its second input is left out".into())
    }

    /// Returns the integers of input `at`. Without them the size of the output is unknown.
    fn known(&self, at: usize) -> Result<&'a [i64], Fault> {
        let value = self.input(at).ok_or("an input that states a size is left out")?;
        value.integers.as_deref().ok_or_else(|| "the size of its output is known only when it runs".into())
    }

    /// Returns the integers of attribute `name`, or of input `at` in later versions of the
    /// operator. Returns `None` if neither is present.
    fn stated(&self, name: &str, at: usize) -> Result<Option<&'a [i64]>, Fault> {
        match (integers(self.node, name), self.input(at)) {
            (Some(_), Some(_)) => Err(format!("it has {name:?} as an attribute and as an input")),
            (Some(numbers), None) => Ok(Some(numbers)),
            (None, Some(_)) => self.known(at).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns the shape of each output.
    fn shapes(&self, kind: Kind, work: &mut u64) -> Result<Vec<Vec<usize>>, Fault> {
        let one = |shape| Ok(vec![shape]);
        match kind {
            Kind::Same => one(self.first()?.shape.clone()),
            Kind::SameOnAxis => self.same_on_axis().map(|shape| vec![shape]),
            Kind::Broadcast => one(broadcast(self.inputs.iter().flatten().map(|input| input.shape.as_slice()))?),
            Kind::Reduction => one(self.reduction(work)?),
            Kind::Convolution => one(self.convolution(work)?),
            Kind::Pool => one(self.pool(work)?),
            Kind::GlobalPool => {
                let shape = &self.first()?.shape;
                *work = elements(shape)?;
                one(shape.iter().enumerate().map(|(at, &length)| if at < 2 { length } else { 1 }).collect())
            }
            Kind::MatMul => one(self.mat_mul(work)?),
            Kind::Gemm => one(self.gemm(work)?),
            Kind::Gru => self.gru(work),
            Kind::Reshape => one(self.reshape()?),
            Kind::Flatten => {
                let shape = &self.first()?.shape;
                let at = integer(self.node, "axis", 1);
                let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
                let length = |lengths: &[usize]| elements(lengths).map(|length| length as usize);
                one(vec![length(&shape[..at])?, length(&shape[at..])?])
            }
            Kind::Squeeze => one(self.squeeze()?),
            Kind::Unsqueeze => one(self.unsqueeze()?),
            Kind::Transpose => one(self.transpose()?),
            Kind::Concat => one(self.concat()?),
            Kind::Split => self.split(),
            Kind::Slice => one(self.slice()?.iter().map(|part| part.count).collect()),
            Kind::Gather => {
                let (data, indices) = (self.first()?, self.second()?);
                let at = axis(integer(self.node, "axis", 0), data.shape.len())?;
                one([&data.shape[..at], &indices.shape, &data.shape[at + 1..]].concat())
            }
            Kind::Shape => {
                let bounds = attribute(self.node, "start").or(attribute(self.node, "end"));
                match bounds {
                    Some(_) => Err("part of a shape is not supported".into()),
                    None => one(vec![self.first()?.shape.len()]),
                }
            }
            Kind::Constant => one(vec![]),
            Kind::ConstantOfShape => one(positive(self.known(0)?)?),
            Kind::Expand => {
                let wanted = positive(self.known(1)?)?;
                one(broadcast([self.first()?.shape.as_slice(), &wanted].into_iter())?)
            }
            Kind::Tile => {
                let (shape, repeats) = (&self.first()?.shape, positive(self.known(1)?)?);
                if repeats.len() != shape.len() {
                    return Err("its repeats do not match its input".into());
                }
                let length = |(&length, &repeats): (&usize, &usize)| length.checked_mul(repeats);
                let shape: Option<_> = shape.iter().zip(&repeats).map(length).collect();
                one(shape.ok_or("its output is too large")?)
            }
            Kind::Range => one(vec![self.range().ok_or("the size of its output is known only when it runs")?.len()]),
            Kind::Pad => one(self.pad()?),
        }
    }

    fn same_on_axis(&self) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let at = axis(integer(self.node, "axis", -1), shape.len())?;
        for parameter in self.inputs.iter().skip(1).flatten() {
            if parameter.shape != shape[at..] {
                return Err("its scale or shift does not match its input".into());
            }
        }
        Ok(shape.clone())
    }

    fn reduction(&self, work: &mut u64) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        *work = elements(shape)?;
        let stated = self.stated("axes", 1)?.unwrap_or(&[]);
        let keep = integer(self.node, "keepdims", 1) != 0;
        let mut axes = stated.iter().map(|&at| axis(at, shape.len())).collect::<Result<Vec<_>, _>>()?;
        if axes.is_empty() {
            if integer(self.node, "noop_with_empty_axes", 0) != 0 {
                return Ok(shape.clone());
            }
            axes = (0..shape.len()).collect();
        }
        let reduced = |(at, &length): (usize, &usize)| match (axes.contains(&at), keep) {
            (false, _) => Some(length),
            (true, true) => Some(1),
            (true, false) => None,
        };
        Ok(shape.iter().enumerate().filter_map(reduced).collect())
    }

    /// Returns the number of positions of a window on each axis of an input with `sides`.
    fn windows(&self, sides: &[usize], kernel: &[usize]) -> Result<Vec<usize>, Fault> {
        let (node, axes) = (self.node, sides.len());
        let steps = lengths(node, "strides", axes, 1, 1..=1 << 16)?;
        let dilations = lengths(node, "dilations", axes, 1, 1..=1 << 16)?;
        let pads = lengths(node, "pads", 2 * axes, 0, 0..=1 << 16)?;
        let ceiled = integer(node, "ceil_mode", 0) != 0;
        let positions = (0..axes).map(|at| {
            let reach = (kernel[at] - 1) * dilations[at] + 1;
            match text(node, "auto_pad") {
                b"SAME_UPPER" | b"SAME_LOWER" => return Some(sides[at].div_ceil(steps[at])),
                b"" | b"NOTSET" | b"VALID" => {}
                _ => return None,
            }
            let free = (sides[at] + pads[at] + pads[axes + at]).checked_sub(reach)?;
            Some(if ceiled { free.div_ceil(steps[at]) } else { free / steps[at] } + 1)
        });
        positions.collect::<Option<_>>().ok_or_else(|| "its kernel does not match its input".into())
    }

    fn convolution(&self, work: &mut u64) -> Result<Vec<usize>, Fault> {
        let (input, weights) = (&self.first()?.shape, &self.second()?.shape);
        let unfit = || "its weights do not match its input".to_owned();
        let ([batch, channels, sides @ ..], [outputs, each, kernel @ ..]) = (input.as_slice(), weights.as_slice())
        else {
            return Err(unfit());
        };
        let groups =
            usize::try_from(integer(self.node, "group", 1)).ok().filter(|&groups| groups > 0).ok_or_else(unfit)?;
        let fits = each.checked_mul(groups) == Some(*channels)
            && *outputs > 0
            && outputs.is_multiple_of(groups)
            && kernel.len() == sides.len()
            && (1..=3).contains(&sides.len())
            && kernel.iter().all(|side| (1..=1 << 12).contains(side))
            && integers(self.node, "kernel_shape")
                .is_none_or(|said| said.iter().map(|&side| side as usize).eq(kernel.iter().copied()))
            && self.input(2).is_none_or(|bias| bias.shape == [*outputs]);
        if !fits {
            return Err(unfit());
        }
        let shape = [&[*batch, *outputs], self.windows(sides, kernel)?.as_slice()].concat();
        *work = elements(&shape)?.saturating_mul((each * kernel.iter().product::<usize>()) as u64);
        Ok(shape)
    }

    fn pool(&self, work: &mut u64) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let [batch, channels, sides @ ..] = shape.as_slice() else { return Err("its input has no sides".into()) };
        let kernel = integers(self.node, "kernel_shape").map(<[i64]>::len).filter(|&count| count == sides.len());
        kernel.ok_or("its kernel does not match its input")?;
        let kernel = lengths(self.node, "kernel_shape", sides.len(), 1, 1..=1 << 12)?;
        let shape = [&[*batch, *channels], self.windows(sides, &kernel)?.as_slice()].concat();
        *work = elements(&shape)?.saturating_mul(elements(&kernel)?);
        Ok(shape)
    }

    fn mat_mul(&self, work: &mut u64) -> Result<Vec<usize>, Fault> {
        let (a, b) = (&self.first()?.shape, &self.second()?.shape);
        let unfit = || format!("matrices of shapes {a:?} and {b:?} cannot be multiplied");
        let ([outer_a @ .., rows, inner], [outer_b @ .., inner_b, columns]) = (a.as_slice(), b.as_slice()) else {
            return Err(unfit());
        };
        if inner != inner_b {
            return Err(unfit());
        }
        let mut shape = broadcast([outer_a, outer_b].into_iter())?;
        shape.extend([*rows, *columns]);
        *work = elements(&shape)?.saturating_mul(*inner as u64);
        Ok(shape)
    }

    fn gemm(&self, work: &mut u64) -> Result<Vec<usize>, Fault> {
        let turned = |value: &Value, name: &str| match (value.shape.as_slice(), integer(self.node, name, 0) != 0) {
            (&[rows, columns], false) => Some([rows, columns]),
            (&[rows, columns], true) => Some([columns, rows]),
            _ => None,
        };
        let (a, b) = (turned(self.first()?, "transA"), turned(self.second()?, "transB"));
        let shape = match (a, b) {
            (Some([rows, inner]), Some([inner_b, columns])) if inner == inner_b => {
                *work = elements(&[rows, columns])?.saturating_mul(inner as u64);
                vec![rows, columns]
            }
            _ => return Err("its matrices cannot be multiplied".into()),
        };
        let sum = self.input(2).map_or(Ok(shape.clone()), |c| broadcast([shape.as_slice(), &c.shape].into_iter()))?;
        if sum == shape { Ok(shape) } else { Err("its bias does not match its product".into()) }
    }

    fn gru(&self, work: &mut u64) -> Result<Vec<Vec<usize>>, Fault> {
        let (x, w) = (&self.first()?.shape, &self.second()?.shape);
        let r = &self.input(2).ok_or("its third input is left out")?.shape;
        let hidden = usize::try_from(integer(self.node, "hidden_size", 0)).unwrap_or(0);
        let (&[steps, batch, features], &[directions, gates, w_features]) = (x.as_slice(), w.as_slice()) else {
            return Err("its weights do not match its input".into());
        };
        let fits = hidden > 0
            && gates == 3 * hidden
            && w_features == features
            && *r == [directions, gates, hidden]
            && self.input(3).is_none_or(|bias| bias.shape == [directions, 2 * gates])
            && directions == 1;
        if !fits {
            return Err("its weights do not match its input".into());
        }
        *work = elements(&[steps, batch, gates])?.saturating_mul((features + hidden) as u64);
        let shapes = [vec![steps, directions, batch, hidden], vec![directions, batch, hidden]];
        Ok(shapes.into_iter().take(self.node.output.len()).collect())
    }

    fn reshape(&self) -> Result<Vec<usize>, Fault> {
        let (from, to) = (&self.first()?.shape, self.known(1)?);
        let unfit = || format!("a value of shape {from:?} cannot be reshaped to {to:?}");
        if integer(self.node, "allowzero", 0) != 0 {
            return Err("it has axes of length 0".into());
        }
        let length = |(at, &length): (usize, &i64)| match length {
            0 => from.get(at).copied(),
            -1 => Some(1),
            length => usize::try_from(length).ok(),
        };
        let mut shape: Vec<usize> = to.iter().enumerate().map(length).collect::<Option<_>>().ok_or_else(unfit)?;
        let (whole, known) = (elements(from)?, elements(&shape)?);
        let free: Vec<usize> = (0..to.len()).filter(|&at| to[at] == -1).collect();
        match free[..] {
            [] if whole == known => {}
            [at] if known > 0 && whole.is_multiple_of(known) => shape[at] = (whole / known) as usize,
            _ => return Err(unfit()),
        }
        Ok(shape)
    }

    fn squeeze(&self) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let axes = self.stated("axes", 1)?;
        let axes = axes.map(|axes| axes.iter().map(|&at| axis(at, shape.len())).collect::<Result<Vec<_>, _>>());
        let axes = axes.unwrap_or_else(|| Ok((0..shape.len()).filter(|&at| shape[at] == 1).collect()))?;
        if axes.iter().any(|&at| shape[at] != 1) {
            return Err("it removes an axis that is longer than 1".into());
        }
        Ok(shape.iter().enumerate().filter(|(at, _)| !axes.contains(at)).map(|(_, &length)| length).collect())
    }

    fn unsqueeze(&self) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let stated = self.stated("axes", 1)?.ok_or("it names no axes")?;
        let rank = shape.len() + stated.len();
        let axes = stated.iter().map(|&at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
        if (1..axes.len()).any(|at| axes[..at].contains(&axes[at])) || rank > MOST_AXES {
            return Err("its axes are not valid".into());
        }
        let mut lengths = shape.iter();
        Ok((0..rank).filter_map(|at| if axes.contains(&at) { Some(1) } else { lengths.next().copied() }).collect())
    }

    fn transpose(&self) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let Some(order) = integers(self.node, "perm") else { return Ok(shape.iter().rev().copied().collect()) };
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        match sorted.iter().copied().eq(0..shape.len() as i64) {
            true => Ok(order.iter().map(|&at| shape[at as usize]).collect()),
            false => Err("its order of axes is no permutation of its input's axes".into()),
        }
    }

    fn concat(&self) -> Result<Vec<usize>, Fault> {
        let mut shape = self.first()?.shape.clone();
        let at = axis(integer(self.node, "axis", 0), shape.len())?;
        shape[at] = 0;
        for input in self.inputs {
            let other = &input.ok_or("an input is left out")?.shape;
            let fits = other.len() == shape.len() && (0..shape.len()).all(|k| k == at || other[k] == shape[k]);
            if !fits {
                return Err("its inputs do not match".into());
            }
            shape[at] = shape[at].checked_add(other[at]).ok_or("its output is too large")?;
        }
        Ok(shape)
    }

    fn split(&self) -> Result<Vec<Vec<usize>>, Fault> {
        let shape = &self.first()?.shape;
        let at = axis(integer(self.node, "axis", 0), shape.len())?;
        let count = self.node.output.len();
        let parts = match self.stated("split", 1)? {
            Some(parts) => positive(parts)?,
            None if shape[at].is_multiple_of(count) => vec![shape[at] / count; count],
            None => return Err("the sizes of its parts do not match its input".into()),
        };
        let sum = parts.iter().try_fold(0_usize, |sum, &part| sum.checked_add(part));
        if parts.len() != count || sum != Some(shape[at]) {
            return Err("the sizes of its parts do not match its input".into());
        }
        let part = |length| shape.iter().enumerate().map(|(k, &whole)| if k == at { length } else { whole }).collect();
        Ok(parts.into_iter().map(part).collect())
    }

    /// Returns the elements of each axis that a slice selects.
    fn slice(&self) -> Result<Vec<Part>, Fault> {
        let shape = &self.first()?.shape;
        let mut parts: Vec<Part> = shape.iter().map(|&length| Part { start: 0, step: 1, count: length }).collect();
        let bounds = [self.stated("starts", 1)?, self.stated("ends", 2)?];
        let [Some(starts), Some(ends)] = bounds else { return Err("it has no start or end".into()) };
        let all: Vec<i64> = (0..starts.len() as i64).collect();
        let axes = self.stated("axes", 3)?.unwrap_or(&all);
        let ones = vec![1; starts.len()];
        let steps = if self.input(4).is_some() { self.known(4)? } else { &ones };
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err("it does not have one bound for each axis".into());
        }
        for (((&start, &end), &at), &step) in starts.iter().zip(ends).zip(axes).zip(steps) {
            let at = axis(at, shape.len())?;
            let length = shape[at] as i64;
            let from_end = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound };
            let (start, span) = match step {
                1.. => {
                    let start = from_end(start).clamp(0, length);
                    (start, from_end(end).clamp(0, length) - start)
                }
                i64::MIN..=-1 => {
                    let start = from_end(start).clamp(-1, length - 1);
                    (start, start - from_end(end).clamp(-1, length - 1))
                }
                0 => return Err("its step is 0".into()),
            };
            let count = span.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as usize;
            parts[at] = Part { start, step, count };
        }
        Ok(parts)
    }

    /// Returns the numbers of an integer range, if they are few enough for a shape or an axis.
    fn range(&self) -> Option<Vec<i64>> {
        let bound = |at| match self.input(at)?.integers.as_deref()? {
            &[bound] => Some(bound),
            _ => None,
        };
        let (start, end, step) = (bound(0)?, bound(1)?, bound(2)?);
        let span = if step > 0 { end.checked_sub(start)? } else { start.checked_sub(end)? };
        let count = span.max(0).unsigned_abs().checked_add(step.unsigned_abs() - u64::from(step != 0))?;
        let count = count.checked_div(step.unsigned_abs()).filter(|&count| count <= 1 << 16)?;
        Some((0..count as i64).map(|at| start + at * step).collect())
    }

    fn pad(&self) -> Result<Vec<usize>, Fault> {
        let shape = &self.first()?.shape;
        let pads = self.stated("pads", 1)?.ok_or("it says not how much it pads")?;
        let all: Vec<i64> = (0..shape.len() as i64).collect();
        let axes = if self.input(3).is_some() { self.known(3)? } else { &all };
        if pads.len() != 2 * axes.len() || pads.iter().any(|pad| !(0..=1 << 16).contains(pad)) {
            return Err("its padding does not match its input".into());
        }
        let mut padded = shape.clone();
        for (k, &at) in axes.iter().enumerate() {
            padded[axis(at, shape.len())?] += (pads[k] + pads[axes.len() + k]) as usize;
        }
        Ok(padded)
    }

    /// Returns the bytes of an element after a cast.
    fn cast_width(&self) -> Result<u64, Fault> {
        let to = i32::try_from(integer(self.node, "to", 0)).ok().and_then(width);
        to.ok_or_else(|| "it casts to a kind that is not supported".into())
    }

    /// Returns the value of a `Constant`.
    fn constant(&self) -> Result<Value, Fault> {
        let attributes = &self.node.attribute;
        let [attribute] = attributes.as_slice() else { return Err("it does not have exactly one value".into()) };
        let scalar = |integers, width| Ok(Value { shape: vec![], integers, is_constant: true, width });
        match (attribute.name.as_str(), &attribute.t) {
            ("value", Some(tensor)) => constant(tensor),
            ("value_float", _) => scalar(None, 4),
            ("value_int", _) => scalar(Some(vec![attribute.i]), 8),
            ("value_floats", _) => {
                Ok(Value { shape: vec![attribute.floats.len()], integers: None, is_constant: true, width: 4 })
            }
            ("value_ints", _) => {
                let integers = Some(attribute.ints.clone());
                Ok(Value { shape: vec![attribute.ints.len()], integers, is_constant: true, width: 8 })
            }
            _ => Err("its value has an unsupported type".into()),
        }
    }

    /// Returns the integers of the first output if they can be tracked: shapes, and the
    /// computations of exporters with shapes.
    fn integers(&self, kind: Kind, shape: &[usize]) -> Option<Vec<i64>> {
        let whole = |at: usize| self.input(at)?.integers.as_deref();
        match kind {
            Kind::Shape => Some(self.input(0)?.shape.iter().map(|&length| length as i64).collect()),
            Kind::Reshape | Kind::Squeeze | Kind::Unsqueeze | Kind::Flatten => whole(0).map(<[i64]>::to_vec),
            Kind::Same if self.node.op_type == "Identity" => whole(0).map(<[i64]>::to_vec),
            // Only types that can represent every length.
            Kind::Same if self.node.op_type == "Cast" => {
                let to = integer(self.node, "to", 0);
                let holds = [DataType::Int64, DataType::Int32, DataType::Float, DataType::Double];
                holds.iter().any(|&kind| kind as i64 == to).then(|| whole(0).map(<[i64]>::to_vec))?
            }
            Kind::Concat => {
                let parts: Option<Vec<&[i64]>> = (0..self.inputs.len()).map(whole).collect();
                parts.filter(|_| shape.len() == 1).map(|parts| parts.concat())
            }
            Kind::Gather => {
                let (data, indices) = (whole(0)?, whole(1)?);
                let at = |&index: &i64| data.get(axis(index, data.len()).ok()?).copied();
                if self.input(0)?.shape.len() == 1 { indices.iter().map(at).collect() } else { None }
            }
            Kind::Slice => {
                let (data, parts) = (whole(0)?, self.slice().ok()?);
                let [Part { start, step, count }] = parts[..] else { return None };
                (0..count as i64).map(|at| data.get(usize::try_from(start + at * step).ok()?).copied()).collect()
            }
            Kind::ConstantOfShape => {
                let value = attribute(self.node, "value").and_then(|value| value.t.as_ref());
                let value = value.map(|value| constant(value).ok()?.integers?.first().copied());
                let count = elements(shape).ok().filter(|&count| count <= LONGEST_FOLLOWED as u64)?;
                Some(vec![value.unwrap_or(Some(0))?; count as usize])
            }
            Kind::Range => self.range(),
            Kind::Broadcast => self.arithmetic(shape),
            _ => None,
        }
    }

    /// Computes sums, products and selections of integer lists, or of one number and a list.
    fn arithmetic(&self, shape: &[usize]) -> Option<Vec<i64>> {
        let count =
            elements(shape).ok().filter(|&count| shape.len() <= 1 && count <= LONGEST_FOLLOWED as u64)? as usize;
        let inputs: Vec<&[i64]> =
            self.inputs.iter().map(|input| (*input)?.integers.as_deref()).collect::<Option<_>>()?;
        let number = |input: usize, at: usize| match inputs.get(input)? {
            [one] => Some(*one),
            list => list.get(at).copied(),
        };
        let result = |at: usize| {
            let (a, b) = (number(0, at)?, number(1, at)?);
            match self.node.op_type.as_str() {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                "Div" if a >= 0 && b > 0 => Some(a / b),
                "Equal" => Some((a == b).into()),
                "Greater" => Some((a > b).into()),
                "Less" => Some((a < b).into()),
                "Where" => number(if a != 0 { 1 } else { 2 }, at),
                _ => None,
            }
        };
        (0..count).map(result).collect()
    }
}

/// The elements of one axis that a slice selects.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    step: i64,
    count: usize,
}

/// Returns integers as lengths.
fn positive(lengths: &[i64]) -> Result<Vec<usize>, Fault> {
    let length = |&length: &i64| usize::try_from(length).ok();
    let lengths: Option<Vec<usize>> = lengths.iter().map(length).collect();
    lengths.filter(|lengths| lengths.len() <= 1024).ok_or_else(|| "a length that it states is negative".into())
}

/// Returns the common shape of values with these shapes. Axes are counted from the last, and axes
/// of length 1 are repeated.
fn broadcast<'s>(shapes: impl Iterator<Item = &'s [usize]>) -> Result<Vec<usize>, Fault> {
    let mut whole: Vec<usize> = Vec::new();
    for shape in shapes {
        if shape.len() > whole.len() {
            let missing = shape.len() - whole.len();
            whole.splice(0..0, std::iter::repeat_n(1, missing));
        }
        let from = whole.len() - shape.len();
        for (length, &other) in whole[from..].iter_mut().zip(shape) {
            match (*length, other) {
                (one, other) if one == other || other == 1 => {}
                (1, other) => *length = other,
                (one, other) => return Err(format!("lengths {one} and {other} do not match")),
            }
        }
    }
    Ok(whole)
}
