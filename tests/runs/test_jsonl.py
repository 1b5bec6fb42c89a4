from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.jsonl import measure_reading, typical_lines
from inft.errors import DiskError
from inft.runs.jsonl import MAX_LINE_BYTES, JsonlLogger, JsonlReader, strict


def records(path: Path) -> list[object]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text(encoding="utf-8").splitlines()]


class Half:
    """What NumPy's and torch's scalars have in common."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


class TestWriter:
    def test_every_record_is_one_line_of_json(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlLogger(path) as writer:
            writer.write({"text": 'රතු "x"\n\u2028{', "n": 1, "x": 0.5, "none": None, "yes": True})
            writer.write({"list": [1, (2, "a")], "nested": {"b": 1.5}, "path": tmp_path, "half": Half(0.25)})
        assert path.read_bytes().count(b"\n") == 2
        lines = path.read_bytes().split(b"\n")
        assert json.loads(lines[0]) == {"text": 'රතු "x"\n\u2028{', "n": 1, "x": 0.5, "none": None, "yes": True}
        assert json.loads(lines[1]) == {
            "list": [1, [2, "a"]],
            "nested": {"b": 1.5},
            "path": str(tmp_path),
            "half": 0.25,
        }

    def test_what_is_not_finite_becomes_null_and_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlLogger(path) as writer:
            writer.write(
                {"loss": math.nan, "grad_norm": math.inf, "lr": 1.0, "deep": [-math.inf], "half": Half(math.nan)}
            )
        assert records(path) == [
            {
                "loss": None,
                "grad_norm": None,
                "lr": 1.0,
                "deep": [None],
                "half": None,
                "nonfinite": ["loss", "grad_norm", "deep", "half"],
            }
        ]

    def test_no_token_is_written(self, tmp_path: Path) -> None:
        path, token = tmp_path / "m.jsonl", "hf_" + "aB3" * 12
        with JsonlLogger(path) as writer:
            writer.write({"message": f"401 for {token}", "deep": {"list": [token]}, token: 1})
        assert token not in path.read_text()
        assert path.read_text().count("hf_***") == 3

    def test_a_file_name_that_is_no_text_can_be_written(self, tmp_path: Path) -> None:
        with JsonlLogger(tmp_path / "m.jsonl") as writer:
            writer.write({"image": os.fsdecode(b"caf\xe9.jpg")})
        assert records(tmp_path / "m.jsonl") == [{"image": "caf\\udce9.jpg"}]

    def test_what_json_cannot_express_is_our_defect(self, tmp_path: Path) -> None:
        with JsonlLogger(tmp_path / "m.jsonl") as writer, pytest.raises(TypeError, match="object"):
            writer.write({"x": object()})

    def test_it_appends_behind_a_line_that_a_killed_writer_left_half(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a": 1}\n{"a": ')
        with JsonlLogger(path) as writer:
            writer.write({"a": 2})
            writer.write({"a": 3})
        with JsonlReader(path) as reader:
            chunk = reader.read()
        assert [line.record["a"] for line in chunk.lines] == [1, 2, 3]
        assert chunk.skipped == 1

    def test_half_a_line_of_somebody_else_costs_none_of_ours(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlLogger(path) as writer:
            for number in range(4):
                writer.write({"a": number})
                with path.open("ab") as file:
                    file.write([b"half a line", b"a line\n", b"", b"\n\xff"][number])
            writer.write({"a": 4})
        with JsonlReader(path) as reader:
            chunk = reader.read()
        assert [line.record["a"] for line in chunk.lines] == [0, 1, 2, 3, 4]
        assert chunk.skipped == 3

    def test_threads_do_not_mix_their_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlLogger(path) as writer:
            threads = [
                threading.Thread(target=lambda n=n: [writer.write({"n": n, "x": "y" * 5000}) for _ in range(50)])
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(records(path)) == 200

    def test_a_full_disk_leaves_no_half_line(self, tmp_path: Path) -> None:
        # A file-size limit makes the kernel take part of a line first, as a nearly full disk does.
        path = tmp_path / "m.jsonl"
        code = """
import resource, sys
from pathlib import Path
from benchmarks.jsonl import measure_reading, typical_lines
from inft.errors import DiskError
from inft.runs.jsonl import JsonlLogger
resource.setrlimit(resource.RLIMIT_FSIZE, (250, resource.RLIM_INFINITY))
writer = JsonlLogger(Path(sys.argv[1]))
for number in range(10):
    try:
        writer.write({"number": number, "x": "y" * 80})
    except DiskError as error:
        print(number, int(error.exit_code), error.message)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.write({"number": "after"})
