"""Batches: the same pictures as one by one, what counts as finished, and what one picture cannot do to the others."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shell import picture

import wct.batch
import wct.threads
from wct.batch import AHEAD, WRITERS, Outcome, batch
from wct.errors import InputError, ModelError, OutputError, UsageError
from wct.files import appearing
from wct.images import read, read_comment
from wct.jobs import Job, jobs_of
from wct.look import LOOK, Look
from wct.models import Model
from wct.stylizer import Stylizer

KEPT = [".png", ".jpg", ".tif", ".webp", ".avif"]


@pytest.fixture
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of a picture in every format, and a style beside it."""
    picture(tmp_path / "style.png", seed=7)
    (tmp_path / "photos").mkdir()
    for seed, suffix in enumerate([*KEPT, ".bmp", ".gif"]):
        picture(tmp_path / "photos" / f"p{seed}{suffix}", seed=seed)
    picture(tmp_path / "photos" / "through.png", mode="RGBA", seed=8)
    return tmp_path / "photos"


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def done(stylizer: Stylizer, photos: Path, style: Any = None, **options: Any) -> list[Outcome]:
    jobs = jobs_of(photos, photos.parent / "out", extension=options.pop("extension", None))
    return list(batch(stylizer, jobs, [style or photos.parent / "style.png"], **options))


@pytest.mark.parametrize("extension", [None, *KEPT])
def test_every_picture_is_what_it_is_alone_and_is_made_once(
    stylizer: Stylizer, photos: Path, extension: str | None
) -> None:
    outcomes = done(stylizer, photos, extension=extension)
    assert statuses(outcomes) == ["done"] * 8
    for outcome in outcomes:
        source, target = outcome.job.source, outcome.job.target
        own = ".png" if source.suffix in (".bmp", ".gif") else source.suffix
        assert target.suffix == (extension or own)
        alone = stylizer(source, photos.parent / "style.png")
        assert outcome.size == alone.size
        alone.save(photos.parent / f"alone{target.suffix}", overwrite=True)
        one, other = (Image.open(path).convert("RGBA") for path in (photos.parent / f"alone{target.suffix}", target))
        assert (np.asarray(one) == np.asarray(other)).all()
    before = {path: path.stat().st_mtime_ns for path in (photos.parent / "out").iterdir()}
    assert statuses(done(stylizer, photos, extension=extension)) == ["skipped"] * 8
    assert {path: path.stat().st_mtime_ns for path in (photos.parent / "out").iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"look": Look(alpha=0.5)},
        {"look": Look(levels=(3, 2))},
        {"look": Look(color="content")},
        {"size": 20},
        {"quality": 60},
        {"bits": 16},
        {"scale": 0.5},
        {"weights": [{5: 0.5}]},
        {"style": "photos/p0.png"},
    ],
)
def test_what_was_made_otherwise_is_kept_unless_it_may_be_replaced(
    stylizer: Stylizer, photos: Path, change: dict[str, Any]
) -> None:
    for path in set(photos.iterdir()) - set(photos.glob("*.png")):
        path.unlink()
    if "style" in change:
        change = {"style": photos.parent / change["style"]}
    done(stylizer, photos)
    before = {path: path.read_bytes() for path in (photos.parent / "out").iterdir()}
    refused = done(stylizer, photos, **change)
    assert statuses(refused) == ["failed"] * 2
    assert all("with other settings" in str(outcome.error) for outcome in refused)
    assert {path: path.read_bytes() for path in (photos.parent / "out").iterdir()} == before
    assert statuses(done(stylizer, photos, **change, overwrite=True)) == ["done"] * 2
    assert statuses(done(stylizer, photos, **change)) == ["skipped"] * 2
    assert statuses(done(stylizer, photos)) == ["failed"] * 2


def test_a_photo_that_changed_and_a_file_of_somebody_else_are_told(stylizer: Stylizer, photos: Path) -> None:
    done(stylizer, photos)
    picture(photos / "p0.png", seed=99)
    picture(photos.parent / "out" / "p1.jpg", seed=98)
    outcomes = done(stylizer, photos)
    assert statuses(outcomes) == ["failed"] * 2 + ["skipped"] * 6
    assert "another picture" in str(outcomes[0].error) and "in another way" in str(outcomes[1].error)


