#!/usr/bin/env python3
"""Rewrites corpus/<name>/ from what a run has found: the fewest inputs that reach everything the
run reached, smallest first, up to a size. Seeds and found-* stay.

  tests/fuzz/minimise.py GROWN_FOLDER [--program PATH]

The folder's name is the target's.
"""
import argparse
import pathlib
import shutil
import subprocess
import tempfile

KEPT_BYTES_MAX = 100_000
KEPT_FILES_MAX = 150


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grown", type=pathlib.Path)
    parser.add_argument("--program")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent
    name = options.grown.name
    corpus = root / "corpus" / name
    program = options.program or root.parents[1] / "build/fuzz" / f"fuzz_{name}"
    with tempfile.TemporaryDirectory() as folder:
        merged = pathlib.Path(folder)
        subprocess.run([program, "-set_cover_merge=1", "-max_len=8192", merged, corpus,
                        options.grown], check=True, stderr=subprocess.DEVNULL)
        for old in corpus.iterdir():
            if not old.name.startswith(("seed-", "found-")):
                old.unlink()
        kept = {path.read_bytes() for path in corpus.iterdir()}
        size = count = 0
        for path in sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
            data = path.read_bytes()
            if data in kept:
                continue
            size, count = size + len(data), count + 1
            if size > KEPT_BYTES_MAX or count > KEPT_FILES_MAX:
                break
            shutil.copy(path, corpus / path.name[:12])
    print(f"{name}: {len(list(corpus.iterdir()))} inputs, "
          f"{sum(path.stat().st_size for path in corpus.iterdir())} bytes")


if __name__ == "__main__":
    main()
