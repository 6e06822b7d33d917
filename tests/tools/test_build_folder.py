"""The build folder: another one than the tree's, what is not taken for one, and what `make clean` leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from common import OFFLINE, environment
from shape.tree import Layout, Tree

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make in the tree; it inherits nothing from a make that runs this."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CAWAIT_"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, env={**clean, **env}, cwd=ROOT, capture_output=True, text=True)


def set_up(folder: Path | str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up for a build folder."""
    command = [sys.executable, "tools/setup_env.py"]
    env = environment({"CAWAIT_BUILD": str(folder), **env})
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("target", ["demo", "test", "quick", "bench", "bench-count", "check", "format", "pythons"])
def test_each_target_uses_the_build_folder_that_is_named(target: str) -> None:
    for shown in (make("-n", target, "BUILD=/else where"), make("-n", target, CAWAIT_BUILD="/else where")):
        assert '"/else where/venv/bin/python" ' in shown.stdout
        assert "build/venv" not in shown.stdout.replace("/else where/venv", "")
    assert '"build/venv/bin/python" ' in make("-n", target, BUILD="of another program").stdout


def test_tools_take_the_folder_from_the_environment() -> None:
    code = "import common; print(common.BUILD, common.environment()['CAWAIT_BUILD'], sep='\\n')"
    for value, folder in (("/else/where", Path("/else/where")), ("of mine", ROOT / "of mine"), ("", ROOT / "build")):
        env = {**os.environ, "CAWAIT_BUILD": value, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT / "tools", capture_output=True, text=True)
        assert done.stdout.splitlines() == [str(folder)] * 2


def test_joined_source_and_its_build_go_there(tmp_path: Path) -> None:
    env = environment({"CAWAIT_BUILD": str(tmp_path)})
    subprocess.run([sys.executable, "tools/amalgamate"], env=env, cwd=ROOT, check=True)
    assert sorted(path.name for path in (tmp_path / "joined").iterdir()) == [
        "cawait.c",
        "cawait.h",
        "cawait_testing.c",
        "cawait_testing.h",
    ]
    code = "import runpy, setuptools; setuptools.setup = lambda **x: print(*x['ext_modules'][0].include_dirs);"
    code += "runpy.run_path('tests/joined/setup.py')"
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / "joined")


def test_folder_that_cannot_be_written_is_a_sentence_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # root may write into every folder, but not below a file
    done = set_up(tmp_path / "file" / "build")
    assert done.returncode == 2
    assert done.stderr.startswith(f"cannot write to {tmp_path / 'file' / 'build'} (Not a directory)")
    assert "make BUILD=/elsewhere" in done.stderr


def test_folder_of_something_else_is_not_taken_and_not_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = set_up(tmp_path)
    assert (done.returncode, done.stderr.count("is not empty")) == (2, 1)
    done = make("clean", f"BUILD={tmp_path}")
    assert done.returncode != 0 and "remove it by hand" in done.stderr
    assert (tmp_path / "mine").exists()


def test_clean_removes_a_folder_of_ours_and_does_not_mind_one_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "of ours"
    folder.mkdir()
    (folder / "cawait-build").touch()
    for _ in range(2):
        assert make("clean", f"BUILD={folder}").returncode == 0
        assert not folder.exists()


def test_set_up_without_network_says_what_needs_it_and_what_does_not(tmp_path: Path) -> None:
    done = set_up(tmp_path / "build", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(OFFLINE)
    assert "tools/amalgamate" in OFFLINE and "network" in OFFLINE
    assert not (tmp_path / "build" / "venv" / "stamp").exists()  # the next call tries again


def test_build_folder_within_the_tree_is_no_part_of_the_tree(tmp_path: Path) -> None:
    for name in ("src/one.c", "of_mine/two.c", "of_mine/cawait-build"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert Tree(tmp_path, Layout()).names == ["src/one.c"]
