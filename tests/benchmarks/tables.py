"""The README's tables of speed and memory, written into it from reports of `wct bench`.

wct bench --reference --json > 512.json
wct bench --sizes 256,512,1024,2048 --repeats 3 --json > sizes.json
wct bench --device cuda --reference --json > gpu.json
python tests/benchmarks/tables.py 512.json sizes.json [gpu.json]
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
    return f"{of['device']}, {of['threads']} threads, float32, torch {of['torch'].split('+')[0]}, medians of {of['n']}."


def against(report: dict[str, Any]) -> str:
    """Every model and way beside the paper's algorithm, at one size."""
    above = {row["model"]: f"{row['above_mb']:,.0f} MB" for row in report["memory"]}

    def rows() -> Iterator[Sequence[str]]:
        for run in report["runs"]:
            paper = run["model"] == "reference"
            if not paper and run["style"] not in WAYS:
                continue
            yield [
                "the paper's algorithm, VGG-19" if paper else f"{run['model']}, {WAYS[run['style']]}",
                f"{run['compute_s']['median']:.2f}",
                f"{run['times_faster']:.1f}",
                f"{run['ceiling_share']:.0%}",
                above[run["model"]] if paper or run["style"] == "held" else "",
            ]

    return table(["", "seconds", "times faster", "of the convolution ceiling", "memory above torch's"], rows())


def on_gpu(report: dict[str, Any]) -> str:
    """As `against`, with the part of solving: of the time as it is, and with reading and writing files."""
    memory = {row["model"]: f"{row['device_mb']:,.0f} MB" for row in report["memory"]}

    def rows() -> Iterator[Sequence[str]]:
        for run in report["runs"]:
            paper = run["model"] == "reference"
            if paper or run["style"] in WAYS:
                solve, compute = run["stages"]["solve"]["median"], run["compute_s"]["median"]
                yield [
                    "the paper's algorithm, VGG-19" if paper else f"{run['model']}, {WAYS[run['style']]}",
                    f"{1e3 * compute:.0f}",
                    f"{run['times_faster']:.1f}",
                    f"{1e3 * solve:.0f}",
                    f"{solve / compute:.0%}",
                    f"{solve / run['total_s']['median']:.0%}",
                    memory[run["model"]] if paper or run["style"] == "held" else "",
                ]

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


if __name__ == "__main__":
    reference, sizes, *gpu = (json.loads(Path(path).read_text("utf-8")) for path in sys.argv[1:])
    text = README.read_text("utf-8")
    text = put(text, "table against the paper", f"{conditions(reference)}\n\n{against(reference)}")
    text = put(text, "table by size", f"{conditions(sizes)}\n\n{by_size(sizes)}")
    for report in gpu:
        text = put(text, "table on a GPU", f"{conditions(report)}\n\n{on_gpu(report)}")
    README.write_text(text, "utf-8")