def test_another_decoder_is_another_setting(stylizer: Stylizer, photos: Path, tiny_folder: Path) -> None:
    done(stylizer, photos)
    other = Stylizer(Model.load(tiny_folder))
    assert statuses(done(other, photos)) == ["skipped"] * 8
    other = Stylizer(Model.load(tiny_folder))
    other.model.decoder.stages[0].high[-1].bias.add_(0.1)
    assert other.model.fingerprint == stylizer.model.fingerprint
    assert statuses(done(other, photos)) == ["failed"] * 8


@pytest.mark.parametrize("look", [Look(color="content", color_strength=0.7), Look(transform="swap", levels=(4, 3))])
def test_styles_that_depend_on_the_photo_or_keep_patches(stylizer: Stylizer, photos: Path, look: Look) -> None:
    outcomes = done(stylizer, photos, look=look, extension=".png", scale=0.5)
    for outcome in outcomes:
        colors = outcome.job.source if look.color == "content" else None
        style = stylizer.style(
            photos.parent / "style.png",
            scale=0.5,
            colors=colors,
            color_strength=0.7,
            patches=look.transform == "swap",
        )
        alone = stylizer(outcome.job.source, style, look=look)
        assert (np.asarray(read(outcome.job.target).to_pil()) == np.asarray(alone.to_pil())).all()


def test_a_style_measured_before_serves_and_is_known_again(stylizer: Stylizer, photos: Path) -> None:
    style = stylizer.style(photos.parent / "style.png")
    style.save(photos.parent / "a.style")
    assert statuses(done(stylizer, photos, style)) == ["done"] * 8
    assert statuses(done(stylizer, photos, photos.parent / "a.style")) == ["skipped"] * 8


def test_one_bad_file_fails_alone(stylizer: Stylizer, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "p1.jpg").write_bytes((photos / "p1.jpg").read_bytes()[:300])
    (photos / "p2.tif").unlink()
    (photos / "p2.tif").symlink_to("nowhere")
    (photos / "p3.webp").unlink()
    (photos / "p3.webp").mkdir()
    (photos / "p4.avif").write_bytes(b"")
    real = Stylizer.__call__

    def breaking(self: Stylizer, content: Any, *rest: Any, **options: Any) -> Any:
        if content.name.endswith("p5.bmp"):
            raise RuntimeError("two\nlines")
        return real(self, content, *rest, **options)

    monkeypatch.setattr(Stylizer, "__call__", breaking)
    out = photos.parent / "out"
    (out / "p6.png").mkdir(parents=True)
    jobs = [Job(path, out / f"{path.stem}.png") for path in sorted(photos.iterdir())]
    outcomes = list(batch(stylizer, jobs, [photos.parent / "style.png"]))
    assert [outcome.job for outcome in outcomes] == jobs
    assert statuses(outcomes) == ["done", *["failed"] * 6, "done"]
    errors = [str(outcome.error) for outcome in outcomes[1:-1]]
    for error, words in zip(
        errors,
        ("damaged", "is no file", "is no file", "is empty", "unexpected RuntimeError", "is a folder"),
        strict=True,
    ):
        assert words in error and "\n" not in error
    assert sorted(path.name for path in out.iterdir()) == ["p0.png", "p6.png", "through.png"]


