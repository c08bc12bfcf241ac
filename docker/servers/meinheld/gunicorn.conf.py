# gunicorn's configuration for the profile meinheld:
# 1200 connections on 1 CPU and 256Mi of memory, served by meinheld.
#
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/gunicorn.conf.py;
# in a pod a ConfigMap lies over that file. Comments give each number at the profile's own limits; where it
# depends on the machine, boot works it out again from the container's real ones and reports it on stdout.
# A name with a leading underscore is this file's own; gunicorn takes every other one for a setting.

from kit_runtime.workers import configuration as _kit

# Refuses to run in an image of another runtime version.
_kit.begin(runtime='ce248a260d31')

# What the profile asks for and what was measured of this server; the formulas are in kit_runtime/sizing.py.
_numbers = _kit.numbers(
    connections=1200,
    workers={'per_cpu': 1, 'plus': 0, 'at_least': 1, 'at_most': None},
    threads=None,
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=True,
    master_memory_bytes=20 * 1024 * 1024,
    # The sample app's, measured; measure yours and set resources.worker_memory.
    worker_memory_bytes=30 * 1024 * 1024,
    connection_memory_bytes=16 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# All addresses of the container: gunicorn's own default, 127.0.0.1, no Service and no other container reaches.
bind = ['0.0.0.0:8000']

# Each worker imports the app by itself, after the fork.
preload_app = False

# --- How many ---

# 1: 1 x 1 CPU = 1.
# One a CPU: each is one loop, and cooperative sockets fill the time that a backend takes.
workers = _numbers.workers.value

# The kit's worker for the meinheld that this image builds: stock, one dead worker takes the master along,
# timeout is not enforced, a stop cuts requests, and 8,063 of 10,000 connections never got an answer; here 0.
worker_class = 'kit_runtime.workers.meinheld.MeinheldWorker'

# 1560: 1.3 x 1200 connections / 1 workers, rounded up.
# A worker that is full stops accepting; what does not fit elsewhere waits in the backlog.
# Open files, a limit raised at boot:
# 3248: 2 x 1560 worker_connections (the client's socket and one to a backend) + 128.
worker_connections = _numbers.worker_connections.value

# Connections that the kernel has accepted and no worker yet; it cuts this at net.core.somaxconn (4096).
backlog = _numbers.backlog.value

# --- How long ---

# An idle connection stays open for this long: longer than the 60 s after which most proxies drop theirs, since
# the side that closes first must be the one that sends requests.
keepalive = 75

# A worker that has hung for this long is killed and replaced. It limits no request: the loop or another
# thread goes on meanwhile.
timeout = 30

# After SIGTERM requests in flight have this long. What stops the container waits 40 s:
# 5 preStop + 30 graceful_timeout + 5 to exit.
graceful_timeout = 30

# No worker is replaced for its age; only an app that leaks memory needs it.
max_requests = 0
max_requests_jitter = 0

# --- Logs: the container's own streams ---

# Errors to stderr, requests to stdout; a file in a container is lost, and a read-only root refuses it.
errorlog = "-"
loglevel = 'info'
# Off by the profile: formatting costs 20 to 40 % of throughput, and most ingresses keep an access log.
accesslog = None

# --- What gunicorn's defaults get wrong in a container ---

# The heartbeat file: the default, /tmp, may be a disk, whose pauses look like a hung worker, or not writable.
worker_tmp_dir = "/dev/shm"

# On by default since 25.1: a socket that can stop workers, and an error line on a read-only root.
control_socket_disable = True

# Proxies whose X-Forwarded-Proto is believed.
forwarded_allow_ips = '127.0.0.1,::1'


def on_starting(server):
    """Raise the limit on open files, which workers inherit, and warn of what does not fit."""
    _kit.starting(server, _numbers)


def when_ready(server):
    """The app is imported, no worker is forked: freeze what they will share, and report."""
    _kit.ready(
        server,
        _numbers,
        globals(),
        profile='meinheld',
        served_by='meinheld',
        kit='0.1.0',
    )


def post_fork(server, worker):
    """A stop between the fork and the worker's own signal handlers would be lost, and take graceful_timeout."""
    _kit.forked(server, worker)
