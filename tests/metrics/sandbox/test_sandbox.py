"""Code in a sandbox measures like any other metric; whatever else it does is its own failure, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from guard.errors import MetricError
from guard.metrics import Failure, Message, Score, Turn
from guard.metrics.measure import measure
from guard.metrics.sandbox import Limits, Sandbox, SandboxError, sandboxed
from guard.metrics.score import Probe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there are walls only on Linux"),
]
TURN = Turn(messages=(Message("user", ("Où est Acme?",)),), output=("Here.",), labels={"user": "u1"})
LIMITS = Limits(seconds=2.0, memory=256 << 20)


async def ended(code: str, *, times: int = 1, function: str = "f", limits: Limits = LIMITS, **given: Any) -> Any:
    """What code measures of the turn's input, the last of so many times."""
    sandbox = Sandbox(code, function, limits=limits)
    try:
        metric = sandboxed("own", sandbox, await sandbox.describe(), version="1", **given)
        probe = Probe("own", "input")
        found = [(await measure([probe], TURN, {"own": metric}))[probe] for _ in range(times)]
        return found[-1]
    finally:
        await sandbox.end()


def body(*lines: str, head: str = "import os, sys") -> str:
    return "\n".join([head, "def f(text):", *(f"    {line}" for line in lines)])


@pytest.mark.parametrize(
    ("code", "kind", "value"),
    [
        ("def f(text): return len(text)", "number", 12.0),
        ("def f(text): return {'b', 'a'}", "labels", ("a", "b")),
        ("async def f(text): return 'Acme' in text", "number", 1.0),
        ("def f(turn, side): return turn.messages[0].role + turn.labels['user'] + side", "label", "useru1input"),
        ("def f(turn, side): return turn.passages('output')[0]", "label", "Here."),
        (
            "def f(*, index, node_input, node_output, **more): return node_input + node_output",
            "label",
            "Où est Acme?Here.",
        ),
        ("def f(*, node_output, **more): return 0.5\ndef score_type(): return float", "number", 0.5),
    ],
)
async def test_every_form_that_a_function_may_have_measures_in_the_sandbox_too(code, kind, value):
    assert (await ended(code, kind=kind)).value == value


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (body("while True: pass"), "longer than 2 s"),
        (body("os.kill(os.getpid(), 9)"), "SIGKILL"),
        (body("os._exit(0)"), "exit status 0"),
        (body("sys.exit('done')"), "SystemExit"),
        (body("return bytearray(1 << 30)"), "MemoryError"),
        (body("import ctypes; ctypes.string_at(0)"), "SIGSEGV"),
        (body("os.write(int(sys.argv[1]), b'garbage ' * 1_000)", "return 1"), "something else"),
        (body("os.write(int(sys.argv[1]), b'\\0\\0\\0\\2{}')", "return 1"), "something else"),
        (body("os.write(int(sys.argv[1]), b'\\0\\0\\0\\1[')", "return 1"), "something else"),
        (body("return float('nan')"), "no number"),
        (body("return None"), "NoneType"),
        (body("return 'a label'"), "kind is number"),
        (body("return object()"), "not object"),
        (body("raise ValueError('no such word')"), "ValueError: no such word"),
    ],
)
async def test_code_that_does_not_measure_is_a_failure_and_no_score(code, told):
    found = await ended(code)
    assert isinstance(found, Failure)
    assert told in found.error


@pytest.mark.parametrize(
    "line",
    [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "import socket; socket.socket()",
        "import socket; socket.create_connection(('127.0.0.1', 80))",
        # Signal 0 and limits that are only looked at: where a wall fell, the test should, and nothing else.
        "os.kill(os.getppid(), 0)",
        "os.kill(-1, 0)",
        "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "open('/etc/passwd').read()",
        "os.listdir('/')",
        "open(MADE).read()",
        "open(MADE, 'a')",
        "open(MADE + '.new', 'w')",
        "os.chmod(MADE, 0)",
        "os.utime(MADE)",
        "os.unlink(MADE)",
        "os.rename(MADE, MADE + '.new')",
        "os.memfd_create('hoard')",
    ],
)
async def test_code_reaches_no_other_process_no_network_and_no_file(line, tmp_path):
    (tmp_path / "made").write_text("a secret")
    found = await ended(body(f"MADE = {str(tmp_path / 'made')!r}", line, "return 1"))
    assert isinstance(found, Failure)
    assert found.error.split(":")[0] in ("PermissionError", "ValueError")


