"""The line of a log that says why a job ended."""

from pathlib import Path

import pytest

from rlaif_spec.engines.openrlhf.launch.reason import TAIL_BYTES, how_it_ended, last_words, last_words_of

TORCHRUN = """\
[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 9, in <module>
[rank1]:     train(args)
[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 1 has 79 GiB
[rank0]: Traceback (most recent call last):
[rank0]: torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, remote process exited
[rank2]: RuntimeError: [pair.cc:553] Connection closed by peer [10.0.0.1]:1
W1124 14:00:00 4242 torch/distributed/elastic/multiprocessing/api.py:900] Sending process 1 closing signal SIGTERM
Traceback (most recent call last):
  File "torchrun", line 7, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
  exitcode  : 1 (pid: 4243)
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
"""
SIGNALLED = """\
E1124 api.py:874] failed (exitcode: -9) local_rank: 0 (pid: 29)
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
====
train.py FAILED
  exitcode  : -9 (pid: 29)
  traceback : Signal 9 (SIGKILL) received by PID 29
====
"""
RAY_TASK = """\
Traceback (most recent call last):
  File "driver.py", line 7, in <module>
    ray.get(a.judge.remote())
ray.exceptions.RayTaskError(JudgementError): \x1b[36mray::Labeler.judge()\x1b[39m (pid=7, ip=10.0.0.1)
  File "driver.py", line 5, in judge
    raise JudgementError("9 of 10")
rlaif_spec.errors.JudgementError: 9 of 10
(raylet) a line of somebody else
"""
RAY_ACTOR = """\
Traceback (most recent call last):
ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
\tclass_name: PolicyModelActor
\tactor_id: 0
The actor is dead because its worker process has died.
"""

THREAD_AT_THE_END = f"""\
{RAY_TASK}Exception in thread ray_print_logs:
Traceback (most recent call last):
  File "threading.py", line 1045, in _bootstrap_inner
AttributeError: no executor yet

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "threading.py", line 1527, in _register_atexit
    raise RuntimeError("can't register atexit after shutdown")
RuntimeError: can't register atexit after shutdown
Exception ignored in: <function Pool.__del__ at 0x7f>
Traceback (most recent call last):
ImportError: sys.meta_path is None, Python is likely shutting down
"""
"""What Ray's own threads say when the failed driver closes under them: about one end in ten on busy cores."""
THREAD_FIRST = """\
Exception in thread saver:
Traceback (most recent call last):
OSError: [Errno 28] No space left on device

Traceback (most recent call last):
ValueError: no checkpoint was written

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
RuntimeError: step 3 failed
"""

ASIDE_WITHOUT_A_NAME_OF_ITS_OWN = """\
Traceback (most recent call last):
ValueError: an old one, handled
Exception in thread reader:
Traceback (most recent call last):
_queue.Empty
Traceback (most recent call last):
torch.OutOfMemoryError: CUDA out of memory
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TORCHRUN, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 1 has 79 GiB"),
        (SIGNALLED, "traceback : Signal 9 (SIGKILL) received by PID 29"),
        (RAY_TASK, "rlaif_spec.errors.JudgementError: 9 of 10"),
        (
            RAY_ACTOR,
            "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task. (PolicyModelActor)",
        ),
        (THREAD_AT_THE_END, "rlaif_spec.errors.JudgementError: 9 of 10"),
        (ASIDE_WITHOUT_A_NAME_OF_ITS_OWN, "torch.OutOfMemoryError: CUDA out of memory"),
        (THREAD_FIRST, "RuntimeError: step 3 failed"),
        ("Exception in thread one:\nTraceback (most recent call last):\nOSError: full\n", "OSError: full"),
        ("Exception ignored in: <f>\nTraceback:\nOSError: old\n(Actor pid=1) KeyError: 'x'\n", "KeyError: 'x'"),
        ("(PolicyModelActor pid=12, ip=10.0.0.2) AssertionError\n", "AssertionError"),
        ("  raise ValueError(x)\nthe end of an ordinary log\n----\n", "the end of an ordinary log"),
        ("Exception: plain\n", "Exception: plain"),
        (" 50%|#####     | 1/2\r100%|##########| 2/2\rKeyError: 'prompt'", "KeyError: 'prompt'"),
        ("", ""),
        ("\n\n", ""),
    ],
)
def test_the_root_is_found(text: str, words: str) -> None:
    assert last_words(text) == words


def test_one_short_line() -> None:
    found = last_words("ValueError: " + "x" * 5000 + "\nmore")
    assert len(found) == 300
    assert found.endswith("...")


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("KeyError: old\n" + "step\n" * (TAIL_BYTES // 5), encoding="utf-8")
    assert last_words_of(log) == "step"
    assert last_words_of(tmp_path / "none") == ""


def test_codes_in_words() -> None:
    assert how_it_ended(-9) == how_it_ended(137) == "was ended by SIGKILL, as the system does when memory runs out"
    assert how_it_ended(143) == "was ended by SIGTERM"
    assert how_it_ended(2) == "ended with exit code 2"
    assert how_it_ended(255) == "ended with exit code 255"
