"""gevent's WSGI server with a supervisor of the kit's own: `server: pywsgi`."""
