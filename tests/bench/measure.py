"""measure.py FILE COMMAND...: runs the command and writes to FILE when it began
(seconds since the epoch), the seconds it took and its peak memory in kB: never
less than this interpreter's own, some 10 MB."""
import os
import sys
import time

file, command = sys.argv[1], sys.argv[2:]
began, start = time.time(), time.perf_counter()
with open(file, "w", encoding="ascii") as out:
    print(began, 0, 0, file=out)
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
with open(file, "w", encoding="ascii") as out:
    print(began, time.perf_counter() - start, usage.ru_maxrss, file=out)
sys.exit(abs(os.waitstatus_to_exitcode(status)))
