"""`make pythons`: where it cannot bring anything it says why in a sentence, and what is there is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pythons
from common import Failure, environment

ROOT = Path(__file__).resolve().parents[2]


def program(path: Path, text: str) -> None:
    """A shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def bring(tmp_path: Path, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it with these programs alone, in a build folder of its own."""
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        program(tmp_path / "bin" / name, text)
    env = environment({"CAWAIT_BUILD": str(tmp_path / "build")})
    env["PATH"] = str(tmp_path / "bin")
    return subprocess.run([sys.executable, "tools/pythons.py"], env=env, cwd=ROOT, capture_output=True, text=True)


def test_machine_without_apt_goes_on_without(tmp_path: Path) -> None:
    done = bring(tmp_path, {})
    assert done.returncode == 0
    assert "going on without CPython 3.14, CPython 3.15, CPython 3.15d: there is no apt-get here" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed, 3 skipped"


@pytest.mark.skipif(not pythons.KEYS.exists(), reason="not Debian")
@pytest.mark.parametrize(
    ("apt_get", "says"),
    [
        ("exit 0", "apt-get has no mirror of Debian here"),
        ("echo 'http://mirror/debian/ Debian stable'; test $1 != -q", "gives no lists of packages of sid"),
        ("exit 3", "apt-get indextargets failed with exit code 3"),
    ],
)
def test_mirror_that_gives_nothing_is_a_sentence(tmp_path: Path, apt_get: str, says: str) -> None:
    done = bring(tmp_path, {"apt-get": apt_get, "apt-cache": "", "dpkg-deb": ""})
    assert (done.returncode, says in done.stdout) == (0, True)
    assert not (tmp_path / "build" / "pythons" / "made.json").exists()


def test_what_was_made_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "STAMP", tmp_path / "made.json")
    rows = [{"name": f"CPython {name}", "passed": 1} for name in pythons.NAMES]
    pythons.STAMP.write_text(json.dumps({"key": pythons.key(), "made": rows}))
    assert [row.name for row in pythons.made()] == ["CPython 3.14", "CPython 3.15", "CPython 3.15d"]
    for text in (json.dumps({"key": "of another version", "made": rows}), "half a f", ""):
        pythons.STAMP.write_text(text)
        assert pythons.made() == []


def test_what_fails_is_tried_again_and_what_the_mirror_has_not_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packages(name: str) -> list[str]:
        raise {"3.14": Failure("no space left"), "3.15": pythons.Absent("sid has no package python3.15")}[name]

    for name in ("USR", "PROGRAMS", "FOLDER", "APT"):
        monkeypatch.setattr(pythons, name, tmp_path / name / "usr")
    pythons.APT.mkdir(parents=True)
    monkeypatch.setattr(pythons, "STAMP", tmp_path / "made.json")
    monkeypatch.setattr(pythons, "packages", packages)
    rows = pythons.bring_all(["3.14", "3.15"])
    assert [(row.failed, row.skipped) for row in rows] == [(1, 0), (0, 1)]
    assert [row.name for row in pythons.made()] == ["CPython 3.15"]


def test_packages_are_libraries_and_pythons_and_nothing_for_a_compiler() -> None:
    named = "python3.15 libpython3.15-stdlib libc6 libssl3t64 zlib1g tzdata media-types libgcc-s1 libcom-err2".split()
    others = "libc6-dev libc-dev linux-libc-dev gcc-14-base perl dpkg libc6:i386 libc-bin readline-common".split()
    assert [name for name in [*named, *others] if pythons.WANTED.match(name)] == named


def test_paths_of_debian_become_those_of_what_was_unpacked(tmp_path: Path) -> None:
    path, usr = tmp_path / "python.pc", pythons.USR
    path.write_text("prefix=/usr\nlibdir=/usr/lib/x\nLibs: -L/usr/lib -I/usr/include/y /usr/share/z /opt/usr/lib\n")
    pythons.replace_usr(path, "more\n")
    lines = [f"prefix={usr}", f"libdir={usr}/lib/x", f"Libs: -L{usr}/lib -I{usr}/include/y /usr/share/z /opt/usr/lib"]
    assert path.read_text().splitlines() == [*lines, "more"]


def test_build_folder_with_a_space_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "FOLDER", tmp_path / "of mine" / "pythons")
    monkeypatch.setattr(pythons, "NEEDED", ())
    monkeypatch.setattr(pythons, "KEYS", tmp_path)
    with pytest.raises(pythons.Absent, match="make BUILD=/elsewhere pythons"):
        pythons.mirror()


@pytest.mark.skipif(not pythons.PROGRAMS.is_dir(), reason="`make pythons` has brought none here")
def test_each_that_was_brought_runs_and_says_what_it_is() -> None:
    names = {os.path.basename(path): path for path in pythons.PROGRAMS.iterdir()}
    for name, path in names.items():
        code = "import sys, sysconfig; print(sysconfig.get_config_var('LDVERSION'), sysconfig.get_config_var('LIBDIR'))"
        said = subprocess.run([path, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert said[0] == name.removeprefix("python")
        assert said[1].startswith(str(pythons.USR))
