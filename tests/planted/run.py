#!/usr/bin/env python3
"""Proves that the simulator finds bugs: plants one at a time, and expects a failing seed.

    tests/planted/run.py [--build build/release] [--seeds 50] [NAME...]

A bug is one replacement in one source file. Only that file is compiled, under the build folder,
and linked before the rooms' libraries, so that its symbols win; the tree stays as it is.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name: (file, what stands there, what is planted)
BUGS = {
    # A launch that is asked for again gives a second machine.
    "double-machines": (
        "src/provisioner/claim_loop.cpp",
        'reconcile::Effect effect{"launch", claim.at("metadata", "uid").as_string(),',
        'static int launches = 0;\n    reconcile::Effect effect{"launch", '
        'claim.at("metadata", "uid").as_string() + std::to_string(++launches / 10),'),
    # The scheduler forgets what it has bound and does not see yet.
    "forgotten-bindings": (
        "src/scheduler/scheduler_loop.cpp",
        "const Overlay overlay = read_overlay(assumed);",
        "(void)assumed;\n    const Overlay overlay = read_overlay(Assumed{});"),
    # A write is told to everybody one commit before it is on disk.
    "late-commit": (
        "src/store/sqlite/committer.cpp",
        "  if (auto begun = writer_->begin(); !begun) return begun;\n"
        "  for (CommitOp& op : batch) {\n"
        "    if (auto written = write_op(op); !written) return written;\n"
        "  }\n",
        "  static Core* of = nullptr;\n  static int open = 0;\n"
        "  if (of != this) open = 0;\n  of = this;\n"
        "  if (auto begun = base::Result<void>(); open == 0 && !(begun = writer_->begin())) return begun;\n"
        "  for (CommitOp& op : batch) {\n"
        "    if (auto written = write_op(op); !written) return written;\n"
        "  }\n"
        "  if (++open < 2) return {};\n  open = 0;\n"),
    # A call of the scheduler or provisioner that never arrived is taken for done.
    "forgotten-call": (
        "src/reconcile/batch_runner.cpp",
        "    dirty_ = dirty_ || issued.lost;\n    issued_.erase(id);",
        "    issued_.erase(id);"),
    # A feed leaves out one revision of sixteen where it holds several changes.
    "lost-event": (
        "src/watch/fanout.cpp",
        "subscriber->position = revision;\n    subscriber->on_batch(CacheBatch{events, revision, false});",
        "subscriber->position = revision;\n    if (events.size() > 1 && revision % 16 == 0) return;\n"
        "    subscriber->on_batch(CacheBatch{events, revision, false});"),
}


def compile_command(build, source):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == str(source):
            return shlex.split(entry["command"]), entry["directory"]
    sys.exit(f"{source}: not in compile_commands.json")


def link_command(build):
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", "sim"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    words = shlex.split(lines[-1])
    return words[words.index("&&") + 1:words.index("&&", words.index("&&") + 1)]


def plant(build, name):
    file, old, new = BUGS[name]
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        sys.exit(f"{name}: {file} does not hold the planted place exactly once; adapt BUGS")
    folder = build / "planted" / name
    folder.mkdir(parents=True, exist_ok=True)
    source, binary = folder / pathlib.Path(file).name, folder / "sim"
    source.write_text(text.replace(old, new))
    words, directory = compile_command(build, ROOT / file)
    words[words.index("-o") + 1] = str(source) + ".o"
    words[words.index("-c") + 1] = str(source)
    # A planted bug may leave something unused.
    subprocess.run(words + ["-Wno-error", "-w"], cwd=directory, check=True)
    words = link_command(build)
    words[words.index("-o") + 1] = str(binary)
    words.insert(words.index("-o"), str(source) + ".o")
    subprocess.run(words, cwd=build, check=True)
    return binary


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUGS))
    arguments = parser.parse_args()
    build = (ROOT / arguments.build).resolve()
    missed = 0
    for name in arguments.names or BUGS:
        binary = plant(build, name)
        run = subprocess.run([binary, "--until-failure"], capture_output=True, text=True,
                             env={**os.environ, "KEELWAY_SEEDS": str(arguments.seeds)})
        found = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
        why = run.stdout.splitlines()[1].strip() if found else ""
        if found:
            print(f"{name}: found by {found[0].split(':')[0].removeprefix('FAILED ')}: {why}")
        elif run.returncode != 0:
            print(f"{name}: found by an invariant: {run.stderr.strip()[:200]}")
        else:
            print(f"{name}: MISSED by {arguments.seeds} seeds")
            missed += 1
        sys.stdout.flush()
    return 1 if missed else 0


sys.exit(main())
