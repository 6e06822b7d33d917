"""python -m cawait: where cawait's files are, and projects to begin with."""

from __future__ import annotations

import argparse
import sys

import cawait
from cawait import new, stubs


def main(arguments: list[str] | None = None) -> int:
    """Print what the options name, one line each."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["stubs"]:
        return stubs.main(words[1:])
    parser = argparse.ArgumentParser(prog="python -m cawait", description=__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=cawait.__version__)
    parser.add_argument("--include-dir", action="store_true", help="the folder of the headers")
    parser.add_argument("--sources", action="store_true", help="the C files that an extension compiles, one a line")
    parser.add_argument("--testing", action="store_true", help="with --sources: that of cawait_testing.h too")
    parser.add_argument("--cmake-dir", action="store_true", help="the folder of cawaitConfig.cmake")
    parser.add_argument("--pkgconfig-dir", action="store_true", help="the folder of cawait.pc")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    project = commands.add_parser("new", help="make a small complete project", description=new.__doc__)
    project.add_argument("name", metavar="NAME", help="of the package, and of its folder")
    project.add_argument("--build", choices=list(new.BUILDS), default="setuptools", help="(default: %(default)s)")
    project.add_argument("--in", dest="parent", default=".", metavar="FOLDER", help="where (default: here)")
    commands.add_parser("stubs", help="write the stub (.pyi) of a module built with cawait", add_help=False)
    args = parser.parse_args(words)
    if args.command == "new":
        return new.main(args.name, args.build, args.parent)
    lines: list[str] = []
    try:
        lines += [cawait.include_dir()] if args.include_dir else []
        lines += cawait.sources(testing=args.testing) if args.sources else []
        lines += [cawait.cmake_dir()] if args.cmake_dir else []
        lines += [cawait.pkgconfig_dir()] if args.pkgconfig_dir else []
    except FileNotFoundError as error:
        print(f"cawait: {error}", file=sys.stderr)
        return 1
    if not lines:
        parser.print_help()
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
