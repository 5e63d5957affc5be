"""Each header compiles alone, twice in a row, with gcc and clang, and has the guard of its path."""
import concurrent.futures
import os
import re
import shutil
import subprocess

from tree import ROOT, Tap, files, read

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Wmissing-prototypes", "-Wstrict-prototypes",
         "-Werror", "-I.", "-fsyntax-only", "-x", "c", "-"]


def compile_alone(job):
    compiler, path = job
    done = subprocess.run([compiler, *FLAGS], input=f'#include "{path}"\n#include "{path}"\nextern int nothing;\n',
                          cwd=ROOT, text=True, capture_output=True, timeout=60, check=False)
    return compiler, path, done.returncode, done.stderr


def main():
    tap = Tap()
    headers = files(".h")
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    jobs = [(compiler, path) for compiler in compilers for path in headers]
    rules = {compiler: tap.rule(f"every header compiles alone with {compiler}") for compiler in compilers}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for compiler, path, status, said in pool.map(compile_alone, jobs):
            if status != 0:
                rules[compiler].append(f"{path}:\n{said[:2000]}")
    guards = tap.rule("every header has the include guard of its path")
    for path in headers:
        guard = "UL_" + re.sub(r"\W", "_", path).upper()
        if not re.search(rf"^#ifndef {guard}\n#define {guard}\n", read(path), re.MULTILINE):
            guards.append(f"{path}: wanted #ifndef {guard}")
    tap.end()


main()
