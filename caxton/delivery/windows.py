"""What one client may have on its way to one shard: messages that this has not placed yet, on each lane."""

# Even the least opens a link: a frame is cut to what may go. Beyond the most a client is no faster, only further ahead.
LEAST_WINDOW, MOST_WINDOW = 64, 8_192
