"""The commands of the command line: train, compare, report, plan, bench, doctor, completion.

The library imports nothing from here.

=====================  ===========================================================================
``dispatch``           ``tq-halp COMMAND``
``train``, ``plan``    one command each, as is ``report``
``running``            a training run: built from a config, recorded, checkpointed, resumed
``compare``            several algorithms over several seeds, with tables and figures
``bench``, ``doctor``  timings; what is installed and whether it works
``exit_status``        exit codes; errors and warnings in one line
``shared_options``     options of more than one command
=====================  ===========================================================================
"""
