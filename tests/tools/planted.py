#!/usr/bin/env python3
"""Plants one violation at a time in a copy of the tree and demands that layers or tidy finds it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# tool, file, text to append, what the tool must say
PLANTED = [
    ("layers", "src/value/json.cpp", '#include "store/store.h"\n', "names no room store"),
    ("layers", "src/value/json.cpp", "#include <sqlite3.h>\n", "belongs to store/sqlite"),
    ("layers", "src/rooms.cmake", "keelway_room(base ROOMS value)\n", "only lower ranks"),
    ("layers", "src/rooms.cmake", "keelway_room(scheduler ROOMS base store)\n", "loop room"),
    ("tidy", "src/value/json.cpp", "int planted() { return std::chrono::system_clock::now(); }\n",
     "wall_now"),
    ("tidy", "src/value/json.cpp", "// " + "x" * 120 + "\n", "columns"),
    ("tidy", "src/value/json.cpp", "void planted() {\n" + "  ++count;\n" * 71 + "}\n",
     "function of 73 lines"),
    ("tidy", "src/value/json.cpp", "// line\n" * 600, "lines; at most 600"),
    ("tidy", "src/value/planted.h", "int x;\n", "no #pragma once"),
    ("tidy", "src/value/planted.h", "#pragma once\n", "nobody includes it"),
    ("tidy", "src/planted/planted.cpp", "int x;\n", "no README.md"),
    ("tidy", "docs/planted.md", "see /wo" + "rk/main\n", "word of the workplace"),
]


def run(tool, root):
    done = subprocess.run([sys.executable, str(root / f"tools/{tool}/{tool}.py"), str(root)],
                          capture_output=True, text=True)
    return done.returncode, done.stdout


def main():
    failed = 0
    for tool, name, text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            for part in ("src", "tools"):
                shutil.copytree(ROOT / part, copy / part)
            path = copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a") as file:
                file.write(text)
            code, out = run(tool, copy)
            found = code == 1 and expected in out
            failed += not found
            print(f"{'ok' if found else 'NOT FOUND'}: {tool} finds {expected!r} in {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
