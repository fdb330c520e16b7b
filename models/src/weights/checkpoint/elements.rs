//! Turns stored numbers of every supported type into `f32`, element by element of a strided view.

use half::{bf16, f16};

use super::error::{Problem, quoted};
use crate::weights::Tensor;

/// A type of number that is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    /// Returns the bytes of one element.
    pub(super) fn width(self) -> usize {
        match self {
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F16 | Dtype::Bf16 | Dtype::I16 => 2,
            Dtype::I8 | Dtype::U8 | Dtype::Bool => 1,
        }
    }
}

/// Place of a tensor's elements in its storage, in elements.
pub(super) struct View {
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// One stride for each axis of `shape`.
    pub(super) strides: Vec<usize>,
}

impl View {
    /// Returns the whole of a storage, innermost axis fastest.
    pub(super) fn contiguous(shape: Vec<usize>) -> Option<View> {
        let mut strides = vec![1; shape.len()];
        let mut step = 1_usize;
        for (stride, &extent) in strides.iter_mut().zip(&shape).rev() {
            *stride = step;
            step = step.checked_mul(extent.max(1))?;
        }
        Some(View { offset: 0, shape, strides })
    }

    /// How many elements the tensor has; `None` where that is more than can be counted.
    pub(super) fn count(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1_usize, |count, &extent| count.checked_mul(extent))
    }

    /// Returns the index of the last element of a tensor that has any; `None` where it is more than
    /// can be counted.
    fn last(&self) -> Option<usize> {
        self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (&extent, &stride)| {
            last.checked_add(extent.saturating_sub(1).checked_mul(stride)?)
        })
    }

    /// Returns the axes as (extent, stride), outermost first, with those that follow each other
    /// evenly joined into one.
    fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (&extent, &stride) in self.shape.iter().zip(&self.strides).filter(|&(&extent, _)| extent != 1) {
            match runs.last_mut() {
                Some((outer, step)) if Some(*step) == extent.checked_mul(stride) => {
                    *outer = outer.saturating_mul(extent);
                    *step = stride;
                }
                _ => runs.push((extent, stride)),
            }
        }
        runs
    }
}

/// Reads the tensor called `name` from the bytes of its storage.
///
/// The caller has made sure that so many elements may be held.
pub(super) fn read(name: &str, dtype: Dtype, storage: &[u8], view: View) -> Result<Tensor, Problem> {
    let data = match dtype {
        Dtype::F64 => gather(name, storage, &view, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::F32 => gather(name, storage, &view, f32::from_le_bytes),
        Dtype::F16 => gather(name, storage, &view, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::Bf16 => gather(name, storage, &view, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::I64 => gather(name, storage, &view, |bytes| i64::from_le_bytes(bytes) as f32),
        Dtype::I32 => gather(name, storage, &view, |bytes| i32::from_le_bytes(bytes) as f32),
        Dtype::I16 => gather(name, storage, &view, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::I8 => gather(name, storage, &view, |bytes| i8::from_le_bytes(bytes).into()),
        Dtype::U8 => gather(name, storage, &view, |bytes| u8::from_le_bytes(bytes).into()),
        Dtype::Bool => gather(name, storage, &view, |bytes| u8::from(bytes != [0]).into()),
    }?;
    Ok(Tensor { shape: view.shape, data })
}

/// Returns the elements of a view of `storage`, of `N` bytes each.
fn gather<const N: usize>(
    name: &str,
    storage: &[u8],
    view: &View,
    decode: impl Fn([u8; N]) -> f32,
) -> Result<Vec<f32>, Problem> {
    let (elements, _) = storage.as_chunks::<N>();
    let outside = || Problem::OutsideStorage(quoted(name));
    let count = view.count().ok_or_else(outside)?;
    let mut data = Vec::new();
    if count == 0 {
        return Ok(data);
    }
    if view.last().is_none_or(|last| last >= elements.len()) {
        return Err(outside());
    }
    data.try_reserve_exact(count).map_err(|_| Problem::TooLarge { bytes: (count as u64).saturating_mul(4) })?;

    let mut axes = view.runs();
    let (extent, stride) = axes.pop().unwrap_or((1, 1));
    let mut at = vec![0_usize; axes.len()];
    let mut start = view.offset;
    loop {
        // Within the storage, as its last element is.
        if stride == 1 {
            let run = elements.get(start..start + extent).ok_or_else(outside)?;
            data.extend(run.iter().map(|&bytes| decode(bytes)));
        } else {
            let run = (0..extent).filter_map(|index| elements.get(start + index * stride));
            data.extend(run.map(|&bytes| decode(bytes)));
        }
        // One step of the innermost axis that has a step left; those inside it begin again.
        let mut stepped = false;
        for (index, &(extent, stride)) in at.iter_mut().zip(&axes).rev() {
            if *index + 1 < extent {
                *index += 1;
                start += stride;
                stepped = true;
                break;
            }
            start -= *index * stride;
            *index = 0;
        }
        if !stepped {
            return Ok(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> View {
        View { offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    fn bytes_up_to(end: u8) -> Vec<u8> {
        (0..end).collect()
    }

    #[test]
    fn strides_select_elements_in_order_of_the_axes() {
        let storage = bytes_up_to(24);
        let cases: [(View, &[f32]); 6] = [
            (view(0, &[2, 3], &[3, 1]), &[0., 1., 2., 3., 4., 5.]),
            (view(0, &[3, 2], &[1, 3]), &[0., 3., 1., 4., 2., 5.]),
            (view(7, &[2, 2, 2], &[12, 1, 2]), &[7., 9., 8., 10., 19., 21., 20., 22.]),
            (view(4, &[3, 1, 2], &[0, 99, 1]), &[4., 5., 4., 5., 4., 5.]),
            (view(23, &[], &[]), &[23.]),
            (view(99, &[usize::MAX, 0, usize::MAX], &[1, 1, 1]), &[]),
        ];
        for (view, wanted) in cases {
            let shape = view.shape.clone();
            let tensor = read("t", Dtype::U8, &storage, view).unwrap();
            assert_eq!((tensor.shape, tensor.data.as_slice()), (shape, wanted));
        }
    }

    #[test]
    fn a_view_outside_its_storage_is_refused() {
        let storage = bytes_up_to(24);
        let cases = [
            view(0, &[25], &[1]),
            view(24, &[], &[]),
            view(1, &[2, 12], &[12, 1]),
            view(usize::MAX, &[2], &[1]),
            view(0, &[2], &[usize::MAX]),
            view(0, &[3, 3], &[usize::MAX / 2, usize::MAX / 2]),
            view(0, &[usize::MAX, 2], &[0, 0]),
        ];
        for view in cases {
            let message = read("t", Dtype::U8, &storage, view).unwrap_err().to_string();
            assert!(message.contains("'t' reaches outside"), "{message}");
        }
        // Half an element is none.
        assert!(read("t", Dtype::F32, &storage[..23], view(0, &[6], &[1])).is_err());
    }
}
