"""Whatever the bytes, the answer is a picture or one line that names the file, the cause and the remedy."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import types
from pathlib import Path

import hostile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shell import LIMIT, environment

from wct.errors import InputError
from wct.images import DEFAULT_MAX_PIXELS, Picture, PictureWarning, read

NOISE = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)
FILES = {kind: hostile.file_of(Image.fromarray(NOISE), kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")}
FILES["TIFF deflate"] = hostile.tiff(NOISE, deflate=True)
FILES["PNG 16"] = hostile.png(NOISE.astype(np.uint16) * 257)


def refusal(source: object, **options: object) -> str:
    """The one line with which `source` is refused."""
    with pytest.raises(InputError) as caught:
        read(source, **options)  # type: ignore[arg-type]
    line = str(caught.value)
    assert "\n" not in line and ";" in line
    return line


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.filterwarnings("ignore")  # Pillow's, about tags that lie outside the file
def test_a_file_cut_short_is_refused(kind: str, share: float) -> None:
    data = FILES[kind]
    assert refusal(data[: int(len(data) * share)]).startswith("<bytes>: ")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_give_a_picture_or_one_line(kind: str) -> None:
    data = FILES[kind]
    for at in range(0, len(data), max(1, len(data) // 100)):
        bad = bytearray(data)
        bad[at] ^= 0x40
        assert_picture_or_line(bytes(bad))


def assert_picture_or_line(data: bytes) -> None:
    found: Picture | str
    try:
        found = read(data, max_pixels=10**6)
    except InputError as error:
        found = str(error)
    assert isinstance(found, Picture) or "\n" not in found


def test_damage_is_not_told_twice(tmp_path: Path) -> None:
    """libtiff prints what it finds, and Pillow logs; of an error there is to be one line."""
    cut = bytearray(FILES["TIFF deflate"])
    cut[40:44] = bytes(4)
    lie = bytearray(hostile.tiff(NOISE))
    at = lie.index(struct.pack("<HHII", 277, 3, 1, 3))
    lie[at + 8 : at + 10] = struct.pack("<H", 769)
    for i, data in enumerate((cut, lie)):
        (tmp_path / f"{i}.tif").write_bytes(data)
    script = (
        "from wct.errors import InputError; from wct.images import read; import sys\n"
        "for name in ('0.tif', '1.tif'):\n try: read(name)\n except InputError: print(name)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    found = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=LIMIT, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"0.tif\n1.tif\n", b"")


@given(st.binary(max_size=200), st.sampled_from([b"", *(data[:16] for data in FILES.values())]))
@settings(max_examples=200)
@pytest.mark.filterwarnings("ignore")
def test_random_bytes_give_a_picture_or_one_line(data: bytes, head: bytes) -> None:
    assert_picture_or_line(head + data)


@given(st.data())
@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore")
def test_random_damage_gives_a_picture_or_one_line(data: st.DataObject) -> None:
    bad = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    at = data.draw(st.integers(0, len(bad) - 1))
    bad[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    assert_picture_or_line(bytes(bad))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_a_header_that_claims_too_much_is_refused_before_decoding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("decoding began")

    data = hostile.bomb(kind, 30000, 30000)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    assert f"30000x30000, 900000000 pixels; the budget is {DEFAULT_MAX_PIXELS}" in refusal(data)


def test_the_budget_is_inclusive_and_can_be_lifted() -> None:
    data = FILES["PNG"]
    assert read(data, max_pixels=480).size == (24, 20)
    assert "the budget is 479" in refusal(data, max_pixels=479)
    assert read(data, max_pixels=None).size == (24, 20)
    assert "the budget is 479" in refusal(NOISE, max_pixels=479)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int]) -> None:
    refusal(hostile.png(np.zeros((1, 1, 3), np.uint8), size=size))


STRANGERS = {
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "EPS": b"\xc5\xd0\xd3\xc6" + bytes(28),
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "web page": b"<!DOCTYPE html><html></html>",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
    "video": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    "Photoshop": b"8BPS\0\1" + bytes(20),
    "text file": b"content,style\na.jpg,b.jpg\n",
    "unknown format": bytes(range(200)),
    "safetensors": b"\x20\1\0\0\0\0\0\0" + b'{"a":{"dtype":"F32"',
    "empty": b"",
}


@pytest.mark.parametrize("words", STRANGERS)
def test_other_files_are_called_what_they_are(words: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(STRANGERS[words])
    line = refusal(path)
    assert line.startswith(f"{path}: ") and words in line


def test_formats_that_pillow_knows_but_we_do_not_are_refused() -> None:
    for kind in ("PPM", "TGA", "ICO", "EPS", "PCX", "SGI"):
        assert "needed a picture" in refusal(hostile.file_of(Image.fromarray(NOISE), kind))


def test_the_allow_list_of_formats() -> None:
    assert "is a GIF picture; needed JPEG, PNG" in refusal(FILES["GIF"], formats=("PNG", "JPEG"))
    assert read(FILES["PNG"], formats=("PNG",)).size == (24, 20)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.png")
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a regular file" in refusal(tmp_path / "pipe.png")
    assert "cannot be opened" in refusal("a\0b.png")
    assert "cannot be opened" in refusal("x" * 5000)
    (tmp_path / "loop").symlink_to("loop")
    refusal(tmp_path / "loop")


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(FILES["PNG"])

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_empty_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO()))
    assert refusal("-").startswith("<stdin>: is empty")


def test_a_closed_file_or_image_is_refused() -> None:
    stream = io.BytesIO(FILES["PNG"])
    image = Image.open(io.BytesIO(FILES["PNG"]))
    stream.close()
    image.close()
    refusal(stream)
    refusal(image)


def test_too_little_memory_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    assert "not enough memory" in refusal(FILES["PNG"])


@pytest.mark.filterwarnings("error")
def test_a_warning_made_an_error_stays_a_warning() -> None:
    with pytest.raises(PictureWarning, match="profile is broken"):
        read(hostile.file_of(Image.fromarray(NOISE), "PNG", icc_profile=b"no profile"))


def test_the_given_name_is_used() -> None:
    assert refusal(b"text", name="upload 3").startswith("upload 3: ")
