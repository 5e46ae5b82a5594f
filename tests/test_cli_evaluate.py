"""`wct evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

from shell import Call, picture
from tiny import write_tiny


def test_reconstruction(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        picture(tmp_path / "photos" / f"{seed}.png", seed=seed)
    base = ["evaluate", "reconstruction", "photos", "--size", 32, "--model", tiny_folder]
    found = call(*base, "--json")
    assert (found.status, found.err) == (0, "")
    report = json.loads(found.out)
    assert (report["model"], report["n"]) == ("tiny", 2)
    assert list(report["levels"]) == [f"relu{k}_1" for k in range(1, 6)]
    assert {"psnr_median", "psnr_min"} <= set(report["levels"]["relu1_1"])
    table = call(*base).out.decode()
    assert "relu5_1" in table and f"{report['levels']['relu5_1']['psnr_median']:.2f}" in table


def test_stylization(call: Call, tmp_path: Path) -> None:
    write_tiny(tmp_path / "eye", stages={})
    for seed, name in enumerate(("content", "style", "output")):
        picture(tmp_path / f"{name}.png", seed=seed)
    (tmp_path / "pairs.csv").write_text("content,style,output\ncontent.png,style.png,output.png\n")
    base = ["evaluate", "stylization", "pairs.csv", "--vgg", "eye"]
    found = call(*base, "--json")
    assert (found.status, found.err) == (0, "")
    (row,) = json.loads(found.out)["rows"]
    table = call(*base).out.decode()
    assert f"{row['style_distance']:.2f}" in table and f"{row['content_distance']:.2f}" in table


def test_what_is_missing_is_one_line(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pairs.csv").write_text("content,style,output\na.png,b.png,c.png\n")
    assert "gone" in call("evaluate", "reconstruction", "gone", "--model", tiny_folder).refused()
    assert "no pictures" in call("evaluate", "reconstruction", "empty", "--model", tiny_folder).refused()
    assert "vgg19" in call("evaluate", "stylization", "pairs.csv").refused()
    assert "a.png" in call("evaluate", "stylization", "pairs.csv", "--vgg", tiny_folder).refused()
    assert "gone.csv" in call("evaluate", "stylization", "gone.csv", "--vgg", tiny_folder).refused()
