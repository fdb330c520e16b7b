//! The values of a network that become eight-bit integers, and which of them share a scale.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

use crate::Error;

/// The activations of a network.
pub(super) struct Activations {
    /// The activations that are quantised, in the order of their computation; the network's input
    /// is the first.
    pub values: Vec<Activation>,
    /// Number of groups. All values of a group share a scale and a zero point.
    pub groups: usize,
    /// Place of each value in `values`, by its name.
    places: HashMap<String, usize>,
}

/// A value that is quantised.
pub(super) struct Activation {
    /// Name of the value in the graph.
    pub name: String,
    /// Number of its group.
    pub group: usize,
    /// Whether an operator computes the value. Otherwise its operator moves numbers of other
    /// values, which the range of the group includes already.
    pub is_computed: bool,
}

impl Activations {
    /// Finds the activations of `model`.
    ///
    /// # Errors
    /// [`Error::Unquantisable`] where the network is not a chain of the operators of ShuffleNet V2
    /// with one mean over places at its end.
    pub fn find(model: &ModelProto) -> Result<Activations, Error> {
        let graph = model.graph.as_ref().ok_or_else(|| Error::Unquantisable("it has no graph".to_owned()))?;
        let mut search = Search::new(graph)?;
        for node in &graph.node {
            search.visit(node)?;
        }
        search.finish()
    }

    /// Returns the value `name`, if it is quantised.
    pub fn get(&self, name: &str) -> Option<&Activation> {
        self.places.get(name).map(|&place| &self.values[place])
    }
}

/// The search through the nodes of a graph, in their order.
struct Search<'a> {
    graph: &'a GraphProto,
    /// Number of readers of each value, and of those that are a `Relu`.
    readers: HashMap<&'a str, (usize, usize)>,
    /// Values that do not depend on the input.
    constants: HashSet<&'a str>,
    /// Values between a convolution and its `Relu`, which are never stored.
    inner: HashSet<&'a str>,
    /// Values behind the mean, and the mean itself.
    behind: HashSet<&'a str>,
    found: Vec<Activation>,
    places: HashMap<String, usize>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a GraphProto) -> Result<Search<'a>, Error> {
        if graph.initializer.iter().any(|tensor| !tensor.external_data.is_empty()) {
            return Err(Error::Unquantisable("it keeps its weights in other files: save it as one file".to_owned()));
        }
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        // Files before IR version 4 list weights as inputs too.
        let inputs: Vec<_> = graph.input.iter().filter(|input| !constants.contains(&*input.name)).collect();
        let ([input], [_]) = (&inputs[..], &graph.output[..]) else {
            let reason = format!("it has {} inputs and {} outputs, not one of each", inputs.len(), graph.output.len());
            return Err(Error::Unquantisable(reason));
        };
        let mut readers: HashMap<&str, (usize, usize)> = HashMap::new();
        for node in &graph.node {
            for name in &node.input {
                let (all, relus) = readers.entry(name).or_default();
                *all += 1;
                *relus += usize::from(node.op_type == "Relu");
            }
        }
        let mut search = Search {
            graph,
            readers,
            constants,
            inner: HashSet::new(),
            behind: HashSet::new(),
            found: Vec::new(),
            places: HashMap::new(),
        };
        search.add(&input.name, None);
        Ok(search)
    }

    fn visit(&mut self, node: &'a NodeProto) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::Unquantisable(reason));
        let operator = node.op_type.as_str();
        let shown = shown(node);
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return refuse(format!("{shown} is of the domain '{}'", node.domain));
        }
        let outputs: Vec<&str> = node.output.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        if inputs.iter().all(|name| self.constants.contains(name)) {
            if !matches!(operator, "Constant" | "Cast") {
                return refuse(format!("{shown} computes a constant: simplify the file"));
            }
            self.constants.extend(outputs);
            return Ok(());
        }
        // Only a concatenation reads several values; of other operators, constants follow.
        let (data, parameters) = inputs.split_at(if operator == "Concat" { inputs.len() } else { 1 });
        if let Some(name) = parameters.iter().find(|name| !self.constants.contains(*name)) {
            return refuse(format!("{shown} reads '{name}' as a parameter, which is not constant"));
        }
        if operator != "Split" && outputs.len() != 1 {
            return refuse(format!("{shown} has {} outputs, not one", outputs.len()));
        }
        if data.iter().all(|name| self.behind.contains(name)) {
            if !matches!(operator, "Reshape" | "Flatten" | "Squeeze" | "Identity") {
                return refuse(format!("{shown} follows the mean over places: export the features alone"));
            }
            self.behind.extend(outputs);
            return Ok(());
        }
        if operator == "Relu" && self.inner.contains(data[0]) {
            self.add(outputs[0], None);
            return Ok(());
        }
        let Some(places) = data.iter().map(|name| self.places.get(*name).copied()).collect::<Option<Vec<usize>>>()
        else {
            return refuse(format!("{shown} reads a value that no node before it computes"));
        };
        match operator {
            "Conv" if self.readers.get(outputs[0]) == Some(&(1, 1)) && !self.is_output(outputs[0]) => {
                self.inner.insert(outputs[0]);
            }
            "Conv" | "Relu" => self.add(outputs[0], None),
            "MaxPool" | "Split" | "Concat" | "Reshape" | "Transpose" => {
                let group = self.join(&places);
                for output in outputs {
                    self.add(output, Some(group));
                }
            }
            "ReduceMean" | "GlobalAveragePool" => {
                self.behind.insert(outputs[0]);
            }
            "BatchNormalization" => return refuse(format!("{shown}: fold batch norms into the convolutions")),
            _ => return refuse(format!("{shown} is not an operator of ShuffleNet V2")),
        }
        Ok(())
    }

    /// Adds a value: a computed one with a group of its own, or one that moves the numbers of
    /// `moved`, a group.
    fn add(&mut self, name: &str, moved: Option<usize>) {
        let place = self.found.len();
        let group = moved.unwrap_or(place);
        self.found.push(Activation { name: name.to_owned(), group, is_computed: moved.is_none() });
        self.places.insert(name.to_owned(), place);
    }

    /// Joins the groups of the values at `places`. Returns the common group.
    fn join(&mut self, places: &[usize]) -> usize {
        let groups: Vec<usize> = places.iter().map(|&place| self.found[place].group).collect();
        let common = groups.iter().copied().min().unwrap_or_default();
        for value in &mut self.found {
            if groups.contains(&value.group) {
                value.group = common;
            }
        }
        common
    }

    fn is_output(&self, name: &str) -> bool {
        self.graph.output.iter().any(|output| output.name == name)
    }

    /// Numbers the groups from 0.
    fn finish(mut self) -> Result<Activations, Error> {
        if self.graph.output.iter().any(|output| !self.behind.contains(&*output.name)) {
            return Err(Error::Unquantisable("its output is not a mean over places".to_owned()));
        }
        let mut numbers = HashMap::new();
        for value in &mut self.found {
            let next = numbers.len();
            value.group = *numbers.entry(value.group).or_insert(next);
        }
        Ok(Activations { groups: numbers.len(), values: self.found, places: self.places })
    }
}

