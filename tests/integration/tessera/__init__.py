"""What the integration tests are made of: processes, a client of the protocol, a checker of what lies in Redis.

Everything here is written from proto/PROTOCOL.md and proto/REDIS.md alone. It shares no code with the programs that it
tests, so a mistake in theirs is not repeated here.
"""
