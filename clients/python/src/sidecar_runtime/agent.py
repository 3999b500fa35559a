"""Asks the agent of this node: over its Unix socket where that is allowed, else over loopback. No answer is None."""

import http.client
import json
import os
import socket

#: Where the agent listens unless it was told otherwise.
SOCKET = "/run/sidecar/sidecar.sock"
LISTEN = "127.0.0.1:9808"
#: How long anything may take, in seconds: an agent that is stopped holds nobody up for longer.
PATIENCE = 0.5


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("sidecar", timeout=PATIENCE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class Agent:
    """One agent. SIDECAR_SOCKET and SIDECAR_LISTEN say where it is if it is elsewhere."""

    def __init__(self, path=None, listen=None):
        self.path = path or os.environ.get("SIDECAR_SOCKET") or SOCKET
        self.listen = listen or os.environ.get("SIDECAR_LISTEN") or LISTEN

    def ask(self, method, path, body=None):
        """Status and text of the answer, or None."""
        for connect in (lambda: _Connection(self.path), self._tcp):
            try:
                connection = connect()
                try:
                    headers = {} if body is None else {"Content-Type": "application/json"}
                    text = None if body is None else json.dumps(body)
                    connection.request(method, path, text, headers)
                    answer = connection.getresponse()
                    return answer.status, answer.read().decode("utf-8", "replace")
                finally:
                    connection.close()
            except (OSError, ValueError, http.client.HTTPException):
                continue
        return None

    def _tcp(self):
        host, _, port = self.listen.rpartition(":")
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=PATIENCE)

    def get(self, path):
        """The JSON of an answer that is not a refusal, or None."""
        answer = self.ask("GET", path)
        # An unhealthy agent answers 503 with its health all the same.
        if answer is None or (answer[0] != 200 and path != "/health"):
            return None
        try:
            return json.loads(answer[1])
        except ValueError:
            return None
