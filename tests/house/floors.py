"""Floors: who may include whom, and which folder is the home of which library (DESIGN.md sections 3 and 13)."""
import os
import re

from tree import CODE, Tap, blank, files, read

# A place (a folder with its sub-folders; with "/." only the files directly in it) and what its files may include besides
# their own: places or single headers. The longest place that fits a file counts. What is not named here does not exist.
FLOORS = {
    "base": [],
    "pki": ["base"],
    # siblings that never include each other
    "policies": ["base", "pki"],
    "store": ["base", "pki"],
    "notify": ["base", "pki"],
    "daemon/bind": ["base", "pki", "policies/service.h"],
    "daemon/drop": ["base", "pki"],
    "daemon/issue": ["base", "pki"],
    "daemon/role": ["base", "pki"],
    "daemon/read": ["base", "pki", "daemon/role"],
    "daemon/keep": ["base", "pki", "daemon/role"],
    "daemon/fetch": ["base", "pki"],
    # siblings again, one floor up
    "daemon/config": ["base", "pki", "policies", "notify", "daemon/fetch/fetch.h"],
    "daemon/life": ["base", "pki", "policies", "store", "notify", "daemon/bind", "daemon/drop", "daemon/issue"],
    # the daemon's top floor: its API, its loop and main
    "daemon/api": ["base", "pki", "policies", "store", "notify", "daemon/bind", "daemon/config", "daemon/life"],
    "daemon/.": ["base", "pki", "policies", "store", "notify", "daemon/bind", "daemon/drop", "daemon/issue",
                 "daemon/role", "daemon/read", "daemon/keep", "daemon/fetch", "daemon/config", "daemon/life", "daemon/api"],
    # the command line is a client of the API: no life, and no inventory but to put a backup in its place, which must
    # work without a daemon, and to look whether a copy of one is good
    "daemon/cli": ["base", "pki", "policies", "notify", "daemon/config", "daemon/role", "daemon/read", "store/backup.h",
                   "store/lock.h", "store/restore.h"],
    "tests": ["base", "pki", "policies", "store", "notify", "daemon"],
}

# Foreign libraries: how their headers begin, and their homes.
LIBRARIES = {
    "openssl/": ["pki", "tests/pki"],
    "sqlite3.h": ["store", "tests/store"],
    "libfyaml.h": ["base/yaml.c"],
    "jansson.h": ["base/fields.c", "daemon/api", "daemon/cli", "tests/base", "tests/daemon"],
    "curl/": ["notify", "daemon/cli", "daemon/fetch", "tests/notify", "tests/daemon"],
    "uv.h": ["daemon/."],
    "microhttpd.h": ["daemon/api"],
    "zip.h": ["pki/delivery", "tests/pki"],
    "seccomp.h": ["daemon/role"],
    "check.h": ["tests"],
}
# Headers of the C library and the kernel. Anything else is a new library: give it a home above, with a reason in
# the commit (DESIGN.md section 13).
SYSTEM = set("""assert ctype dirent dlfcn endian errno fcntl float ftw getopt grp ifaddrs inttypes limits locale malloc math netdb
poll pthread pty pwd signal sched spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings
syslog termios time uchar unistd wchar wctype sanitizer/lsan_interface""".split())
SYSTEM_FOLDERS = ("sys/", "linux/", "netinet/", "arpa/", "net/")

# policies/ is pure: no clock, files, sockets, processes.
IMPURE = ("base/file.h", "base/proc.h", "base/log.h", "time.h", "fcntl.h", "unistd.h", "dirent.h", "poll.h", "netdb.h",
          "sys/socket.h", "sys/stat.h", "spawn.h", "pthread.h")
# A function either logs or returns an error: folders below the top floors return it.
LOGGERS = ("base/log.c", "daemon/life", "daemon/api", "daemon/.", "tests")
# Time is a parameter: only the outermost layer asks the clock, and those who wait for files and services.
CLOCKS = ("base/clock.c", "base/clock.h", "base/log.c", "daemon/.", "daemon/cli", "daemon/bind", "daemon/drop", "tests")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def is_in(path, place):
    if place.endswith("/."):
        return os.path.dirname(path) == place[:-2]
    return path == place or path.startswith(place + "/")


