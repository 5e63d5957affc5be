#!/usr/bin/env python3
"""kill -9 at random instants of the road: it is finished all the same, and nothing happens twice.

UNLAPSED_KILLS sets how often the daemon is killed (default 8), UNLAPSED_SEED repeats a run.
"""
import os
import random
import time

from tap import run_tests
from lab import Lab, serial_of

KILLS = int(os.environ.get("UNLAPSED_KILLS", "8"))
SEED = int(os.environ.get("UNLAPSED_SEED", str(time.time_ns())))


def test_road_with_kills(lab):
    """Killed again and again from the request to the last mail; the pair that is installed fits at every restart."""
    print(f"# seed {SEED}", flush=True)
    chance = random.Random(SEED)
    lab.start()
    old = lab.served_serial()
    lab.authority.rotate()
    lab.start_clients()
    lab.add()
    leaf, kills, csrs = None, 0, set()
    while kills < KILLS or lab.state() != "ok" or lab.served_serial() == old:
        if kills < KILLS:
            time.sleep(chance.uniform(0, 1.5))
            lab.kill9()
            kills += 1
            assert lab.pair_fits(), f"after kill {kills} the installed key does not fit the installed certificate"
            lab.start_daemon()
        csrs.update(csr for csr in map(lab.csr_of, lab.mails()) if csr)
        if csrs and leaf is None:
            leaf = lab.authority.sign(lab.wait_for_csr(1), 86400)
            lab.drop("certificate.cer", leaf)
            lab.drop("chain.p7b", lab.authority.chain())
        if kills == KILLS:
            lab.wait_for(lambda: leaf is not None or lab.mails("csr-ready"), 40, "the CSR")
            if leaf is not None:
                lab.wait_for(lambda: lab.state() == "ok" and lab.served_serial() != old, 60, "the end of the road")
    lab.wait_for(lambda: lab.mails("deployed"), 30, "the last mail")
    assert len(csrs) == 1, f"wanted one CSR, got {len(csrs)}"
    assert lab.served_serial() == serial_of(leaf) and lab.pair_fits() and lab.nothing_left()
    # The instant between the server's answer and its record may cost one mail that comes twice, but no notice.
    told = [(row["kind"], row["stage"], row["renewal"]) for row in lab.unlapse("explain", "www", "--json")[2]["told"]]
    assert len(told) == len(set(told)), f"a notice was made twice: {told}"
    kinds = [event["kind"] for event in lab.history()]
    for kind in ("requested", "accepted", "verified"):
        assert kinds.count(kind) == 1, f"{kind} happened {kinds.count(kind)} times: {kinds}"
    lab.end("clients")
    seen = lab.clients()
    assert seen["failures"] == 0, seen


if __name__ == "__main__":
    run_tests((test_road_with_kills, lambda: Lab(remaining=600, lead="590s")))
