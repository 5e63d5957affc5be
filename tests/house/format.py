"""The code is as clang-format writes it (.clang-format; X-macro tables stay between off and on)."""
import subprocess

from tree import CODE, ROOT, Tap, files


def main():
    tap = Tap()
    rule = tap.rule("clang-format has nothing to change (else: clang-format -i FILE)")
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=3", *files(*CODE)], cwd=ROOT,
                          text=True, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        rule += [line for line in done.stderr.splitlines() if "error:" in line] or [done.stderr]
    tap.end()


main()
