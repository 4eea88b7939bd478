#!/usr/bin/env python3
"""The arguments are JSON in a file. The script starts in an empty folder; the job's folder is $FLWD_JOB_DIR."""

import datetime
import json
import os
import subprocess
from pathlib import Path

args = json.loads(Path(os.environ["FLWD_ARGS_FILE"]).read_text(encoding="utf-8"))
artifacts = Path(os.environ["FLWD_ARTIFACTS_DIR"])  # files in this folder are kept as artifacts


def flwd(helper, *words):
    """flwd_log, flwd_progress, flwd_result, flwd_output and flwd_artifact are programs."""
    subprocess.run([f"flwd_{helper}", *map(str, words)], check=True)


names = [args["who"], *args["also"]]
flwd("log", "debug", f"names: {len(names)}, times: {args['times']}")
greetings = []
for turn in range(1, args["times"] + 1):
    for name in names:
        text = f"Hello, {name}."
        if args["dated"]:
            text += f" It is {datetime.date.today()}."
        if args["style"] == "loud":
            text = text.upper()
        print(text)  # printed lines become the log
        greetings.append(text)
    flwd("progress", 100 * turn // args["times"], f"{len(greetings)} greetings")

(artifacts / "greetings.txt").write_text("\n".join(greetings) + "\n", encoding="utf-8")
flwd("result", json.dumps({"greetings": len(greetings)}))
