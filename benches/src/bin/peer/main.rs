//! Runs one of divita's executors as a process that `benches/peers/run` controls line by line, in
//! turn with other engines.
//!
//! ```text
//! run 10    run the network ten times on the input, print the CPU time in nanoseconds
//! output    print the output for the input, as a JSON list
//! peak      print the highest floating-point operations a second of one thread
//! ```

mod peak;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use divita_runtime::network::{Executor, SingleNetwork};
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
    /// Input: 4-byte floats in native byte order, row-major
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Shape of the input
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
}

impl Peer {
    /// Prepares the network and sets its input.
    fn prepare(&self) -> Result<SingleNetwork> {
        let read = |file: &PathBuf| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        let executor = match self.executor {
            Choice::Fused => Executor::default(),
            Choice::Tract => Executor::Tract,
        };
        let mut network = SingleNetwork::prepare(&read(&self.onnx)?, &self.shape, &self.output_shape, executor)?;
        // A network that tract runs must not count as divita's.
        ensure!(
            network.is_fused() == matches!(self.executor, Choice::Fused),
            "divita's executor does not recognise {}",
            self.onnx.display()
        );
        let bytes = read(&self.input)?;
        let (floats, rest) = bytes.as_chunks::<4>();
        let input: Vec<f32> = floats.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
        let expected: usize = self.shape.iter().product();
        ensure!(
            input.len() == expected && rest.is_empty(),
            "the input has {} bytes, not {}",
            bytes.len(),
            4 * expected
        );
        network.set_input(&input)?;
        Ok(network)
    }
}

/// Returns the CPU time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn main() -> Result<()> {
    let mut network = Peer::parse().prepare()?;
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
            ["output"] => writeln!(out, "{}", serde_json::to_string(&network.run()?)?)?,
            ["peak"] => writeln!(out, "{:.0}", peak::operations_per_second(cpu_time))?,
            _ => bail!("{line:?} is not `run N`, `output` or `peak`"),
        }
    }
    Ok(())
}
