"""Hostile files by the thousand: whatever is in a file, what comes out is a result or one line.

    make fuzz                       5,000 mutated files, seed 0
    make fuzz N=50000 SEED=7
    PYTHONPATH=tests python -m fuzz --seed 7 --only 1234      one of them again, kept and explained

A case follows from the seed and its number alone.
"""
