"""The harness for tests in C: a program of tests, and the pytest plugin, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

import _cawait_test as t
from support.children import HANG_SECONDS
from support.children.programs import each_loop, find_program, interrupt_program, needs, run_program

PROGRAM = find_program("cawait_embed_tests")
ALL = """async_passes blocking_passes coroutine_passes async_runs_python async_fails async_fails_with_errno async_raises
    async_raises_in_python async_ends_cancelled blocking_fails coroutine_raises coroutine_is_no_coroutine
    check_fails_in_async check_fails_in_blocking check_fails_in_a_foreign_thread
    check_fails_in_a_poll_and_the_status_too hangs_in_async hangs_in_blocking hangs_in_coroutine
    hangs_in_python_in_place hangs_for_ever exits waits ignores_the_end odd_name odd_text meets_one meets_two
    meets_three""".split()

program = needs(PROGRAM)


class Run:
    """A run of the program: its exit code, its output, and for each test the lines that say why it failed."""

    def __init__(self, *arguments: str) -> None:
        done = run_program(PROGRAM, *arguments)
        self.code, self.lines, self.errors = done.returncode, done.stdout.splitlines(), done.stderr
        self.passed: list[str] = []
        self.failed: dict[str, list[str]] = {}
        why: list[str] = []
        for line in self.lines[:-1]:  # the last one is the totals
            result, _, name = line.partition(" - ")
            if result.startswith("ok "):
                self.passed.append(name)
            elif result.startswith("not ok "):
                why = self.failed[name] = []
            elif line.startswith("# "):
                why.append(line[2:])


class TestProgram:
    """caw_test_main."""

    pytestmark = program

    @each_loop
    def test_each_kind_passes(self, loop: str) -> None:
        run = Run("--loop", loop, "passes", "runs_python")
        assert (run.code, sorted(run.passed), run.errors) == (0, sorted(ALL[:4]), "")
        assert run.lines[:2] == ["TAP version 13", "1..4"]
        assert "said by Python" in run.lines
        assert run.lines[-1].startswith("# 4 passed, 0 failed in ")

    @each_loop
    def test_failure_names_the_status_or_the_exception(self, loop: str) -> None:
        last = {
            "async_fails": "AssertionError: the test ended with CAW_ECLOSED, -4101 (the reactor, pool or loop it",
            "async_fails_with_errno": "AssertionError: the test ended with -EIO, -5 (Input/output error)",
            "async_raises": "LookupError: no future",
            "async_raises_in_python": "LookupError: in place",
            "async_ends_cancelled": "CAW_ECANCELED",
            "blocking_fails": "the test ended with -EACCES, -13 (Permission denied)",
            "coroutine_raises": "KeyError: '<in> a \"coroutine\" & more'",
            "coroutine_is_no_coroutine": "TypeError: ",
        }
        run = Run("--loop", loop, "--exact", *last)
        assert (run.code, run.passed, run.errors) == (1, [], "")
        assert list(run.failed) == list(last)
        for test, why in run.failed.items():
            assert last[test] in why[-1]
            if test in ("coroutine_raises", "async_raises_in_python"):
                assert why[0] == "Traceback (most recent call last):"
                assert '  File "<string>", line 7, in test' in why

    @each_loop
    def test_run_goes_on_after_a_failure(self, loop: str) -> None:
        failing = ["async_fails", "coroutine_raises", "check_fails_in_blocking"]
        run = Run("--loop", loop, "--exact", "async_passes", "blocking_passes", *failing)
        assert (run.code, sorted(run.passed), list(run.failed)) == (1, ["async_passes", "blocking_passes"], failing)
        assert run.lines[-1].startswith("# 2 passed, 3 failed in ")

    @each_loop
    def test_checks_fail_the_test_and_do_not_end_it(self, loop: str) -> None:
        run = Run("--loop", loop, "check_")
        assert (run.code, run.passed) == (1, [])
        found = {
            test: [line.partition(": ")[2] for line in lines if ": failed: " in line]
            for test, lines in run.failed.items()
        }
        poll = found.pop("check_fails_in_a_poll_and_the_status_too")
        assert found == {
            "check_fails_in_async": [
                "check_fails_in_async: failed: 1 + 1 == 3",
                'check_fails_in_async: failed: !"second"',
            ],
            "check_fails_in_blocking": ["check_fails_in_blocking: failed: 1 + 1 == 3"],
            "check_fails_in_a_foreign_thread": ["check_elsewhere: failed: unused != NULL"],
        }
        assert len(poll) == 1 and poll[0].endswith("check_poll: failed: cx == NULL")
        assert "-EPIPE, -32 (Broken pipe)" in "".join(run.failed["check_fails_in_a_poll_and_the_status_too"])

    @each_loop
    def test_time_out_cancels_fails_and_goes_on(self, loop: str) -> None:
        run = Run("--loop", loop, "--timeout", "0.1", "hangs_")
        assert (run.code, run.passed, run.errors) == (1, [], "")
        assert list(run.failed) == [name for name in ALL if name.startswith("hangs_")]
        assert all(why[0] == "timed out after 0.1 seconds" for why in run.failed.values())
        lost = [name for name, why in run.failed.items() if "nobody has a clone of its waker" in "".join(why)]
        assert lost in (["hangs_for_ever"], [])  # [] in a release build
        assert run.lines.count("cleaned up") == 2  # one coroutine, and one that a future awaits in place
        run = Run("--loop", loop, "--timeout", "2", "hangs_in_async", "coroutine_passes")
        assert (run.code, list(run.failed), run.passed) == (1, ["hangs_in_async"], ["coroutine_passes"])

    @each_loop
    def test_jobs_run_at_a_time(self, loop: str) -> None:
        run = Run("--loop", loop, "--jobs", "3", "--timeout", "20", "meets_")
        assert (run.code, sorted(run.passed)) == (0, ["meets_one", "meets_three", "meets_two"])
        run = Run("--loop", loop, "--jobs=2", "--timeout=2", "meets_")
        assert (run.code, len(run.failed)) == (1, 2)  # the third test finds the two that were left

    @each_loop
    def test_sys_exit_is_a_failure_like_any_other(self, loop: str) -> None:
        run = Run("--loop", loop, "exits", "async_passes", "coroutine_passes")
        assert (run.code, sorted(run.passed), run.errors) == (1, ["async_passes", "coroutine_passes"], "")
        assert "AssertionError: the test called sys.exit(0)" in run.failed["exits"]

    @each_loop
    def test_ctrl_c_leaves_a_test_behind_that_ignores_it(self, loop: str) -> None:
        code, out, errors = interrupt_program(PROGRAM, "--loop", loop, "--exact", "ignores_the_end")
        assert (code, errors) == (130, "")
        assert out.startswith("Bail out!")

    def test_name_is_no_directive(self) -> None:
        assert "ok 1 - odd_name \\# SKIP \\\\ \ufffd" in Run("odd_name").lines

    def test_shortest_time_out_is_not_none(self) -> None:
        run = Run("--timeout", "1e-12", "--exact", "hangs_in_async")
        assert (run.code, list(run.failed)) == (1, ["hangs_in_async"])

    @each_loop
    def test_ctrl_c_cancels_cleans_up_and_is_reported(self, loop: str, tmp_path: Path) -> None:
        path = tmp_path / "report.xml"
        chosen = ["--exact", "waits", "meets_one", "blocking_passes"]
        code, out, errors = interrupt_program(PROGRAM, "--loop", loop, "--junit", str(path), *chosen)
        assert (code, errors) == (130, "")
        assert out.splitlines()[:2] == ["cleaned up", "Bail out! The run ended before 2 of the tests did"]
        suite = xml.parse(path).getroot().find("testsuite")
        assert suite is not None
        assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "0", "2"]
        assert [case.get("name") for case in suite if case.find("error") is not None] == ["waits", "meets_one"]


class TestOptions:
    """The command line."""

    pytestmark = program

    @pytest.mark.parametrize(
        "arguments, chosen",
        [
            ([], ALL),
            (["passes"], ALL[:3]),
            (["one", "two"], ["meets_one", "meets_two"]),
            (["--exact", "async_raises"], ["async_raises"]),
            (["async_raises"], ["async_raises", "async_raises_in_python"]),
            (["--skip=s_", "--skip=odd", "--skip=async", "--skip", "ing_", "--skip", "coro"], ["exits", "waits"]),
            (["passes", "--skip", "block"], ["async_passes", "coroutine_passes"]),
            (["--exact", "async_raises", "async_fails", "--skip", "async_"], ["async_fails", "async_raises"]),
            (["--exact", "async_raises", "async_fails", "--skip", "async_fails"], ["async_raises"]),
            (["--", "--exact"], []),
        ],
    )
    def test_filters_choose(self, arguments: list[str], chosen: list[str]) -> None:
        run = Run("--list", *arguments)
        assert (run.code, [line.split()[0] for line in run.lines], run.errors) == (0, chosen, "")

    @pytest.mark.parametrize(
        "arguments, error",
        [
            (["--what"], "no option --what"),
            (["-x"], "no option -x"),
            (["--list=yes"], "no option --list=yes"),
            (["--jobs"], "--jobs needs a value"),
            (["--jobs", "0"], "0 is no value for --jobs"),
            (["--jobs=two"], "two is no value for --jobs"),
            (["--timeout", "-1"], "-1 is no value for --timeout"),
            (["--timeout", "nan"], "nan is no value for --timeout"),
            (["--loop", "tornado"], "tornado is no value for --loop"),
            (["--junit", "/no/such/folder/report.xml"], "No such file or directory"),
            (["nothing_like_this"], "there is no such test"),
        ],
    )
    def test_wrong_arguments_are_refused(self, arguments: list[str], error: str) -> None:
        run = Run(*arguments)
        assert (run.code, run.lines) == (2, [])
        assert error in run.errors

    def test_help_is_written(self) -> None:
        run = Run("--help")
        assert (run.code, run.errors) == (0, "")
        for name in "exact skip list jobs timeout loop junit help".split():
            assert f"--{name} " in "\n".join(run.lines)

    def test_loop_that_is_not_installed_is_no_success(self, tmp_path: Path) -> None:
        (tmp_path / "trio.py").write_text("raise ImportError('no trio here')")
        done = run_program(PROGRAM, "--loop", "trio", "passes", PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert "no trio here" in done.stderr and "Bail out!" in done.stdout


class TestJUnit:
    """--junit FILE."""

    pytestmark = program

    def test_report_counts_and_quotes(self, tmp_path: Path) -> None:
        path = tmp_path / "report.xml"
        assert Run("--junit", str(path), "odd_").code == 1
        odd = xml.parse(path).getroot().find("testsuite")
        assert odd is not None
        assert [case.get("name") for case in odd] == ["odd_name # SKIP \\ ?", "odd_text"]
        assert odd[1][0].get("message") == "ValueError: ??? ? \xe9\n"
        run = Run("--junit", str(path), "--exact", "async_passes", "coroutine_raises", "check_fails_in_async")
        suite = xml.parse(path).getroot().find("testsuite")
        assert suite is not None and run.code == 1
        assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "2", "0"]
        cases = {case.get("name"): case for case in suite}
        assert list(cases) == ["async_passes", "coroutine_raises", "check_fails_in_async"]  # as in the table
        assert len(cases["async_passes"]) == 0
        failure = cases["coroutine_raises"][0]
        assert (failure.tag, failure.get("message")) == ("failure", "KeyError: '<in> a \"coroutine\" & more'\n")
        assert failure.text and failure.text.startswith("Traceback (most recent call last):\n")
        for case in suite:
            assert str(case.get("file")).endswith("tests.c") and int(str(case.get("line"))) > 1
            assert float(str(case.get("time"))) >= 0

    def test_report_is_written_when_a_test_does_not_stop(self, tmp_path: Path) -> None:
        path = tmp_path / "report.xml"
        run = Run("--loop=trio", "--junit", str(path), "--timeout=0.1", "hangs_for_ever")
        suite = xml.parse(path).getroot().find("testsuite")
        assert suite is not None and (run.code, suite.get("failures")) == (1, "1")


# --- the pytest plugin ---


class Plugin:
    """Runs pytest with the plugin in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\ncawait_tests = _cawait_test\n")
        (folder / "test_plain.py").write_text("def test_plain(): pass\n")

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """The exit code and the lines of its output."""
        package = Path(__file__).parents[3] / "python"
        command = [sys.executable, "-W", "error", "-m", "pytest", "-v", "-p", "cawait.pytest_plugin"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONPATH": os.pathsep.join([str(package), str(Path(t.__file__).parent)]),
            },
            capture_output=True,
            text=True,
            timeout=2 * HANG_SECONDS,
        )
        return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()

    def results(self, *arguments: str) -> tuple[int, dict[str, str], str]:
        """The exit code, each test's result, and all of the output."""
        code, lines = self.run(*arguments)
        found = [line.split()[:2] for line in lines if "::" in line and line.rstrip().endswith("%]")]
        return code, {name: result for name, result in found}, "\n".join(lines)


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """pytest with the plugin."""
    return Plugin(tmp_path)