async def test_code_sees_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("GUARD_CENTRAL_KEY", "a-secret")
    found = await ended(body("return str(dict(os.environ)) + str(sys.path) + str(sys.argv)"), kind="label")
    assert isinstance(found, Score)
    assert "a-secret" not in str(found.value)
    assert str(Path(__file__).parents[3]) not in str(found.value)


async def test_what_code_prints_goes_nowhere(capfd):
    found = await ended(body("print('garbage', flush=True)", "os.write(2, b'garbage')", "return 1"), times=2)
    assert found.value == 1.0
    assert capfd.readouterr() == ("", "")


async def test_threads_that_code_leaves_behind_are_bounded_and_stand_still_between_calls():
    loop = "threading.Thread(target=spin, daemon=True).start()"
    code = body(loop, "return 1", head="import threading\ndef spin():\n    while True: pass")
    sandbox = Sandbox(code, "f", limits=LIMITS)
    try:
        metric = sandboxed("own", sandbox, await sandbox.describe(), version="1")
        await measure([Probe("own", "input")], TURN, {"own": metric})
        pid = sandbox._process.pid
        await asyncio.sleep(0.1)
        before = cpu(pid)
        await asyncio.sleep(0.3)
        assert cpu(pid) == before
    finally:
        await sandbox.end()
    many = body("for _ in range(10_000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
    assert isinstance(await ended("import threading, time\n" + many), Failure)


async def test_code_that_hangs_is_gone_afterwards_and_measures_again_in_a_fresh_process():
    code = "seen = []\ndef f(text):\n    seen.append(text)\n    while text == 'hang': pass\n    return len(seen)"
    sandbox = Sandbox(code, "f", limits=Limits(seconds=0.5))
    try:
        metric = sandboxed("own", sandbox, await sandbox.describe(), version="1")

        async def ask(text: str) -> Any:
            probe = Probe("own", "input")
            return (await measure([probe], Turn.of(text), {"own": metric}))[probe]

        assert [(await ask("a")).value, (await ask("b")).value] == [1.0, 2.0]
        pid = sandbox._process.pid
        late, after = await asyncio.gather(ask("hang"), ask("c"))
        assert (late.timed_out, after.value) == (True, 1.0)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        await sandbox.end()
    assert not sandbox.alive


async def test_a_turn_that_does_not_wait_any_longer_ends_the_call():
    sandbox = Sandbox(body("while True: pass"), "f", limits=Limits(seconds=60))
    try:
        metric = sandboxed("own", sandbox, await sandbox.describe(), version="1")
        probe = Probe("own", "input")
        found = (await measure([probe], TURN, {"own": metric}, timeout=0.3))[probe]
        assert found.timed_out
        assert not sandbox.alive
    finally:
        await sandbox.end()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def f(", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("import requests\ndef f(text): return 1", "ModuleNotFoundError"),
        ("import guard\ndef f(text): return 1", "ModuleNotFoundError"),
        ("def other(text): return 1", "no function 'f'"),
        ("while True: pass", "loading took longer"),
        ("import os, sys; os.write(int(sys.argv[1]), b'\\0\\0\\0\\2{}')\nwhile True: pass", "something else"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
async def test_code_that_does_not_load_says_why(code, told):
    with pytest.raises(SandboxError, match=told):
        await ended(code, limits=Limits(start=3.0))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def f(a, b, c): return 1", "takes"),
        ("def f(text): return 1\ndef score_type(): return str", "its kind is 'label'"),
        ("def f(text): return 1\ndef score_type(): return dict", "give one of"),
    ],
)
async def test_code_of_another_form_or_kind_is_refused(code, told):
    with pytest.raises(MetricError, match=told):
        await ended(code)


async def test_code_is_not_run_where_a_wall_that_is_needed_does_not_stand(monkeypatch):
    from guard.metrics.sandbox import process

    *start, program, folder = process._PROGRAM
    elsewhere = "import platform; platform.machine = lambda: 'abacus'; " + program
    monkeypatch.setattr(process, "_PROGRAM", (*start, elsewhere, folder))
    with pytest.raises(SandboxError, match=r"walls do not stand here: calls .*abacus"):
        await ended("def f(text): return 1")
    assert (await ended("def f(text): return 1", limits=Limits(walls=()))).value == 1.0


def cpu(pid: int) -> int:
    """Ticks of CPU that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
