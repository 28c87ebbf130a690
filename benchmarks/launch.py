"""Run a command and write what it took to a file descriptor: `launch.py FD COMMAND`.

Written are its seconds, those of all cores, its greatest memory and its exit code.

A process counts as its own the memory of the one that started it, until its own program is loaded. So that little is
counted that way, commands are started by this small one, which imports nothing.
"""

import os
import sys
import time

begin = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - begin
taken = f"{seconds} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}"
os.write(int(sys.argv[1]), taken.encode())
