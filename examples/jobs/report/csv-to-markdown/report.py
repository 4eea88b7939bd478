#!/usr/bin/env python3
"""Reads a CSV file and writes report.md: a table, then the total and mean of each numeric column."""

import csv
import json
import os
from pathlib import Path

with open(os.environ["FLWD_ARGS_FILE"], encoding="utf-8") as file:
    args = json.load(file)

with open(args["file"], newline="", encoding="utf-8") as file:
    header, *rows = csv.reader(file)
print(f"Read {len(rows)} rows of {len(header)} columns")


def numbers(column):
    """The column as numbers, or None where one value is not."""
    try:
        return [float(row[column]) for row in rows]
    except (ValueError, IndexError):
        return None


def line(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


columns = {name: values for i, name in enumerate(header) if (values := numbers(i))}
shown = rows[: args["rows"]]
report = [f"# {args['title']}", "", line(header), line(["---"] * len(header)), *map(line, shown)]
if len(shown) < len(rows):
    report += ["", f"… and {len(rows) - len(shown)} more rows."]
report += ["", "## Totals", "", line(["column", "total", "mean"]), line(["---"] * 3)]
report += [line([name, f"{sum(v):,.2f}", f"{sum(v) / len(v):,.2f}"]) for name, v in columns.items()]

Path(os.environ["FLWD_ARTIFACTS_DIR"], "report.md").write_text("\n".join(report) + "\n", encoding="utf-8")
totals = {name: round(sum(values), 2) for name, values in columns.items()}
with open(os.environ["FLWD_RESULT_FILE"], "w", encoding="utf-8") as file:
    json.dump({"rows": len(rows), "totals": totals}, file)
print("Wrote report.md")
