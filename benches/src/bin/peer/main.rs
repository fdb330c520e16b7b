//! Runs one of divita's executors as a process that `benches/peers/run` controls line by line, in
//! turn with other engines.
//!
//! ```text
//! run 10    run the network ten times on the first input, print the CPU time in nanoseconds
//! output    print the outputs for all inputs, as a JSON list of lists
//! peak      print the highest floating-point operations a second of one thread
//! ```

mod peak;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use divita_models::quantisation::quantise;
use divita_runtime::network::{Executor, Instructions, SingleNetwork};
use rustix::time::{ClockId, clock_gettime};

/// Run one network in one of divita's executors and measure it; started by benches/peers/run
#[derive(Parser)]
struct Peer {
    /// Executor that runs the network
    #[arg(long, value_enum)]
    executor: Choice,
    /// ONNX file of the network
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// One or more inputs: 4-byte floats in native byte order, row-major
    #[arg(long, value_name = "FILE")]
    inputs: PathBuf,
    /// Inputs that calibrate the network in eight bits, in the same form
    #[arg(long, value_name = "FILE", required_if_eq("executor", "int8"))]
    calibration: Option<PathBuf>,
    /// Shape of an input
    #[arg(long, value_name = "1,3,224,224", value_delimiter = ',')]
    shape: Vec<usize>,
    /// Shape of the output
    #[arg(long, value_name = "1,1024", value_delimiter = ',')]
    output_shape: Vec<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Fused,
    Tract,
    Int8,
}

impl Peer {
    /// Prepares the network and sets its first input. Returns all inputs too.
    fn prepare(&self) -> Result<(SingleNetwork, Vec<Vec<f32>>)> {
        let executor = match self.executor {
            Choice::Fused => Executor::default(),
            Choice::Tract => Executor::Tract,
            Choice::Int8 => Instructions::int8().map_or(Executor::PORTABLE_INT8, Executor::Fused),
        };
        let mut onnx = read(&self.onnx)?;
        if let (Choice::Int8, Some(file)) = (self.executor, &self.calibration) {
            let inputs = self.inputs_of(file)?.into_iter().map(|data| (self.shape.clone(), data));
            onnx = quantise(&onnx, inputs)?;
        }
        let mut network = SingleNetwork::prepare(&onnx, &self.shape, &self.output_shape, executor)?;
        // A network that tract runs must not count as divita's.
        ensure!(
            network.is_fused() != matches!(self.executor, Choice::Tract),
            "divita's executor does not recognise {}",
            self.onnx.display()
        );
        let inputs = self.inputs_of(&self.inputs)?;
        network.set_input(&inputs[0])?;
        Ok((network, inputs))
    }

    /// Reads the inputs that `file` has, at least one.
    fn inputs_of(&self, file: &Path) -> Result<Vec<Vec<f32>>> {
        let bytes = read(file)?;
        let each = 4 * self.shape.iter().product::<usize>();
        ensure!(
            !bytes.is_empty() && each > 0 && bytes.len() % each == 0,
            "{} has {} bytes, and an input has {each}",
            file.display(),
            bytes.len()
        );
        let floats = |input: &[u8]| input.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
        Ok(bytes.chunks(each).map(floats).collect())
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Returns the CPU time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn main() -> Result<()> {
    let (mut network, inputs) = Peer::parse().prepare()?;
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["run", times] => {
                let times: u32 = times.parse().with_context(|| format!("{times} is not a number of runs"))?;
                let before = cpu_time();
                for _ in 0..times {
                    std::hint::black_box(network.run()?);
                }
                writeln!(out, "{}", (cpu_time() - before).as_nanos())?;
            }
            ["output"] => {
                let mut outputs = Vec::with_capacity(inputs.len());
                for input in &inputs {
                    network.set_input(input)?;
                    outputs.push(network.run()?);
                }
                network.set_input(&inputs[0])?;
                writeln!(out, "{}", serde_json::to_string(&outputs)?)?;
            }
            ["peak"] => writeln!(out, "{:.0}", peak::operations_per_second(cpu_time))?,
            _ => bail!("{line:?} is not `run N`, `output` or `peak`"),
        }
    }
    Ok(())
}
