"""moto's own server, but requests take turns, those aside that wait for messages.

Its models walk through dictionaries that another thread's request changes, and then it answers 500.
"""

import sys
import threading

from moto import server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

TURN = threading.Lock()


class InTurn(DomainDispatcherApplication):
    """One request at a time."""

    def __call__(self, environ, start_response):
        if environ.get("HTTP_X_AMZ_TARGET", "").endswith(".ReceiveMessage"):
            return super().__call__(environ, start_response)
        with TURN:
            return super().__call__(environ, start_response)


server.DomainDispatcherApplication = InTurn
server.main(sys.argv[1:])
