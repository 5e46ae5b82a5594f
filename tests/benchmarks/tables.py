"""The README's tables of speed and memory, written into it from reports of `wct bench`.

wct bench --reference --json > 512.json
wct bench --reference --precision bfloat16 --json > bfloat16.json
wct bench --sizes 256,512,1024 --repeats 3 --json > sizes.json
wct bench --device cuda --reference --json > gpu.json
python tests/benchmarks/tables.py 512.json bfloat16.json sizes.json gpu.json    # or some of them
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[2] / "README.md"
WAYS = {
    "picture": "style given as a picture",
    "held": "style held in memory",
    "plan": "maps solved before (a film's frames)",
}


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(report: dict[str, Any]) -> str:
    """What the figures depend on, as a sentence."""
    of = report["conditions"]
    release = of["torch"].split("+")[0]
    return f"{of['device']}, {of['threads']} threads, {precision(report)}, torch {release}, medians of {of['n']}."


def precision(report: dict[str, Any]) -> str:
    """In what the models compute."""
    return str(report["runs"][-1]["dtype"])


def beside(report: dict[str, Any], memory: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The runs of the paper's algorithm and of the models: what to call it, the run, and `memory` once for each."""
    taken = {row["model"]: f"{row[memory]:,.0f} MB" for row in report["memory"]}
    for run in report["runs"]:
        if run["model"] == "reference":
            yield "the paper's algorithm, VGG-19", run, taken[run["model"]]
        elif run["style"] in WAYS:
            yield f"{run['model']}, {WAYS[run['style']]}", run, taken[run["model"]] if run["style"] == "held" else ""


def against(report: dict[str, Any]) -> str:
    """Every model and way beside the paper's algorithm, at one size."""

    def rows() -> Iterator[Sequence[str]]:
        for name, run, memory in beside(report, "above_mb"):
            figures = f"{run['compute_s']['median']:.2f}", f"{run['times_faster']:.1f}", f"{run['ceiling_share']:.0%}"
            yield [name, *figures, memory]

    return table(["", "seconds", "times faster", "of the convolution ceiling", "memory above torch's"], rows())


def on_gpu(report: dict[str, Any]) -> str:
    """As `against`, with the part of solving: of the time as it is, and with reading and writing files."""

    def rows() -> Iterator[Sequence[str]]:
        for name, run, memory in beside(report, "device_mb"):
            solve, compute, total = (
                one["median"] for one in (run["stages"]["solve"], run["compute_s"], run["total_s"])
            )
            times = f"{1e3 * compute:.0f}", f"{run['times_faster']:.1f}", f"{1e3 * solve:.0f}"
            yield [name, *times, f"{solve / compute:.0%}", f"{solve / total:.0%}", memory]

    head = ["", "ms", "times faster", "solving, ms", "of the time", "of the time with files", "memory on the GPU"]
    return table(head, rows())


def by_size(report: dict[str, Any]) -> str:
    """Seconds and memory of each model over sizes, with the style held."""
    held = {(run["model"], run["size"]): run["compute_s"]["median"] for run in report["runs"] if run["style"] == "held"}
    memory = {(row["model"], row["size"]): row["above_mb"] for row in report["memory"]}
    sizes = sorted({size for _, size in held})

    def rows() -> Iterator[Sequence[str]]:
        for model in dict.fromkeys(model for model, _ in held):
            yield [f"{model}, seconds", *(f"{held[model, size]:.2f}" for size in sizes)]
            yield [f"{model}, memory above torch's", *(f"{memory[model, size]:,.0f} MB" for size in sizes)]

    return table(["", *(f"{size}x{size}" for size in sizes)], rows())


def put(text: str, name: str, body: str) -> str:
    """The text with `body` between its marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{body}{end}{rest.split(end)[1]}"


def placed(report: dict[str, Any]) -> tuple[str, str]:
    """The name of the table that a report is for, and the table."""
    if report["conditions"]["device"] != "cpu":
        return "table on a GPU", on_gpu(report)
    if len({run["size"] for run in report["runs"]}) > 1:
        return "table by size", by_size(report)
    return "table in bfloat16" if precision(report) == "bfloat16" else "table against the paper", against(report)


if __name__ == "__main__":
    text = README.read_text("utf-8")
    for path in sys.argv[1:]:
        report = json.loads(Path(path).read_text("utf-8"))
        name, body = placed(report)
        text = put(text, name, f"{conditions(report)}\n\n{body}")
    README.write_text(text, "utf-8")
