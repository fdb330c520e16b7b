"""Runs engines in turn on one network, each in its own process, so that other load affects all of them."""

import json
import subprocess
import tempfile

# CPU time of a turn in nanoseconds: long compared with the clock's error, short compared with
# changes of load.
TURN = 50e6
# Maximum seconds to load and convert a network.
TIMEOUT = 300


class Fault(Exception):
    """Why an engine cannot run a network."""


class EngineProcess:
    """A worker process, divita's or worker.py, that answers one command at a time."""

    def __init__(self, command):
        self.messages = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages, text=True, bufsize=1
        )
        self.runs = 1

    def ask(self, command):
        """Sends `command`. Returns the answer, one line."""
        try:
            self.process.stdin.write(command + "\n")
        except BrokenPipeError:
            pass
        return self.answer()

    def answer(self):
        """Returns the next line of output."""
        line = self.process.stdout.readline()
        if not line:
            raise Fault(self.exit_reason())
        return line.strip()

    def exit_reason(self):
        """Returns why the process ended."""
        status = self.process.wait(TIMEOUT)
        if status < 0:
            return f"killed by signal {-status}"
        self.messages.seek(0)
        lines = [line.strip() for line in self.messages if line.strip()]
        return lines[-1] if lines else f"exit status {status}"

    def turn(self):
        """Returns the CPU time of a run in milliseconds, the mean over a turn. One run before it refills the caches."""
        self.ask("run 1")
        return int(self.ask(f"run {self.runs}")) / self.runs / 1e6

    def close(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.messages.close()


def compare(commands, rounds, own):
    """Runs the engines of `commands` (name to command line) in turn, `rounds` times.

    Returns for each engine its `output` and `times_ms`, or its `error`; and the peak rate of the
    processor in each round, which the engine `own` measures."""
    results, running = {}, {}
    try:
        for name, command in commands.items():
            engine = running[name] = EngineProcess(command)
            try:
                # Load one engine at a time, so that background work ends before the turns begin.
                if engine.answer() != "ready":
                    raise Fault("unexpected answer")
                output = json.loads(engine.ask("output"))
                engine.ask("run 2")
                engine.runs = max(1, round(TURN / max(1, int(engine.ask("run 1")))))
                results[name] = {"output": output, "times_ms": []}
            except Fault as fault:
                results[name] = {"error": str(fault)}
                running.pop(name).close()
        peaks = []
        for round_number in range(rounds):
            if own in running:
                peaks.append(float(running[own].ask("peak")))
            # Each engine starts a round equally often.
            names = list(running)
            first = round_number % max(1, len(names))
            for name in names[first:] + names[:first]:
                try:
                    results[name]["times_ms"].append(running[name].turn())
                except Fault as fault:
                    results[name] = {"error": str(fault)}
                    running.pop(name).close()
    finally:
        for engine in running.values():
            engine.close()
    return results, peaks
