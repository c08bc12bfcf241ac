"""What one client may take of a server that faces clients directly: bytes of an unfinished head, seconds of silence."""

#: Of a whole request head, request line and headers together; a longer one is answered 431.
HEAD_BYTES = 64 * 1024
#: Of all unfinished heads of a worker. 150 heads of 6.5 MB, as the e-mail parser held them, once ended a worker.
UNFINISHED_HEADS_BYTES = 4 * 1024 * 1024
#: Seconds in which a client must send more of a request's body, and in which it must take more of a response.
#: nginx has the same default for client_body_timeout and send_timeout.
IDLE_SECONDS = 60.0