def test_what_no_picture_can_be_made_with_stops_the_batch(stylizer: Stylizer, photos: Path, tiny_folder: Path) -> None:
    changed = Model.load(tiny_folder)
    next(changed.encoder.parameters()).add_(0.1)
    foreign = Stylizer(changed).style(photos.parent / "style.png")
    with pytest.raises(ModelError, match="another model"):
        done(stylizer, photos, foreign)
    with pytest.raises(UsageError, match="holds its own colours"):
        done(stylizer, photos, stylizer.style(photos.parent / "style.png"), look=Look(color="content"))
    with pytest.raises(InputError, match=r"none\.png"):
        done(stylizer, photos, photos / "none.png")
    (photos.parent / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        batch(stylizer, [Job(photos / "p0.png", photos.parent / "file" / "p.png")], [photos.parent / "style.png"])


def test_the_model_works_in_one_thread_and_little_waits(
    stylizer: Stylizer, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [Job(photos / "p0.png", photos.parent / "out" / f"{i}.png") for i in range(25)]
    begun, stylised, given, most = 0, 0, 0, [0, 0]
    threads, readers, cores, teams = set(), set(), set(), torch.get_num_threads()
    real_read, real_call = wct.batch.read, Stylizer.__call__

    def reading(*arguments: Any, **options: Any) -> Any:
        nonlocal begun
        begun += 1
        readers.add(threading.current_thread())
        cores.add(torch.get_num_threads())
        return real_read(*arguments, **options)

    def calling(*arguments: Any, **options: Any) -> Any:
        nonlocal stylised
        threads.add(threading.current_thread())
        most[0] = max(most[0], begun - stylised)
        stylised += 1
        most[1] = max(most[1], stylised - given)
        return real_call(*arguments, **options)

    monkeypatch.setattr(wct.batch, "read", reading)
    monkeypatch.setattr(Stylizer, "__call__", calling)
    for outcome in batch(stylizer, jobs, [stylizer.style(photos.parent / "style.png")]):
        given += outcome.status == "done"
    assert given == 25
    assert threads == {threading.current_thread()} and not readers & threads
    assert most[0] <= AHEAD + 1 and most[1] <= WRITERS + 2
    with ThreadPoolExecutor(1) as later:
        after = later.submit(torch.get_num_threads).result()
    assert cores == {1} and torch.get_num_threads() == after == teams, "readers have one core, and nobody else"


def test_readers_and_writers_work_where_memory_has_run_out_for_a_thread(
    stylizer: Stylizer, photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(wct.threads, "Thread", none)
    teams = torch.get_num_threads()
    assert statuses(done(stylizer, photos)) == ["done"] * 8
    torch.set_num_threads(teams)
    assert not caplog.records, "no traceback on its way to the log"


def test_an_interrupt_loses_nothing_that_was_made(
    stylizer: Stylizer, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Stylizer.__call__, 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(Stylizer, "__call__", interrupted)
    given: set[tuple[Job, str]] = set()
    jobs = jobs_of(photos, photos.parent / "out")
    with pytest.raises(KeyboardInterrupt):
        given.update((one.job, one.status) for one in batch(stylizer, jobs, [photos.parent / "style.png"]))
    assert given == {(job, "done") for job in jobs[:3]}
    assert sorted(path.name for path in (photos.parent / "out").iterdir()) == [job.target.name for job in jobs[:3]]
    monkeypatch.undo()
    assert statuses(done(stylizer, photos)) == ["skipped"] * 3 + ["done"] * 5


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("settings", "status"), [({}, "skipped"), ({"alpha": 0.5}, "failed")])
def test_another_run_may_make_a_result_at_any_moment(
    stylizer: Stylizer,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, float],
    status: str,
    late: bool,
) -> None:
    """It is what this run would make, or a file of somebody else, which stays."""
    check = wct.batch.check_output

    def checking(target: Path, **options: Any) -> None:
        if late:
            check(target, **options)
        monkeypatch.setattr(wct.batch, "check_output", check)
        assert statuses(done(stylizer, photos, look=Look(**settings))) == ["done"]
        if not late:
            check(target, **options)

    for path in [*photos.iterdir()][1:]:
        path.unlink()
    monkeypatch.setattr(wct.batch, "check_output", checking)
    (outcome,) = done(stylizer, photos)
    assert (outcome.status, outcome.error is None) == (status, status == "skipped")
    monkeypatch.setattr(wct.batch, "check_output", check)
    assert statuses(done(stylizer, photos, look=Look(**settings))) == ["skipped"]


def test_stale_temporary_files_are_removed_and_others_are_not(stylizer: Stylizer, photos: Path) -> None:
    out = photos.parent / "out"
    out.mkdir()
    for name in (".0123456789abcdef.part", ".mine.part", "0123456789abcdef.part"):
        (out / name).write_text("half")
    os.utime(out / ".0123456789abcdef.part", (2e9, 2e9))  # as after the clock was set back
    with appearing(out / "other.png") as alive:  # of another process
        os.utime(alive, (0, 0))
        done(stylizer, photos)
        assert sorted(out.glob("*.part")) == sorted([alive, out / ".mine.part", out / "0123456789abcdef.part"])
    assert (out / "other.png").exists()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "A", "a", "b.png"]), st.sampled_from("aAbé"), st.sampled_from(["jpg", "PNG", "gif"])
        ),
        unique=True,
        min_size=1,
    ),
    st.sampled_from([None, ".png", ".webp"]),
)
def test_no_two_pictures_go_to_one_file(
    tmp_path_factory: pytest.TempPathFactory, names: list[tuple[str, str, str]], extension: str | None
) -> None:
    folder = tmp_path_factory.mktemp("photos")
    for parent, stem, suffix in names:
        (folder / parent).mkdir(exist_ok=True)
        (folder / parent / f"{stem}.{suffix}").touch()
    targets = [Path(p, s + (extension or {"gif": ".png"}.get(e, f".{e}"))) for p, s, e in names]
    keys = [str(target).lower() for target in targets]
    if len(set(keys)) < len(keys) or set(keys) & {str(target.parent).lower() for target in targets}:
        with pytest.raises(UsageError, match="several pictures") as error:
            jobs_of(folder, "out", recursive=True, extension=extension)
        assert "\n" not in str(error.value)
    else:
        jobs = jobs_of(folder, "out", recursive=True, extension=extension)
        assert {job.target for job in jobs} == {Path("out", target) for target in targets}
        assert all(job.source.relative_to(folder).parent == job.target.relative_to("out").parent for job in jobs)


