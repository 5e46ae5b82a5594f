"""Faults: every verb that writes is stopped at random moments, and runs out of disk and of memory.

    python -m faults --n 200        # of each kind of verb; the table says what came of it

Each trial is a process forked off one that has loaded everything, so that moments are spread over the work and not over
the start of Python. What must hold afterwards:

- every result is absent, the old one or the new one, whole;
- the process ended as it should: 130 after SIGINT, 143 after SIGTERM, one line on stderr, no traceback;
- after all but SIGKILL, nothing else is left but what the next run goes on from;
- the same command then ends well, with the bytes of a run that nobody disturbed, and nothing else is left at all.
"""
