"""Adds up what script/test ran and prints "N passed, N failed" (and ", N skipped"); exits 1 unless something passed
and nothing failed.

tally.py FOLDER: the file "steps" holds one word a line; every NAME.json is Meson's log of one run. A TAP program counts
with its sub-tests, and once more as failed when it ended badly although none of them failed.
"""
import collections
import glob
import json
import os
import re
import sys

BAD = ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS")


def count_test(test):
    """Counter of one Meson test, from its line of testlog.json."""
    count = collections.Counter()
    said = test.get("stdout") or ""
    if re.search(r"^1\.\.\d+", said, re.MULTILINE):
        for bad, rest in re.findall(r"^(not )?ok\b(.*)", said, re.MULTILINE):
            skipped = re.search(r"#\s*skip", rest, re.IGNORECASE)
            count["skipped" if skipped else "failed" if bad else "passed"] += 1
    if test["result"] in BAD:
        count["failed"] = max(count["failed"], 1)
    elif not count:
        count["skipped" if test["result"] == "SKIP" else "passed"] += 1
    return count


def main(folder):
    total = collections.Counter()
    steps = os.path.join(folder, "steps")
    if os.path.exists(steps):
        with open(steps, encoding="ascii") as words:
            total.update(words.read().split())
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                total.update(count_test(json.loads(line)))
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}", flush=True)
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
