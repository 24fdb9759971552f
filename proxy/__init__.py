"""The wire: agent to upstream, the tee, and the reading of each API's bytes."""
