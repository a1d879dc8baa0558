"""What the gateway keeps for whoever asks, and for how long. Beyond each of these a request is refused, and counted."""

# Connections, whether anything is asked on them or not.
MAX_CONNECTIONS = 512
# Of these at the port for metrics.
MAX_METRICS_CONNECTIONS = 32
# Requests under way, streams aside: of those who have tokens, and of anybody, who may ask whether it is well.
MAX_REQUESTS, MAX_OPEN_REQUESTS = 256, 128
# Bytes of a request's line and headers; and of one body, where a module or where anything else is sent.
MAX_HEAD_BYTES, MAX_BODY_BYTES, MAX_MODULE_BODY_BYTES = 32 << 10, 24 << 20, 96 << 20
# Requests that wait on one connection for those before them.
MAX_PIPELINED = 8
# Bytes of a body that is no message, its module or task aside; and of each field of a message but its content.
MAX_FORM_BYTES, MAX_FIELD_BYTES = 1 << 20, 16 << 10
# Bytes of bodies that are decoded whenever they are there; larger ones one at a time.
SMALL_BODY_BYTES = 64 << 10
# Bytes of all bodies that are being read or answered.
MAX_BODIES_BYTES = 256 << 20
# Bytes of all answers that are being sent, small ones aside; and of what is sent of one before the next part of it.
MAX_ANSWERS_BYTES, MAX_PART_BYTES = 256 << 20, 64 << 10
# What one token may have of these, so that others get through.
MAX_OWN_REQUESTS, MAX_OWN_STREAMS, MAX_OWN_BODIES_BYTES = MAX_REQUESTS // 2, 32, MAX_BODIES_BYTES // 2
# Messages of one token's batches and contract nets under way: as many as in two of the largest batches.
MAX_OWN_MESSAGES = 20_000
# What a task of a contract net may come to, with a copy of it for each bidder.
MAX_TASK_COPIES_BYTES = 64 << 20
# Bytes of what agents answer in contract nets under way: of all of them, and of those of one principal.
MAX_BIDS_BYTES, MAX_OWN_BIDS_BYTES = 128 << 20, 64 << 20
# Clients of the runtime, one for each principal that was here lately; and bytes of contents that wait, on each lane, in
# the inbox of one for who reads it.
MAX_CLIENTS, MAX_INBOX_BYTES = 64, 4 << 20
# Streams, which last.
MAX_STREAMS = 64
# Items of one page of a list.
MAX_PAGE = 500
# Messages in one batch; and outcomes of one that are told before others have the loop.
MAX_MESSAGES, OUTCOMES_AT_ONCE = 10_000, 64

# From the first byte of a connection, or of its next request, to the end of the headers.
HEAD_TIMEOUT_S = 10.0
# From the headers to the answer, and as long again for who reads it, streams aside.
REQUEST_TIMEOUT_S = 60.0
# Until a reader that does not read is left.
SEND_TIMEOUT_S = 20.0
# Until a connection is cut off that was closed and takes nothing, or whose request is answered and goes on.
CLOSE_TIMEOUT_S = 5.0
# Until a connection is closed on which nothing more is asked.
KEEP_ALIVE_S = 30
# For what is under way when the gateway is told to end.
STOP_TIMEOUT_S = 2
# Longest time that a message may take which a request waits for.
MESSAGE_TIMEOUT_S = 30.0
# For agents to bid; with the time that the winner may take, a request lasts no longer than it may.
BIDDING_TIMEOUT_S = 25.0
# For compiling a module.
DEPLOY_TIMEOUT_S = 50.0
# For one look at the runtime, and for each part of it that shards tell: Prometheus waits 10 s unless told otherwise.
LOOK_TIMEOUT_S, PART_TIMEOUT_S = 8.0, 5.0
# Between two looks at what is kept, which of the time take at most this share; and for one of them.
KEPT_PERIOD_S, KEPT_SHARE, KEPT_TIMEOUT_S = 15.0, 0.05, 60.0
# For how long what was told of metrics is told to others.
SCRAPE_FRESH_S = 1.0
# Between two signs of life in a stream that has nothing to say.
HEARTBEAT_S = 10.0
