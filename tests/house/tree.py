"""What the house rules share: the source files, C without its comments, and TAP."""
import os
import re
import sys

ROOT = os.environ.get("SOURCE_ROOT") or os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                                     "..", ".."))
TOPS = ("base", "pki", "policies", "services", "store", "notify", "daemon", "tests", "docs", "packaging", "script")
CODE = (".c", ".h")


def files(*endings, tops=TOPS):
    """Paths from the root of every source file with one of the endings (every file without endings), sorted."""
    found = []
    for top in tops:
        for folder, below, names in os.walk(os.path.join(ROOT, top)):
            below[:] = [name for name in below if not name.startswith(".") and name != "__pycache__"]
            found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names
                      if (not endings or name.endswith(endings)) and not name.startswith(".")]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


PIECE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(text, strings=True):
    """C with comments (and the inside of strings) replaced by spaces; lines stay where they are."""

    def empty(match):
        piece = match.group()
        if piece[0] in "\"'":
            return piece[0] + " " * (len(piece) - 2) + piece[0] if strings else piece
        return re.sub(r"[^\n]", " ", piece)

    return PIECE.sub(empty, text)


class Tap:
    """Complaints by rule; prints one TAP line a rule and exits."""

    def __init__(self):
        self.rules = {}

    def rule(self, name):
        return self.rules.setdefault(name, [])

    def end(self):
        print(f"1..{len(self.rules)}")
        for number, (name, complaints) in enumerate(self.rules.items(), 1):
            print(f"{'not ok' if complaints else 'ok'} {number} {name}")
            # Meson shows the standard error of a TAP program that failed, and not its comments.
            print(*complaints, sep="\n", end="\n" if complaints else "", file=sys.stderr, flush=True)
        sys.exit(1 if any(self.rules.values()) else 0)
