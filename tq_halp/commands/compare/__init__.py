"""`python -m tq_halp.compare`: algorithms compared on one task, over seeds and at equal cost.

command           the command line                candidates        what is compared, its settings
run_grid          the runs that are needed        compared_run      one run: folder, how it ended
preflight         their settings are checked      process_pool      processes that carry them out
worker_process    one such process                progress_display  what the terminal shows
meanwhile folder_lock       one comparison per folder       results           what all runs left
equal_budget      evaluations at equal budgets    statistics        means, errors, paired
differences figures           curves and diagnostics          summary_tables    the tables markup
text and tables as Markdown     html_page         and as HTML with the figures
"""