def place_of(path):
    """The longest place of the floors that holds path, or None."""
    return max((place for place in FLOORS if is_in(path, place)), key=len, default=None)


def includes(path):
    """[(line number, "<" or '"', name)]"""
    text = blank(read(path), strings=False)
    return [(text.count("\n", 0, match.start()) + 1, match[1], match[2]) for match in INCLUDE.finditer(text)]


def is_system(name):
    return (name.endswith(".h") and name[:-2] in SYSTEM) or name.startswith(SYSTEM_FOLDERS)


def check_ours(path, line, name, complaints):
    place = place_of(path)
    if place is None:
        complaints.append(f"{path}:{line}: {path.rsplit('/', 1)[0]}/ has no floor: give it a row in tests/house/floors.py")
        return
    allowed = [place, *FLOORS[place]]
    if not any(is_in(name, home) for home in allowed):
        complaints.append(f"{path}:{line}: {place} may not include \"{name}\" (allowed: {' '.join(allowed)})")


def check_foreign(path, line, name, complaints):
    library = next((start for start in LIBRARIES if name.startswith(start)), None)
    if library is None:
        complaints.append(f"{path}:{line}: <{name}> is no known library: give it a home in tests/house/floors.py")
    elif not any(is_in(path, home) for home in LIBRARIES[library]):
        complaints.append(f"{path}:{line}: <{name}>: the home of {library} is {' '.join(LIBRARIES[library])}")


def check_order(path, found, complaints):
    """Own header, C library, foreign library, ours; a blank line between the groups."""
    folder = os.path.dirname(path)
    own = (folder, re.sub("^tests/", "", folder))
    lines = read(path).splitlines()
    before = None
    for line, mark, name in found:
        if "clang-format off" in lines[line - 2 if line > 1 else 0]:
            return
        first = before is None and os.path.dirname(name) in own
        system = is_system(name) or name == "check.h"
        rank = 3 if mark == '"' and not first else 0 if mark == '"' else 1 if system else 2
        if before and rank < before[1]:
            complaints.append(f"{path}:{line}: {name} comes too late: own header, C library, foreign library, ours")
            return
        if before and rank > before[1] and not any(not text.strip() for text in lines[before[0]:line - 1]):
            complaints.append(f"{path}:{line}: wanted a blank line between groups of includes, before {name}")
        before = (line, rank)


def main():
    tap = Tap()
    floors = tap.rule("an include points down, never up or sideways")
    homes = tap.rule("each foreign library is included only in its home")
    root = tap.rule("include paths start at the root")
    order = tap.rule("includes stand in their order")
    pure = tap.rule("policies/ has no clock, files, sockets, processes or log")
    logs = tap.rule("only the upper floors log")
    clocks = tap.rule("only the outermost layer asks the clock")
    known = set(files(*CODE))
    for path in sorted(known):
        found = includes(path)
        for line, mark, name in found:
            if mark == '"':
                if name not in known:
                    root.append(f"{path}:{line}: \"{name}\": there is no such file below the root")
                check_ours(path, line, name, floors)
            elif not is_system(name):
                check_foreign(path, line, name, homes)
            if is_in(path, "policies") and name in IMPURE:
                pure.append(f"{path}:{line}: policies/ may not include {name}")
            if name == "base/log.h" and not any(is_in(path, home) for home in LOGGERS):
                logs.append(f"{path}:{line}: {os.path.dirname(path)}/ returns its errors instead of logging them")
        if path.endswith(".c"):
            check_order(path, found, order)
        if not any(is_in(path, home) for home in CLOCKS):
            text = blank(read(path))
            clocks += [f"{path}:{text.count(chr(10), 0, match.start()) + 1}: clock_now(): take `now` as a parameter"
                       for match in re.finditer(r"\bclock_now\s*\(", text)]
    tap.end()


main()
