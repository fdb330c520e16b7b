//! Interprets the pickles of torch checkpoints on a machine that can build data and call nothing.
//!
//! The opcodes are those of Python's `pickletools`. Objects live in one vector and refer to each
//! other by index, so that neither cycles nor chains of a million containers harm. An instruction
//! adds at most one object or value, except the call of `OrderedDict`, whose items are counted as
//! instructions: the limit on them bounds time and memory.

use std::collections::HashMap;

use super::{
    bytes::bytes_at,
    elements::Dtype,
    error::{Problem, quoted},
};

/// The most instructions that are run; torch writes about 25 for each tensor.
const MOST_INSTRUCTIONS: usize = 2_000_000;

/// The object that a pickle describes.
pub(super) struct Pickled<'a> {
    /// The object itself.
    pub(super) root: Value<'a>,
    /// The objects that [`Value::Object`] counts.
    pub(super) objects: Vec<Object<'a>>,
    /// Offset of the bytes after the pickle.
    pub(super) end: usize,
}

/// A value on the machine's stack or in a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A number that may need more than 64 bits, as its bytes in two's complement, least
    /// significant first.
    Long(&'a [u8]),
    Str(&'a str),
    Global(Global<'a>),
    /// Index into [`Pickled::objects`].
    Object(usize),
    /// Something that is neither a tensor nor part of the path to one: a float, bytes, a device, a
    /// dtype.
    Opaque,
}

/// The functions and classes that a pickle may name; none is Python's, each is imitated by what is
/// needed of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global<'a> {
    OrderedDict,
    AttributeDict,
    Namespace,
    Size,
    Device,
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    Storage(StorageType<'a>),
}

/// The class of a storage, by its name in torch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StorageType<'a>(pub(super) &'a str);

impl StorageType<'_> {
    /// Returns the type of the numbers; `None` where it is not read. A storage without a type holds
    /// bytes.
    pub(super) fn dtype(self) -> Option<Dtype> {
        match self.0 {
            "DoubleStorage" => Some(Dtype::F64),
            "FloatStorage" => Some(Dtype::F32),
            "HalfStorage" => Some(Dtype::F16),
            "BFloat16Storage" => Some(Dtype::Bf16),
            "LongStorage" => Some(Dtype::I64),
            "IntStorage" => Some(Dtype::I32),
            "ShortStorage" => Some(Dtype::I16),
            "CharStorage" => Some(Dtype::I8),
            "ByteStorage" | "UntypedStorage" => Some(Dtype::U8),
            "BoolStorage" => Some(Dtype::Bool),
            _ => None,
        }
    }

    /// Returns the bytes of one number, where they are known.
    pub(super) fn width(self) -> Option<usize> {
        match self.0 {
            "ComplexDoubleStorage" => Some(16),
            "ComplexFloatStorage" => Some(8),
            "QInt32Storage" => Some(4),
            "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => Some(1),
            _ => self.dtype().map(Dtype::width),
        }
    }
}

/// An object that containers refer to.
#[derive(Debug, PartialEq)]
pub(super) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    /// Keys and values in the order in which they were set; torch sets none twice.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// A class of which only the attributes matter: a dict, or nothing yet.
    Namespace(Value<'a>),
    Set,
    Storage(Storage<'a>),
    Tensor(TensorView<'a>),
}

/// A storage, by its key in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    pub(super) class: StorageType<'a>,
    pub(super) key: &'a str,
    pub(super) elements: usize,
    /// The part of the storage that is meant, as offset and length in elements; only torch before
    /// 0.4 writes it.
    pub(super) part: Option<(usize, usize)>,
}

/// A tensor before its storage is looked at. The sizes are kept as values: many tensors may share
/// one tuple.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TensorView<'a> {
    /// Index of the storage in [`Pickled::objects`].
    pub(super) storage: usize,
    pub(super) offset: usize,
    pub(super) shape: Value<'a>,
    pub(super) strides: Value<'a>,
}

impl<'a> Pickled<'a> {
    /// Returns the object that `value` refers to.
    pub(super) fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        object(&self.objects, value)
    }

    /// Returns the items of `value`, where it is a tuple or a list.
    pub(super) fn sequence(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        sequence(&self.objects, value)
    }
}

