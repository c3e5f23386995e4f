"""Three times what a cluster can do, from many users: nodes and loops go on, memory has its bound,
and afterwards all is as it was. States only; tests/bench/overload.py measures."""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import overload  # noqa: E402
from keelway_server import Failure, expect, main  # noqa: E402

LIMITS = {"request-memory-mib": 64, "answer-memory-mib": 64}
EMPTY_MIB, HISTORY_MIB = 60, 64  # a process with one cluster and its nodes; docs/limits.md
OBJECT_KIB = 4                   # 2 KB of data, names, revisions, and what the log keeps of it


def nodes_and_loops_keep_their_pace():
    options = argparse.Namespace(
        seconds=24, users=20, connections=20, pods=10, rate=0,
        limits=[part for name, value in LIMITS.items()
                for part in ("--limit", f"{name}={value}")])
    seen = overload.measure(options)
    print(json.dumps(seen, indent=1))
    for phase in ("before", "during", "after"):
        expect(seen[phase]["other"], 0, f"answers other than good and 429, {phase}")
        if seen[phase]["good"] == 0:
            raise Failure(f"no good answer {phase}")
    if seen["during"]["told_to_wait"] + seen["during"]["held_back"] == 0:
        raise Failure("three times the capacity was not too much")
    expect(seen["after"]["told_to_wait"], 0, "429 after the load")
    expect(seen["still_waiting"], 0, "requests that wait after the load")
    if seen["nodes"] == 0 or seen["longest_lease_gap_s"] >= seen["lease_seconds"]:
        raise Failure(f"a lease ran out: {seen['longest_lease_gap_s']} s")
    bound = (EMPTY_MIB + HISTORY_MIB + sum(LIMITS.values()) +
             seen["config_maps"] * OBJECT_KIB / 1024)
    if seen["rss_mib"]["peak"] > bound:
        raise Failure(f"{seen['rss_mib']['peak']} MiB resident, the bound is {bound:.0f}")


if __name__ == "__main__":
    main([nodes_and_loops_keep_their_pace])
