"""Algorithms compared on one task, over seeds, at equal epochs and at equal cost.

command     the command line                    candidates    who is compared, with which settings
comparison  which runs that takes               run         one of them: its folder, how it ended
pool        processes that carry them out       worker      what such a process does
checking    their settings, before the first    progress    what is shown meanwhile
budget      evaluations at equal budgets        statistics  means, errors, paired differences
curves      the figures                         summary     the tables
document    tables and text, as Markdown        page        and as HTML with the figures inside
"""