fn object<'o, 'a>(objects: &'o [Object<'a>], value: Value<'a>) -> Option<&'o Object<'a>> {
    match value {
        Value::Object(index) => objects.get(index),
        _ => None,
    }
}

fn sequence<'o, 'a>(objects: &'o [Object<'a>], value: Value<'a>) -> Option<&'o [Value<'a>]> {
    match object(objects, value)? {
        Object::Tuple(items) | Object::List(items) => Some(items),
        _ => None,
    }
}

/// Runs the pickle that begins at `start`.
pub(super) fn run(bytes: &[u8], start: usize) -> Result<Pickled<'_>, Problem> {
    let mut machine = Machine {
        bytes,
        at: start,
        opcode_at: start,
        left: MOST_INSTRUCTIONS,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Vec::new(),
    };
    loop {
        machine.charge(1)?;
        machine.opcode_at = machine.at;
        let [opcode] = machine.take()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickled { root, objects: machine.objects, end: machine.at });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    /// Offset of the next byte.
    at: usize,
    /// Offset of the current instruction.
    opcode_at: usize,
    /// Instructions that may still be run.
    left: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at which its marks stand.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a> {
    /// Runs one instruction, of which the opcode has been taken.
    fn step(&mut self, opcode: u8) -> Result<(), Problem> {
        match opcode {
            // PROTO, FRAME
            0x80 => {
                let [version] = self.take()?;
                if version > 5 {
                    return Err(self.malformed("a protocol later than 5"));
                }
            }
            0x95 => {
                self.take::<8>()?;
            }

            // MARK, POP, POP_MARK, DUP
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let value = self.top()?;
                self.stack.push(value);
            }

            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),

            // INT (which also writes bools), LONG, FLOAT: decimal lines
            b'I' => match self.line()? {
                "00" => self.stack.push(Value::Bool(false)),
                "01" => self.stack.push(Value::Bool(true)),
                line => self.push_decimal(line)?,
            },
            b'L' => {
                let line = self.line()?;
                self.push_decimal(line.strip_suffix('L').unwrap_or(line))?;
            }
            b'F' => {
                self.line()?;
                self.stack.push(Value::Opaque);
            }
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
            b'J' => {
                let number = i32::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'K' => {
                let number = self.length::<1>()?;
                self.stack.push(Value::Int(number as i64));
            }
            b'M' => {
                let number = self.length::<2>()?;
                self.stack.push(Value::Int(number as i64));
            }
            0x8a => {
                let length = self.length::<1>()?;
                self.push_long(length)?;
            }
            0x8b => {
                let length = self.length::<4>()?;
                self.push_long(length)?;
            }
            b'G' => {
                self.take::<8>()?;
                self.stack.push(Value::Opaque);
            }

            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; BINSTRING, SHORT_BINSTRING (Python 2)
            b'X' | b'T' => {
                let length = self.length::<4>()?;
                self.push_text(length)?;
            }
            0x8c | b'U' => {
                let length = self.length::<1>()?;
                self.push_text(length)?;
            }
            0x8d => {
                let length = self.length::<8>()?;
                self.push_text(length)?;
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
            b'B' => {
                let length = self.length::<4>()?;
                self.push_bytes(length)?;
            }
            b'C' => {
                let length = self.length::<1>()?;
                self.push_bytes(length)?;
            }
            0x8e | 0x96 => {
                let length = self.length::<8>()?;
                self.push_bytes(length)?;
            }

            // EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
            b')' => self.push_object(Object::Tuple(Vec::new())),
            b't' => {
                let items = self.pop_mark()?;
                self.push_object(Object::Tuple(items));
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode) - 0x84)?;
                self.push_object(Object::Tuple(items));
            }
            // EMPTY_LIST, LIST, APPEND, APPENDS
            b']' => self.push_object(Object::List(Vec::new())),
            b'l' => {
                let items = self.pop_mark()?;
                self.push_object(Object::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append([item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            // EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' => self.push_object(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_mark()?;
                self.push_object(Object::Dict(Vec::new()));
                self.set_items(&items)?;
            }
            b's' => {
                let item = self.pop_many(2)?;
                self.set_items(&item)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            // EMPTY_SET, ADDITEMS, FROZENSET: what is in a set has no path
            0x8f => self.push_object(Object::Set),
            0x90 => {
                self.pop_mark()?;
                let set = self.top()?;
                if object(&self.objects, set) != Some(&Object::Set) {
                    return Err(self.malformed("items added to what is no set"));
                }
            }
            0x91 => {
                self.pop_mark()?;
                self.push_object(Object::Set);
            }

            // PUT, BINPUT, LONG_BINPUT, MEMOIZE; GET, BINGET, LONG_BINGET
            b'p' => {
                let slot = self.decimal_slot()?;
                self.put(slot)?;
            }
            b'q' => {
                let slot = self.length::<1>()?;
                self.put(slot)?;
            }
            b'r' => {
                let slot = self.length::<4>()?;
                self.put(slot)?;
            }
            0x94 => self.put(self.memo.len())?,
            b'g' => {
                let slot = self.decimal_slot()?;
                self.get(slot)?;
            }
            b'h' => {
                let slot = self.length::<1>()?;
                self.get(slot)?;
            }
            b'j' => {
                let slot = self.length::<4>()?;
                self.get(slot)?;
            }

            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(global(module, name)?);
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Value::Str(module), Value::Str(name)) = (module, name) else {
                    return Err(self.malformed("a global whose name is no string"));
                };
                self.stack.push(global(module, name)?);
            }
            // REDUCE, NEWOBJ: both give arguments to what is named
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                let made = self.call(callee, arguments)?;
                self.stack.push(made);
            }
            // BUILD
            b'b' => {
                let state = self.pop()?;
                let built = self.top()?;
                self.build(built, state)?;
            }
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push_object(Object::Storage(storage));
            }
            _ => return Err(Problem::UnsupportedOpcode { opcode, position: self.opcode_at }),
        }
        Ok(())
    }

    fn malformed(&self, what: &'static str) -> Problem {
        Problem::MalformedPickle { what, position: self.opcode_at }
    }

    /// Counts `instructions`, or what takes as long as they.
    fn charge(&mut self, instructions: usize) -> Result<(), Problem> {
        match self.left.checked_sub(instructions) {
            Some(left) => self.left = left,
            None => {
                return Err(Problem::TooComplex(format!("its pickle has more than {MOST_INSTRUCTIONS} instructions")));
            }
        }
        Ok(())
    }

    // What stands after the opcode.

    fn take_slice(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let slice = self.bytes.get(self.at..).and_then(|rest| rest.get(..length));
        let slice = slice.ok_or_else(|| Problem::Truncated("it ends within a pickle".to_owned()))?;
        self.at += length;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let bytes = bytes_at(self.bytes, self.at);
        let bytes = bytes.ok_or_else(|| Problem::Truncated("it ends within a pickle".to_owned()))?;
        self.at += N;
        Ok(bytes)
    }

    /// Returns an unsigned number of `N` bytes, at most 8.
    fn length<const N: usize>(&mut self) -> Result<usize, Problem> {
        let number = self.take::<N>()?.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number).map_err(|_| self.malformed("a length that is too long"))
    }

    /// Returns the text up to the end of the line.
    fn line(&mut self) -> Result<&'a str, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| Problem::Truncated("it ends within a pickle".to_owned()))?;
        let line = self.take_slice(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| self.malformed("a line that is not UTF-8"))
    }

    fn decimal_slot(&mut self) -> Result<usize, Problem> {
        let line = self.line()?;
        line.parse().map_err(|_| self.malformed("a memo slot that is no number"))
    }

    // The stack.

    fn top(&self) -> Result<Value<'a>, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).unwrap_or_default();
        above.last().copied().ok_or_else(|| self.malformed("nothing on the stack"))
    }

    fn pop(&mut self) -> Result<Value<'a>, Problem> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Value<'a>>, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(height) if height >= floor => Ok(self.stack.split_off(height)),
            _ => Err(self.malformed("too little on the stack")),
        }
    }

    /// Pops everything above the topmost mark, and the mark.
    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, Problem> {
        let height = self.marks.pop().ok_or_else(|| self.malformed("no mark on the stack"))?;
        Ok(self.stack.split_off(height.min(self.stack.len())))
    }

    fn push_object(&mut self, object: Object<'a>) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn push_decimal(&mut self, line: &str) -> Result<(), Problem> {
        let number = line.parse().map_err(|_| self.malformed("a number that is none, or too large"))?;
        self.stack.push(Value::Int(number));
        Ok(())
    }

    /// Pushes a little-endian two's complement number of `length` bytes.
    fn push_long(&mut self, length: usize) -> Result<(), Problem> {
        let bytes = self.take_slice(length)?;
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut number = [sign; size_of::<i64>()];
        let value = match number.get_mut(..length) {
            Some(head) => {
                head.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(number))
            }
            None => Value::Long(bytes),
        };
        self.stack.push(value);
        Ok(())
    }

    /// Pushes a string; one that is not UTF-8, as Python 2 may write, can be no path.
    fn push_text(&mut self, length: usize) -> Result<(), Problem> {
        let text = std::str::from_utf8(self.take_slice(length)?);
        self.stack.push(text.map_or(Value::Opaque, Value::Str));
        Ok(())
    }

    fn push_bytes(&mut self, length: usize) -> Result<(), Problem> {
        self.take_slice(length)?;
        self.stack.push(Value::Opaque);
        Ok(())
    }

    fn put(&mut self, slot: usize) -> Result<(), Problem> {
        let value = self.top()?;
        self.memo.insert(slot, value);
        Ok(())
    }

    fn get(&mut self, slot: usize) -> Result<(), Problem> {
        let value = self.memo.get(&slot).copied().ok_or_else(|| self.malformed("an empty memo slot"))?;
        self.stack.push(value);
        Ok(())
    }

    // Containers.

    fn append(&mut self, items: impl IntoIterator<Item = Value<'a>>) -> Result<(), Problem> {
        let list = self.top()?;
        if let Value::Object(index) = list
            && let Some(Object::List(list)) = self.objects.get_mut(index)
        {
            list.extend(items);
            return Ok(());
        }
        Err(self.malformed("items appended to what is no list"))
    }

    /// Sets keys and values, which stand alternately in `items`, in the dict on the stack.
    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), Problem> {
        let (pairs, odd) = items.as_chunks::<2>();
        let dict = self.top()?;
        if odd.is_empty()
            && let Value::Object(index) = dict
            && let Some(Object::Dict(dict)) = self.objects.get_mut(index)
        {
            dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            return Ok(());
        }
        Err(self.malformed("items set in what is no dict"))
    }

    // What stands in for calls.

    /// What the function or class `callee` would give for `arguments`.
    fn call(&mut self, callee: Value<'a>, arguments: Value<'a>) -> Result<Value<'a>, Problem> {
        let Value::Global(callee) = callee else {
            return Err(self.malformed("a call of what is no function"));
        };
        let arguments = sequence(&self.objects, arguments).ok_or_else(|| self.malformed("a call without arguments"))?;
        let made = match (callee, arguments) {
            (Global::OrderedDict | Global::AttributeDict, []) => Object::Dict(Vec::new()),
            (Global::OrderedDict | Global::AttributeDict, &[pairs]) => self.dict_of(pairs)?,
            (Global::Namespace, []) => Object::Namespace(Value::None),
            (Global::Size, &[sizes]) => return Ok(sizes),
            (Global::Device, _) => return Ok(Value::Opaque),
            (Global::RebuildTensor | Global::RebuildTensorV2, &[storage, offset, shape, strides, ..]) => {
                let Value::Object(storage) = storage else {
                    return Err(self.malformed("a tensor without a storage"));
                };
                let Some(Object::Storage(_)) = self.objects.get(storage) else {
                    return Err(self.malformed("a tensor without a storage"));
                };
                let offset = self.unsigned(offset)?;
                Object::Tensor(TensorView { storage, offset, shape, strides })
            }
            (Global::RebuildParameter, &[tensor, ..]) => return Ok(tensor),
            _ => return Err(self.malformed("a call with other arguments than torch writes")),
        };
        self.objects.push(made);
        Ok(Value::Object(self.objects.len() - 1))
    }

    /// Returns a dict with the pairs of a list, as Python 2 pickles an `OrderedDict`, or with the
    /// items of another dict.
    fn dict_of(&mut self, pairs: Value<'a>) -> Result<Object<'a>, Problem> {
        if let Some(Object::Dict(items)) = object(&self.objects, pairs) {
            let items = items.clone();
            self.charge(items.len())?;
            return Ok(Object::Dict(items));
        }
        let no_pairs = || self.malformed("a dict of what are no pairs");
        let pairs = sequence(&self.objects, pairs).ok_or_else(no_pairs)?;
        let mut items = Vec::new();
        for &pair in pairs {
            match sequence(&self.objects, pair) {
                Some(&[key, value]) => items.push((key, value)),
                _ => return Err(no_pairs()),
            }
        }
        self.charge(items.len())?;
        Ok(Object::Dict(items))
    }

    /// Gives `built` its attributes. Those of dicts are not its items (torch keeps versions of
    /// modules there).
    fn build(&mut self, built: Value<'a>, state: Value<'a>) -> Result<(), Problem> {
        if let Value::Object(index) = built {
            match self.objects.get_mut(index) {
                Some(Object::Namespace(attributes)) => {
                    *attributes = state;
                    return Ok(());
                }
                Some(Object::Dict(_)) => return Ok(()),
                _ => {}
            }
        }
        Err(self.malformed("attributes of what has none"))
    }

    /// Returns the storage of a persistent id: `('storage', class, key, location, elements)`, and
    /// in the legacy format `None` or `(key of the part, offset, elements)` after these.
    fn storage(&self, id: Value<'a>) -> Result<Storage<'a>, Problem> {
        let wrong = || self.malformed("a persistent id that is no storage's");
        let id = sequence(&self.objects, id).ok_or_else(wrong)?;
        let (fields, rest) = id.split_first_chunk::<5>().ok_or_else(wrong)?;
        let &[Value::Str("storage"), Value::Global(Global::Storage(class)), Value::Str(key), _, elements] = fields
        else {
            return Err(wrong());
        };
        let part = match rest {
            [] | [Value::None] => None,
            &[part] => match sequence(&self.objects, part) {
                Some(&[_, offset, elements]) => Some((self.unsigned(offset)?, self.unsigned(elements)?)),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        Ok(Storage { class, key, elements: self.unsigned(elements)?, part })
    }

    fn unsigned(&self, value: Value<'a>) -> Result<usize, Problem> {
        unsigned(value).ok_or_else(|| self.malformed("a size that is no size"))
    }
}

/// Returns the size or offset that `value` is.
pub(super) fn unsigned(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => number.try_into().ok(),
        _ => None,
    }
}

/// What the global `module.name` stands for, where it may be named at all.
fn global<'a>(module: &'a str, name: &'a str) -> Result<Value<'a>, Problem> {
    let global = match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensorV2,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch", "Size") => Global::Size,
        ("torch", "device") => Global::Device,
        ("torch.storage", "UntypedStorage") => Global::Storage(StorageType(name)),
        ("torch", name) if name.ends_with("Storage") => Global::Storage(StorageType(name)),
        ("torch", name) if is_dtype(name) => return Ok(Value::Opaque),
        ("argparse", "Namespace") => Global::Namespace,
        ("pytorch_lightning.utilities.parsing" | "lightning.fabric.utilities.data", "AttributeDict") => {
            Global::AttributeDict
        }
        _ => return Err(Problem::ForbiddenGlobal(quoted(&format!("{module}.{name}")))),
    };
    Ok(Value::Global(global))
}

/// Returns whether `torch.name` is a type of number, which a checkpoint may mention but of which
/// nothing is needed.
fn is_dtype(name: &str) -> bool {
    matches!(
        name,
        "float64"
            | "double"
            | "float32"
            | "float"
            | "float16"
            | "half"
            | "bfloat16"
            | "complex32"
            | "complex64"
            | "complex128"
            | "cfloat"
            | "cdouble"
            | "int64"
            | "long"
            | "int32"
            | "int"
            | "int16"
            | "short"
            | "int8"
            | "uint8"
            | "bool"
            | "qint8"
            | "quint8"
            | "qint32"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(pickle: &[u8]) -> String {
        run(pickle, 0).err().unwrap().to_string()
    }

    #[test]
    fn numbers_keep_their_value_and_sign() {
        let cases: [(&[u8], Value); 10] = [
            (b"K\xff.", Value::Int(255)),
            (b"M\xff\xff.", Value::Int(65535)),
            (b"J\xfe\xff\xff\xff.", Value::Int(-2)),
            (b"\x8a\x00.", Value::Int(0)),
            (b"\x8a\x01\x80.", Value::Int(-128)),
            (b"\x8a\x02\x80\x00.", Value::Int(128)),
            (b"\x8b\x01\x00\x00\x00\x07.", Value::Int(7)),
            (b"I01\n.", Value::Bool(true)),
            (b"L-12L\n.", Value::Int(-12)),
            (b"G\x00\x00\x00\x00\x00\x00\x00\x00.", Value::Opaque),
        ];
        for (pickle, wanted) in cases {
            assert_eq!(run(pickle, 0).unwrap().root, wanted, "{pickle:?}");
        }
    }

    #[test]
    fn whatever_could_do_harm_is_named_and_refused() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("torch.storage", "_load_from_bytes"),
            ("torch", "load"),
            ("torch._utils", "_rebuild_tensor_v2.__globals__"),
            ("collections", "OrderedDict.__init__"),
        ] {
            let by_line = format!("\u{2}c{module}\n{name}\n)R.");
            let by_stack = [
                b"\x80\x04\x8c",
                &[module.len() as u8][..],
                module.as_bytes(),
                b"\x8c",
                &[name.len() as u8],
                name.as_bytes(),
                b"\x93)R.",
            ]
            .concat();
            for pickle in [&by_line.as_bytes()[1..], &by_stack] {
                let message = message(pickle);
                assert!(message.contains(&format!("'{module}.{name}'")), "{message}");
                assert!(message.contains("nothing was executed"), "{message}");
            }
        }
    }

    #[test]
    fn unsupported_opcodes_are_named_with_their_position() {
        // INST, OBJ, EXT1, PERSID, NEWOBJ_EX, NEXT_BUFFER
        for opcode in [b'i', b'o', 0x82, b'P', 0x92, 0x97] {
            let text = message(&[0x80, 2, b'N', opcode, b'.']);
            assert!(text.contains(&format!("{opcode:#04x} at byte 3")), "{text}");
        }
    }

    #[test]
    fn the_stack_is_not_read_below_its_mark() {
        for pickle in [&b"N(0\x85."[..], b"NN(\x86.", b"N(\x85t.", b"](a.", b"}(NNs.", b"t.", b".", b"N(."] {
            // After the mark is popped by POP there is one value to make a tuple of.
            assert_eq!(run(pickle, 0).is_ok(), pickle == b"N(0\x85.", "{pickle:?}");
        }
    }

    #[test]
    fn python_2_ordered_dicts_keep_their_pairs() {
        let pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01(]q\x02(U\x01aK\x01e]q\x03(U\x01bK\x02ee\x85R.";
        let pickled = run(pickle, 0).unwrap();
        let wanted = vec![(Value::Str("a"), Value::Int(1)), (Value::Str("b"), Value::Int(2))];
        assert_eq!(pickled.object(pickled.root), Some(&Object::Dict(wanted)));
    }

    #[test]
    fn long_chains_of_containers_are_built_and_dropped() {
        // A recursive drop would overflow the stack.
        let pickle = [b")".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
        assert_eq!(run(&pickle, 0).unwrap().objects.len(), 1_000_001);
    }

    #[test]
    fn endless_work_is_refused() {
        let pickle = vec![b'N'; MOST_INSTRUCTIONS + 1];
        assert!(message(&pickle).contains("instructions"));
        // A list of 2000 pairs, copied by each of 3000 calls of 7 bytes.
        let mut pickle = b"ccollections\nOrderedDict\nq\x00](".to_vec();
        pickle.extend(b"NN\x86".repeat(2000));
        pickle.extend(b"e\x85q\x01");
        pickle.extend(b"h\x00h\x01R0".repeat(3000));
        pickle.push(b'.');
        assert!(message(&pickle).contains("instructions"));
    }

    #[test]
    fn claimed_lengths_are_not_allocated() {
        for pickle in [&b"X\xff\xff\xff\xffa"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa", b"\x8b\xff\xff\xff\xffa"] {
            assert!(matches!(run(pickle, 0), Err(Problem::Truncated(_))));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        // Bytes that are mostly opcodes get further than any bytes.
        #[test]
        fn any_program_ends_without_panic(
            program in prop::collection::vec(
                prop_oneof![
                    4 => prop::sample::select(&b"(012.N]le}dsuatRbQqhX\x81\x85\x86\x87\x88\x8f\x90\x91\x93\x94"[..]),
                    1 => any::<u8>(),
                ],
                0..200,
            ),
        ) {
            let _ = run(&program, 0);
        }
    }
}
