"""Capability cells that several servers share."""

from __future__ import annotations

from .server import harmful, honoured, ignored

TLS = harmful("probes and HEALTHCHECK speak plain HTTP to the container: end TLS in the proxy or the ingress")
#: What holds for every worker class of gunicorn that goes through its own request parser and arbiter.
GUNICORN = {
    "workers": honoured("test_plan_equals_boot"),
    "backlog": honoured("test_listens_on_the_port"),
    "timeout": honoured("test_hung_worker_is_replaced"),
    "graceful_timeout": honoured("test_request_in_flight_finishes_on_sigterm"),
    "max_requests": honoured("test_max_requests_recycles"),
    "max_requests_jitter": honoured("unprobed: random by purpose; gunicorn adds it to max_requests"),
    "preload_app": honoured("test_info_shows_preload_and_patches"),
    "loglevel": honoured("test_boot_report_is_independent_of_loglevel"),
    "forwarded_allow_ips": honoured("test_forwarded_proto_from_a_trusted_peer"),
    "access_log": honoured("test_access_log"),
    "limit_request_line": honoured("test_gunicorn_mapping_reaches_the_server"),
    "proxy_protocol": honoured("unprobed: gunicorn's own parser; needs a proxy that speaks it"),
    "statsd_host": honoured("unprobed: gunicorn's own logger; needs a statsd server"),
    **dict.fromkeys(("certfile", "keyfile", "ca_certs", "ciphers"), TLS),
    "limit_request_fields": honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
    "limit_request_field_size": honoured("unprobed: gunicorn's own parser, the same code as limit_request_line"),
}
HANG = (
    "A worker that has hung for this long is killed and replaced. It limits no request: the loop or another thread "
    "goes on meanwhile."
)
NO_ASGI = ignored("only gunicorn's asgi worker reads it")
ASGI_ONLY = ("asgi_loop", "asgi_lifespan", "asgi_disconnect_grace_period", "websocket_max_message_size", "root_path")
