# Runs a command at a terminal of its own and types what it is told to: at-a-terminal.py '[["prompt", "typed"], …]' COMMAND…
# Prints what the terminal shows, and ends as the command does.

import json, os, pty, sys

typed = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])


def read():
    try:
        shown = os.read(terminal, 4096)
    except OSError:
        shown = b""
    os.write(1, shown)
    return shown


for prompt, text in typed:
    seen = b""
    while prompt.encode() not in seen:
        shown = read()
        if not shown:
            break
        seen += shown
    os.write(terminal, text.encode())
while read():
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
