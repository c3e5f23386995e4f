#!/usr/bin/env python3
"""Proves that the simulator finds bugs: plants one at a time, and expects a failing seed.

    tests/planted/run.py [--build build/release] [--seeds 1000] [--jobs 2] [NAME...]

A bug that a thousand seeds do not find is a bug of the simulator. Found is what an oracle complains
of with a seed that passes without the bug, and what an invariant of the product aborts; a run that
ends otherwise is an error. A bug is a replacement or two in one source file. Only that file is compiled, under the build folder, and linked before the rooms'
libraries, so that its symbols win; the tree stays as it is.
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INVARIANT = "keelway: broken invariant"

# name: (file, what stands there, what is planted, and again ...)
BUGS = {
    # A launch that is asked for again gives a second machine.
    "double-machines": (
        "src/provisioner/launcher.cpp",
        "  request.token = launch->token;",
        "  static std::set<std::string> asked;\n"
        "  request.token = launch->token + (asked.insert(launch->token).second ? \"\" : \"-2\");"),
    # The scheduler forgets what it has bound and does not see yet.
    "forgotten-bindings": (
        "src/scheduler/scheduler_loop.cpp",
        "const Overlay overlay = read_overlay(assumed);",
        "(void)assumed;\n    const Overlay overlay = read_overlay(Assumed{});"),
    # A write is acknowledged one commit before it is on disk.
    "acknowledged-before-commit": (
        "src/store/sqlite/committer.cpp",
        "  if (auto begun = writer_->begin(); !begun) return begun;\n"
        "  if (auto dropped",
        "  static Core* of = nullptr;\n  static int open = 0;\n"
        "  if (of != this) open = 0;\n  of = this;\n"
        "  const bool closes = ++open % 2 == 0;\n"
        "  if (auto begun = base::Result<void>(); !closes && !(begun = writer_->begin()))\n"
        "    return begun;\n"
        "  struct Close { bool on; } close{closes};\n"
        "  if (auto dropped",
        "  return writer_->commit();\n}\n\nbase::Result<void> Core::write_op",
        "  return close.on ? writer_->commit() : base::Result<void>();\n}\n\n"
        "base::Result<void> Core::write_op"),
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
    # The disk is not asked to keep what it was given.
    "missing-fsync": (
        "src/store/sqlite/vfs.cpp",
        "  return open_of(base).file->sync() ? SQLITE_OK : SQLITE_IOERR_FSYNC;",
        "  (void)base;\n  return SQLITE_OK;"),
    # A bookmark stands further than what the watcher has been told.
    "late-bookmark": (
        "src/apiserver/verbs/watch_stream.cpp",
        "std::max(seen_, core_.cache.revision()));",
        "std::max(seen_, core_.cache.revision()) + 3);"),
    # The scheduler plans on a view that does not show yet what it has bound.
    "stale-read": (
        "src/reconcile/batch_runner.cpp",
        "  if (context_.feeds.reached(visible.feed, visible.revision)) {",
        "  (void)visible;\n  if (true) {"),
    # A feed that is read anew after a compaction leaves out what changed meanwhile.
    "lost-across-compaction": (
        "src/watch/cache.cpp",
        "  apply_differences(reading);\n  if (stopped_) return;",
        "  window_.cut(reading.revision);\n  if (stopped_) return;"),
    # The store is not asked whether a server may still write.
    "dropped-fence": (
        "src/apiserver/verbs/commit.cpp",
        "  if (fence) transaction.compares.push_back({fence->key, fence->revision});",
        "  fence = nullptr;"),
    # A controller whose own write is a reason to write again.
    "write-in-circle": (
        "src/controllers/replicaset/replica_set_loop.cpp",
        'status.set("observedGeneration", document.at("metadata", "generation").as_int());',
        'status.set("observedGeneration", '
        'document.at("status", "observedGeneration").as_int() + 1);'),
    # A token outlives its account.
    "token-of-the-dead": (
        "src/access/service_account_token.cpp",
        "  if (!object || object->uid() != uid) return true;",
        "  (void)uid;\n  if (!object) return false;"),
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
    file, *places = BUGS[name]
    text = (ROOT / file).read_text()
    for old, new in zip(places[::2], places[1::2]):
        if text.count(old) != 1:
            sys.exit(f"{name}: {file} does not hold the planted place exactly once; adapt BUGS")
        text = text.replace(old, new)
    folder = build / "planted" / name
    folder.mkdir(parents=True, exist_ok=True)
    source, binary = folder / pathlib.Path(file).name, folder / "sim"
    source.write_text(text)
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


def reason(lines):
    """What the oracle said: the line after the commit."""
    for line, after in zip(lines, lines[1:]):
        if line.startswith("  commit "):
            return after.strip()
    return ""


def passes(build, seed):
    """Whether the tree as it is plays the seed well."""
    run = subprocess.run([build / "sim", "--once", "--no-bisect", "--seeds", f"{seed}..{seed}"],
                         capture_output=True, text=True, timeout=600)
    return run.returncode == 0


def judge(run, seeds, build):
    """What to say of a planted bug, and whether it was found: by a seed that passes without it."""
    lines = run.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED seed ")]
    if failed:
        seed = failed[0].split(":")[0].removeprefix("FAILED ")
        if not passes(build, int(seed.split()[-1])):
            return f"ERROR: {seed} fails without the bug, too: {reason(lines)}", False
        return f"found by {seed}: {reason(lines)}", True
    # An invariant aborts: the only process, or, of several, one that the first waits for.
    aborted = run.returncode < 0 or "FAILED a process of the simulator died" in lines
    if aborted and INVARIANT in run.stderr:
        return f"found by an invariant: {run.stderr.strip()[:200]}", True
    if run.returncode != 0:
        return f"ERROR: the run ended with {run.returncode}: {run.stderr.strip()[-200:]}", False
    return f"MISSED by {seeds} seeds", False


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUGS))
    arguments = parser.parse_args()
    build = (ROOT / arguments.build).resolve()
    missed = 0  # or the run itself went wrong
    for name in arguments.names or BUGS:
        binary = plant(build, name)
        run = subprocess.run([binary, "--until-failure", "--no-bisect", "--once", "--seeds",
                              f"1..{arguments.seeds}", "--jobs", str(arguments.jobs)],
                             capture_output=True, text=True, timeout=3600)
        verdict, found = judge(run, arguments.seeds, build)
        print(f"{name}: {verdict}")
        missed += not found
        sys.stdout.flush()
    return 1 if missed else 0


sys.exit(main())