def test_all_collisions_are_in_one_line(photos: Path) -> None:
    for name in ("P0.PNG", "p5.png", "Q.jfif", "q.jpg"):
        (photos / name).touch()
    with pytest.raises(UsageError) as found:
        jobs_of(photos, photos.parent / "out")
    line = str(found.value)
    assert all(name in line for name in ("P0.PNG", "p0.png", "p5.png", "p5.bmp", "Q.jfif", "q.jpg"))
    assert "p1.jpg" not in line and "\n" not in line


def test_inputs_are_never_written_over_and_results_are_no_inputs(photos: Path) -> None:
    style, out = photos.parent / "style.png", photos / "out"
    with pytest.raises(UsageError, match="is the folder of the photos"):
        jobs_of(photos, photos / ".")
    with pytest.raises(OutputError, match="is an input"):
        jobs_of(photos / "p0.png", photos)
    (photos.parent / "out").mkdir()
    (photos.parent / "out" / "p0.png").hardlink_to(style)
    with pytest.raises(OutputError, match="is an input"):
        jobs_of(photos, photos.parent / "out", inputs=[style])
    (out / "deep").mkdir(parents=True)
    picture(out / "deep" / "made.png")
    (photos / ".hidden").mkdir()
    picture(photos / ".hidden" / "x.png")
    assert len(jobs_of(photos, out, recursive=True)) == 8
    assert [job.target.parent for job in jobs_of(photos, photos.parent)] == [photos.parent] * 8
    with pytest.raises(InputError, match="no such file or folder"):
        jobs_of(photos / "none", out)
    (photos.parent / "nested" / "deep").mkdir(parents=True)
    picture(photos.parent / "nested" / "deep" / "x.png")
    with pytest.raises(InputError, match=r"holds no pictures; .*--recursive"):
        jobs_of(photos.parent / "nested", out)


@pytest.mark.parametrize(("extension", "bits"), [*((one, 8) for one in KEPT), (".png", 16)])
def test_a_comment_is_read_as_it_was_written(tmp_path: Path, extension: str, bits: int) -> None:
    path = tmp_path / f"a{extension}"
    made = read(picture(tmp_path / "in.png"))
    made.save(path, comment="one line, settings 0123", bits=bits)
    assert read_comment(path) == "one line, settings 0123"
    made.save(path, overwrite=True, bits=bits)
    assert not read_comment(path)


def test_files_without_a_comment_have_none(photos: Path) -> None:
    (photos / "text.png").write_text("text")
    assert not any(read_comment(path) for path in photos.iterdir())
    assert read_comment(photos / "none.png") is None and read_comment(photos) is None


def test_the_look_is_known_whatever_the_order_of_its_levels(stylizer: Stylizer, photos: Path) -> None:
    done(stylizer, photos, look=LOOK)
    assert statuses(done(stylizer, photos, look=Look(levels=LOOK.levels[::-1]))) == ["skipped"] * 8
