"""Documentation: READMEs, manual pages, the unit, and that the pages know every verb, option, status and key."""
import os
import re
import shutil
import subprocess
import tempfile

from tree import ROOT, TOPS, Tap, files, read

# Folders whose files are described one folder up.
DESCRIBED_ABOVE = ("policies/defaults", "store/schema", "notify/templates", "script/demo.d", "tests/base", "tests/pki",
                   "tests/policies", "tests/store", "tests/notify", "tests/daemon")
PAGES = ("docs/unlapsed.8.scd", "docs/unlapse.1.scd", "docs/unlapsed.yaml.5.scd")


def run(argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def check_readmes(complaints):
    folders = {os.path.dirname(path) for path in files() if os.path.basename(path) != "README.md"} | set(TOPS)
    for folder in sorted(folders):
        above = any(folder == place or folder.startswith(place + "/") for place in DESCRIBED_ABOVE)
        if not above and not folder.endswith(".in") and not os.path.exists(os.path.join(ROOT, folder, "README.md")):
            complaints.append(f"{folder}/ has no README.md: what lives here, who may include it, how to add to it")


def check_opening(complaints):
    commands = re.findall(r"^    (\S+)", read("README.md"), re.MULTILINE)
    if commands[:2] != ["script/demo", "script/test"]:
        complaints.append(f"README.md: wanted script/demo and script/test as its first commands, got {commands[:2]}")
    if "script/test" not in read(".ci/run"):
        complaints.append(".ci/run does not call script/test")


def check_links(complaints):
    tops = [name for name in os.listdir(ROOT) if name.endswith(".md")]
    for path in tops + files(".md"):
        for target in re.findall(r"\]\(([^)#]+)\)", read(path)):
            if not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                complaints.append(f"{path}: the link to {target} leads nowhere")


def check_pages(tap):
    if not shutil.which("scdoc") or not shutil.which("mandoc"):
        print("# no scdoc or no mandoc here: the manual pages are not linted")
        return
    lint = tap.rule("manual pages are right for scdoc and mandoc -T lint")
    for path in PAGES:
        status, page, said = run(["scdoc"], read(path))
        if status == 0:
            status, found, said = run(["mandoc", "-T", "lint", "-W", "error"], page)
            said += found
        if status != 0:
            lint.append(f"{path}: {said}")


def check_unit(tap):
    if not shutil.which("systemd-analyze"):
        print("# no systemd-analyze here: the unit is not verified")
        return
    unit = tap.rule("systemd-analyze finds nothing in the unit")
    text = read("packaging/unlapsed.service.in").replace("@sbindir@/unlapsed", "/bin/true")
    # The manual is not installed where this runs.
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "unlapsed.service")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        # An unknown key is only printed: the status is 0 all the same.
        status, _, said = run(["systemd-analyze", "verify", "--man=no", path])
        said = "\n".join(line for line in said.splitlines() if "unlapsed.service" in line or status != 0)
        if status != 0 or said:
            unit.append(said)


def missing(page, words, what):
    """Which words do not stand in bold on the page."""
    bold = set()
    for piece in re.findall(r"\*(\S.*?)\*", read(page).replace("\\", "")):
        bold.update(re.split(r"[,\s]+", piece))
    return [f"{page}: {what} {word} is missing" for word in sorted(set(words)) if word not in bold]


def check_words(tap):
    cli = tap.rule("unlapse(1) knows every verb, option and exit status")
    verbs = read("daemon/cli/verbs.c")
    cli += missing(PAGES[1], re.findall(r'\{"([a-z-]+)", verb_', verbs), "the verb")
    options = re.findall(r"--[a-z-]+", verbs) + ["--" + name for name in re.findall(
        r'\{"([a-z-]+)", \w+_argument', read("daemon/cli/options.c"))]
    cli += missing(PAGES[1], options, "the option")
    cli += missing(PAGES[1], re.findall(r"X\(CLI_\w+, +(\d+),", read("daemon/cli/exit.h")), "the exit status")
    daemon = tap.rule("unlapsed(8) knows every option")
    daemon += missing(PAGES[0], ["--" + name for name in re.findall(r'\{"([a-z-]+)", \w+_argument', read("daemon/main.c"))],
                      "the option")
    keys = tap.rule("unlapsed.yaml(5) knows every key")
    example = re.findall(r"^ *#?([a-z-]+):", read("packaging/unlapsed.yaml"), re.MULTILINE)
    policy = re.sub(r"#.*", "", read("policies/defaults/default.yaml"))
    policy = re.findall(r"([a-z-]+):", policy)
    service = re.findall(r"^    ? ?([a-z-]+):", read("services/nginx.yaml"), re.MULTILINE)
    keys += missing(PAGES[2], example + [key for key in policy if key != "policies"] + service, "the key")


def main():
    tap = Tap()
    check_readmes(tap.rule("every folder has a README.md"))
    check_opening(tap.rule("README.md opens with script/demo and script/test, and CI runs the latter"))
    check_links(tap.rule("links between documents lead somewhere"))
    check_pages(tap)
    check_unit(tap)
    check_words(tap)
    tap.end()


main()