class TestPlugin:
    """cawait.pytest_plugin."""

    @each_loop
    def test_tests_of_the_module_are_items(self, plugin: Plugin, loop: str) -> None:
        code, results, output = plugin.results("--cawait-loop", loop, "--cawait-timeout", "2")
        assert (code, results) == (
            1,
            {
                "test_plain.py::test_plain": "PASSED",
                "_cawait_test::async_passes": "PASSED",
                "_cawait_test::blocking_passes": "PASSED",
                "_cawait_test::coroutine_passes": "PASSED",
                "_cawait_test::status_fails": "FAILED",
                "_cawait_test::check_fails": "FAILED",
                "_cawait_test::coroutine_raises": "FAILED",
                "_cawait_test::time_out_fails": "FAILED",
            },
        )
        assert "\nthe test ended with CAW_ECLOSED, -4101 (" in output
        assert "check_fails: failed: 1 + 1 == 3\n" in output and "check_fails: failed: 2 + 2 == 5\n" in output
        assert "AttributeError: module '_cawait_test' has no attribute 'no_such_function'" in output
        assert "\ntimed out after 2 seconds" in output
        assert "pluggy" not in output.partition("= FAILURES =")[2] and "runtest" not in output

    def test_single_files_come_alone(self, plugin: Plugin) -> None:
        assert plugin.results("test_plain.py")[1] == {"test_plain.py::test_plain": "PASSED"}
        assert plugin.results("test_plain.py::test_plain")[1] == {"test_plain.py::test_plain": "PASSED"}
        assert len(plugin.results(".", "-k", "passes")[1]) == 3

    def test_module_of_the_command_line_is_always_there(self, plugin: Plugin) -> None:
        (plugin.folder / "pytest.ini").write_text("[pytest]\n")
        assert list(plugin.results()[1]) == ["test_plain.py::test_plain"]
        chosen = ["-k", "plain or async_passes"]
        code, results, _ = plugin.results("test_plain.py", "--cawait-tests", "_cawait_test", *chosen)
        assert (code, list(results)) == (0, ["test_plain.py::test_plain", "_cawait_test::async_passes"])

    @pytest.mark.parametrize("module", ["no_such_module", "json"])
    def test_module_without_tests_is_an_error(self, plugin: Plugin, module: str) -> None:
        code, lines = plugin.run("--cawait-tests", module)
        assert code == 2
        assert f"ERROR {module}" in "\n".join(lines) and f"{module}: " in "\n".join(lines)


def test_entries_have_a_place_and_run(run, kind) -> None:  # type: ignore[no-untyped-def]
    by_name = {test.name: test for test in t.__cawait_tests__}
    assert by_name["async_passes"].file.endswith("tests.c") and by_name["async_passes"].line > 1

    async def main() -> None:
        assert await by_name["coroutine_passes"].start() is None
        with pytest.raises(AssertionError, match="CAW_ECLOSED"):
            await by_name["status_fails"].start(timeout=5)
        with pytest.raises(AssertionError, match="timed out after 0.01 seconds"):
            await by_name["time_out_fails"].start(0.01)

    run(main)
    with pytest.raises(ValueError, match="timeout"):
        by_name["async_passes"].start(-1)
