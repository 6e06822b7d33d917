"""What is in the wheel, and how build tools find it."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from users import DIST, PYTHONS, Environment, attempt, run, uv

ROOT = Path(__file__).parents[2]
ASK = "import cawait; print(cawait.{}())"


def test_wheel_is_for_every_python_and_has_all_headers(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    headers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "include").rglob("*.h")}
    assert {f"cawait/{name}" for name in headers} <= names
    joined = {f"cawait/sources/{name}" for name in ("cawait.c", "cawait.h", "cawait_testing.c", "cawait_testing.h")}
    assert joined | {"cawait/py.typed", "cawait/pytest_plugin.py", "cawait/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".in", ".so", ".a"))]


def test_sdist_makes_the_same_wheel(tmp_path: Path, wheel: Path) -> None:
    (packed,) = DIST.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    uv("build", "-q", "--wheel", "--python", PYTHONS[0], "--out-dir", tmp_path / "dist", tree)
    (made,) = (tmp_path / "dist").glob("*.whl")
    names = [zipfile.ZipFile(path).namelist() for path in (made, wheel)]
    assert (made.name, sorted(names[0])) == (wheel.name, sorted(names[1]))


@pytest.mark.parametrize("option", ["--include-dir", "--sources", "--cmake-dir", "--pkgconfig-dir"])
def test_command_and_function_say_the_same(installed: Environment, option: str) -> None:
    said = installed("-m", "cawait", option)
    function = option.removeprefix("--").replace("-", "_")
    value = installed("-c", ASK.format(function))
    assert said.splitlines() == re.findall(r"[^\[\]',\n]+", value)
    assert all(Path(line).exists() for line in said.splitlines())


def test_version_is_that_of_the_headers(installed: Environment, wheel: Path) -> None:
    header = (Path(installed("-m", "cawait", "--include-dir").strip()) / "cawait" / "core.h").read_text()
    version = re.search(r'CAW_VERSION\s+"(.*)"', header)
    assert version and installed("-m", "cawait", "--version").strip() == version[1] == wheel.name.split("-")[1]


def test_nothing_to_do_is_a_usage(installed: Environment) -> None:
    done = attempt([installed.python, "-m", "cawait"])
    assert done.returncode == 2 and done.stdout.startswith("usage: python -m cawait")


def test_package_in_its_source_tree_says_that_it_is_not_installed(tmp_path: Path) -> None:
    done = attempt([PYTHONS[0], "-m", "cawait", "--include-dir"], tmp_path, PYTHONPATH=str(ROOT / "python"))
    assert done.returncode == 1
    assert done.stderr.endswith("cawait is used from its source tree; install it with pip\n")


# --- pkg-config ---


def test_pkgconf_finds_it_without_a_path(installed: Environment, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[0])
    environment.install("cawait", "pkgconf")
    pkgconf = [environment.python, "-m", "pkgconf"]
    source = Path(run([*pkgconf, "--variable=source", "cawait"]).strip())
    flags = run([*pkgconf, "--cflags", "--libs", "cawait"]).split()
    assert source.name == "cawait.c" and source.exists()
    assert any(flag.startswith("-I") and Path(flag[2:], "cawait.h").exists() for flag in flags)


def test_meson_dependency_is_found_by_pkgconf(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[0])
    environment.install("cawait", "pkgconf", "meson", "ninja")
    (tmp_path / "meson.build").write_text(
        "project('user', 'c')\n"
        "cawait = dependency('cawait', version: '>=0.1')\n"
        "py = import('python').find_installation(pure: false)\n"
        "py.extension_module('blocking_call', 'blocking_call.c', cawait.get_variable('source'), dependencies: cawait)\n"
    )
    shutil.copy(ROOT / "examples" / "blocking_call" / "blocking_call.c", tmp_path)
    folder = environment.python.parent
    changes = {"PKG_CONFIG": str(folder / "pkgconf-pypi"), "PATH": f"{folder}:/usr/bin:/bin"}
    run([folder / "meson", "setup", "build"], tmp_path, **changes)
    run([folder / "meson", "compile", "-C", "build"], tmp_path, **changes)
    assert list((tmp_path / "build").glob("blocking_call*.so"))


def test_tree_is_a_subproject_of_meson(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[0])
    environment.install("meson", "ninja")
    (packed,) = DIST.glob("*.tar.gz")
    (tmp_path / "subprojects" / "packagefiles").mkdir(parents=True)
    shutil.copy(packed, tmp_path / "subprojects" / "packagefiles")
    folder, name = environment.python.parent, packed.name.removesuffix(".tar.gz")
    (tmp_path / "subprojects" / "cawait.wrap").write_text(
        f"[wrap-file]\ndirectory = {name}\nsource_filename = {packed.name}\n\n[provide]\ndependency_names = cawait\n"
    )
    (tmp_path / "meson.build").write_text(
        "project('user', 'c', default_options: ['cawait:tests=false', 'cawait:examples=false'])\n"
        f"py = import('python').find_installation('{environment.python}', pure: false)\n"
        "py.extension_module('blocking_call', 'blocking_call.c', dependencies: dependency('cawait'))\n"
    )
    shutil.copy(ROOT / "examples" / "blocking_call" / "blocking_call.c", tmp_path)
    options = [f"-Dcawait:python_exe={environment.python}"]
    run([folder / "meson", "setup", "build", *options], tmp_path, PATH=f"{folder}:/usr/bin:/bin")
    run([folder / "meson", "compile", "-C", "build"], tmp_path, PATH=f"{folder}:/usr/bin:/bin")
    assert "OK" in environment("-c", "import blocking_call; print('OK')", cwd=tmp_path / "build")


# --- the plugin of pytest ---


def test_plugin_is_there_once_cawait_is_installed(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[0])
    environment.install("cawait", "pytest")
    assert "--cawait-tests=MODULE" in environment("-m", "pytest", "--help", cwd=tmp_path)
    assert "--cawait-tests=MODULE" in environment("-m", "pytest", "-p", "cawait.pytest_plugin", "--help", cwd=tmp_path)
