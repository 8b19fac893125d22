"""What is hidden while another package is imported."""

import subprocess
import sys
import threading

import pytest

from guard.metrics import hidden as module
from guard.metrics.hidden import hidden


def importing(name):
    """Whether a module can be imported, of which nothing has been."""
    sys.modules.pop(name, None)
    try:
        __import__(name)
    except ModuleNotFoundError:
        return False
    return True


def test_what_is_hidden_cannot_be_imported_until_it_is_over():
    with hidden("__hello__"):
        assert not importing("__hello__")
        assert importing("colorsys")
    assert importing("__hello__")


def test_another_thread_imports_what_is_hidden_from_this_one():
    found = []
    with hidden("__hello__"):
        thread = threading.Thread(target=lambda: found.append(importing("__hello__")))
        thread.start()
        thread.join()
    assert found == [True]


def test_nothing_is_hidden_where_a_pipeline_may_need_it(monkeypatch):
    monkeypatch.setattr(module, "TAKEN", ("json",))
    with hidden("__hello__"):
        assert importing("__hello__")


@pytest.mark.slow
def test_personal_data_is_found_without_torch():
    heavy = "{'torch', 'transformers'}"
    code = f"import sys; from guard.metrics.pii import pii; pii().warm_up(); print({heavy} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
