//! What the layers of a network do: the operators that all its networks are made of.

/// An operator: what a layer does to its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution over all axes after the channels.
    Conv(Conv),
    /// Batch norm with stored statistics over the channels, which lie on `axis`.
    BatchNorm {
        /// Axis of the channels.
        axis: usize,
        /// Added to the variance.
        epsilon: f32,
    },
    /// A factor and a term for each channel on `axis`: what is left of a batch norm that has no
    /// neighbour to go into.
    Affine {
        /// Axis of the channels.
        axis: usize,
    },
    /// Matrix multiplication over the last axis.
    Linear {
        /// Whether a bias is added.
        bias: bool,
    },
    /// Layer norm over the last axis.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Multi-head scaled dot-product attention of (query, key, value), each (batch, tokens,
    /// features), without projections.
    Attention {
        /// Number of heads; divides the features.
        heads: usize,
        /// Where the tokens lie in the windows that the batch consists of; without it they lie
        /// nowhere.
        windows: Option<Windows>,
    },
    /// Gated recurrent unit over (1, steps, features), from a state of zeros; every state is kept.
    Gru {
        /// Length of the state.
        hidden: usize,
    },
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x Φ(x), Φ the normal distribution function; exact, by erf.
    Gelu,
    /// Sum of two values of one shape.
    Add,
    /// Division by the Euclidean length over the last axis.
    Normalize,
    /// Scalar products of all pairs of rows: (1, rows, features) to (1, rows, rows).
    Similarity,
    /// Maximum over windows of side 3, stride 2, padded by one, over all axes after the channels.
    MaxPool,
    /// Mean over windows of these sides, side by side, over all axes after the channels. What does
    /// not fill a window is left.
    AveragePool {
        /// Sides of a window.
        sides: Vec<usize>,
    },
    /// Equal parts along `axis`, as many as there are outputs.
    Split {
        /// The axis.
        axis: usize,
    },
    /// The inputs one after the other along `axis`.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Channel shuffle: channel (g, i) of `groups` groups becomes channel (i, g).
    Shuffle {
        /// Number of groups; divides the channels.
        groups: usize,
    },
    /// Mean over these axes, which vanish.
    Mean {
        /// The axes, ascending.
        axes: Vec<usize>,
    },
    /// Largest over an axis, which vanishes.
    Largest {
        /// The axis.
        axis: usize,
    },
    /// To each token of (1, tokens, features) its row of a table that is learned, (1, rows,
    /// features).
    AddRows {
        /// Rows of the table.
        rows: usize,
        /// For each token, its row; the index after the last stands for none.
        indices: Vec<usize>,
    },
    /// The axes in another order.
    Transpose {
        /// For each axis of the output, the axis of the input.
        order: Vec<usize>,
    },
    /// The same elements in the shape of the output.
    Reshape,
    /// Elements of axis 1, picked one by one; the index after the last stands for zeros.
    Pick {
        /// Their indices.
        indices: Vec<usize>,
    },
}

impl Op {
    /// Returns its name, without sizes.
    #[must_use]
    pub fn name(&self) -> String {
        let all = format!("{self:?}");
        all.split([' ', '(']).next().unwrap_or_default().to_owned()
    }
}

