//! The job arrays of both programs on a real Slurm, a cluster of this one machine that the test
//! starts, and the command of the Kubernetes job.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use divita_tests::films::write_textured_film;
use divita_tests::{program, root, stdout};

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

/// Returns `program`'s path.
fn path_of(name: &str) -> PathBuf {
    PathBuf::from(program(name).get_program())
}

/// Nine films of four to twelve seconds in a folder.
fn films(folder: &Path) {
    fs::create_dir(folder).unwrap();
    (0..9).for_each(|k| write_textured_film(&folder.join(format!("tt{k:04}.y4m")), k, 4 + k, 8));
}

#[test]
fn two_tasks_of_slurm_share_the_work() {
    let missing =
        ["munged", "slurmctld", "slurmd", "sbatch", "sinfo"].into_iter().find(|program| !is_installed(program));
    if let Some(program) = missing {
        eprintln!("SKIPPED: {program} is not installed (Debian: slurm-wlm, munge)");
        return;
    }
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIPPED: only root may start a Slurm of its own");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    // munged wants every folder above its socket to be open to others.
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let [folder, whole, store, slurm] = ["videos", "whole", "store", "slurm"].map(|name| place.path().join(name));
    fs::create_dir(&slurm).unwrap();
    films(&folder);
    let cluster = Cluster::start(&slurm);
    wait("the cluster is up", || cluster.is_up());
    // Submits an array of two tasks, waits for it, and returns what the tasks said.
    let submit = |script: &str, arguments: &[&str]| {
        let mut job = cluster.command("sbatch");
        job.current_dir(place.path()).env_remove("DIVITA_BUNDLE");
        job.env("DIVITA_MODELS", path_of("divita-models")).env("DIVITA", path_of("divita"));
        job.args(["--wait", "--array=1-2", "--output=task-%a.txt"]).arg(root().join(script)).args(arguments);
        let mut job = job.spawn().unwrap();
        let mut status = None;
        wait("the job is done", || {
            status = job.try_wait().unwrap();
            status.is_some()
        });
        let said = ["task-1.txt", "task-2.txt"].map(|name| {
            let path = place.path().join(name);
            let said = fs::read_to_string(&path).unwrap();
            fs::remove_file(path).unwrap();
            said
        });
        assert!(status.unwrap().success(), "{said:?}");
        said
    };

    let of = |store: &Path| {
        let network = ["--network", "shufflenet-2d", "--seed", "3", "--fps", "4", "--store"];
        network.into_iter().chain([store.to_str().unwrap()]).map(str::to_owned).collect::<Vec<_>>()
    };
    let alone = program("divita-models").arg("extract").arg(&folder).args(of(&whole)).output().unwrap();
    assert!(alone.status.success());
    let arguments: Vec<String> = [folder.to_str().unwrap().to_owned()].into_iter().chain(of(&store)).collect();
    let said = submit("models/cluster/extract.sbatch", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(said[0].contains("5 videos done") && said[1].contains("4 videos done"), "{said:?}");
    let difference = Command::new("diff").arg("--recursive").args([&whole, &store]).output().unwrap();
    assert!(difference.status.success(), "{}", stdout(&difference));

    let results = place.path().join("results");
    let arguments = ["classify", results.to_str().unwrap(), "--format", "jsonl", folder.to_str().unwrap()];
    submit("board/cluster/divita.sbatch", &arguments);
    let lines = |texts: &[String]| {
        let mut lines: Vec<String> = texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let tasks = ["1-of-2", "2-of-2"].map(|task| fs::read_to_string(results.join(task)).unwrap());
    let alone = program("divita").args(["classify", "--format", "jsonl"]).arg(&folder).output().unwrap();
    assert_eq!(lines(&tasks), lines(&[stdout(&alone)]));
    let again = submit("board/cluster/divita.sbatch", &arguments);
    assert!(again[0].contains("5 of 5 inputs are finished") && again[1].contains("4 of 4"), "{again:?}");
}

#[test]
fn a_job_that_is_no_array_says_how_to_submit_it() {
    for script in ["models/cluster/extract.sbatch", "board/cluster/divita.sbatch"] {
        let mut command = Command::new("sh");
        command.arg(root().join(script)).args(["classify", "results", "films"]).env_remove("SLURM_ARRAY_TASK_ID");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{script}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("sbatch --array=1-8"), "{script}");
    }
}

#[test]
fn the_kubernetes_job_reads_each_share_once() {
    let place = tempfile::tempdir().unwrap();
    films(&place.path().join("films"));
    let manifest = fs::read_to_string(root().join("board/cluster/indexed-job.yaml")).unwrap();
    let count: usize =
        manifest.lines().find_map(|line| line.trim().strip_prefix("completions: ")).unwrap().parse().unwrap();
    assert!(manifest.contains(&format!("parallelism: {count}\n")) && manifest.contains(&format!("value: \"{count}\"")));
    // The folded text after `args`.
    let lines = manifest.lines().skip_while(|line| !line.contains("- >-")).skip(1);
    let script: Vec<&str> = lines.take_while(|line| line.starts_with("              ")).map(str::trim).collect();
    let script = script.join(" ").replace("/films", "films").replace("/results", "results");
    fs::create_dir(place.path().join("results")).unwrap();
    let mut sources = Vec::new();
    for index in 0..count {
        let mut pod = Command::new("sh");
        pod.args(["-euc", &script]).current_dir(place.path()).env_remove("DIVITA_BUNDLE");
        pod.env("JOB_COMPLETION_INDEX", index.to_string()).env("DIVITA_SHARES", count.to_string());
        let folder = path_of("divita").parent().unwrap().to_owned();
        pod.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
        let output = pod.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let share = fs::read_to_string(place.path().join(format!("results/{}-of-{count}", index + 1))).unwrap();
        sources.extend(share.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()));
    }
    sources.sort();
    assert_eq!(sources, (0..9).map(|k| format!("films/tt{k:04}.y4m")).collect::<Vec<_>>());
}
