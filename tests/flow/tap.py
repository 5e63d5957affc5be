"""Runs flow tests and prints TAP: run_tests((function, make_lab), ...). Each test gets a lab of its own."""
import sys
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


def run_tests(*tests):
    """Every test is a function of one lab and fails by raising; its docstring is its promise. Arguments of the
    program choose tests by name. Exits 1 when one failed."""
    chosen = [(test, make) for test, make in tests if len(sys.argv) == 1 or test.__name__ in sys.argv[1:]]
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, (test, make) in enumerate(chosen, 1):
        try:
            with make() as lab:
                test(lab)
            print(f"ok {number} {test.__name__}", flush=True)
        except Skip as reason:
            print(f"ok {number} {test.__name__} # SKIP {reason}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} {test.__name__}: {' '.join(test.__doc__.split())}", flush=True)
            # Meson shows the standard error of a TAP program that failed, and not its comments.
            traceback.print_exc()
    sys.exit(1 if failed else 0)
