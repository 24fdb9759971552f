"""The drive: tasks, agents, runs and the command line."""
