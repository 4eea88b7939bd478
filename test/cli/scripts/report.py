#!/usr/bin/env python3
"""Counts the status codes of an access log."""
import argparse
from collections import Counter
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("logfile", type=argparse.FileType("r"), help="the access log")
parser.add_argument("-n", "--top", type=int, default=10, help="how many to print")
parser.add_argument("-o", "--output", help="write the report here")
parser.add_argument("--known", default="/etc/report/known-bots.txt", help="names of known bots")
parser.add_argument("--no-header", dest="header", action="store_false", help="leave the header out")
parser.add_argument("--version", action="version", version="1.2")
args = parser.parse_args()

bots = Path(args.known).read_text().split()
lines = [line for line in args.logfile if not any(bot in line for bot in bots)]
codes = Counter(line.split()[8] for line in lines)
report = ["code count"] if args.header else []
report += [f"{code} {count}" for code, count in codes.most_common(args.top)]
print("\n".join(report))
if args.output:
    with open(args.output, "w") as out:
        out.write("\n".join(report) + "\n")
