"""Engines taking turns at one network, each in a process of its own, so that whatever else the computer does falls on all of them."""

import json
import subprocess
import tempfile

# CPU time of a turn, in nanoseconds: long beside the clock's own error, short beside the changes of a computer's mood.
TURN = 50e6
# Seconds that an engine may take to load and convert a network.
PATIENCE = 300


class Fault(Exception):
    """An engine that cannot run a network, and why."""


class EngineProcess:
    """A worker, ours or worker.py, that obeys one command at a time."""

    def __init__(self, command):
        self.messages = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages, text=True, bufsize=1
        )
        self.runs = 1

    def ask(self, command):
        """The answer to `command`, a line."""
        try:
            self.process.stdin.write(command + "\n")
        except BrokenPipeError:
            pass
        return self.answer()

    def answer(self):
        """The next line that it prints."""
        line = self.process.stdout.readline()
        if not line:
            raise Fault(self.last_words())
        return line.strip()

    def last_words(self):
        """Why it ended."""
        status = self.process.wait(PATIENCE)
        if status < 0:
            return f"killed by signal {-status}"
        self.messages.seek(0)
        lines = [line.strip() for line in self.messages if line.strip()]
        return lines[-1] if lines else f"it ended with status {status}"

    def turn(self):
        """Milliseconds of CPU time of a run: the mean over a turn. The run before it brings the caches back that the others had."""
        self.ask("run 1")
        return int(self.ask(f"run {self.runs}")) / self.runs / 1e6

    def close(self):
        """Lets it end."""
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.messages.close()


def compare(commands, rounds, own):
    """Lets the engines of `commands` (name to command line) take turns, `rounds` times. Gives for each engine its `output` and `times_ms`,
    or its `error`; and the peak of the processor in each round, which the engine `own` can measure."""
    results, running = {}, {}
    try:
        for name, command in commands.items():
            engine = running[name] = EngineProcess(command)
            try:
                # Loading alone, so that what it leaves behind is over before the turns begin.
                if engine.answer() != "ready":
                    raise Fault("it answers what was not asked")
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
            # Each begins a round as often as any other.
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
