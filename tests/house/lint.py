"""Functions that are not called here, and the size of files and functions (STYLE.md 1 and 25).

One use is waived by a comment on its line that gives the reason:
    table = realloc(...); /* lint: allow realloc: libfoo frees it */
A file that has to be long says so in its first lines: lint: allow file-length: reason.
"""
import re

from tree import CODE, Tap, blank, files, read

FUNCTION_LINES = 60
FILE_LINES = 500
TEST_LINES = 800

# name: why, and what to call instead
BANNED = {
    "strcpy strcat stpcpy strncat sprintf vsprintf gets": "no bound: snprintf, struct buf",
    "strncpy": "may leave no NUL: snprintf",
    "scanf fscanf": "no bound: struct buf, text_number",
    "atoi atol atoll atof": "cannot tell a mistake: text_number",
    "strtok": "hidden state: strchr, strcspn",
    "mktime localtime localtime_r timelocal": "local time: utc_format, timegm",
    "ctime ctime_r asctime asctime_r gmtime": "static buffer or local time: utc_format, gmtime_r",
    "system popen execlp execvp execvpe posix_spawnp": "a shell or a search path: proc_run",
    "alloca": "the stack has no end that one can see: mem_alloc",
    "malloc calloc realloc reallocarray strdup strndup asprintf": "may return NULL: mem_alloc, mem_strdup",
    "tmpnam tempnam mktemp tmpfile": "a race: file_create_at",
    "rand srand random srandom drand48": "predictable: RAND_bytes in pki/",
    "setjmp longjmp sigsetjmp siglongjmp vfork": "cleanup attributes do not run",
}
# The one place that wraps them.
HOMES = {"base/mem.c": "malloc calloc realloc reallocarray strdup strndup asprintf".split()}
WAIVER = re.compile(r"lint: allow ([\w-]+): *(\S.*?) *(?:\*/|$)")


def banned_calls():
    for names, reason in BANNED.items():
        for name in names.split():
            yield name, reason


def waivers(line):
    return {match[1] for match in WAIVER.finditer(line)}


def check_calls(path, text, complaints, unused):
    names = dict(banned_calls())
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    lines = text.splitlines()
    used = set()
    for number, line in enumerate(blank(text).splitlines(), 1):
        for match in pattern.finditer(line):
            if match[1] in waivers(lines[number - 1]):
                used.add((number, match[1]))
            elif match[1] not in HOMES.get(path, ()):
                complaints.append(f"{path}:{number}: {match[1]}(): {names[match[1]]}")
    for number, line in enumerate(lines, 1):
        for name in waivers(line) - {"file-length"}:
            if (number, name) not in used:
                unused.append(f"{path}:{number}: the waiver of {name} waives nothing")


def check_length(path, text, complaints):
    """Functions begin with "{" and end with "}" in the first column (clang-format sees to that)."""
    lines = text.splitlines()
    allowed = any("file-length" in waivers(line) for line in lines[:10])
    most = TEST_LINES if path.startswith("tests/") else FILE_LINES
    if len(lines) > most and not allowed:
        complaints.append(f"{path}: {len(lines)} lines, wanted at most {most}")
    if not path.endswith(".c"):
        return
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            if number - begin - 1 > FUNCTION_LINES:
                print(f"# warning: {path}:{begin}: a function of {number - begin - 1} lines, wanted at most"
                      f" {FUNCTION_LINES}")
            begin = None


def main():
    tap = Tap()
    calls = tap.rule("no banned function is called")
    unused = tap.rule("every waiver waives something")
    lengths = tap.rule(f"no file has more than {FILE_LINES} lines (tests {TEST_LINES})")
    tabs = tap.rule("no tabs, no trailing blanks, one newline at the end")
    for path in files(*CODE, ".py", ".sh", ".yaml", ".sql"):
        text = read(path)
        if path.endswith(CODE):
            check_calls(path, text, calls, unused)
        check_length(path, text, lengths)
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line or line != line.rstrip():
                tabs.append(f"{path}:{number}: a tab or a trailing blank")
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            tabs.append(f"{path}: wanted exactly one newline at the end")
    tap.end()


main()
