"""Runs each Python snippet of a document, with only its import line changed, beside a running agent."""

import re
import sys
import time
import types

from sidecar_runtime import SidecarConfig, SidecarRuntime


class App:
    """What the snippets take for a web framework."""

    def route(self, _path):
        return lambda function: function


def fresh():
    """What a snippet may rely on: what the document's earlier snippets have made."""
    sidecar = SidecarRuntime()
    sidecar.start()
    sidecar.observe("test_event", {"test_id": "before"})
    response = lambda text, mimetype: types.SimpleNamespace(text=text, mimetype=mimetype)
    return {
        "sidecar": sidecar,
        "config": SidecarConfig(),
        "health": sidecar.get_health(),
        "SidecarRuntime": SidecarRuntime,
        "SidecarConfig": SidecarConfig,
        "app": App(),
        "Response": response,
        "time": time,
        "__name__": "snippet",
    }


def calm():
    """Waits until the agent is within the figures that the document asserts: it has just started."""
    sidecar = SidecarRuntime()
    deadline = time.monotonic() + 50
    while time.monotonic() < deadline:
        now = sidecar.profiler.get_current()
        if now.available and now.cpu_percent < 5.0 and sidecar.get_health()["status"] == "healthy":
            return
        time.sleep(0.2)
    sys.exit(f"the agent does not calm down: {sidecar.get_health()}")


def main(document):
    text = open(document, encoding="utf-8").read()
    snippets = re.findall(r"```python\n(.*?)```", text, re.S)
    for number, snippet in enumerate(snippets, 1):
        code = snippet.replace("from core.sidecar import", "from sidecar_runtime import")
        calm()
        names = fresh()
        try:
            exec(compile(code, f"snippet {number}", "exec"), names)
        except Exception as error:
            sys.exit(f"snippet {number} raised {type(error).__name__}: {error}\n{code}")
    print(f"{len(snippets)} snippets ran")


main(sys.argv[1])
