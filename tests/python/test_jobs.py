"""Jobs as objects."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import soma
from conftest import BUILD, SOURCE


def test_a_job_gives_its_output_and_how_it_ended(s):
    job = s.submit("import sys; print('héllo'); print('oops', file=sys.stderr); sys.exit(3)", name="three", labels={"kind": "test"})
    info = job.wait(20)
    assert (info.status, info.reason, info.exit_code, info.exit_status, info.is_final) == ("failed", "exited", 3, 3, True)
    assert (info.name, info.labels, info.attempt, info.queue) == ("three", {"kind": "test"}, 1, "default")
    assert info.created <= info.started <= info.finished
    assert job.output() == "héllo\n" and job.output("stderr") == "oops\n"
    assert job.status == "failed"
    with pytest.raises(soma.JobFailed, match="exit code 3: oops$") as caught:
        job.result()
    assert caught.value.job is job and caught.value.stderr == "oops\n"


def test_programs_are_texts_commands_and_files(s, tmp_path):
    assert s.run("echo $1 $NAME", ["a b"], language="sh", env={"NAME": "value"}) == "a b value\n"
    assert s.run(["cat", "-"], stdin="from stdin") == "from stdin"
    program = tmp_path / "hello.py"
    program.write_text("import sys; print('hello', *sys.argv[1:])")
    assert s.run(program, ["you"]) == "hello you\n"
    with pytest.raises(soma.InvalidArgument):
        s.submit(tmp_path / "hello.py", language="no such language")
    with pytest.raises(TypeError, match="tiem_limit"):
        s.submit("1", tiem_limit=5)
    with pytest.raises(TypeError, match="list"):
        s.submit("1", "one text")
    for wrong in {"memory": "10M"}, {"priority": 2**32 + 1}, {"processes": -1}:
        with pytest.raises(soma.InvalidArgument, match=next(iter(wrong))):
            s.submit("1", **wrong)
    with pytest.raises(soma.InvalidArgument, match="write-vectors"):
        s.create_token("x", ["write"])
    assert s.submit("1", after=s.submit("2"), artifacts="*").wait(20).status == "succeeded"


def test_nothing_of_something_is_not_its_default(s):
    job = s.submit(["echo", "much"], output_limit=0, kill_grace=None)
    assert job.result(20) == "" and job.info().stdout_dropped == 5
    code = "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print('heard it', flush=True))\nprint('deaf', flush=True)\ntime.sleep(1000)"
    job = s.submit(code, kill_grace=0)
    assert next(job.follow(30)).data.startswith(b"deaf")
    job.cancel()
    assert (job.wait(20).status, job.output().strip()) == ("cancelled", "deaf")
    job = s.submit(["cat"], keep=0, interactive=True)
    shown = subprocess.run([BUILD / "bin/soma", "--server", s.server, "-o", "json", "show", job.id], capture_output=True, text=True)
    assert '"keep_ms":-1' in shown.stdout.replace(" ", ""), shown
    job.send(end=True)
    with pytest.raises(soma.InvalidArgument, match="keep_ms"):
        s.submit(["true"], keep=-1)


def test_files_go_in_and_artifacts_come_out_whatever_their_size(s, tmp_path):
    large = bytes(range(256)) * 12289  # three pieces, and a rest
    (tmp_path / "tool").write_text("#!/bin/sh\ncat large copy/small >all; echo made\n")
    (tmp_path / "tool").chmod(0o755)
    job = s.submit(["./tool"], files={"large": large, "copy/small": "small", "tool": tmp_path / "tool"}, artifacts=["all"])
    assert job.result() == "made\n"
    assert job.artifacts() == [soma.Artifact("all", len(large) + 5, False)]
    assert job.read_artifact("all") == large + b"small"
    job.save_artifact("all", tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == large + b"small"
    exact = bytes(1 << 20)
    assert s.run(["wc", "-c", "exact"], files={"exact": exact}) == f"{1 << 20} exact\n"


def test_following_gives_both_streams_as_they_come_and_every_attempt(s):
    code = "import os, sys\nprint('try', os.environ['SOMA_ATTEMPT'], flush=True)\nsys.exit('no' if os.environ['SOMA_ATTEMPT'] == '1' else 0)"
    job = s.submit(code, retries=2, backoff=0.01)
    heard: dict = {}
    for piece in job.follow(30):
        heard[piece.attempt, piece.stream] = heard.get((piece.attempt, piece.stream), b"") + piece.data
    assert list(heard.items()) == [((1, "stdout"), b"try 1\n"), ((1, "stderr"), b"no\n"), ((2, "stdout"), b"try 2\n")]
    assert job.info().status == "succeeded"


def test_following_goes_on_where_the_server_takes_an_attempt_back(s, monkeypatch):
    monkeypatch.setattr(soma.jobs, "POLL_SECONDS", 0.05)
    code = "import os, sys\nsys.stdin.read()\nprint('try', os.environ['SOMA_ATTEMPT'], flush=True)\nsys.exit(os.environ['SOMA_ATTEMPT'] == '1')"
    job = s.submit(code, retries=2, backoff=0.01, interactive=True)
    asked, refused = job._connection.call, []

    # As when the supervisor is gone before the program begins: the first question for each attempt comes too late.
    def call(method, request=None, timeout=None):
        if method == "job_log" and request.attempt > len(refused):
            refused.append(request.attempt)
            job._input_offset = None
            job.send(end=True)
            raise soma.NotFound(soma.Code.NOT_FOUND, "ATTEMPT_NOT_FOUND", "attempt", f"no attempt {request.attempt}")
        return asked(method, request, timeout)

    monkeypatch.setattr(job._connection, "call", call)
    heard = [(piece.attempt, piece.data) for piece in job.follow(30)]
    assert heard == [(1, b"try 1\n"), (2, b"try 2\n")] and refused == [1, 2]


def test_an_interactive_job_is_fed_and_heard_while_it_runs(s):
    job = s.submit("import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)", interactive=True)
    heard = job.follow(30)
    job.send("one\n")
    assert next(heard).data == b"ONE\n"
    again = s.job(job.id)  # another object goes on where the first one stopped
    again.send("two\n", end=True)
    assert b"".join(piece.data for piece in heard) == b"TWO\n"
    assert job.wait(20).status == "succeeded"
    large = "x" * 99 + "\n"
    job = s.submit(["wc", "-c"], interactive=True)
    job.send(large * 20000, end=True)
    assert job.result(20) == "2000000\n"


def test_an_end_of_input_waits_for_a_job_that_is_queued_longer_than_a_poll(s, monkeypatch):
    monkeypatch.setattr(soma.jobs, "POLL_SECONDS", 0.05)
    s.update_queue("held", paused=True)
    job = s.submit(["cat"], queue="held", interactive=True)
    sender = threading.Thread(target=job.send, kwargs={"end": True})
    sender.start()
    sender.join(1.0)  # many polls
    assert sender.is_alive()
    s.update_queue("held", paused=False)
    assert job.wait(20).status == "succeeded"
    sender.join(20)


def test_cancel_ends_a_job_and_waiting_has_a_deadline(s):
    job = s.submit("import time; time.sleep(1000)", time_limit=1000.5)
    with pytest.raises(TimeoutError):
        job.wait(0.1)
    with pytest.raises(TimeoutError):
        list(job.follow(0.1))
    job.cancel("enough", force=True)
    info = job.wait(20)
    assert (info.status, info.exit_status) == ("cancelled", 143) and "enough" in info.message
    job.retry()
    job.cancel(force=True)
    job.wait(20)
    job.delete()
    with pytest.raises(soma.NotFound) as caught:
        job.info()
    assert (caught.value.code, caught.value.reason, caught.value.field) == (soma.Code.NOT_FOUND, "JOB_NOT_FOUND", "job_id")


def test_ctrl_c_ends_the_waiting_and_not_the_job(server, s, until):
    code = (
        "import soma, sys\n"
        "with soma.connect() as s:\n"
        "    job = s.submit('import time; time.sleep(1000)', name='patient')\n"
        "    try:\n"
        "        print(job.id, flush=True)\n"
        "        job.wait()\n"
        "    except KeyboardInterrupt:\n"
        "        print(job.status)\n"
    )
    environment = {**os.environ, "SOMA_SERVER": server.address, "PYTHONPATH": str(SOURCE / "client/python")}
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    job = s.job(program.stdout.readline().strip())
    until(lambda: job.status == "running")
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=20)
    assert out == "running\n" and program.returncode == 0
    assert job.status == "running"
    job.cancel(force=True)


def test_other_threads_go_on_while_one_waits(s):
    job = s.submit("import time; time.sleep(1000)")
    waiter = threading.Thread(target=job.wait)
    waiter.start()
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(s.run(f"print({n})"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(f"{n}\n" for n in range(8))
    assert waiter.is_alive()
    job.cancel(force=True)
    waiter.join(20)
    assert not waiter.is_alive()


def test_jobs_are_listed_in_pages_and_pruned(s):
    jobs = [s.submit(["true"], queue="many", labels={"n": str(n % 2)}) for n in range(130)]
    for job in jobs:
        job.wait(60)
    assert [job.id for job in s.jobs(queue="many")] == [job.id for job in reversed(jobs)]
    assert len(list(s.jobs(labels={"n": "1"}, status="succeeded", queue="many"))) == 65
    assert s.queue("many").finished_jobs == 130
    assert s.prune(queue="many") == 130
    with pytest.raises(soma.NotFound):
        s.queue("many")


def test_a_queue_is_paused_and_bounded(s):
    assert s.update_queue("slow", paused=True, max_running=2, keep=3600).max_running == 2
    job = s.submit(["true"], queue="slow")
    assert (job.status, job.info().wait) == ("queued", "queue_paused")
    assert [q.name for q in s.queues() if q.is_paused] == ["slow"]
    s.update_queue("slow", paused=False)
    assert job.wait(20).status == "succeeded" and s.queue("slow").keep == 3600


def test_jobs_wait_for_jobs_and_share_keys(s):
    first = s.submit("import sys; sys.stdin.read()", interactive=True, dedupe="the one")
    assert s.submit("1", dedupe="the one").id == first.id
    second = s.submit(["true"], after=[first], after_policy="run", start_within=600)
    assert second.info().wait == "after"
    first.send(end=True)
    assert second.wait(20).status == "succeeded"


def test_a_job_reports_its_progress(s, until):
    source = (SOURCE / "client/python/soma/jobs.py").read_text()
    function = source[source.rindex("def progress("):]
    code = f"import os, sys\n{function}\nprogress(40, 'epoch 4')\nsys.stdin.read()"
    job = s.submit(code, interactive=True)
    until(lambda: job.progress == 40.0)
    assert job.info().progress_message == "epoch 4"
    job.send(end=True)
    job.wait(20)
    soma.progress(1, "outside of a job it does nothing")


def test_waiting_and_following_go_on_over_a_restart_and_a_kill_of_the_server(server, s):
    job = s.submit("import time\nfor n in range(4): print(n, flush=True); time.sleep(0.5)")
    heard = job.follow(60)
    first = next(heard).data
    server.kill()
    server.start()
    assert first + b"".join(piece.data for piece in heard) == b"0\n1\n2\n3\n"
    assert job.wait(20).status == "succeeded"


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    with soma.connect(f"ipc://{tmp_path}/nobody", connect_timeout=0.05) as s:
        with pytest.raises(soma.Unavailable) as caught:
            s.heartbeat()
        assert caught.value.reason == "SERVER_UNREACHABLE" and isinstance(caught.value, ConnectionError)
    with pytest.raises(soma.Error, match="closed"):
        s.heartbeat()
    with pytest.raises(soma.InvalidArgument):
        soma.connect("nonsense")


def test_closing_ends_calls_in_flight(server):
    s = soma.connect(server.address)
    job = s.submit("import time; time.sleep(1000)")
    ended = []

    def wait():
        try:
            job.wait()
        except soma.Cancelled as error:
            ended.append(error.code)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    s.close()
    waiter.join(20)
    assert ended == [soma.Code.CANCELLED]
    with soma.connect(server.address) as other:
        other.job(job.id).cancel(force=True)


def test_closing_waits_for_a_call_that_just_starts(server, monkeypatch):
    s = soma.connect(server.address)
    library = soma._library.library
    start, inside, closed, heard = library.soma_server_ping_async, threading.Event(), threading.Event(), []

    def start_late(*arguments):
        inside.set()
        heard.append(closed.wait(0.5))  # in vain
        return start(*arguments) if not closed.is_set() else 1

    def ping():
        try:
            s.heartbeat()
        except soma.Cancelled:
            pass
        heard.append("ended")

    monkeypatch.setattr(library, "soma_server_ping_async", start_late)
    thread = threading.Thread(target=ping)
    thread.start()
    inside.wait(20)
    s.close()
    closed.set()
    thread.join(20)
    assert heard == [False, "ended"]
    with pytest.raises(soma.Error, match="CLIENT_CLOSED"):
        s.heartbeat()


def test_a_namespace_has_jobs_and_collections_of_its_own(server, s):
    with soma.connect(server.address, namespace="elsewhere") as other:
        job = other.submit(["true"])
        job.wait(20)
        assert [j.id for j in other.jobs()] == [job.id]
        other.create_collection("theirs", dimension=2)
    with pytest.raises(soma.NotFound):
        s.job(job.id)
    with pytest.raises(soma.NotFound):
        s.get_collection("theirs")


def test_tokens_and_the_server_itself(s):
    secret = s.create_token("ci", ["read", "submit"], expires_after=3600)
    assert secret.startswith("soma_")
    (token,) = [token for token in s.tokens() if token.name == "ci"]
    assert token.namespace == "default" and token.scopes == ["read", "submit"] and (token.expires - token.created).total_seconds() == pytest.approx(3600, abs=1)
    s.revoke_token("ci")
    assert "ci" not in [token.name for token in s.tokens()]
    info = s.info()
    assert info["version"] == soma.version() and info["limits"]["frame_bytes"] == 8388608 and "python" in info["languages"]
    assert all(isinstance(value, int) for value in s.stats().values())


def test_no_program_is_needed_to_read_the_package():
    path = pathlib.Path(soma.__file__).parent
    assert (path / "py.typed").exists()
