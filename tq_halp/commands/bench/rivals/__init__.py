"""A race of whole fits: ours and other libraries', from a NumPy array to the coefficients.

problems.py      the data sets
contenders.py    who takes part, as estimators with so many iterations
race.py          seconds to 1.01, 1.001 and 1.0001 of the least loss
process.py       one problem with so many threads, in a process of its own: worker.py
"""
