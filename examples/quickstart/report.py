"""Turns a log of CI runs into a report: per job the count, the failures, and how long it took.

usage: report.py RUNS.CSV OUTPUT-DIRECTORY
"""

import csv
import pathlib
import platform
import sys


def read_runs(path):
    runs = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["job"], []).append((float(row["seconds"]), row["outcome"]))
    return runs


def quantile(sorted_values, share):
    """The smallest value that at least this share of the values does not exceed."""
    rank = -(-len(sorted_values) * share // 1)
    return sorted_values[max(0, int(rank) - 1)]


def summarise(runs):
    for job in sorted(runs):
        seconds = sorted(took for took, _ in runs[job])
        failed = sum(outcome == "failed" for _, outcome in runs[job])
        yield {
            "job": job,
            "runs": len(seconds),
            "failed": failed,
            "p50_seconds": quantile(seconds, 0.5),
            "p95_seconds": quantile(seconds, 0.95),
            "total_minutes": round(sum(seconds) / 60, 1),
        }


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_markdown(path, rows):
    columns = list(rows[0])
    lines = ["# CI runs", "", f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    lines += [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows]
    path.write_text("\n".join(lines) + "\n")


def main(source, target):
    print(f"Python {platform.python_version()} on Linux {platform.release()}, {platform.machine()}")
    rows = list(summarise(read_runs(source)))
    for row in rows:
        print(f"{row['job']:>12}: {row['runs']:3} runs, {row['failed']:2} failed, p95 {row['p95_seconds']:6.1f} s")
    target = pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    write_csv(target / "summary.csv", rows)
    write_markdown(target / "summary.md", rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
