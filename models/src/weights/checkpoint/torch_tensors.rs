//! Finds the tensors in what a torch checkpoint pickles and reads them from the storages that
//! follow it.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    elements::{self, View},
    error::{Problem, quoted},
    pickle::{Object, Pickled, Storage, TensorView, Value, unsigned},
};
use crate::weights::Tensor;

/// The bytes of the storages by their keys.
pub(super) type Storages<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Containers within containers that are looked into; a state dict of a checkpoint has two or
/// three.
const DEEPEST: usize = 64;

/// Bytes that tensors and their names may need for each byte of the file: four elements.
const BYTES_PER_FILE_BYTE: usize = 16;

/// What a tensor needs beside its elements, shape and name: its place in the map.
const BYTES_PER_TENSOR: usize = 64;

/// Reads every tensor that `pickled` refers to, of a file of `file_bytes` bytes.
pub(super) fn read(
    pickled: &Pickled<'_>,
    storages: &Storages<'_>,
    file_bytes: usize,
) -> Result<BTreeMap<String, Tensor>, Problem> {
    let mut walk = Walk {
        pickled,
        storages,
        path: Vec::new(),
        open: Vec::new(),
        bytes_left: file_bytes.saturating_mul(BYTES_PER_FILE_BYTE),
        tensors: BTreeMap::new(),
    };
    walk.visit(pickled.root)?;
    Ok(walk.tensors)
}

/// Returns every storage that the tensors of `pickled` lie in.
pub(super) fn storages_of<'p, 'a>(pickled: &'p Pickled<'a>) -> impl Iterator<Item = Storage<'a>> + 'p {
    pickled.objects.iter().filter_map(|object| match object {
        Object::Storage(storage) => Some(*storage),
        _ => None,
    })
}

/// A walk through nested containers.
struct Walk<'p, 'a> {
    pickled: &'p Pickled<'a>,
    storages: &'p Storages<'a>,
    /// The parts of the name of a tensor that were found here.
    path: Vec<Cow<'a, str>>,
    /// The containers that are being walked through, outermost first.
    open: Vec<usize>,
    bytes_left: usize,
    tensors: BTreeMap<String, Tensor>,
}

impl<'a> Walk<'_, 'a> {
    /// Visits `value`, and what is in it unless it is in itself.
    fn visit(&mut self, value: Value<'a>) -> Result<(), Problem> {
        let Value::Object(index) = value else { return Ok(()) };
        if self.open.contains(&index) {
            return Ok(());
        }
        if self.open.len() == DEEPEST {
            return Err(Problem::TooComplex(format!("it nests more than {DEEPEST} containers in each other")));
        }
        self.open.push(index);
        let pickled = self.pickled;
        match pickled.objects.get(index) {
            Some(Object::Dict(items)) => {
                self.charge_visits(items.len())?;
                for &(key, value) in items.iter().filter(|(_, value)| matches!(value, Value::Object(_))) {
                    if let Some(part) = key_part(key) {
                        self.visit_part(part, value)?;
                    }
                }
            }
            Some(Object::Tuple(items) | Object::List(items)) => {
                self.charge_visits(items.len())?;
                for (index, &item) in items.iter().enumerate().filter(|(_, item)| matches!(item, Value::Object(_))) {
                    self.visit_part(index.to_string().into(), item)?;
                }
            }
            Some(&Object::Namespace(attributes)) => self.visit(attributes)?,
            Some(Object::Tensor(tensor)) => self.tensor(tensor)?,
            Some(Object::Storage(_) | Object::Set) | None => {}
        }
        self.open.pop();
        Ok(())
    }

    fn visit_part(&mut self, part: Cow<'a, str>, value: Value<'a>) -> Result<(), Problem> {
        self.path.push(part);
        self.visit(value)?;
        self.path.pop();
        Ok(())
    }

    /// Counts items that are looked at, each as a byte: containers that share their items may have
    /// endlessly many.
    fn charge_visits(&mut self, items: usize) -> Result<(), Problem> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(items)
            .ok_or_else(|| Problem::TooComplex("its containers hold each other too many times".to_owned()))?;
        Ok(())
    }

    /// Reads a tensor.
    fn tensor(&mut self, tensor: &TensorView<'a>) -> Result<(), Problem> {
        let name_bytes = self.path.iter().fold(0_usize, |bytes, part| bytes.saturating_add(part.len() + 1));
        if name_bytes > self.bytes_left {
            return Err(Problem::TooComplex("the names of its tensors are too long".to_owned()));
        }
        let name = self.path.join(".");
        if self.tensors.contains_key(&name) {
            return Err(Problem::SameName(quoted(&name)));
        }
        let Some(&Object::Storage(Storage { class, key, elements, part })) = self.pickled.objects.get(tensor.storage)
        else {
            return Err(Problem::Damaged(format!("tensor {} has no storage", quoted(&name))));
        };
        let dtype = class.dtype().ok_or_else(|| Problem::UnsupportedDtype {
            tensor: quoted(&name),
            dtype: quoted(&format!("torch.{}", class.0)),
        })?;
        let view = self.view(&name, tensor)?;

        let count = view.count().and_then(|count| count.checked_mul(size_of::<f32>()));
        let needed = count
            .and_then(|bytes| bytes.checked_add(view.shape.len() * size_of::<usize>() + name_bytes + BYTES_PER_TENSOR));
        let left = needed.and_then(|needed| self.bytes_left.checked_sub(needed));
        self.bytes_left = left.ok_or_else(|| Problem::TooManyElements(quoted(&name)))?;

        let outside = || Problem::OutsideStorage(quoted(&name));
        let bytes = *self
            .storages
            .get(key)
            .ok_or_else(|| Problem::MissingStorage { tensor: quoted(&name), key: quoted(key) })?;
        let width = dtype.width();
        let (offset, elements) = part.unwrap_or((0, elements));
        let start = offset.checked_mul(width).ok_or_else(outside)?;
        let length = elements.checked_mul(width).ok_or_else(outside)?;
        let bytes = bytes.get(start..).and_then(|rest| rest.get(..length)).ok_or_else(outside)?;
        let tensor = elements::read(&name, dtype, bytes, view)?;
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// Returns the view of the storage that a tensor is; its shape and strides are as short as what
    /// is left of the limit.
    fn view(&self, name: &str, tensor: &TensorView<'a>) -> Result<View, Problem> {
        let sizes = |value| -> Option<Vec<usize>> {
            let sizes = self.pickled.sequence(value)?;
            if sizes.len() > self.bytes_left / size_of::<usize>() {
                return None;
            }
            sizes.iter().map(|&size| unsigned(size)).collect()
        };
        match (sizes(tensor.shape), sizes(tensor.strides)) {
            (Some(shape), Some(strides)) if shape.len() == strides.len() => {
                Ok(View { offset: tensor.offset, shape, strides })
            }
            _ => Err(Problem::Damaged(format!("tensor {} has a malformed shape", quoted(name)))),
        }
    }
}

/// Returns the part of a path that a key is.
fn key_part(key: Value<'_>) -> Option<Cow<'_, str>> {
    match key {
        Value::Str(key) => Some(key.into()),
        Value::Int(key) => Some(key.to_string().into()),
        Value::Bool(key) => Some(if key { "True" } else { "False" }.into()),
        _ => None,
    }
}