/// Geometry of a convolution. The lists hold one entry for each axis after the channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Number of output channels.
    pub channels: usize,
    /// Sides of the kernel.
    pub kernel: Vec<usize>,
    /// Steps between outputs.
    pub stride: Vec<usize>,
    /// Steps between the elements of the kernel.
    pub dilation: Vec<usize>,
    /// Zeros put before and after.
    pub padding: Vec<[usize; 2]>,
    /// Number of groups, 1 or the number of input channels (depthwise).
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv {
    /// Returns a convolution with an odd kernel of stride 1 that keeps the size, one group, no
    /// bias.
    #[must_use]
    pub fn new(channels: usize, kernel: &[usize]) -> Conv {
        let ones = vec![1; kernel.len()];
        let padding = kernel.iter().map(|side| [side / 2; 2]).collect();
        Conv {
            channels,
            kernel: kernel.to_vec(),
            stride: ones.clone(),
            dilation: ones,
            padding,
            groups: 1,
            bias: false,
        }
    }

    /// Returns a convolution of side 1 over `axes` axes.
    #[must_use]
    pub fn pointwise(channels: usize, axes: usize) -> Conv {
        Conv::new(channels, &vec![1; axes])
    }

    /// Returns a convolution of patches that lie side by side, with a bias.
    #[must_use]
    pub fn patches(channels: usize, sides: &[usize]) -> Conv {
        let stride = sides.to_vec();
        Conv { stride, padding: vec![[0; 2]; sides.len()], bias: true, ..Conv::new(channels, sides) }
    }

    /// Sets the steps between outputs.
    #[must_use]
    pub fn stride(self, stride: &[usize]) -> Conv {
        Conv { stride: stride.to_vec(), ..self }
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Conv {
        Conv { groups, ..self }
    }

    /// With these steps between the elements of the kernel, and as much more padding.
    #[must_use]
    pub fn dilation(self, dilation: &[usize]) -> Conv {
        let padding = self.padding.iter().zip(dilation).map(|(sides, step)| sides.map(|side| side * step)).collect();
        Conv { dilation: dilation.to_vec(), padding, ..self }
    }

    /// With the padding that TensorFlow calls "same": ceil(size / stride) outputs, the odd zero
    /// after.
    #[must_use]
    pub fn same(self, sizes: &[usize]) -> Conv {
        let axes = sizes.iter().zip(&self.kernel).zip(&self.stride);
        let padding = axes
            .map(|((size, side), stride)| {
                let zeros = ((size.div_ceil(*stride) - 1) * stride + side).saturating_sub(*size);
                [zeros / 2, zeros - zeros / 2]
            })
            .collect();
        Conv { padding, ..self }
    }
}

/// The windows of one layer of a Swin transformer (Liu 2021): a grid of tokens, padded with zeros
/// to whole windows, moved cyclically by the shift and cut into windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// Sides of the grid, tokens.
    pub grid: Vec<usize>,
    /// Sides of a window as the table of relative positions knows it.
    pub table: Vec<usize>,
    /// Sides of a window: those of the table, but at most those of the grid.
    pub window: Vec<usize>,
    /// Shift of each axis.
    pub shift: Vec<usize>,
}

/// What is added to the score of two tokens that lie in different parts of the grid, as the
/// published networks have it.
pub const APART: f32 = -100.0;

impl Windows {
    /// Returns the windows of sides `table`, moved by half of them if `shifted`. An axis that one
    /// window covers is not moved.
    #[must_use]
    pub fn new(grid: &[usize], table: &[usize], shifted: bool) -> Windows {
        let covered = |(size, side): (&usize, &usize)| size <= side;
        let axes = || grid.iter().zip(table);
        let window = axes().map(|(size, side)| *size.min(side)).collect();
        let shift = axes().map(|axis| if covered(axis) || !shifted { 0 } else { axis.1 / 2 }).collect();
        Windows { grid: grid.to_vec(), table: table.to_vec(), window, shift }
    }

