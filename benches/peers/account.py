"""Runs a command and measures it: `account.py RESULT COMMAND...` writes CPU seconds and peak memory to RESULT as JSON.

A process of its own, because Linux counts the memory of the parent as the program's. This one is small.
"""

import json
import os
import sys

if __name__ == "__main__":
    result, *command = sys.argv[1:]
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    # macOS counts in bytes, Linux in kibibytes.
    unit = 1 if sys.platform == "darwin" else 1024
    with open(result, "w") as file:
        json.dump({"cpu_s": usage.ru_utime + usage.ru_stime, "peak_memory_bytes": usage.ru_maxrss * unit}, file)
    sys.exit(os.waitstatus_to_exitcode(status) and 1)