/// Names a node in a message.
fn shown(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("{} '{}'", node.op_type, name.map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{TensorProto, ValueInfoProto};

    use super::*;
    use crate::engines::onnx;

    /// A network of `nodes`, each an operator, its inputs and its output, whose weights are `w`.
    fn network(nodes: &[(&str, &[&str], &str)]) -> Result<Activations, Error> {
        let value = |name: &str| ValueInfoProto { name: name.to_owned(), ..Default::default() };
        let node = |(operator, inputs, output): &(&str, &[&str], &str)| {
            let inputs: Vec<String> = inputs.iter().map(|&name| name.to_owned()).collect();
            onnx::node(operator, "", &inputs, &[(*output).to_owned()], vec![])
        };
        let graph = GraphProto {
            input: vec![value("x"), value("w")],
            output: vec![value("features")],
            initializer: vec![TensorProto { name: "w".to_owned(), ..Default::default() }],
            node: nodes.iter().map(node).collect(),
            ..Default::default()
        };
        Activations::find(&ModelProto { graph: Some(graph), ..Default::default() })
    }

    #[test]
    fn a_convolution_is_quantised_unless_a_relu_alone_reads_it() {
        let mean: (&str, &[&str], &str) = ("GlobalAveragePool", &["z"], "features");
        let alone = [("Conv", &["x", "w"][..], "a"), ("Relu", &["a"], "z"), mean];
        let found = network(&alone).expect("a chain");
        assert_eq!(found.values.iter().map(|value| &*value.name).collect::<Vec<_>>(), ["x", "z"]);
        let shared = [("Conv", &["x", "w"][..], "a"), ("Relu", &["a"], "b"), ("Concat", &["a", "b"], "z"), mean];
        let found = network(&shared).expect("a branch");
        let groups: Vec<_> = found.values.iter().map(|value| (&*value.name, value.group, value.is_computed)).collect();
        assert_eq!(groups, [("x", 0, true), ("a", 1, true), ("b", 1, true), ("z", 1, false)]);
        assert_eq!(found.groups, 2);
    }

    #[test]
    fn outputs_before_the_mean_and_operators_behind_it_are_refused() {
        let refused = |nodes: &[(&str, &[&str], &str)]| network(nodes).map(|_| ()).expect_err("refused").to_string();
        assert!(refused(&[("Conv", &["x", "w"], "features")]).contains("not a mean over places"));
        let behind = [("ReduceMean", &["x"][..], "a"), ("Relu", &["a"], "features")];
        assert!(refused(&behind).contains("Relu 'features' follows the mean over places"));
        let both = [("ReduceMean", &["x"][..], "a"), ("Concat", &["a", "x"], "features")];
        assert!(refused(&both).contains("no node before it computes"));
        assert!(network(&[("ReduceMean", &["x"][..], "a"), ("Flatten", &["a"], "features")]).is_ok());
    }
}
