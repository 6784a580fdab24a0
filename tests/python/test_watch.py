"""Changes of jobs as they come."""

import itertools


def seen(changes, until):
    """(status or None for removed) of the changes up to the first that until likes."""
    states = []
    for change in changes:
        states.append(change.info.status if change.info else None)
        if until(change):
            return states
    raise AssertionError(f"the watch ended after {states}")


def test_a_watch_tells_what_is_there_and_what_comes(s):
    job = s.submit(["sleep", "1000"], labels={"watch": "one"})
    changes = s.watch(labels={"watch": "one"}, timeout=60)
    assert seen(changes, lambda c: c.info.status == "running")[-1] == "running"
    job.cancel(force=True)
    assert seen(changes, lambda c: c.info.is_final)[-1] == "cancelled"
    job.delete()
    assert seen(changes, lambda c: c.job_id == job.id and c.info is None)[-1] is None


def test_a_watch_goes_on_over_a_restart(s, server):
    job = s.submit(["sleep", "1000"], queue="watched")
    changes = s.watch(queue="watched", timeout=60)
    seen(changes, lambda c: c.info.status == "running")
    server.stop()
    server.start()
    job.cancel(force=True)
    assert seen(changes, lambda c: c.info.is_final)[-1] == "cancelled"


def test_a_watch_ends_with_its_time(s):
    assert list(s.watch(labels={"watch": "nothing"}, timeout=0.3)) == []
    s.submit(["true"], labels={"watch": "some"}).wait()
    assert [c.info.status for c in itertools.islice(s.watch(status="succeeded", labels={"watch": "some"}), 1)] == ["succeeded"]