    /// Returns the tokens of the grid.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.grid.iter().product()
    }

    /// Returns the tokens of a window.
    #[must_use]
    pub fn window_tokens(&self) -> usize {
        self.window.iter().product()
    }

    /// Returns the number of windows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.counts().iter().product()
    }

    /// Returns the windows along each axis.
    fn counts(&self) -> Vec<usize> {
        self.grid.iter().zip(&self.window).map(|(size, side)| size.div_ceil(*side)).collect()
    }

    /// Returns the sides of the padded grid.
    fn padded(&self) -> Vec<usize> {
        self.counts().iter().zip(&self.window).map(|(count, side)| count * side).collect()
    }

    /// Returns the place in the shifted grid, for each token of each window.
    fn places(&self) -> impl Iterator<Item = Vec<usize>> {
        let tokens = coordinates(&self.window);
        coordinates(&self.counts()).into_iter().flat_map(move |window| {
            let place = |token: &Vec<usize>| {
                window.iter().zip(token).zip(&self.window).map(|((at, within), side)| at * side + within).collect()
            };
            tokens.iter().map(place).collect::<Vec<_>>()
        })
    }

    /// For each token of each window, its index in the grid; padding has the index after the last.
    #[must_use]
    pub fn cut(&self) -> Vec<usize> {
        let padded = self.padded();
        let index = |place: Vec<usize>| {
            let origin = place.iter().zip(&self.shift).zip(&padded).map(|((at, shift), size)| (at + shift) % size);
            let origin: Vec<usize> = origin.collect();
            let inside = origin.iter().zip(&self.grid).all(|(at, size)| at < size);
            if inside { flat(&origin, &self.grid) } else { self.tokens() }
        };
        self.places().map(index).collect()
    }

    /// Returns the index among the windows' tokens, for each token of the grid.
    #[must_use]
    pub fn join(&self) -> Vec<usize> {
        let mut indices = vec![0; self.tokens() + 1];
        for (at, token) in self.cut().into_iter().enumerate() {
            indices[token] = at;
        }
        indices.truncate(self.tokens());
        indices
    }

    /// Returns the rows of the table of relative positions.
    #[must_use]
    pub fn table_rows(&self) -> usize {
        self.table.iter().map(|side| 2 * side - 1).product()
    }

    /// For each pair of tokens of a window, the row of the table that holds what their relative
    /// position adds to the score.
    #[must_use]
    pub fn rows(&self) -> Vec<usize> {
        let tokens = coordinates(&self.window);
        let sides: Vec<usize> = self.table.iter().map(|side| 2 * side - 1).collect();
        let row = |query: &[usize], key: &[usize]| {
            let apart = query.iter().zip(key).zip(&self.table).map(|((q, k), side)| q + side - 1 - k);
            flat(&apart.collect::<Vec<_>>(), &sides)
        };
        tokens.iter().flat_map(|query| tokens.iter().map(move |key| row(query, key))).collect()
    }

    /// For each token of each window, a number of the region of the grid that it lies in, where the
    /// shift brought together what lay apart: [`APART`] is added to the score of two tokens of
    /// different regions. `None` where nothing is moved. Padding is of the region beside it, as it
    /// is in the published networks.
    #[must_use]
    pub fn regions(&self) -> Option<Vec<f32>> {
        if self.shift.iter().all(|shift| *shift == 0) {
            return None;
        }
        let padded = self.padded();
        // Along a moved axis there are three regions: before the last window, in it, and what came
        // round.
        let region = |place: Vec<usize>| -> f32 {
            let axes = place.iter().zip(&padded).zip(self.window.iter().zip(&self.shift));
            let along = |((at, size), (side, shift)): ((&usize, &usize), (&usize, &usize))| {
                if *shift == 0 { 0 } else { u8::from(*at >= size - side) + u8::from(*at >= size - shift) }
            };
            axes.map(along).fold(0.0, |region, along| 3.0 * region + f32::from(along))
        };
        Some(self.places().map(region).collect())
    }
}

/// Returns every coordinate of a grid of these sides, the last axis fastest.
fn coordinates(sides: &[usize]) -> Vec<Vec<usize>> {
    let count: usize = sides.iter().product();
    let coordinate = |mut index: usize| {
        let mut at = vec![0; sides.len()];
        for (at, side) in at.iter_mut().zip(sides).rev() {
            *at = index % side;
            index /= side;
        }
        at
    };
    (0..count).map(coordinate).collect()
}

/// Returns the index of a coordinate in a grid of these sides.
fn flat(at: &[usize], sides: &[usize]) -> usize {
    at.iter().zip(sides).fold(0, |index, (at, side)| index * side + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_every_token_once_and_padding_where_there_is_none() {
        for (grid, table, shifted) in [
            (&[8, 8][..], &[4, 4][..], true),
            (&[12, 14, 14], &[8, 7, 7], true),
            (&[5, 7], &[4, 7], true),
            (&[2, 4], &[8, 4], false),
        ] {
            let windows = Windows::new(grid, table, shifted);
            let cut = windows.cut();
            assert_eq!(cut.len(), windows.count() * windows.window_tokens());
            let mut seen: Vec<usize> = cut.iter().copied().filter(|token| *token < windows.tokens()).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..windows.tokens()).collect::<Vec<_>>());
            let back: Vec<usize> = windows.join().into_iter().map(|at| cut[at]).collect();
            assert_eq!(back, (0..windows.tokens()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn regions_separate_what_the_shift_brought_together() {
        let windows = Windows::new(&[4], &[2], true);
        // Moved by one, the windows are (1, 2) and (3, 0): the second holds both ends.
        assert_eq!(windows.cut(), [1, 2, 3, 0]);
        assert_eq!(windows.regions().unwrap_or_default(), [0.0, 0.0, 1.0, 2.0]);
        assert_eq!(Windows::new(&[4], &[2], false).regions(), None);
    }

    #[test]
    fn same_padding_is_that_of_tensorflow() {
        let conv = |side, stride, size| Conv::new(1, &[side]).stride(&[stride]).same(&[size]).padding[0];
        assert_eq!([conv(3, 2, 224), conv(5, 2, 56), conv(5, 2, 7), conv(3, 1, 9)], [[0, 1], [1, 2], [2, 2], [1, 1]]);
    }
}
