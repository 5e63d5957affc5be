#!/usr/bin/env python3
"""kill -9 of the daemon at a random instant of the road, then a restart, again and again (soak.py says what is true).

    test_kill.py [--kills N] [--seed N] [--every CALL]

The seed, printed first, gives the same instants again as far as timing allows. With --every the kills come before the
first, the second... call of one system call (renameat, fsync...), which needs strace and no luck.
"""
import argparse
import os
import random
import sys
import traceback

from killer import Instant
from soak import CALLS, Plan, Soak, draw_delivery, make_plan, words_of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SOAK_SEED") or random.randrange(1 << 32)))
    parser.add_argument("--every", choices=CALLS)
    options = parser.parse_args()
    if options.every:
        options.kills = CALLS[options.every]
    sys.setswitchinterval(0.0005)   # the thread that kills shall not wait for the one that drives the road
    failed = 0
    soak = Soak()
    print(f"# seed {options.seed}\n1..{options.kills + 1}", flush=True)

    def step(number, what, run):
        nonlocal failed
        try:
            print(f"ok {number} {what}: {run()}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} {what}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
            soak.end()

    try:
        step(1, "no kill", soak.measure)
        for number in range(options.kills if soak.measured else 0):
            source = random.Random(f"{options.seed} {number}")   # each round for itself: none depends on those before
            plan = make_plan(number, source, soak.measured)
            if options.every:
                plan = Plan("call", False, "", Instant("call", options.every, number + 1, 0), (), draw_delivery(source),
                            True)
            step(number + 2, words_of(plan), lambda plan=plan: soak.round(plan))
    finally:
        soak.end()
    print("# the road had come so far when it was killed: "
          + ", ".join(f"{count} x {hit}" for hit, count in soak.hits.most_common()), flush=True)
    sys.exit(1 if failed or not soak.measured else 0)


if __name__ == "__main__":
    main()
