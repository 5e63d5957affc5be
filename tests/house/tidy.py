"""clang-tidy finds nothing (.clang-tidy, tests/.clang-tidy). Several run side by side; arguments choose files."""
import concurrent.futures
import json
import os
import subprocess
import sys

from tree import ROOT, Tap

BUILD = os.environ.get("BUILD_ROOT") or os.path.join(ROOT, "build-clang")


def sources():
    """What is compiled, but for what the build itself writes; the longest first, so that none is left for the end."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as text:
        found = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT) for entry in json.load(text)}
    inside = os.path.relpath(BUILD, ROOT) + os.sep
    chosen = [path for path in found if not path.startswith(("..", inside)) and (not sys.argv[1:] or path in sys.argv[1:])]
    return sorted(chosen, key=lambda path: -os.path.getsize(os.path.join(ROOT, path)))


def tidy(path):
    told = [] if path == "base/error.c" else ["--extra-arg=-include", "--extra-arg=tests/house/analyzer.h"]
    told = [word.replace("tests/", ROOT + "/tests/") for word in told]
    done = subprocess.run(["clang-tidy", "--quiet", "-p", BUILD, "--warnings-as-errors=*", *told, path], cwd=ROOT,
                          text=True, capture_output=True, timeout=300, check=False)
    return path, done.returncode, done.stdout + (done.stderr if not done.stdout else "")


def main():
    tap = Tap()
    rule = tap.rule("clang-tidy finds nothing")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, said in pool.map(tidy, sources()):
            if status != 0:
                rule.append(f"{path}:\n{said.replace(ROOT + '/', '')[:3000]}")
    tap.end()


main()
