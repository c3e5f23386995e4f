#!/usr/bin/env python3
"""Proves the layers of the house: who may include whom.

Reads src/rooms.cmake (the edges), tools/layers/ranks.csv (the ranks) and tools/layers/foreign.csv
(which third-party header belongs to which room), scans every include below src/, and prints one
line a violation. Exit 1 if there is one.
"""
import csv
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
ROOM_CALL = re.compile(r'keelway_room\(([^)]*)\)', re.S)
# Loops see the API through the client alone.
LOOPS = {"controllers", "scheduler", "provisioner", "platform", "node", "fleet"}
HIDDEN_FROM_LOOPS = {"store", "apiserver", "watch"}


def read_edges(text):
    edges = {}
    for call in ROOM_CALL.findall(text):
        words = call.split()
        rooms, section = [], None
        for word in words[1:]:
            if word in ("ROOMS", "LIBRARIES", "GENERATED"):
                section = word
            elif section == "ROOMS":
                rooms.append(word)
        edges[words[0]] = rooms
    return edges


def read_table(path, key, value):
    with open(path, newline="") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


def check_edges(edges, ranks):
    for room, uses in edges.items():
        if room not in ranks:
            yield f"src/rooms.cmake: room {room} has no rank in tools/layers/ranks.csv"
            continue
        for used in uses:
            if used not in ranks:
                yield f"src/rooms.cmake: {room} names {used}, which has no rank"
            elif int(ranks[used]) >= int(ranks[room]):
                yield (f"src/rooms.cmake: {room} (rank {ranks[room]}) may not name {used} "
                       f"(rank {ranks[used]}): only lower ranks")
            elif room in LOOPS and used in HIDDEN_FROM_LOOPS:
                yield f"src/rooms.cmake: {room} is a loop room and may not see {used}"


def check_foreign(where, header, relative, foreign):
    best = max((h for h in foreign if header == h or (h.endswith("/") and header.startswith(h))),
               key=len, default=None)
    if best is None:
        return None
    homes = foreign[best].split()
    if any(relative == h or relative.startswith(h + "/") for h in homes):
        return None
    return f"{where}: <{header}> belongs to {', '.join(homes)}"


def check_includes(root, edges, foreign):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        relative = path.relative_to(root / "src").as_posix()
        room = relative.split("/")[0]
        is_test = path.stem.endswith("_test") or path.stem.startswith("testing_")
        if room not in edges:
            yield f"src/{relative}: room {room} is not declared in src/rooms.cmake"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            where, header = f"src/{relative}:{number}", match.group(2)
            if match.group(1) == '"':
                target = header.split("/")[0]
                if target != room and target not in edges[room] and not header.startswith("gen"):
                    yield f"{where}: {room} includes {header}, but names no room {target}"
            elif not is_test:
                problem = check_foreign(where, header, relative, foreign)
                if problem:
                    yield problem


def main(root):
    root = pathlib.Path(root)
    edges = read_edges((root / "src/rooms.cmake").read_text())
    ranks = read_table(root / "tools/layers/ranks.csv", "room", "rank")
    foreign = read_table(root / "tools/layers/foreign.csv", "header", "allowed_in")
    problems = list(check_edges(edges, ranks)) + list(check_includes(root, edges, foreign))
    for problem in problems:
        print(problem)
    print(f"layers: {len(edges)} rooms, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
