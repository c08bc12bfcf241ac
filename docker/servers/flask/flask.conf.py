# Configuration of Flask's development server for the profile flask. DEVELOPMENT ONLY: never in production.
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/flask.conf.py.
# Mount your own folder over /app to work on it: the server reloads when a file changes.

from kit_runtime import configuration as _kit

# Stops here if the image has another version of the runtime than the one this file was generated for.
_kit.begin(runtime='b4551610236c')

_numbers = _kit.numbers(
    connections=10,
    workers={'per_cpu': 0, 'plus': 1, 'at_least': 1, 'at_most': None},
    threads={'per_cpu': 0, 'plus': 2, 'at_least': 1, 'at_most': None},
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=False,
    master_memory_bytes=40 * 1024 * 1024,
    # Measured with the sample app; measure yours and set resources.worker_memory.
    worker_memory_bytes=40 * 1024 * 1024,
    connection_memory_bytes=64 * 1024,
)

wsgi_app = 'flask_server:app'
# Every interface; where the environment has PORT, that port.
bind = _kit.bind(8000)

# 2: above 1 means Flask's `threaded`, a thread for each request, without a limit.
threads = _numbers.threads.value

# 1: above 1 means Flask's `processes`, each request in a fork; not together with threads.
workers = _numbers.workers.value

# Reloads when a file changes; a mistake in the app is shown, and tried again with the next change.
reload = True

# The debugger lets whoever reaches it run code in this container: off unless you turn it on here.
debug = False


def when_ready(server):
    """Report on stdout what is in force."""
    _kit.ready(
        server,
        _numbers,
        {},
        profile='flask',
        served_by='flask',
        kit='0.1.0',
    )