"""
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("2 7 ")
        assert "m.jsonl" in done.stdout
        assert "too large" in done.stdout
        assert [entry["number"] for entry in records(path)] == [0, 1, "after"]  # type: ignore[index]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
    def test_no_space_left_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "m.jsonl").symlink_to("/dev/full")
        with JsonlLogger(tmp_path / "m.jsonl") as writer, pytest.raises(DiskError, match="no space left"):
            writer.write({"a": 1})

    def test_a_folder_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(DiskError, match=r"m\.jsonl"):
            JsonlLogger(tmp_path / "nowhere" / "m.jsonl")

    def test_strict_keeps_what_was_already_named(self) -> None:
        assert strict({"loss": None, "x": math.nan, "nonfinite": ["loss"]})["nonfinite"] == ["loss", "x"]


class TestReader:
    def test_a_file_that_does_not_exist_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlReader(path) as reader:
            assert reader.read().lines == ()
            path.write_text('{"a":1}\n')
            assert [line.record for line in reader.read().lines] == [{"a": 1}]
            assert reader.read().lines == ()

    def test_a_half_written_line_waits_for_its_rest(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        whole = '{"caption":"රතු"}\n'.encode()
        with JsonlReader(path) as reader, path.open("ab", buffering=0) as file:
            for position in range(len(whole) - 1):
                file.write(whole[position : position + 1])
                assert reader.read().lines == ()
            file.write(whole[-1:])
            (line,) = reader.read().lines
        assert line.text == '{"caption":"රතු"}'

    def test_garbage_is_counted_and_skipped(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_bytes(b'{"a":1}\nTraceback\n[1]\n7\n\xff\xfe\n\n   \n{"a":2}\r\n' + b"[" * 100_000 + b"\n{}\n")
        with JsonlReader(path) as reader:
            chunk = reader.read()
        assert [line.record for line in chunk.lines] == [{"a": 1}, {"a": 2}, {}]
        assert chunk.skipped == 5
        assert chunk.lines[1].text == '{"a":2}'

    def test_bare_nan_becomes_strict(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"loss": NaN, "g": Infinity, "h": -Infinity, "big": 1e999, "ok": 1.5}\n')
        with JsonlReader(path) as reader:
            (line,) = reader.read().lines
        expected = {"loss": None, "g": None, "h": None, "big": None, "ok": 1.5, "nonfinite": ["loss", "g", "h", "big"]}
        assert line.record == expected
        assert json.loads(line.text, parse_constant=pytest.fail) == expected

    def test_truncation_starts_again(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n{"a":2}\n{"half')
        with JsonlReader(path) as reader:
            reader.read()
            path.write_text('{"b":1}\n')
            chunk = reader.read()
        assert chunk.restarted
        assert [line.record for line in chunk.lines] == [{"b": 1}]

    def test_replacement_reads_the_old_file_to_its_end_first(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n')
        with JsonlReader(path) as reader:
            reader.read()
            with path.open("a") as file:
                file.write('{"a":2}\n')
            (tmp_path / "new").write_text('{"b":1}\n')
            (tmp_path / "new").replace(path)
            first, second, third = reader.read(), reader.read(), reader.read()
        assert [line.record for line in first.lines] == [{"a": 2}]
        assert first.more
        assert not first.restarted
        assert [line.record for line in second.lines] == [{"b": 1}]
        assert second.restarted
        assert third.lines == ()

    def test_a_link_that_moves_to_another_run(self, tmp_path: Path) -> None:
        link = tmp_path / "trainer.jsonl"
        for name in ("one", "two"):
            (tmp_path / name).write_text(f'{{"run":"{name}"}}\n')
        link.symlink_to("one")
        with JsonlReader(link) as reader:
            assert [line.record for line in reader.read().lines] == [{"run": "one"}]
            (tmp_path / "next").symlink_to("two")
            (tmp_path / "next").replace(link)
            assert [line.record for line in reader.read().lines] == [{"run": "two"}]

    def test_a_file_that_vanishes_brings_nothing_more(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n')
        with JsonlReader(path) as reader:
            reader.read()
            path.unlink()
            assert reader.read().lines == ()
            path.write_text('{"a":2}\n')
            assert [line.record for line in reader.read().lines] == [{"a": 2}]

    def test_a_line_of_a_megabyte(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text(json.dumps({"x": "y" * 1_000_000}) + '\n{"a":1}\n')
        with JsonlReader(path) as reader:
            found = []
            while True:
                chunk = reader.read(max_bytes=100_000)
                found += chunk.lines
                if not chunk.more:
                    break
        assert [len(line.text) for line in found] == [1_000_009, 7]

    def test_a_line_without_end_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_bytes(b"x" * (MAX_LINE_BYTES + 10) + b'\n{"a":1}\n')
        with JsonlReader(path) as reader:
            chunks = [reader.read() for _ in range(20)]
        assert [line.record for chunk in chunks for line in chunk.lines] == [{"a": 1}]
        assert sum(chunk.skipped for chunk in chunks) == 1

    @pytest.mark.parametrize("regrown", [2, 3, 4, 50])
    def test_a_file_cut_off_and_grown_again_between_two_looks(self, tmp_path: Path, regrown: int) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text("".join(f'{{"a":{number}}}\n' for number in range(3)))
        with JsonlReader(path) as reader:
            reader.read()
            path.write_text("".join(f'{{"b":{number}}}\n' for number in range(regrown)))
            chunk = reader.read()
        assert chunk.restarted
        assert [line.record for line in chunk.lines] == [{"b": number} for number in range(regrown)]

    def test_a_file_written_again_with_the_same_content_is_the_same_file(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n')
        with JsonlReader(path) as reader:
            reader.read()
            path.write_text('{"a":1}\n{"a":2}\n')
            chunk = reader.read()
        assert not chunk.restarted
        assert [line.record for line in chunk.lines] == [{"a": 2}]

    def test_half_a_line_that_its_writer_takes_back_is_no_new_beginning(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n')
        with JsonlReader(path) as reader, path.open("r+b", buffering=0) as file:
            reader.read()
            file.seek(8)
            file.write(b'{"message":"more than the disk took')
            assert reader.read().lines == ()
            file.truncate(8)
            assert not reader.read().restarted
            file.seek(8)
            file.write(b'{"message":"more')
            assert reader.read().lines == ()
            file.truncate(8)
            file.seek(8)
            file.write(b'{"b":1}\n{"b":2,"x":"a longer line than the one that was taken back"}\n')
            chunk = reader.read()
        assert not chunk.restarted
        assert chunk.skipped == 0
        assert [line.record.get("b") for line in chunk.lines] == [1, 2]

    @pytest.mark.parametrize(("rest", "found", "skipped"), [('{"a":2}', [1, 2], 0), ('{"a":', [1], 1), ("", [1], 0)])
    def test_a_replaced_file_that_ended_without_a_newline(
        self, tmp_path: Path, rest: str, found: list[int], skipped: int
    ) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n' + rest)
        with JsonlReader(path) as reader:
            chunks = [reader.read()]
            (tmp_path / "new").write_text('{"b":1}\n')
            (tmp_path / "new").replace(path)
            chunks += [reader.read() for _ in range(3)]
        told = [(line.record, chunk.restarted) for chunk in chunks for line in chunk.lines]
        assert told == [*(({"a": number}, False) for number in found), ({"b": 1}, True)]
        assert sum(chunk.skipped for chunk in chunks) == skipped

    def test_text_that_is_not_utf8_is_skipped(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_bytes(b'{"a":"\xff"}\n{"a":"\xc3\xa9"}\n')
        with JsonlReader(path) as reader:
            chunk = reader.read()
        assert [line.text for line in chunk.lines] == ['{"a":"\u00e9"}']
        assert chunk.skipped == 1

    def test_typical_lines_are_read_fast(self, tmp_path: Path) -> None:
        # 500,000 lines a second on a quiet core; the bound leaves room for a slow and busy one.
        path = tmp_path / "m.jsonl"
        path.write_bytes(b"".join(typical_lines(50_000)))
        best = max(measure_reading(path) for _ in range(3))
        assert best > 60_000


class TestTail:
    @pytest.mark.parametrize("lines", [0, 1, 2, 999, 1000, 1001, 5000])
    @pytest.mark.parametrize("rest", ["", '{"half'])
    def test_the_last_lines_and_what_follows(self, tmp_path: Path, lines: int, rest: str) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text("".join(f'{{"n":{number},"x":"{"y" * (number % 300)}"}}\n' for number in range(1000)) + rest)
        with JsonlReader.at_tail(path, lines) as reader:
            first = reader.read()
            assert [line.record["n"] for line in first.lines] == list(range(max(1000 - lines, 0), 1000))
            with path.open("a") as file:
                file.write(("" if not rest else '":0}\n') + '{"n":1000}\n')
            second = reader.read()
        assert second.lines[-1].record == {"n": 1000}
        assert not first.restarted
        assert not second.restarted

    def test_a_file_that_does_not_exist_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with JsonlReader.at_tail(path, 10) as reader:
            assert reader.read().lines == ()
            path.write_text('{"a":1}\n')
            assert [line.record for line in reader.read().lines] == [{"a": 1}]

    def test_a_file_that_was_cut_off_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        path.write_text('{"a":1}\n' * 100)
        with JsonlReader.at_tail(path, 1) as reader:
            path.write_text('{"b":1}\n' * 150)
            chunk = reader.read()
        assert chunk.restarted
        assert len(chunk.lines) == 150

    def test_only_the_end_of_a_big_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        with path.open("wb") as file:
            file.truncate(1 << 34)  # 16 GiB that take no room on the disk, and would take seconds to read
            file.seek(0, os.SEEK_END)
            file.write(b'\n{"a":1}\n{"a":2}\n')
        began = time.monotonic()
        with JsonlReader.at_tail(path, 2) as reader:
            assert [line.record for line in reader.read().lines] == [{"a": 1}, {"a": 2}]
        assert time.monotonic() - began < 1
