"""Trials: a verb in a process of its own, disturbed, judged, and run again."""

from __future__ import annotations

import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from faults.verbs import OLD, Verb, files_of
from wct.cli import main

__all__ = ["FAULTS", "Report", "Stage", "load"]

FAULTS = ("SIGINT", "SIGTERM", "SIGKILL", "disk", "memory")
ABORTED = (-9, -6, -11, 127)
"""How a process ends that cannot tidy up: killed, or, without memory, given up by native code."""

STATUS = {
    "SIGINT": (130, 0),
    "SIGTERM": (143, 0),
    "SIGKILL": (-9, 0),
    "disk": (1, 2, 0),
    "memory": (1, 2, 0, *ABORTED),
}
"""How a process may end; 0 where the fault came too late."""

LIMIT = 60.0
"""Seconds after which a process counts as stuck."""

STUCK = 99

PART = re.compile(r"(.*/)?\.[0-9a-f]{16}\.part")
MODULES = (
    "stylizer", "batch", "video.job", "video.flow", "large", "heap", "cli.shell", "cli.engine", "models.fetch",
    "training.decoders", "training.encoder", "training.export",
)  # fmt: skip


def load() -> None:
    """What verbs import when they run, so that forked processes have it already."""
    for name in (*(f"wct.{name}" for name in MODULES), "torch._dynamo"):
        importlib.import_module(name)


@dataclass(frozen=True)
class Report:
    """What came of a trial: `found` is empty where everything held."""

    fault: str
    moment: float
    status: int
    found: str


class Stage:
    """A verb, its inputs, and what a run that nobody disturbs makes of them."""

    def __init__(self, verb: Verb, folder: Path) -> None:
        self.verb, self.folder = verb, folder
        self.inputs = folder / "inputs"
        self.temporary, self.said = folder / "tmp", ""
        self.temporary.mkdir()
        case = self._case()
        status = self._ended(self._begun(case, verb.words))
        assert status == 0, self.said
        self.before, self.after = files_of(self.inputs), files_of(case)
        self.seen = verb.seen(case)
        made = [name for name, digest in self.after.items() if digest != self.before.get(name)]
        self.largest = max((case / name).stat().st_size for name in made)
        process, began = self._begun(self._case(), verb.words), time.perf_counter()
        self._ended(process)
        self.seconds = time.perf_counter() - began
        self.memory = self._peak(self._case(), verb.words)

    def trials(self, n: int, seed: int) -> Iterator[Report]:
        for number in range(n):
            chance = random.Random(f"{seed} {number}")
            yield self.trial(FAULTS[number % len(FAULTS)], chance.random())

    def trial(self, fault: str, moment: float) -> Report:
        """One fault, `moment` of the way from the beginning (or from nothing) to the end (or to all that is needed)."""
        case = self._case()
        limits = {}
        if fault == "disk":
            limits = {resource.RLIMIT_FSIZE: int(moment * self.largest)}
        elif fault == "memory":
            limits = {resource.RLIMIT_AS: self.memory[0] + int(moment * (self.memory[1] - self.memory[0]))}
        process = self._begun(case, self.verb.words, limits)
        if fault.startswith("SIG"):
            time.sleep(0.005 + moment * 1.05 * self.seconds)
            os.kill(process, getattr(signal, fault))
        status = self._ended(process)
        try:
            self._judged(case, fault, status)
            again = self._ended(self._begun(case, self.verb.again(case) or self.verb.words))
            assert again == 0, f"afterwards the command ended with {again}: {self.said}"
            if status in ABORTED:
                for name in filter(PART.fullmatch, files_of(case)):
                    (case / name).unlink()
            now = files_of(case)
            other = sorted(name for name in now.keys() | self.after.keys() if now.get(name) != self.after.get(name))
            assert self.verb.seen(case) == self.seen, f"afterwards these were others: {other}"
            found = ""
        except AssertionError as error:
            found = str(error)
        return Report(fault, moment, status, found)

    def _judged(self, case: Path, fault: str, status: int) -> None:
        said = self.said
        lines = [line for line in said.splitlines() if line.startswith(("error: ", "failed: "))]
        assert status in STATUS[fault], f"ended with {status}: {said}"
        assert "Traceback" not in said and "please report" not in said, said
        assert status in ABORTED or bool(lines) == bool(status), f"ended with {status}: {said}"
        for name, digest in files_of(case).items():
            if self.verb.kept(name):
                continue
            if status in ABORTED and PART.fullmatch(name):
                continue
            assert name in self.after, f"{name} was left; {said}"
            if digest not in (self.before.get(name), self.after[name]):
                assert self.verb.seen is not files_of and self.verb.seen(case) == self.seen, (
                    f"{name} is not whole; {said}"
                )
        lost = self.before.keys() - files_of(case).keys()
        assert not lost, f"{lost} is gone; {said}"
        left = list(self.temporary.iterdir())
        shutil.rmtree(self.temporary)
        self.temporary.mkdir()
        assert status in ABORTED or not left, f"{left} was left among temporary files"

    def _case(self) -> Path:
        """A fresh copy of the inputs."""
        if not self.inputs.exists():
            self.inputs.mkdir()
            self.verb.inputs(self.inputs)
            for name in self.verb.old:
                (self.inputs / name).parent.mkdir(exist_ok=True)
                (self.inputs / name).write_bytes(OLD)
        case = self.folder / "case"
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(self.inputs, case)
        return case

    def _begun(self, case: Path, words: tuple[str, ...], limits: dict[int, int] | None = None) -> int:
        """The number of a process that does the verb."""
        self.stderr, sink = os.pipe()  # a file would be part of the full disk
        begun, begins = os.pipe()
        process = os.fork()
        if process:
            os.close(sink)
            os.close(begins)
            os.read(begun, 1)
            os.close(begun)
            return process
        status = 70
        try:
            os.chdir(case)
            os.environ.update(TMPDIR=str(self.temporary), WCT_HOME=str(case / "home"))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for old, new in ((nowhere, 0), (nowhere, 1), (sink, 2)):
                os.dup2(old, new)
            torch.set_num_threads(1)
            self.verb.ready(case)
            for kind, most in (limits or {}).items():
                resource.setrlimit(kind, (most, resource.RLIM_INFINITY))
            os.write(begins, b"!")
            sys.argv = ["wct", *words]
            status = main()
            sys.stderr.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _ended(self, process: int) -> int:
        deadline, status = time.monotonic() + LIMIT, 0
        while not (found := os.waitpid(process, os.WNOHANG))[0] and time.monotonic() < deadline:
            time.sleep(0.002)
        if not found[0]:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            status = STUCK
        with os.fdopen(self.stderr, errors="replace") as stream:
            self.said = stream.read()
        return status or os.waitstatus_to_exitcode(found[1])

    def _peak(self, case: Path, words: tuple[str, ...]) -> tuple[int, int]:
        """Bytes of address space at the beginning and the most of an undisturbed run."""
        process, least = self._begun(case, words), psutil.Process().memory_info().vms
        most = least
        while not os.waitpid(process, os.WNOHANG)[0]:
            with suppress(psutil.Error):
                most = max(most, psutil.Process(process).memory_info().vms)
            time.sleep(0.001)
        os.close(self.stderr)
        return least, most
