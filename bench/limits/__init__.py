"""The bare loops: a round trip between two processes, one thing more at each stage, nothing of Caxton in them."""
