//! The job array of `cluster/extract.sbatch` on a real Slurm: a cluster of this one machine, made
//! for the test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{arrays, extract, videos};

/// Longest that the cluster may take to come up, and the job to run.
const PATIENCE: Duration = Duration::from_secs(120);

/// The daemons of a cluster, stopped when the test is over.
struct Cluster {
    config: PathBuf,
    daemons: Vec<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The last that was started first: each talks to those before it.
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Cluster {
    fn start(folder: &Path) -> Cluster {
        let at = |name: &str| folder.join(name);
        for name in ["state", "spool"] {
            fs::create_dir(at(name)).unwrap();
        }
        let mut key = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut key, 0o400);
        std::io::Write::write_all(&mut key.write(true).create_new(true).open(at("key")).unwrap(), &[0x5a; 64]).unwrap();
        let host = Command::new("hostname").arg("-s").output().unwrap().stdout;
        let host = String::from_utf8(host).unwrap().trim().to_owned();
        // Held together, so that they differ.
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [controller, node] = ports.map(|port| port.local_addr().unwrap().port());
        let place = folder.display();
        let config = format!(
            "ClusterName=divita\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
             AuthType=auth/munge\nAuthInfo=socket={place}/munge\nCredType=cred/munge\nSlurmUser=root\nSlurmdUser=root\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\nReturnToService=2\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nStateSaveLocation={place}/state\n\
             SlurmdSpoolDir={place}/spool\nSlurmctldPidFile={place}/slurmctld.pid\nSlurmdPidFile={place}/slurmd.pid\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\n\
             PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"
        );
        fs::write(at("slurm.conf"), config).unwrap();
        let mut cluster = Cluster { config: at("slurm.conf"), daemons: Vec::new() };
        let file = |option: &str, name: &str| format!("--{option}={place}/{name}");
        let munge = [("key-file", "key"), ("socket", "munge"), ("pid-file", "munged.pid"), ("log-file", "munged.log")];
        let mut arguments: Vec<String> = munge.map(|(option, name)| file(option, name)).into();
        arguments.extend([file("seed-file", "seed"), "--foreground".to_owned(), "--force".to_owned()]);
        cluster.daemon("munged", &arguments);
        cluster.daemon("slurmctld", &["-D".to_owned()]);
        cluster.daemon("slurmd", &["-D".to_owned()]);
        cluster
    }

    fn daemon(&mut self, name: &str, arguments: &[String]) {
        let mut command = self.command(name);
        let daemon = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.daemons.push(daemon.spawn().unwrap());
        sleep(Duration::from_secs(1));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", &self.config);
        // Where Debian puts daemons, which is not everybody's PATH.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command
    }

    /// Whether the node waits for work.
    fn is_up(&self) -> bool {
        let output = self.command("sinfo").args(["--noheader", "--format=%t"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim() == "idle"
    }
}

/// Waits until `done` says so.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what} within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(200));
    }
}

fn is_installed(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).is_file())
}

#[test]
fn two_tasks_of_slurm_fill_one_store() {
    let missing =
        ["munged", "slurmctld", "slurmd", "sbatch", "sinfo"].into_iter().find(|program| !is_installed(program));
    if let Some(program) = missing {
        eprintln!("SKIPPED: {program} is not installed (Debian: slurm-wlm, munge)");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root may start a Slurm of its own");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    // munged wants every folder above its socket to be open to others.
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let [folder, whole, store, slurm] = ["videos", "whole", "store", "slurm"].map(|name| place.path().join(name));
    fs::create_dir(&slurm).unwrap();
    videos(&folder);
    extract(&folder, &whole, &[]);

    let cluster = Cluster::start(&slurm);
    wait("the cluster is up", || cluster.is_up());
    let mut job = cluster.command("sbatch");
    job.current_dir(place.path()).env("DIVITA_MODELS", env!("CARGO_BIN_EXE_divita-models"));
    job.args(["--wait", "--array=1-2", "--output=task-%a.txt"]);
    job.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/extract.sbatch")).arg(&folder).arg("--store").arg(&store);
    let mut job = job.args(["--network", "shufflenet-2d", "--seed", "3", "--fps", "4"]).spawn().unwrap();
    let mut status = None;
    wait("the job is done", || {
        status = job.try_wait().unwrap();
        status.is_some()
    });
    let said = ["task-1.txt", "task-2.txt"].map(|name| fs::read_to_string(place.path().join(name)).unwrap());
    assert!(status.unwrap().success(), "{said:?}");
    assert!(said[0].contains("5 videos done") && said[1].contains("4 videos done"), "{said:?}");
    assert_eq!(arrays(&store), arrays(&whole));
}

#[test]
fn a_job_that_is_no_array_says_how_to_submit_it() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/extract.sbatch");
    let output = Command::new("sh").arg(script).env_remove("SLURM_ARRAY_TASK_ID").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("sbatch --array=1-8"));
}
