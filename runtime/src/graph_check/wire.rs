//! Counts the contents of an encoded ONNX file before it is decoded: two bytes in a file can take a
//! kilobyte of memory.

use super::values::{Fault, MOST_NODES};

/// Most messages (nodes, attributes, constants, shapes) in a file.
const MOST_MESSAGES: usize = 100_000;

/// Most fields of all messages.
const MOST_FIELDS: usize = 1_000_000;

/// Kinds of messages for which a decoder allocates memory (`onnx.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
}

/// Contents of a message's field.
enum Field {
    Message(Message),
    /// Numbers, text or bytes.
    Plain,
    /// Something that no network needs.
    Refused(&'static str),
}

impl Message {
    fn field(self, number: u64) -> Field {
        match (self, number) {
            (Message::Model, 7) => Field::Message(Message::Graph),
            (Message::Model, 20) => Field::Refused("a training graph"),
            (Message::Model, 25) => Field::Refused("functions of its own"),
            (Message::Graph, 1) => Field::Message(Message::Node),
            (Message::Graph, 5) => Field::Message(Message::Tensor),
            (Message::Graph, 11..=13) => Field::Message(Message::ValueInfo),
            (Message::Graph, 14) => Field::Refused("quantised values"),
            (Message::Graph, 15) | (Message::Attribute, 22 | 23) => Field::Refused("sparse constants"),
            (Message::Node, 5) => Field::Message(Message::Attribute),
            (Message::Attribute, 5 | 10) => Field::Message(Message::Tensor),
            (Message::Attribute, 6 | 11) => Field::Refused("a graph within a node"),
            (Message::Attribute, 15) => Field::Refused("kinds of values as attributes"),
            (Message::Tensor, 3) => Field::Refused("constants in segments"),
            (Message::Tensor, 6) => Field::Refused("texts as constants"),
            (Message::Tensor, 13) => Field::Refused("weights in other files"),
            (Message::ValueInfo, 2) => Field::Message(Message::Type),
            (Message::Type, 1) => Field::Message(Message::TensorType),
            (Message::Type, 4 | 5 | 7 | 8 | 9) => Field::Refused("values that are no tensors"),
            (Message::TensorType, 2) => Field::Message(Message::Shape),
            (Message::Shape, 1) => Field::Message(Message::Dimension),
            _ => Field::Plain,
        }
    }
}

/// Number of fields, messages and nodes so far.
#[derive(Default)]
struct Counts {
    fields: usize,
    messages: usize,
    nodes: usize,
}

/// Checks how much an encoded model contains.
pub(super) fn check(model: &[u8]) -> Result<(), Fault> {
    walk(Message::Model, model, &mut Counts::default())
}

/// Reads the fields of one message. Messages nest at most as deep as there are kinds of
/// [`Message`].
fn walk(message: Message, mut bytes: &[u8], counts: &mut Counts) -> Result<(), Fault> {
    let no_onnx = || "it is no ONNX file".to_owned();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(no_onnx)?;
        counts.fields += 1;
        if counts.fields > MOST_FIELDS {
            return Err(format!("it has more than {MOST_FIELDS} fields"));
        }
        let length = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(no_onnx)?;
                0
            }
            1 => 8,
            2 => varint(&mut bytes).ok_or_else(no_onnx)?,
            5 => 4,
            _ => return Err(no_onnx()),
        };
        let length = usize::try_from(length).map_err(|_| no_onnx())?;
        let (contents, rest) = bytes.split_at_checked(length).ok_or_else(no_onnx)?;
        bytes = rest;
        match message.field(key >> 3) {
            Field::Plain => {}
            Field::Refused(what) => return Err(format!("it has {what}: not supported")),
            Field::Message(inner) => {
                counts.messages += 1;
                counts.nodes += usize::from(inner == Message::Node);
                if counts.nodes > MOST_NODES {
                    return Err(format!("it has more than {MOST_NODES} nodes"));
                }
                if counts.messages > MOST_MESSAGES {
                    return Err(format!("it has more than {MOST_MESSAGES} nodes, attributes and constants"));
                }
                walk(inner, contents, counts)?;
            }
        }
    }
    Ok(())
}

/// Reads a number of up to ten bytes, the lowest seven bits first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
