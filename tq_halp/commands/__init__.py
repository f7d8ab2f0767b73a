"""The command line: `tq-halp train | compare | report | plan | bench | doctor | completion`.

Nothing of the library imports anything from here.

=====================  ===========================================================================
``dispatch``           ``tq-halp COMMAND``
``train``, ``plan``    a command in one module; ``report`` is one as well
``running``            what a training run is: built from a config, recorded, checkpointed, resumed
``compare``            many such runs, over seeds, and what came out
``bench``, ``doctor``  timings; what is installed and whether it works
=====================  ===========================================================================
"""
