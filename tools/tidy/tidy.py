#!/usr/bin/env python3
"""The style of the tree as a test: sizes, bans with their replacement, headers nobody includes,
room READMEs, words that have no place in the project. Prints one line a violation; exit 1 if any.
"""
import csv
import pathlib
import re
import shutil
import subprocess
import sys

COLUMNS_MAX = 100
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
README_LINES = (15, 30)
# Words of a workplace, not of the project.
FOREIGN_TEXT = re.compile(r"/work/|\.\./shared/(?!reference|research)|\bhelper-\d|\bissue #?\d|\bthis session\b", re.I)
SOURCE_SUFFIXES = {".h", ".cpp"}
STRING_OR_COMMENT = re.compile(r'//.*|"(?:\\.|[^"\\])*"')


def tracked(root):
    try:
        out = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=True).stdout
        names = out.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    return [root / name for name in names if (root / name).is_file()]


def function_lengths(lines):
    """(first line, length) of every brace block that follows a parameter list at depth 0 or 1 of
    namespaces and classes. Heuristic: a block whose opening line holds ')' is a function."""
    stack = []
    for number, line in enumerate(lines, 1):
        code = STRING_OR_COMMENT.sub("", line)
        code = re.sub(r"'(?:\\.|[^'\\])'", "", code)
        for index, char in enumerate(code):
            if char == "{":
                before = code[:index]
                head = (lines[number - 2] if number > 1 and ")" not in before else "") + before
                is_function = bool(re.search(r"\)\s*(const|noexcept|override|final|->.*|:.*)?\s*$",
                                             before)) and not re.search(
                                                 r"\b(if|for|while|switch|catch)\b", head)
                stack.append((number, is_function))
            elif char == "}" and stack:
                start, is_function = stack.pop()
                if is_function:
                    yield start, number - start + 1


def check_source(path, relative, bans):
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield f"{relative}: {len(lines)} lines; at most {FILE_LINES_MAX}: split by meaning"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield f"{relative}: no #pragma once"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and "http" not in line:
            yield f"{relative}:{number}: {len(line)} columns; at most {COLUMNS_MAX}"
        code = STRING_OR_COMMENT.sub('""', line) if "#include" not in line else line
        for pattern, homes, instead in bans:
            if pattern.search(code) and not in_home(relative, homes):
                yield f"{relative}:{number}: banned {pattern.pattern}; use {instead}"
    for start, length in function_lengths(lines):
        if length > FUNCTION_LINES_MAX:
            yield f"{relative}:{start}: function of {length} lines; at most {FUNCTION_LINES_MAX}"


def in_home(relative, homes):
    if "tests" in homes and (relative.endswith("_test.cpp") or "/testing/" in relative):
        return True
    return any(relative == h or relative.startswith((h + "/", "src/" + h + "/")) for h in homes)


def check_text(path, relative):
    if relative.startswith("tools/tidy/"):
        return
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if FOREIGN_TEXT.search(line):
            yield f"{relative}:{number}: a word of the workplace: {line.strip()[:60]}"
        if line != line.rstrip() and path.suffix in (".h", ".cpp", ".py", ".cmake", ".md"):
            yield f"{relative}:{number}: trailing white space"


def check_orphans(root, files):
    included = set()
    for path in files:
        if path.suffix in SOURCE_SUFFIXES:
            included |= set(re.findall(r'#include "([^"]+)"', path.read_text()))
    for path in files:
        relative = path.relative_to(root).as_posix()
        if path.suffix == ".h" and relative.startswith("src/"):
            if relative[len("src/"):] not in included:
                yield f"{relative}: nobody includes it"


def check_rooms(root):
    for room in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        readme = room / "README.md"
        if not readme.exists():
            yield f"src/{room.name}: no README.md"
            continue
        lines = len(readme.read_text().splitlines())
        if not README_LINES[0] <= lines <= README_LINES[1]:
            yield f"src/{room.name}/README.md: {lines} lines; {README_LINES[0]} to {README_LINES[1]}"


def check_format(root, files):
    tool = shutil.which("clang-format-19")
    if tool is None:
        print("tidy: clang-format-19 not found, format not checked")
        return
    sources = [str(p) for p in files if p.suffix in SOURCE_SUFFIXES]
    if not sources:
        return
    out = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1", *sources],
                         capture_output=True, text=True, cwd=root).stderr
    for line in out.splitlines():
        if "error:" in line:
            yield line.split(": error:")[0].replace(str(root) + "/", "") + ": not clang-formatted"


def main(root):
    root = pathlib.Path(root).resolve()
    with open(root / "tools/tidy/bans.csv", newline="") as file:
        bans = [(re.compile(r["pattern"]), r["allowed_in"].split(), r["instead"])
                for r in csv.DictReader(file)]
    files = tracked(root)
    problems = []
    for path in files:
        relative = path.relative_to(root).as_posix()
        if path.suffix in SOURCE_SUFFIXES:
            problems += check_source(path, relative, bans)
        problems += check_text(path, relative)
    problems += check_orphans(root, files)
    problems += check_rooms(root)
    problems += check_format(root, files)
    for problem in problems:
        print(problem)
    print(f"tidy: {len(files)} files, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
